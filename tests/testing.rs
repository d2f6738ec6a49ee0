//! The promises T1 to T5: what the library has for the tests of its users.

mod support;

use std::convert::Infallible;
use std::future::{Future, pending, poll_fn};
use std::io;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::task::Poll;

use asyncdrop::incident::IncidentKind;
use asyncdrop::testing::{self, Cut, Incidents, Sweep, Trickle, interrupt_cleanups};
use asyncdrop::{AsyncDrop, AsyncDropGuard, AsyncDropReaper, async_trait};
use futures::FutureExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{Semaphore, oneshot};
use tokio::task::{coop, unconstrained, yield_now};
use tokio::time::{Duration, sleep, timeout};

use support::{CLEANED_UP, Diary, Session, message_of_panic};

/// One operation of tokio, which never waits.
async fn operation() {
    let permits = Semaphore::new(1);
    let _permit = permits.acquire().await.unwrap();
}

/// How many operations the budget of this poll still has.
fn budget() -> usize {
    let mut taken = Vec::new();
    while coop::has_budget_remaining() {
        match coop::poll_proceed(&mut std::task::Context::from_waker(std::task::Waker::noop())) {
            Poll::Ready(unit) => taken.push(unit),
            Poll::Pending => unreachable!("there was budget left"),
        }
    }
    let left = taken.len();
    // Each restores what there was before it, so the first one comes last.
    while taken.pop().is_some() {}
    left
}

mod sweep {
    use super::*;

    /// Where each run was cut, and what it left behind.
    async fn all<R>(scenario: impl AsyncFn(&Cut) -> R) -> Vec<(String, R)> {
        let mut found = Vec::new();
        for cut in Sweep::new() {
            let left = scenario(&cut).await;
            found.push((cut.to_string(), left));
        }
        found
    }

    fn texts<R: Copy>(found: &[(String, R)]) -> Vec<(&str, R)> {
        found
            .iter()
            .map(|(cut, left)| (cut.as_str(), *left))
            .collect()
    }

    #[tokio::test]
    async fn t2_a_pipe_with_room_is_cut_between_two_writes() {
        let found = all(async |cut| {
            let (mut ours, mut theirs) = tokio::io::duplex(64);
            let end = cut
                .run(async {
                    ours.write_all(b"good").await?;
                    ours.write_all(b"bye\n").await
                })
                .await;
            drop(ours);
            let mut heard = String::new();
            theirs.read_to_string(&mut heard).await.unwrap();
            assert_eq!(end.is_some(), heard == "goodbye\n", "{cut}");
            heard
        })
        .await;
        let texts: Vec<_> = found
            .iter()
            .map(|(cut, heard)| (cut.as_str(), heard.as_str()))
            .collect();
        assert_eq!(
            texts,
            [
                ("cut 1, after 0 operations", ""),
                ("cut 2, after 1 operation", "good"),
                ("the whole run, 2 operations", "goodbye\n"),
            ]
        );
    }

    #[tokio::test]
    async fn t2_a_wait_is_a_cut_of_its_own() {
        let found = all(async |cut| {
            let (sender, receiver) = oneshot::channel();
            let waiting = tokio::spawn(async {
                yield_now().await;
                let _ = sender.send(());
            });
            let end = cut
                .run(async {
                    operation().await;
                    receiver.await.unwrap();
                    operation().await;
                })
                .await;
            waiting.await.unwrap();
            end
        })
        .await;
        assert_eq!(
            texts(&found),
            [
                ("cut 1, after 0 operations", None),
                ("cut 2, after 1 operation", None),
                ("cut 3, after 1 operation and 1 wait", None),
                ("cut 4, after 2 operations and 1 wait", None),
                ("the whole run, 3 operations and 1 wait", Some(())),
            ]
        );
    }

    #[tokio::test]
    async fn t2_operations_add_up_over_the_budgets_of_many_polls() {
        let found = all(async |cut| {
            let done = std::cell::Cell::new(0);
            cut.run(async {
                for _ in 0..300 {
                    operation().await;
                    done.set(done.get() + 1);
                }
            })
            .await;
            done.get()
        })
        .await;
        // Each run got one operation further than the one before.
        assert!(found.iter().map(|(_, done)| *done).eq(0..=300));
        assert_eq!(found[299].0, "cut 300, after 299 operations");
        assert_eq!(found[300].0, "the whole run, 300 operations");
    }

    #[tokio::test]
    async fn t2_what_happens_without_an_operation_is_not_cut() {
        let found = all(async |cut| cut.run(async { 7 }).await).await;
        assert_eq!(texts(&found), [("the whole run, 0 operations", Some(7))]);
    }

    /// Neither a timer nor a task that is awaited is ready at once: both are waits.
    #[tokio::test(start_paused = true)]
    async fn t2_timers_tasks_and_timeouts_are_cut() {
        let found = all(async |cut| {
            cut.run(async {
                sleep(Duration::from_secs(3)).await;
                tokio::spawn(operation()).await.unwrap();
                timeout(Duration::from_secs(3), operation()).await.unwrap();
                tokio::select! {
                    () = operation() => {}
                    () = sleep(Duration::from_secs(3)) => panic!("the operation is ready"),
                }
            })
            .await
        })
        .await;
        assert_eq!(
            found.last().unwrap().0,
            "the whole run, 4 operations and 2 waits"
        );
        assert_eq!(found.len(), 7);
    }

    #[tokio::test]
    async fn t2_a_wait_for_what_is_not_of_tokio_is_cut() {
        let found = all(async |cut| {
            let (sender, receiver) = futures::channel::oneshot::channel();
            tokio::spawn(async { sender.send(()) });
            cut.run(receiver).await.is_some()
        })
        .await;
        // The first run has no budget when it waits, the second one has.
        assert_eq!(
            texts(&found),
            [
                ("cut 1, after 0 operations", false),
                ("cut 2, after 0 operations and 1 wait", false),
                ("the whole run, 0 operations and 1 wait", true),
            ]
        );
    }

    #[tokio::test]
    async fn t2_the_scenario_is_dropped_at_the_cut() {
        let diary = Diary::default();
        for cut in Sweep::new() {
            let value = Session::of("ada", &diary);
            let result = cut
                .run(async move {
                    operation().await;
                    value
                })
                .await;
            if result.is_none() {
                diary.assert_reads(&["ada dropped"]);
            }
        }
        diary.assert_reads(&["ada dropped", "ada dropped"]);
    }

    /// A future beside the scenario, in the same task, has the budget that the scenario did not use.
    #[tokio::test]
    async fn t2_siblings_do_not_starve() {
        for (number, cut) in Sweep::new().enumerate() {
            // A poll with a new budget.
            yield_now().await;
            let before = budget();
            let mut run = pin!(cut.run(async {
                operation().await;
                operation().await;
                operation().await;
            }));
            let used = poll_fn(|cx| {
                let _ = run.as_mut().poll(cx);
                Poll::Ready(before - budget())
            })
            .await;
            assert_eq!(used, number, "{cut}");
        }
    }

    #[tokio::test]
    async fn t2_a_sweep_inside_of_a_sweep_counts_for_itself() {
        let found = all(async |outer| {
            outer
                .run(async {
                    let inner = all(async |cut| cut.run(operation()).await.is_some()).await;
                    operation().await;
                    inner.len()
                })
                .await
        })
        .await;
        assert_eq!(
            texts(&found),
            [
                ("cut 1, after 0 operations", None),
                ("cut 2, after 1 operation", None),
                ("the whole run, 2 operations", Some(2)),
            ]
        );
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn t2_a_sweep_can_be_spawned() {
        let cuts = tokio::spawn(async {
            let mut cuts = 0;
            for cut in Sweep::new() {
                cut.run(operation()).await;
                cuts += 1;
            }
            cuts
        });
        assert_eq!(cuts.await.unwrap(), 2);
    }

    const NO_BUDGET: &str = "a sweep counts operations by tokio's cooperative budget, and there is none here: \
        run it in a task of tokio, and outside of `unconstrained`";

    #[test]
    fn t2_outside_of_tokio_it_panics_with_the_reason() {
        let cut = Sweep::new().next().unwrap();
        assert_eq!(
            message_of_panic(|| futures::executor::block_on(cut.run(operation()))),
            NO_BUDGET
        );
    }

    #[tokio::test]
    async fn t2_without_a_budget_it_panics_with_the_reason() {
        let cut = Sweep::new().next().unwrap();
        let run = unconstrained(cut.run(operation()));
        let panic = AssertUnwindSafe(run).catch_unwind().await.unwrap_err();
        assert_eq!(*panic.downcast::<&str>().unwrap(), NO_BUDGET);
    }

    #[tokio::test]
    async fn t2_a_sweep_that_could_not_end_panics() {
        let mut sweep = Sweep::new();
        let cut = sweep.next().unwrap();
        assert_eq!(cut.to_string(), "cut 1");
        assert_eq!(
            message_of_panic(|| sweep.next()),
            "cut 1 of the sweep was not run"
        );

        assert!(cut.run(operation()).await.is_none());
        let run = AssertUnwindSafe(cut.run(operation()));
        let panic = run.catch_unwind().await.unwrap_err();
        assert_eq!(
            *panic.downcast::<String>().unwrap(),
            "cut 1 was run before: a cut runs one scenario"
        );

        assert!(sweep.next().unwrap().run(yield_now()).await.is_none());
        let cut = sweep.next().unwrap();
        assert!(cut.run(pending::<()>()).now_or_never().is_none());
        assert_eq!(
            message_of_panic(|| sweep.next()),
            "the run of cut 3 of the sweep was dropped before its end"
        );
    }

    #[tokio::test]
    async fn t2_a_panic_of_the_scenario_goes_on() {
        let cut = Sweep::new().next().unwrap();
        let run = AssertUnwindSafe(cut.run(async { panic!("the scenario panics") }));
        let panic = run.catch_unwind().await.unwrap_err();
        assert_eq!(*panic.downcast::<&str>().unwrap(), "the scenario panics");
    }
}

mod interruptions {
    use super::*;

    /// A cleanup of several operations, each of which is done once, in however many calls.
    #[derive(Debug)]
    struct Steps {
        name: &'static str,
        left: u8,
        diary: Diary,
        inner: Option<Box<AsyncDropGuard<Steps>>>,
    }

    fn steps(name: &'static str, left: u8, diary: &Diary) -> AsyncDropGuard<Steps> {
        let diary = diary.clone();
        AsyncDropGuard::new(Steps {
            name,
            left,
            diary,
            inner: None,
        })
    }

    #[async_trait]
    impl AsyncDrop for Steps {
        type Error = Infallible;

        async fn async_drop_impl(&mut self) -> Result<(), Infallible> {
            self.diary.write(format!("{} begins", self.name));
            if let Some(inner) = &mut self.inner {
                inner.async_drop().await?;
            }
            while self.left > 0 {
                operation().await;
                self.left -= 1;
                self.diary.write(format!("{} step", self.name));
            }
            Ok(())
        }
    }

    #[tokio::test]
    async fn t5_a_cleanup_is_dropped_before_its_nth_operation_and_begun_again() {
        for (n, expected) in [
            (1, vec!["ada begins", "ada begins", "ada step", "ada step"]),
            (2, vec!["ada begins", "ada step", "ada begins", "ada step"]),
            // There is no third operation.
            (3, vec!["ada begins", "ada step", "ada step"]),
        ] {
            let interruptions = interrupt_cleanups(n);
            let diary = Diary::default();
            let mut guard = steps("ada", 2, &diary);
            guard.async_drop().await.unwrap();
            diary.assert_reads(&expected);
            assert!(guard.is_dropped());
            assert_eq!(interruptions.interrupted(), usize::from(n < 3));
            guard.async_drop().await.unwrap();
            diary.assert_reads(&expected);
        }
    }

    /// A write that waits for room is an operation that is not done yet.
    #[tokio::test]
    async fn t5_operations_that_wait_count_when_they_are_done() {
        #[derive(Debug)]
        struct Line {
            stream: tokio::io::DuplexStream,
            left: &'static [u8],
            begun: usize,
        }

        #[async_trait]
        impl AsyncDrop for Line {
            type Error = io::Error;

            async fn async_drop_impl(&mut self) -> io::Result<()> {
                self.begun += 1;
                assert!(self.begun <= 2);
                self.stream.write_all_buf(&mut self.left).await
            }
        }

        let mut reached = Vec::new();
        for n in 1.. {
            let interruptions = interrupt_cleanups(n);
            let (ours, mut theirs) = tokio::io::duplex(3);
            let reader = tokio::spawn(async move {
                let mut heard = String::new();
                theirs.read_to_string(&mut heard).await.map(|_| heard)
            });
            let mut line = AsyncDropGuard::new(Line {
                stream: ours,
                left: b"good evening",
                begun: 0,
            });
            line.async_drop().await.unwrap();
            assert_eq!(reader.await.unwrap().unwrap(), "good evening");
            reached.push(interruptions.interrupted());
            if reached.last() == Some(&0) {
                break;
            }
        }
        // Four writes of three bytes.
        assert_eq!(reached, [1, 1, 1, 1, 0]);
    }

    #[tokio::test]
    async fn t5_each_of_two_nested_guards_is_interrupted_by_its_own_count() {
        let diary = Diary::default();
        let interruptions = interrupt_cleanups(2);
        let mut outer = steps("outer", 3, &diary);
        outer.inner = Some(Box::new(steps("inner", 3, &diary)));
        outer.async_drop().await.unwrap();
        diary.assert_reads(&[
            "outer begins",
            "inner begins",
            "inner step",
            // Before the second operation of both. The outer one stops here, too: the inner operation was one of its own.
            "inner begins",
            "outer begins",
            // The inner one was interrupted before, and goes through.
            "inner begins",
            "inner step",
            "inner step",
            "outer step",
            "outer step",
            "outer step",
        ]);
        assert_eq!(interruptions.interrupted(), 2);
    }

    /// A caller that is itself cancelled calls again, and a cleanup is interrupted once in all of its calls.
    #[tokio::test]
    async fn t5_a_cleanup_is_interrupted_once() {
        let diary = Diary::default();
        let interruptions = interrupt_cleanups(1);
        let mut guard = steps("ada", 1, &diary);
        {
            // Without any budget the second attempt does not get further than the first.
            let mut held = Vec::new();
            while coop::has_budget_remaining() {
                held.push(coop::poll_proceed(&mut std::task::Context::from_waker(
                    std::task::Waker::noop(),
                )));
            }
            assert!(guard.async_drop().now_or_never().is_none());
            while held.pop().is_some() {}
        }
        diary.assert_reads(&["ada begins", "ada begins"]);
        assert_eq!(interruptions.interrupted(), 1);
        guard.async_drop().await.unwrap();
        diary.assert_reads(&["ada begins", "ada begins", "ada begins", "ada step"]);
        assert_eq!(interruptions.interrupted(), 1);
    }

    /// As in each run of a sweep.
    #[tokio::test]
    async fn t5_a_value_is_interrupted_even_if_one_before_it_was_not_cleaned_up() {
        for _ in 0..3 {
            let interruptions = interrupt_cleanups(1);
            let diary = Diary::default();
            // Each is created at the same place in the source and in memory.
            let mut guard = AsyncDropGuard::new(Session::of("ada", &diary).waiting(9));
            assert!(guard.async_drop().now_or_never().is_none());
            diary.assert_reads(&["ada cleanup begins", "ada cleanup begins"]);
            assert_eq!(interruptions.interrupted(), 1);
            let incidents = Incidents::collect();
            drop(guard);
            assert_eq!(incidents.len(), 1);
        }
    }

    #[tokio::test]
    async fn t5_interruptions_end_with_their_drop_and_the_latest_request_counts() {
        let attempts = async || {
            let diary = Diary::default();
            let mut guard = steps("ada", 1, &diary);
            guard.async_drop().await.unwrap();
            diary.entries().len() - 1
        };
        assert_eq!(attempts().await, 1);
        let first = interrupt_cleanups(1);
        assert_eq!(attempts().await, 2);
        let second = interrupt_cleanups(2);
        assert_eq!(attempts().await, 1);
        drop(first);
        assert_eq!(attempts().await, 1);
        drop(second);
        let third = interrupt_cleanups(1);
        assert_eq!(attempts().await, 2);
        drop(third);
        assert_eq!(attempts().await, 1);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn t5_every_thread_of_the_runtime_is_reached_and_no_other_runtime() {
        let interruptions = interrupt_cleanups(1);
        let diary = Diary::default();
        let mut guard = steps("ada", 1, &diary);
        tokio::spawn(async move { guard.async_drop().await })
            .await
            .unwrap()
            .unwrap();
        diary.assert_reads(&["ada begins", "ada begins", "ada step"]);

        let beside = std::thread::Builder::new().name("another test".into());
        let beside = beside.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread();
            let diary = Diary::default();
            let mut guard = steps("bob", 1, &diary);
            let runtime = { runtime }.build().unwrap();
            runtime.block_on(guard.async_drop()).unwrap();
            diary.assert_reads(&["bob begins", "bob step"]);
        });
        beside.unwrap().join().unwrap();
        assert_eq!(interruptions.interrupted(), 1);
    }

    #[test]
    fn t5_outside_of_tokio_a_cleanup_is_interrupted_at_its_nth_wait() {
        for (n, expected) in [
            (1, vec!["ada cleanup begins", "ada cleanup begins"]),
            (2, vec!["ada cleanup begins", "ada cleanup begins"]),
            (3, vec!["ada cleanup begins"]),
        ] {
            let interruptions = interrupt_cleanups(n);
            let diary = Diary::default();
            let mut guard = AsyncDropGuard::new(Session::of("ada", &diary).waiting(2));
            futures::executor::block_on(guard.async_drop()).unwrap();
            let expected: Vec<_> = expected
                .into_iter()
                .chain(["ada cleanup ends", "ada dropped"])
                .collect();
            diary.assert_reads(&expected);
            assert_eq!(interruptions.interrupted(), usize::from(n < 3));
        }
    }

    /// A cleanup that can be interrupted needs no more than any other: its value may borrow, and stay on its thread.
    #[tokio::test]
    async fn t5_no_bound_is_added() {
        #[derive(Debug)]
        struct OnThisThread<'a>(
            &'a std::cell::Cell<u8>,
            #[expect(dead_code, reason = "it is only there to be not `Send`")] std::rc::Rc<()>,
        );

        #[derive(Debug)]
        struct Error(
            #[expect(dead_code, reason = "it is only there to be not `Send`")] std::rc::Rc<()>,
        );

        impl AsyncDrop for OnThisThread<'_> {
            type Error = Error;

            fn async_drop_impl<'a, 't>(
                &'a mut self,
            ) -> std::pin::Pin<Box<dyn Future<Output = Result<(), Error>> + Send + 't>>
            where
                'a: 't,
                Self: 't,
            {
                self.0.set(self.0.get() + 1);
                Box::pin(std::future::ready(()).map(|()| Err(Error(Default::default()))))
            }
        }

        let _interruptions = interrupt_cleanups(1);
        let calls = std::cell::Cell::new(0);
        let mut guard = AsyncDropGuard::new(OnThisThread(&calls, Default::default()));
        guard.async_drop().await.unwrap_err();
        assert_eq!(calls.get(), 1);
    }

    /// `copy_buf` holds a unit of tokio's budget while it reads, so with one unit left it can neither read nor wait.
    #[tokio::test(start_paused = true)]
    async fn t5_an_operation_of_several_units_does_not_spin() {
        for n in 1.. {
            let interruptions = interrupt_cleanups(n);
            let (ours, theirs) = tokio::io::duplex(8);
            let mut connection = asyncdrop::AsyncDropWith::new(ours, async |ours| {
                operation().await;
                let mut stream = tokio::io::BufReader::new(ours);
                let mut nowhere = tokio::io::sink();
                let rest = tokio::io::copy_buf(&mut stream, &mut nowhere);
                timeout(Duration::from_secs(2), rest).await.map(|_| ())
            });
            let cleanup = tokio::spawn(async move { connection.async_drop().await });
            sleep(Duration::from_secs(1)).await;
            drop(theirs);
            assert_eq!(cleanup.await.unwrap(), Ok(()), "{n}");
            if interruptions.interrupted() == 0 {
                assert!(n > 3);
                break;
            }
        }
    }

    #[test]
    fn t5_there_is_no_operation_0() {
        assert_eq!(
            message_of_panic(|| interrupt_cleanups(0)),
            "interrupt_cleanups(0): the first operation has the number 1"
        );
    }

    const CHILD: &str = "t5_the_environment_variable_interrupts_a_whole_process";

    /// Runs this test again in a process of its own, and returns what it printed and its log.
    fn child(n: &str) -> (bool, String, String) {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", &format!("interruptions::{CHILD}"), "--nocapture"])
            .env("ASYNCDROP_INTERRUPT", n)
            .env("ASYNCDROP_INTERRUPT_LOG", &log)
            .env("T5_CHILD", "1")
            .output()
            .unwrap();
        let printed =
            String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
        (
            output.status.success(),
            printed,
            std::fs::read_to_string(log).unwrap_or_default(),
        )
    }

    #[tokio::test]
    async fn t5_the_environment_variable_interrupts_a_whole_process() {
        if std::env::var_os("T5_CHILD").is_some() {
            let diary = Diary::default();
            let mut guard = steps("ada", 2, &diary);
            let spawned = tokio::spawn(async move { guard.async_drop().await });
            spawned.await.unwrap().unwrap();
            println!("{}", diary.entries().join(", "));
            return;
        }
        let in_the_log = format!(
            "{}, created at {}:",
            std::any::type_name::<Steps>(),
            file!()
        );
        for (n, expected) in [
            ("1", "ada begins, ada begins, ada step, ada step"),
            ("2", "ada begins, ada step, ada begins, ada step"),
            ("3", "ada begins, ada step, ada step"),
        ] {
            let (succeeded, printed, log) = child(n);
            assert!(succeeded, "{printed}");
            assert!(printed.contains(expected), "{n}: {printed}");
            let lines = usize::from(n != "3");
            assert_eq!(log.lines().count(), lines, "{log}");
            assert_eq!(log.matches(&in_the_log).count(), lines, "{log}");
        }
        for n in ["0", "", "two"] {
            let (succeeded, printed, _) = child(n);
            assert!(!succeeded);
            let message = format!("ASYNCDROP_INTERRUPT must be a number from 1 on, not {n:?}");
            assert!(printed.contains(&message), "{printed}");
        }
    }
}

mod incidents {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn lose(name: &'static str) {
        drop(AsyncDropGuard::new(Session::of(name, &Diary::default())));
    }

    #[test]
    fn t4_incidents_are_collected_and_neither_panic_nor_print() {
        let incidents = Incidents::collect();
        assert!(incidents.is_empty());
        lose("ada");
        lose("bob");
        assert_eq!(incidents.len(), 2);
        assert!(!incidents.is_empty());
        let first = incidents.iter().next().unwrap();
        assert_eq!(first.kind(), IncidentKind::Forgotten);
        assert_eq!(first.type_name(), std::any::type_name::<Session>());
        assert_eq!(first.location().file(), file!());
        let message = format!(
            "Forgot to call async_drop on Session(\"ada\"), created at {}",
            first.location()
        );
        assert_eq!(first.to_string(), message);
        assert_eq!(incidents.take().len(), 2);
        assert!(incidents.is_empty());
        assert!(incidents.take().is_empty());
    }

    #[test]
    fn t4_collecting_ends_with_the_drop() {
        let incidents = Incidents::collect();
        lose("ada");
        drop(incidents);
        assert!(
            message_of_panic(|| lose("bob"))
                .starts_with("Forgot to call async_drop on Session(\"bob\")")
        );
    }

    #[test]
    fn t4_tests_that_collect_take_turns() {
        let collecting = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..20 {
                        let incidents = Incidents::collect();
                        assert_eq!(collecting.fetch_add(1, Ordering::SeqCst), 0);
                        lose("ada");
                        std::thread::yield_now();
                        assert_eq!(incidents.len(), 1);
                        assert_eq!(collecting.fetch_sub(1, Ordering::SeqCst), 1);
                    }
                });
            }
        });
    }

    /// Each in a runtime of its own, as the tests of a file are.
    #[test]
    fn t4_async_tests_take_turns_too() {
        let runs: Vec<_> = (0..4)
            .map(|_| {
                std::thread::spawn(|| {
                    let runtime = tokio::runtime::Builder::new_current_thread()
                        .build()
                        .unwrap();
                    runtime.block_on(async {
                        for _ in 0..20 {
                            let incidents = Incidents::collect();
                            tokio::spawn(async { lose("ada") }).await.unwrap();
                            yield_now().await;
                            assert_eq!(incidents.len(), 1);
                        }
                    });
                })
            })
            .collect();
        for run in runs {
            run.join().unwrap();
        }
    }

    #[tokio::test]
    async fn t4_the_later_one_of_two_collectors_of_a_test_gets_the_incidents() {
        let outer = Incidents::collect();
        lose("ada");
        let inner = Incidents::collect();
        lose("bob");
        assert_eq!((outer.len(), inner.len()), (1, 1));
        drop(inner);
        lose("eve");
        assert_eq!(outer.len(), 2);

        // They may end in any order.
        let inner = Incidents::collect();
        drop(outer);
        lose("dan");
        assert_eq!(inner.len(), 1);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn t4_what_another_test_reports_goes_to_the_hook_before() {
        let incidents = Incidents::collect();
        tokio::spawn(async { lose("ada") }).await.unwrap();
        // A thread that the test starts, which says nothing about itself.
        std::thread::spawn(|| lose("bob")).join().unwrap();
        let beside = std::thread::Builder::new().name("another test".into());
        let beside = beside.spawn(|| message_of_panic(|| lose("eve"))).unwrap();
        assert!(beside.join().unwrap().contains("Session(\"eve\")"));
        assert_eq!(incidents.len(), 2);
    }

    #[test]
    fn t4_the_hook_before_is_put_back() {
        // In a process of its own, since the hook belongs to all tests.
        let outcome =
            support::run_in_new_process(test_path!("t4_the_hook_before_is_put_back"), || {
                asyncdrop::incident::set_hook(Box::new(|incident| {
                    eprintln!("the hook: {}", incident.kind() as u8);
                }));
                lose("ada");
                for _ in 0..3 {
                    let incidents = Incidents::collect();
                    lose("bob");
                    assert_eq!(incidents.len(), 1);
                }
                lose("eve");
                let _ = asyncdrop::incident::take_hook();
                let incidents = Incidents::collect();
                drop(incidents);
                lose("dan");
            });
        assert!(outcome.lived_on);
        assert_eq!(
            outcome.stderr.matches("the hook: 0\n").count(),
            2,
            "{}",
            outcome.stderr
        );
        assert_eq!(
            outcome.stderr.matches("panicked").count(),
            1,
            "{}",
            outcome.stderr
        );
        assert!(outcome.stderr.contains("Session(\"dan\")"));
    }
}

mod run {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(5);

    /// The text of the panic that a run must end with.
    async fn panic_of<R>(run: impl Future<Output = R>) -> String {
        match AssertUnwindSafe(run).catch_unwind().await {
            Ok(_) => panic!("it did not panic"),
            Err(panic) => match panic.downcast::<String>() {
                Ok(text) => *text,
                Err(panic) => (*panic.downcast::<&str>().expect("a panic with a text")).to_owned(),
            },
        }
    }

    fn session(diary: &Diary) -> AsyncDropGuard<Session> {
        AsyncDropGuard::new(Session::of("ada", diary).waiting(2))
    }

    #[tokio::test]
    async fn t1_what_was_adopted_is_cleaned_up_after_a_return() {
        let diary = Diary::default();
        let result = testing::run(LIMIT, async |reaper| {
            let ada = reaper.adopt(session(&diary));
            yield_now().await;
            assert_eq!(ada.user, "ada");
            Ok::<_, String>(7)
        })
        .await;
        assert_eq!(result, Ok(7));
        diary.assert_reads(&CLEANED_UP);
    }

    #[tokio::test]
    async fn t1_after_an_error() {
        let diary = Diary::default();
        let result = testing::run(LIMIT, async |reaper| {
            let _ada = reaper.adopt(session(&diary));
            Err::<(), _>("the body")
        })
        .await;
        assert_eq!(result, Err("the body"));
        diary.assert_reads(&CLEANED_UP);
    }

    #[tokio::test]
    async fn t1_after_a_failed_assertion() {
        let diary = Diary::default();
        let run = testing::run(LIMIT, async |reaper| {
            let ada = reaper.adopt(session(&diary));
            yield_now().await;
            assert!(ada.user == "bob", "it is {}", ada.user);
            Ok::<_, String>(())
        });
        assert_eq!(panic_of(run).await, "it is ada");
        diary.assert_reads(&CLEANED_UP);
    }

    #[tokio::test]
    async fn t1_a_panic_before_the_first_await_is_one_of_the_body() {
        let diary = Diary::default();
        let run = testing::run(LIMIT, |reaper: &AsyncDropReaper| {
            let _ada = reaper.adopt(session(&diary));
            panic!("at once");
            #[expect(unreachable_code, reason = "it gives the closure its type")]
            std::future::ready(Ok::<(), String>(()))
        });
        assert_eq!(panic_of(run).await, "at once");
        diary.assert_reads(&CLEANED_UP);
    }

    /// The place of the call in the text of a panic, whose line is that of `line!()` above it.
    fn called_at(line: u32, text: &str) -> bool {
        text.starts_with(&format!("The test at {}:{line}:", file!()))
    }

    #[tokio::test]
    async fn t1_a_failed_cleanup_fails_the_test() {
        let diary = Diary::default();
        let here = line!() + 1;
        let run = testing::run(LIMIT, async |reaper| {
            let ending = support::Ending::Fails("out of paper");
            let _ada = reaper.adopt(AsyncDropGuard::new(
                Session::of("ada", &diary).ending(ending),
            ));
            Ok::<_, String>(())
        });
        let text = panic_of(run).await;
        assert!(called_at(here, &text), "{text}");
        assert!(text.contains("out of paper"), "{text}");
        assert!(text.contains(std::any::type_name::<Session>()), "{text}");
    }

    #[tokio::test(start_paused = true)]
    async fn t1_a_passed_limit_fails_the_test() {
        let run = testing::run(LIMIT, async |reaper| {
            let _slow = reaper.adopt(asyncdrop::AsyncDropWith::new((), async |()| {
                sleep(LIMIT + Duration::from_secs(1)).await;
                Ok::<_, io::Error>(())
            }));
            Ok::<_, String>(())
        });
        let begun = tokio::time::Instant::now();
        let text = panic_of(run).await;
        assert_eq!(begun.elapsed().as_secs(), LIMIT.as_secs());
        assert!(text.contains("after 5s"), "{text}");
        assert!(text.contains("AsyncDropWith"), "{text}");
        // Let the cleanup end, which nobody waits for any longer.
        sleep(LIMIT).await;
    }

    #[tokio::test]
    async fn t1_an_incident_fails_the_test() {
        let diary = Diary::default();
        let run = testing::run(LIMIT, async |_| {
            drop(session(&diary));
            tokio::spawn(async { drop(session(&Diary::default())) })
                .await
                .unwrap();
            Ok::<_, String>(())
        });
        let text = panic_of(run).await;
        assert_eq!(
            text.matches("\n- Forgot to call async_drop on Session(\"ada\")")
                .count(),
            2,
            "{text}"
        );
    }

    /// The first thing that went wrong is what the test ends with, and the rest is printed.
    #[tokio::test]
    async fn t1_the_error_and_the_panic_of_the_body_come_first() {
        if std::env::var_os("T1_CHILD").is_some() {
            let run = testing::run(LIMIT, async |reaper| {
                let ending = support::Ending::Fails("out of paper");
                let ada = Session::of("ada", &Diary::default()).ending(ending);
                let _ada = reaper.adopt(AsyncDropGuard::new(ada));
                drop(session(&Diary::default()));
                Err::<(), _>("the body")
            });
            assert_eq!(run.await, Err("the body"));
            let run = testing::run(LIMIT, async |_| -> Result<(), String> {
                let _bob = session(&Diary::default());
                panic!("the body panics");
            });
            assert_eq!(panic_of(run).await, "the body panics");
            return;
        }
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "run::t1_the_error_and_the_panic_of_the_body_come_first",
                "--nocapture",
            ])
            .env("T1_CHILD", "1")
            .env("RUST_BACKTRACE", "0")
            .output()
            .unwrap();
        let printed = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{printed}");
        assert_eq!(printed.matches("The test at ").count(), 2, "{printed}");
        assert_eq!(
            printed.matches("- Forgot to call async_drop on ").count(),
            2,
            "{printed}"
        );
        assert_eq!(printed.matches("out of paper").count(), 1, "{printed}");
    }

    #[tokio::test]
    async fn t1_runs_nest_and_share_their_test_with_a_collector() {
        let collected = Incidents::collect();
        testing::run(LIMIT, async |_| {
            let run = testing::run(LIMIT, async |_| {
                drop(session(&Diary::default()));
                Ok::<_, String>(())
            });
            assert!(panic_of(run).await.contains("Forgot to call"));
            let looked_at = Incidents::collect();
            drop(session(&Diary::default()));
            assert_eq!(looked_at.len(), 1);
            Ok::<_, String>(())
        })
        .await
        .unwrap();
        assert!(collected.is_empty());
    }

    #[tokio::test]
    async fn t1_a_run_that_is_cancelled_does_not_end_in_silence() {
        let outcome = message_of_panic(|| {
            let run = testing::run(LIMIT, async |_| {
                pending::<()>().await;
                Ok::<_, String>(())
            });
            assert!(run.now_or_never().is_none());
        });
        assert!(outcome.contains("AsyncDropReaper"), "{outcome}");
    }

    #[test]
    fn t1_what_a_run_that_is_cancelled_has_collected_is_printed() {
        let test = test_path!("t1_what_a_run_that_is_cancelled_has_collected_is_printed");
        let outcome = support::run_in_new_process(test, || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .build()
                .unwrap();
            let _context = runtime.enter();
            let run = testing::run(LIMIT, async |_| {
                drop(AsyncDropGuard::new(Session::of("ada", &Diary::default())));
                pending::<()>().await;
                Ok::<_, String>(())
            });
            // It panics for its reaper, which has its test above.
            message_of_panic(|| assert!(run.now_or_never().is_none()));
        });
        assert!(outcome.lived_on);
        let lost = "Forgot to call async_drop on Session(\"ada\"), created at ";
        assert_eq!(
            outcome.stderr.matches(lost).count(),
            1,
            "{}",
            outcome.stderr
        );
    }

    /// Wherever a run is cancelled, its values are cleaned up or missed by somebody who says so.
    #[tokio::test]
    async fn t1_a_run_can_be_cancelled_at_every_operation() {
        for cut in Sweep::new() {
            let diary = Diary::default();
            let incidents = Incidents::collect();
            let result = cut
                .run(testing::run(LIMIT, async |reaper| {
                    operation().await;
                    let mut ada = reaper.adopt(session(&diary));
                    operation().await;
                    let ended = ada.async_drop().await;
                    operation().await;
                    ended
                }))
                .await;
            // The reaper cleans up in a task of its own.
            while diary.entries().len() < CLEANED_UP.len() && !diary.entries().is_empty() {
                yield_now().await;
            }
            match result {
                Some(result) => {
                    result.unwrap();
                    diary.assert_reads(&CLEANED_UP);
                    assert!(incidents.is_empty());
                }
                None => {
                    assert_eq!(incidents.len(), 1, "{cut}: {incidents:?}");
                    let kind = incidents.take()[0].type_name();
                    assert!(kind.contains("AsyncDropReaper"), "{cut}: {kind}");
                }
            }
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn t1_a_run_can_be_spawned() {
        let diary = Diary::default();
        let run = testing::run(LIMIT, {
            let diary = diary.clone();
            async move |reaper: &AsyncDropReaper| {
                let _ada = reaper.adopt(session(&diary));
                yield_now().await;
                Ok::<_, String>(())
            }
        });
        tokio::spawn(run).await.unwrap().unwrap();
        diary.assert_reads(&CLEANED_UP);
    }

    /// Interrupted at every operation of its cleanup, too.
    #[tokio::test]
    async fn t1_with_t5_every_interruption_is_survived() {
        for n in 1..4 {
            let _interruptions = interrupt_cleanups(n);
            testing::run(LIMIT, async |reaper| {
                let _ada = reaper.adopt(session(&Diary::default()));
                Ok::<_, String>(())
            })
            .await
            .unwrap();
        }
    }
}

mod trickle {
    use super::*;
    use tokio::io::{AsyncBufReadExt, BufWriter};

    #[tokio::test]
    async fn t3_one_byte_is_given_and_taken_at_a_time() {
        let (ours, mut theirs) = tokio::io::duplex(64);
        let mut slow = Trickle::new(ours);
        assert_eq!(slow.write(b"hello").await.unwrap(), 1);
        slow.write_all(b"ello").await.unwrap();
        slow.flush().await.unwrap();
        let mut heard = [0; 8];
        assert_eq!(theirs.read(&mut heard).await.unwrap(), 5);
        assert_eq!(&heard[..5], b"hello");

        theirs.write_all(b"hi").await.unwrap();
        assert_eq!(slow.read(&mut heard).await.unwrap(), 1);
        assert_eq!(slow.read(&mut heard).await.unwrap(), 1);
        slow.shutdown().await.unwrap();
        assert_eq!(theirs.read(&mut heard).await.unwrap(), 0);
        drop(theirs);
        assert_eq!(slow.read(&mut heard).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn t3_there_is_a_wait_before_each_byte() {
        let mut taken = Vec::new();
        {
            let mut slow = Trickle::new(&mut taken);
            let mut write = pin!(slow.write_all(b"abc"));
            for _ in 0..3 {
                assert!(write.as_mut().now_or_never().is_none());
            }
            assert!(write.as_mut().now_or_never().is_some());
        }
        assert_eq!(taken, b"abc");

        let mut slow = Trickle::new(&b"abc"[..]);
        let mut read = [0; 3];
        let mut read = pin!(slow.read_exact(&mut read));
        for _ in 0..3 {
            assert!(read.as_mut().now_or_never().is_none());
        }
        assert!(read.as_mut().now_or_never().is_some());
    }

    #[tokio::test]
    async fn t3_a_buffer_has_one_byte() {
        let mut slow = Trickle::new(&b"ab"[..]);
        assert!(slow.fill_buf().now_or_never().is_none());
        assert_eq!(slow.fill_buf().await.unwrap(), b"a");
        // Not taken yet: it is still there, and nothing has to be waited for.
        assert_eq!(slow.fill_buf().now_or_never().unwrap().unwrap(), b"a");
        slow.consume(0);
        assert_eq!(slow.fill_buf().now_or_never().unwrap().unwrap(), b"a");
        slow.consume(1);
        assert!(slow.fill_buf().now_or_never().is_none());
        assert_eq!(slow.fill_buf().await.unwrap(), b"b");
        slow.consume(1);
        assert_eq!(slow.fill_buf().await.unwrap(), b"");

        let mut lines = Trickle::new(&b"one\r\ntwo"[..]).lines();
        assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("one"));
        assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("two"));
        assert_eq!(lines.next_line().await.unwrap(), None);
    }

    #[tokio::test]
    async fn t3_a_flush_goes_on_to_the_stream() {
        let mut taken = Vec::new();
        let mut slow = Trickle::new(BufWriter::new(&mut taken));
        slow.write_all(b"hello").await.unwrap();
        slow.flush().await.unwrap();
        // What is left in a buffer when it is dropped is lost.
        drop(slow);
        assert_eq!(taken, b"hello");
    }

    #[tokio::test]
    async fn t3_a_write_that_is_cut_in_a_sweep_is_torn() {
        let mut heard = std::collections::BTreeSet::new();
        for cut in Sweep::new() {
            let mut taken = Vec::new();
            let mut slow = Trickle::new(&mut taken);
            cut.run(async { slow.write_all(b"bye").await.unwrap() })
                .await;
            heard.insert(String::from_utf8(taken).unwrap());
        }
        assert!(heard.iter().eq(["", "b", "by", "bye"]));
    }
}
