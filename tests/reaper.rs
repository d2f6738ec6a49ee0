//! The promises RP1 to RP12: cleanup that survives a cancellation, a panic and the end of the program.

#![cfg(feature = "tokio")]

use std::error::Error;
use std::future::pending;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use asyncdrop::incident::IncidentKind;
use asyncdrop::{
    AsyncDrop, AsyncDropArc, AsyncDropGuard, AsyncDropReaper, CleanupError, Reaped, ReaperHandle,
    async_trait,
};
use tokio::runtime::{Builder, Handle};
use tokio::sync::watch;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep, timeout};

use crate::support::{
    CLEANED_UP, Diary, Ending, Session, abandon_after, ada, failing, message_of_panic, poll_once,
    record, run, run_in_new_process, run_without_incident, runtime,
};
use crate::{place, test_path};

const SECOND: Duration = Duration::from_secs(1);

/// A value whose cleanup never ends, and keeps its thread busy: a clock that is paused stands still meanwhile.
#[track_caller]
fn endless(diary: &Diary) -> AsyncDropGuard<Session> {
    AsyncDropGuard::new(Session::of("ada", diary).waiting(usize::MAX))
}

/// A value whose cleanup takes a second of the clock.
#[derive(Debug)]
struct Slow(Diary);

#[async_trait]
impl AsyncDrop for Slow {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        self.0.write("slow cleanup begins");
        sleep(SECOND).await;
        self.0.write("slow cleanup ends");
        Ok(())
    }
}

impl Drop for Slow {
    fn drop(&mut self) {
        self.0.write("slow dropped");
    }
}

/// Lets the tasks of the reaper go on until they are done.
async fn let_tasks_run() {
    for _ in 0..20 {
        yield_now().await;
    }
}

fn alive_tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

#[test]
fn rp1_a_reaped_value_is_used_and_ended_like_a_guard() {
    run_without_incident(async {
        let diary = Diary::default();
        let mut reaper = AsyncDropReaper::new();
        let mut reaped: Reaped<Session> = reaper.adopt(ada(&diary));
        assert_eq!(reaped.user, "ada");
        reaped.user = "eve";
        assert_eq!(
            format!("{reaped:?}"),
            r#"Reaped(AsyncDropGuard(Session("eve")))"#
        );
        reaped.user = "ada";

        assert_eq!(reaped.async_drop().await, Ok(()));
        diary.assert_reads(&CLEANED_UP);
        assert_eq!(reaper.pending(), 0);
        assert_eq!(reaped.async_drop().await, Ok(()));
        drop(reaped);
        reaper.async_drop().await.unwrap();
        diary.assert_reads(&CLEANED_UP);
    });
}

#[test]
fn rp1_the_cleanup_in_place_needs_no_task() {
    run_without_incident(async {
        let diary = Diary::default();
        let mut reaper = AsyncDropReaper::new();
        let mut reaped = reaper.adopt(ada(&diary));
        {
            let mut cleanup = Box::pin(reaped.async_drop());
            assert!(poll_once(cleanup.as_mut()).is_ready());
        }
        assert_eq!(alive_tasks(), 0);
        diary.assert_reads(&CLEANED_UP);
        reaper.async_drop().await.unwrap();
    });
}

#[test]
fn rp1_an_error_is_returned_in_place_once_and_not_repeated_by_the_reaper() {
    run_without_incident(async {
        let mut reaper = AsyncDropReaper::new();
        let mut reaped = reaper.adopt(failing("line is dead"));
        assert_eq!(reaped.async_drop().await, Err("line is dead".into()));
        assert_eq!(reaped.async_drop().await, Ok(()));
        drop(reaped);
        reaper.async_drop().await.unwrap();
    });
}

#[test]
fn rp1_an_interrupted_cleanup_can_be_called_again_in_place() {
    run_without_incident(async {
        let diary = Diary::default();
        let mut reaper = AsyncDropReaper::new();
        let mut reaped = reaper.adopt(AsyncDropGuard::new(Session::of("ada", &diary).waiting(1)));
        abandon_after(1, reaped.async_drop());
        assert_eq!(reaper.pending(), 1);
        assert_eq!(reaped.async_drop().await, Ok(()));
        assert_eq!(reaper.pending(), 0);
        diary.assert_reads(&[
            "ada cleanup begins",
            "ada cleanup begins",
            "ada cleanup ends",
            "ada dropped",
        ]);
        reaper.async_drop().await.unwrap();
    });
}

#[test]
fn rp1_used_after_its_end_it_panics_and_names_the_type() {
    run_without_incident(async {
        let mut reaper = AsyncDropReaper::new();
        let mut reaped = reaper.adopt(ada(&Diary::default()));
        reaped.async_drop().await.unwrap();
        let message = message_of_panic(|| reaped.user);
        assert!(
            message.contains("Session> was used after async_drop"),
            "{message}"
        );
        reaper.async_drop().await.unwrap();
    });
}

/// The cleanup panics the first time and succeeds the second time.
#[derive(Debug)]
struct Stubborn(Diary, bool);

#[async_trait]
impl AsyncDrop for Stubborn {
    type Error = String;

    async fn async_drop_impl(&mut self) -> Result<(), String> {
        if std::mem::replace(&mut self.1, true) {
            self.0.write("cleaned up");
            return Ok(());
        }
        panic!("not yet")
    }
}

#[test]
fn rp1_a_panic_of_the_cleanup_in_place_goes_on_and_the_reaper_runs_it_again() {
    run_without_incident(async {
        let diary = Diary::default();
        let mut reaper = AsyncDropReaper::new();
        let reaped = reaper.adopt(AsyncDropGuard::new(Stubborn(diary.clone(), false)));
        let task = tokio::spawn(async move {
            let mut reaped = reaped;
            reaped.async_drop().await
        });
        assert!(task.await.unwrap_err().is_panic());
        reaper.async_drop().await.unwrap();
        diary.assert_reads(&["cleaned up"]);
    });
}

#[test]
fn rp1_a_guard_that_is_done_is_adopted_as_done() {
    run_without_incident(async {
        let mut reaper = AsyncDropReaper::new();
        let mut guard = ada(&Diary::default());
        guard.async_drop().await.unwrap();
        let mut reaped = reaper.adopt(guard);
        assert_eq!(reaper.pending(), 0);
        assert_eq!(reaped.async_drop().await, Ok(()));
        drop(reaped);
        reaper.async_drop().await.unwrap();
    });
}

#[test]
fn rp1_owners_of_one_value_are_adopted_each() {
    run_without_incident(async {
        let diary = Diary::default();
        let mut reaper = AsyncDropReaper::new();
        let first = AsyncDropArc::new(ada(&diary));
        let second = reaper.adopt(AsyncDropArc::clone(&first));
        let mut first = reaper.adopt(first);
        first.async_drop().await.unwrap();
        assert_eq!(second.user, "ada");
        drop(second);
        reaper.async_drop().await.unwrap();
        diary.assert_reads(&CLEANED_UP);
    });
}

#[test]
fn rp1_a_value_whose_own_drop_panicked_is_done_and_needs_no_task() {
    run_without_incident(async {
        let mut reaper = AsyncDropReaper::new();
        let session = Session::of("ada", &Diary::default()).panicking_in_drop("no line to hang up");
        let mut reaped = reaper.adopt(AsyncDropGuard::new(session));
        let message = message_of_panic(|| poll_once(pin!(reaped.async_drop())));
        assert_eq!(message, "no line to hang up");
        drop(reaped);
        assert_eq!((reaper.pending(), alive_tasks()), (0, 0));
        reaper.async_drop().await.unwrap();
    });
}

#[test]
fn a_handle_shows_what_its_reaper_has() {
    run_without_incident(async {
        let mut reaper = AsyncDropReaper::new();
        let mut reaped = reaper.adopt(ada(&Diary::default()));
        let shown = "{ in_use: 1, being_cleaned_up: 0, errors: 0 }";
        assert_eq!(
            format!("{:?}", reaper.handle()),
            format!("ReaperHandle {shown}")
        );
        reaped.async_drop().await.unwrap();
        reaper.async_drop().await.unwrap();
    });
}

#[test]
fn rp2_dropped_armed_it_is_cleaned_up_by_the_reaper() {
    run_without_incident(async {
        let diary = Diary::default();
        let mut reaper = AsyncDropReaper::new();
        drop(reaper.adopt(ada(&diary)));
        diary.assert_reads(&[]);
        assert_eq!((reaper.pending(), alive_tasks()), (1, 1));
        let_tasks_run().await;
        diary.assert_reads(&CLEANED_UP);
        assert_eq!((reaper.pending(), alive_tasks()), (0, 0));
        reaper.async_drop().await.unwrap();
        diary.assert_reads(&CLEANED_UP);
    });
}

#[test]
fn rp2_dropped_while_interrupted_its_cleanup_is_run_again() {
    run_without_incident(async {
        let diary = Diary::default();
        let mut reaper = AsyncDropReaper::new();
        let mut reaped = reaper.adopt(AsyncDropGuard::new(Session::of("ada", &diary).waiting(1)));
        abandon_after(1, reaped.async_drop());
        drop(reaped);
        reaper.async_drop().await.unwrap();
        diary.assert_reads(&[
            "ada cleanup begins",
            "ada cleanup begins",
            "ada cleanup ends",
            "ada dropped",
        ]);
    });
}

/// What a server does with a session until somebody stops it.
async fn converse(reaper: ReaperHandle, diary: Diary) -> Result<(), String> {
    let mut session = reaper.adopt(ada(&diary));
    session.diary.write("conversation");
    pending::<()>().await;
    session.async_drop().await
}

const CONVERSED_AND_CLEANED_UP: [&str; 4] = [
    "conversation",
    "ada cleanup begins",
    "ada cleanup ends",
    "ada dropped",
];

#[test]
fn rp2_a_timeout_around_it_ends_in_a_cleanup() {
    run_without_incident(async {
        let diary = Diary::default();
        let mut reaper = AsyncDropReaper::new();
        let late = timeout(SECOND, converse(reaper.handle(), diary.clone())).await;
        assert!(late.is_err());
        reaper.async_drop().await.unwrap();
        diary.assert_reads(&CONVERSED_AND_CLEANED_UP);
    });
}

#[test]
fn rp2_a_select_that_takes_another_branch_ends_in_a_cleanup() {
    run_without_incident(async {
        let diary = Diary::default();
        let mut reaper = AsyncDropReaper::new();
        tokio::select! {
            _ = converse(reaper.handle(), diary.clone()) => unreachable!("it never ends"),
            () = sleep(SECOND) => {}
        }
        reaper.async_drop().await.unwrap();
        diary.assert_reads(&CONVERSED_AND_CLEANED_UP);
    });
}

#[test]
fn rp2_an_aborted_task_ends_in_a_cleanup() {
    run_without_incident(async {
        let diary = Diary::default();
        let mut reaper = AsyncDropReaper::new();
        let task = tokio::spawn(converse(reaper.handle(), diary.clone()));
        let_tasks_run().await;
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
        reaper.async_drop().await.unwrap();
        diary.assert_reads(&CONVERSED_AND_CLEANED_UP);
    });
}

#[test]
fn rp2_a_panic_beside_it_ends_in_a_cleanup() {
    run_without_incident(async {
        let diary = Diary::default();
        let mut reaper = AsyncDropReaper::new();
        let reaped = reaper.adopt(ada(&diary));
        let task = tokio::spawn(async move {
            reaped.diary.write("conversation");
            panic!("the conversation panics");
        });
        assert!(task.await.unwrap_err().is_panic());
        reaper.async_drop().await.unwrap();
        diary.assert_reads(&CONVERSED_AND_CLEANED_UP);
    });
}

#[test]
fn rp2_the_cleanups_run_at_the_same_time() {
    run_without_incident(async {
        let mut reaper = AsyncDropReaper::new();
        let start = Instant::now();
        for _ in 0..100 {
            drop(reaper.adopt(AsyncDropGuard::new(Slow(Diary::default()))));
        }
        reaper.async_drop().await.unwrap();
        assert_eq!(start.elapsed().as_secs(), 1);
    });
}

#[test]
fn rp3_a_thread_outside_of_any_runtime_hands_over_too() {
    run_without_incident(async {
        let diary = Diary::default();
        let mut reaper = AsyncDropReaper::new();
        let handle = reaper.handle();
        let guard = ada(&diary);
        let thread = thread::spawn(move || {
            assert!(Handle::try_current().is_err());
            drop(handle.adopt(guard));
        });
        thread.join().unwrap();
        reaper.async_drop().await.unwrap();
        diary.assert_reads(&CLEANED_UP);
    });
}

#[test]
fn rp3_a_thread_that_is_unwinding_hands_over_too() {
    run_without_incident(async {
        let diary = Diary::default();
        let mut reaper = AsyncDropReaper::new();
        let reaped = reaper.adopt(ada(&diary));
        let message = message_of_panic(move || {
            let _reaped = reaped;
            panic!("the first panic");
        });
        assert_eq!(message, "the first panic");
        reaper.async_drop().await.unwrap();
        diary.assert_reads(&CLEANED_UP);
    });
}

#[test]
fn rp3_the_drop_does_not_wait_for_the_cleanup() {
    run_without_incident(async {
        let diary = Diary::default();
        let mut reaper = AsyncDropReaper::new();
        // The one thread of the runtime drops it, so it could not end here.
        drop(reaper.adopt(AsyncDropGuard::new(Slow(diary.clone()))));
        diary.assert_reads(&[]);
        reaper.async_drop().await.unwrap();
        diary.assert_reads(&["slow cleanup begins", "slow cleanup ends", "slow dropped"]);
    });
}

/// The default hook panics. Where a `Reaped` is dropped, that must stay inside.
#[test]
fn rp3_nothing_panics_where_the_incident_of_a_late_hand_over_does() {
    fn program() {
        let runtime = runtime();
        let reaper = runtime.block_on(async { AsyncDropReaper::new() });
        let diary = Diary::default();
        let after_the_runtime = reaper.adopt(ada(&diary));
        drop(runtime);
        drop(after_the_runtime);
        assert_eq!(reaper.pending(), 0);
        let handle = reaper.handle();
        drop(reaper.unsafe_into_inner_dont_drop());

        let after_the_reaper = handle.adopt(ada(&diary));
        drop(after_the_reaper);
        // And once more while the thread is unwinding.
        let while_unwinding = handle.adopt(ada(&diary));
        let unwound = catch_unwind(AssertUnwindSafe(|| {
            let _while_unwinding = while_unwinding;
            panic!("the first panic");
        }));
        assert!(unwound.is_err());
        diary.assert_reads(&["ada dropped", "ada dropped", "ada dropped"]);
        eprintln!("the end");
    }
    let outcome = run_in_new_process(
        test_path!("rp3_nothing_panics_where_the_incident_of_a_late_hand_over_does"),
        program,
    );
    assert!(outcome.lived_on, "{}", outcome.stderr);
    let forgotten = r#"Forgot to call async_drop on Session("ada"), created at "#;
    let reports = outcome.stderr.matches(forgotten).count();
    assert_eq!(reports, 3, "{}", outcome.stderr);
    assert!(outcome.stderr.ends_with("the end\n"), "{}", outcome.stderr);
}

#[test]
fn rp3_a_value_whose_own_drop_panics_does_not_panic_in_the_hand_over() {
    let (errors, incidents) = run(async {
        let mut reaper = AsyncDropReaper::new();
        let session = Session::of("ada", &Diary::default()).panicking_in_drop("drop panics");
        drop(reaper.adopt(AsyncDropGuard::new(session)));
        let handle = reaper.handle();
        let errors = reaper.async_drop().await.unwrap_err();
        // The reaper has ended: this one is dropped on the spot.
        let session = Session::of("ada", &Diary::default()).panicking_in_drop("drop panics");
        drop(handle.adopt(AsyncDropGuard::new(session)));
        errors
    });
    assert!(errors.to_string().ends_with("panicked: drop panics"));
    assert_eq!(incidents.len(), 1);
    assert_eq!(incidents[0].kind, IncidentKind::Forgotten);
}

#[test]
fn rp4_it_waits_for_values_in_use_and_for_those_adopted_meanwhile() {
    run_without_incident(async {
        let diary = Diary::default();
        let mut reaper = AsyncDropReaper::new();
        let handle = reaper.handle();
        let first = handle.adopt(ada(&diary));
        let task_diary = diary.clone();
        tokio::spawn(async move {
            sleep(SECOND).await;
            let second = handle.adopt(AsyncDropGuard::new(Slow(task_diary)));
            drop(first);
            sleep(SECOND).await;
            drop(second);
        });
        let start = Instant::now();
        reaper.async_drop().await.unwrap();
        assert_eq!(start.elapsed().as_secs(), 3);
        diary.assert_reads(&[
            "ada cleanup begins",
            "ada cleanup ends",
            "ada dropped",
            "slow cleanup begins",
            "slow cleanup ends",
            "slow dropped",
        ]);
    });
}

#[test]
fn rp4_with_nothing_adopted_it_ends_at_once() {
    run_without_incident(async {
        let mut reaper = AsyncDropReaper::new();
        let mut end = Box::pin(reaper.async_drop());
        assert!(poll_once(end.as_mut()).is_ready());
    });
}

#[test]
fn rp4_it_returns_every_error_with_the_type_and_the_place() {
    run_without_incident(async {
        let mut reaper = AsyncDropReaper::new();
        let line = line!() + 1;
        let session = failing("line is dead");
        drop(reaper.adopt(session));
        drop(reaper.adopt(ada(&Diary::default())));
        let boxed = failing("disk is full").into_box();
        drop(reaper.adopt(boxed));

        let errors = reaper.async_drop().await.unwrap_err();
        assert_eq!((errors.len(), errors.total()), (2, 3));
        assert_eq!(errors.iter().len(), 2);
        let (origin, first) = errors.iter().next().unwrap();
        assert_eq!(origin.type_name(), std::any::type_name::<Session>());
        assert_eq!(origin.location().file(), file!());
        assert_eq!(origin.location().line(), line);
        assert!(matches!(first, CleanupError::Failed(_)));
        assert_eq!(first.to_string(), "line is dead");
        assert_eq!(first.downcast_ref::<io::Error>().map(|_| ()), None);

        let places = [place!(line, 23), place!(line + 3, 21)];
        assert_eq!(
            errors.to_string(),
            format!(
                "2 of 3 cleanups failed: \
                 library::support::session::Session, created at {}: line is dead; \
                 alloc::boxed::Box<library::support::session::Session>, created at {}: disk is full",
                places[0], places[1],
            )
        );
        assert!(errors.source().is_none(), "the text has all of it");
        let kept: Vec<_> = errors
            .into_iter()
            .map(|(_, error)| error.to_string())
            .collect();
        assert_eq!(kept, ["line is dead", "disk is full"]);
    });
}

#[test]
fn rp4_its_errors_go_through_a_question_mark_into_anyhow() {
    run_without_incident(async {
        async fn program() -> anyhow::Result<()> {
            let mut reaper = AsyncDropReaper::new();
            drop(reaper.adopt(failing("line is dead")));
            reaper.async_drop().await?;
            Ok(())
        }
        let error = program().await.unwrap_err();
        assert!(error.to_string().starts_with("1 of 1 cleanups"));
    });
}

/// The waker of whoever waits is kept up to date.
#[test]
fn rp4_whoever_polls_last_is_woken() {
    run_without_incident(async {
        let mut reaper = AsyncDropReaper::new();
        let reaped = reaper.adopt(ada(&Diary::default()));
        let mut end = Box::pin(async move { reaper.async_drop().await });
        assert!(poll_once(end.as_mut()).is_pending());
        let task = tokio::spawn(end);
        let_tasks_run().await;
        drop(reaped);
        task.await.unwrap().unwrap();
    });
}

#[test]
fn rp4_the_error_of_a_cleanup_that_was_interrupted_in_place_is_returned_by_the_reaper() {
    run_without_incident(async {
        let mut reaper = AsyncDropReaper::new();
        let session = Session::of("ada", &Diary::default())
            .waiting(1)
            .ending(Ending::Fails("line is dead"));
        let mut reaped = reaper.adopt(AsyncDropGuard::new(session));
        abandon_after(1, reaped.async_drop());
        drop(reaped);
        assert_eq!(reaper.async_drop().await.unwrap_err().len(), 1);
    });
}

#[test]
fn rp5_interrupted_it_goes_on_and_keeps_its_errors() {
    run_without_incident(async {
        let diary = Diary::default();
        let mut reaper = AsyncDropReaper::new();
        drop(reaper.adopt(failing("line is dead")));
        drop(reaper.adopt(AsyncDropGuard::new(Slow(diary.clone()))));
        let short = Duration::from_millis(400);
        assert!(timeout(short, reaper.async_drop()).await.is_err());
        assert!(timeout(short, reaper.async_drop()).await.is_err());
        assert_eq!(reaper.pending(), 1);
        // It has not ended, so it still adopts.
        drop(reaper.adopt(failing("disk is full")));

        let errors = reaper.async_drop().await.unwrap_err();
        assert_eq!((errors.len(), errors.total()), (2, 3));
        diary.assert_reads(&["slow cleanup begins", "slow cleanup ends", "slow dropped"]);
        reaper.async_drop().await.unwrap();
    });
}

#[test]
fn rp6_a_scope_cleans_up_after_ok_and_after_err() {
    run_without_incident(async {
        let mut reaper = AsyncDropReaper::new();
        for (body, expected) in [
            (Ok(7), Ok(7)),
            (Err("body".to_owned()), Err("body".to_owned())),
        ] {
            let diary = Diary::default();
            let result = reaper
                .scope(ada(&diary), async |session| {
                    yield_now().await;
                    session.diary.write("body ends");
                    body
                })
                .await;
            assert_eq!(result, expected);
            diary.assert_reads(&[
                "body ends",
                "ada cleanup begins",
                "ada cleanup ends",
                "ada dropped",
            ]);
        }
        assert_eq!(reaper.pending(), 0);
        reaper.async_drop().await.unwrap();
    });
}

#[test]
fn rp6_the_errors_of_a_scope_follow_the_rule_of_all_scopes() {
    let ((), incidents) = run(async {
        let mut reaper = AsyncDropReaper::new();
        let result = reaper
            .scope(failing("cleanup"), async |_| Result::<_, String>::Ok(7))
            .await;
        assert_eq!(result, Err("cleanup".to_owned()));
        let result = reaper
            .scope(failing("cleanup"), async |_| {
                Result::<(), _>::Err("body".to_owned())
            })
            .await;
        assert_eq!(result, Err("body".to_owned()));
        reaper.async_drop().await.unwrap();
    });
    assert_eq!(incidents.len(), 1);
    assert_eq!(incidents[0].kind, IncidentKind::Suppressed);
    assert!(incidents[0].message.contains(r#"Session: "cleanup""#));
}

#[test]
fn rp6_a_panic_in_the_body_ends_in_a_cleanup() {
    run_without_incident(async {
        let diary = Diary::default();
        let mut reaper = AsyncDropReaper::new();
        let scope = reaper
            .handle()
            .scope(ada(&diary), async |_| -> Result<(), String> {
                yield_now().await;
                panic!("the body panics")
            });
        assert!(tokio::spawn(scope).await.unwrap_err().is_panic());
        reaper.async_drop().await.unwrap();
        diary.assert_reads(&CLEANED_UP);
    });
}

#[test]
fn rp6_a_scope_that_is_dropped_at_any_place_ends_in_a_cleanup() {
    // Its polls: two of the body, three of the cleanup.
    for polls in 0..4 {
        run_without_incident(async {
            let diary = Diary::default();
            let mut reaper = AsyncDropReaper::new();
            let guard = AsyncDropGuard::new(Session::of("ada", &diary).waiting(2));
            abandon_after(
                polls,
                reaper.scope(guard, async |_| {
                    yield_now().await;
                    yield_now().await;
                    Result::<_, String>::Ok(())
                }),
            );
            assert_eq!(reaper.pending(), 1);
            reaper.async_drop().await.unwrap();
            let entries = diary.entries();
            let count = |entry| entries.iter().filter(|it| *it == entry).count();
            let begun = if polls < 3 { 1 } else { 2 };
            assert_eq!(count("ada cleanup begins"), begun, "after {polls} polls");
            assert_eq!(count("ada cleanup ends"), 1);
            assert_eq!(count("ada dropped"), 1);
        });
    }
}

#[test]
fn rp7_a_shutdown_in_time_is_the_end_of_the_reaper() {
    run_without_incident(async {
        let diary = Diary::default();
        let reaper = AsyncDropReaper::new();
        drop(reaper.adopt(AsyncDropGuard::new(Slow(diary.clone()))));
        let start = Instant::now();
        AsyncDropReaper::shutdown(reaper, 5 * SECOND).await.unwrap();
        assert_eq!(start.elapsed().as_secs(), 1);
        diary.assert_reads(&["slow cleanup begins", "slow cleanup ends", "slow dropped"]);
    });
}

#[test]
fn rp7_a_shutdown_in_time_returns_the_errors() {
    run_without_incident(async {
        let reaper = AsyncDropReaper::new();
        drop(reaper.adopt(failing("line is dead")));
        let error = AsyncDropReaper::shutdown(reaper, SECOND).await.unwrap_err();
        assert_eq!(error.errors().unwrap().len(), 1);
        assert!(error.in_use().is_empty() && error.being_cleaned_up().is_empty());
        assert!(error.to_string().starts_with("1 of 1 cleanups failed: "));
        assert!(error.to_string().ends_with(": line is dead"), "{error}");
        assert!(error.source().is_none(), "the text has all of it");
    });
}

#[test]
fn rp7_at_the_deadline_the_error_names_what_is_left_and_the_errors_so_far() {
    run_without_incident(async {
        let diary = Diary::default();
        let reaper = AsyncDropReaper::new();
        drop(reaper.adopt(failing("line is dead")));
        let line = line!() + 1;
        let (first, second, slow) = (ada(&diary), ada(&diary), Slow(diary.clone()));
        let slow_line = line!() + 1;
        drop(reaper.adopt(AsyncDropGuard::new(slow)));
        let mut in_use = [reaper.adopt(first), reaper.adopt(second)];

        let start = Instant::now();
        let limit = Duration::from_millis(700);
        let error = AsyncDropReaper::shutdown(reaper, limit).await.unwrap_err();
        assert_eq!(start.elapsed().as_millis(), 700);

        assert_eq!(error.in_use().len(), 2);
        assert_eq!(
            error.in_use()[0].type_name(),
            std::any::type_name::<Session>()
        );
        assert_eq!(error.in_use()[1].location().line(), line);
        assert_eq!(error.being_cleaned_up().len(), 1);
        assert_eq!(
            error.being_cleaned_up()[0].type_name(),
            "library::reaper::Slow"
        );
        assert_eq!(error.being_cleaned_up()[0].location().line(), slow_line);
        assert_eq!(error.errors().unwrap().len(), 1);
        assert!(error.source().is_none(), "the text has all of it");
        let text = error.to_string();
        for part in [
            "not all values were gone after 700ms: 2 still in use (library::support::session::Session, created at ",
            "; 1 still being cleaned up (library::reaper::Slow, created at ",
            "; 1 of 2 cleanups failed: library::support::session::Session, created at ",
        ] {
            assert!(text.contains(part), "{text}");
        }
        assert!(!text.contains("1 times"), "{text}");
        // The value that was abandoned is gone, and so is its task.
        diary.assert_reads(&["slow cleanup begins", "slow dropped"]);
        assert_eq!(alive_tasks(), 0);

        for value in &mut in_use {
            value.async_drop().await.unwrap();
        }
    });
}

#[test]
fn rp7_values_of_one_place_are_named_once_with_their_number() {
    run_without_incident(async {
        let reaper = AsyncDropReaper::new();
        let mut in_use: Vec<_> = (0..200)
            .map(|_| reaper.adopt(ada(&Diary::default())))
            .collect();
        let error = AsyncDropReaper::shutdown(reaper, SECOND).await.unwrap_err();
        let text = error.to_string();
        let start = "not all values were gone after 1s: 200 still in use (";
        assert!(text.starts_with(start), "{text}");
        assert_eq!(text.matches("created at").count(), 1, "{text}");
        assert!(text.ends_with(", 200 times)"), "{text}");
        for value in &mut in_use {
            value.async_drop().await.unwrap();
        }
    });
}

#[test]
fn rp7_a_value_in_use_that_is_dropped_after_the_deadline_is_an_incident() {
    let ((), incidents) = run(async {
        let reaper = AsyncDropReaper::new();
        let diary = Diary::default();
        let in_use = reaper.adopt(ada(&diary));
        AsyncDropReaper::shutdown(reaper, SECOND).await.unwrap_err();
        drop(in_use);
        diary.assert_reads(&["ada dropped"]);
    });
    assert_eq!(incidents.len(), 1);
    assert_eq!(incidents[0].kind, IncidentKind::Forgotten);
}

#[test]
fn rp7_a_limit_of_zero_ends_a_reaper_that_has_nothing_left() {
    run_without_incident(async {
        let reaper = AsyncDropReaper::new();
        drop(reaper.adopt(ada(&Diary::default())));
        let_tasks_run().await;
        AsyncDropReaper::shutdown(reaper, Duration::ZERO)
            .await
            .unwrap();
    });
}

/// A task that was started but has not run yet is abandoned, too.
#[test]
fn rp7_a_limit_of_zero_abandons_what_was_just_handed_over() {
    run_without_incident(async {
        let diary = Diary::default();
        let reaper = AsyncDropReaper::new();
        drop(reaper.adopt(ada(&diary)));
        let error = AsyncDropReaper::shutdown(reaper, Duration::ZERO)
            .await
            .unwrap_err();
        assert_eq!(error.being_cleaned_up().len(), 1);
        diary.assert_reads(&["ada dropped"]);
        assert_eq!(alive_tasks(), 0);
    });
}

#[test]
fn rp7_a_value_whose_own_drop_panics_is_abandoned_in_peace() {
    run_without_incident(async {
        let reaper = AsyncDropReaper::new();
        let session = Session::of("ada", &Diary::default())
            .waiting(usize::MAX)
            .panicking_in_drop("drop panics");
        drop(reaper.adopt(AsyncDropGuard::new(session)));
        // It never waits for the clock, which therefore stands still.
        let error = AsyncDropReaper::shutdown(reaper, Duration::ZERO)
            .await
            .unwrap_err();
        assert_eq!(error.being_cleaned_up().len(), 1);
    });
}

#[test]
fn rp7_a_shutdown_that_is_itself_cancelled_is_an_incident() {
    for polls in [0, 1] {
        let ((), incidents) = run(async {
            let reaper = AsyncDropReaper::new();
            let mut reaped = reaper.adopt(ada(&Diary::default()));
            abandon_after(polls, AsyncDropReaper::shutdown(reaper, SECOND));
            reaped.async_drop().await.unwrap();
        });
        assert_eq!(incidents.len(), 1);
        assert_eq!(incidents[0].type_name, "asyncdrop::reaper::AsyncDropReaper");
        let shown = "AsyncDropReaper { in_use: 1, being_cleaned_up: 0, errors: 0 }";
        assert!(incidents[0].message.contains(shown), "{incidents:?}");
    }
}

/// A cleanup that blocks its thread cannot be stopped. It must not hold up the end of the program.
#[derive(Debug)]
struct Blocking {
    begun: mpsc::Sender<()>,
    go_on: Arc<Mutex<mpsc::Receiver<()>>>,
}

#[async_trait]
impl AsyncDrop for Blocking {
    type Error = String;

    async fn async_drop_impl(&mut self) -> Result<(), String> {
        self.begun.send(()).unwrap();
        let go_on = self.go_on.lock().unwrap();
        let released = go_on.recv_timeout(Duration::from_secs(60));
        released.map_err(|_| "shutdown waited for it".into())
    }
}

#[test]
fn rp7_a_cleanup_that_blocks_its_thread_does_not_hold_up_the_shutdown() {
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let (release, go_on) = mpsc::channel();
    let (begun, begins) = mpsc::channel();
    let error = runtime.block_on(async {
        let reaper = AsyncDropReaper::new();
        let go_on = Arc::new(Mutex::new(go_on));
        drop(reaper.adopt(AsyncDropGuard::new(Blocking { begun, go_on })));
        begins.recv().unwrap();
        let error = AsyncDropReaper::shutdown(reaper, Duration::from_millis(10))
            .await
            .unwrap_err();
        // Still blocked: whoever waits for it would wait for a minute.
        release.send(()).unwrap();
        error
    });
    assert_eq!(error.being_cleaned_up().len(), 1);
    assert_eq!(error.left(), 1);
    let text = error.to_string();
    assert!(text.ends_with("; 1 not dropped yet"), "{text}");
}

#[test]
fn rp8_a_hand_over_after_the_end_of_the_reaper_is_an_incident() {
    let (line, incidents) = run(async {
        let diary = Diary::default();
        let mut reaper = AsyncDropReaper::new();
        let handle = reaper.handle();
        reaper.async_drop().await.unwrap();

        let guard = ada(&diary);
        let line = line!() - 1;
        drop(handle.adopt(guard));
        diary.assert_reads(&["ada dropped"]);
        assert_eq!(alive_tasks(), 0);
        line
    });
    assert_eq!(incidents.len(), 1);
    assert_eq!(incidents[0].kind, IncidentKind::Forgotten);
    assert_eq!(incidents[0].type_name, "library::support::session::Session");
    assert_eq!(incidents[0].location, place!(line, 21));
}

#[test]
fn rp8_an_interrupted_value_stays_interrupted_in_its_incident() {
    let ((), incidents) = run(async {
        let mut reaper = AsyncDropReaper::new();
        let handle = reaper.handle();
        reaper.async_drop().await.unwrap();
        let mut reaped = handle.adopt(endless(&Diary::default()));
        abandon_after(1, reaped.async_drop());
        drop(reaped);
    });
    assert_eq!(incidents.len(), 1);
    assert_eq!(incidents[0].kind, IncidentKind::Interrupted);
}

#[test]
fn rp8_a_value_that_is_adopted_after_the_end_can_be_ended_in_place() {
    run_without_incident(async {
        let diary = Diary::default();
        let mut reaper = AsyncDropReaper::new();
        let handle = reaper.handle();
        reaper.async_drop().await.unwrap();
        let mut late = handle.adopt(ada(&diary));
        assert_eq!(handle.pending(), 0);
        late.async_drop().await.unwrap();
        diary.assert_reads(&CLEANED_UP);
        let result = handle.scope(ada(&diary), async |_| Result::<_, String>::Ok(7));
        assert_eq!(result.await, Ok(7));
    });
}

/// Nobody asks the reaper any more, so only its guard can report the value.
#[test]
fn rp8_a_value_pending_when_the_runtime_ends_after_the_reaper_is_one_incident() {
    let ((), incidents) = record(|| {
        let diary = Diary::default();
        let runtime = runtime();
        runtime.block_on(async {
            let reaper = AsyncDropReaper::new();
            drop(reaper.adopt(endless(&diary)));
            let_tasks_run().await;
            drop(reaper);
        });
        drop(runtime);
        diary.assert_reads(&["ada cleanup begins", "ada dropped"]);
    });
    let kinds: Vec<_> = incidents.iter().map(|it| it.kind).collect();
    assert_eq!(kinds, [IncidentKind::Forgotten, IncidentKind::Interrupted]);
}

#[test]
fn rp8_values_pending_when_the_runtime_ends_are_incidents_and_errors() {
    let ((), incidents) = record(|| {
        let diary = Diary::default();
        let runtime = runtime();
        let mut reaper = runtime.block_on(async {
            let reaper = AsyncDropReaper::new();
            // One whose cleanup has begun, one whose task never ran.
            drop(reaper.adopt(endless(&diary)));
            let_tasks_run().await;
            drop(reaper.adopt(ada(&diary)));
            reaper
        });
        let in_use = reaper.adopt(ada(&diary));
        drop(runtime);
        diary.assert_reads(&["ada cleanup begins", "ada dropped", "ada dropped"]);
        assert_eq!(reaper.pending(), 1);
        // One that is handed over when the runtime is gone.
        drop(in_use);

        // The reaper does not hang, and does not say that all is well.
        let errors = futures::executor::block_on(reaper.async_drop()).unwrap_err();
        assert_eq!((errors.len(), errors.total()), (3, 3));
        for (origin, error) in &errors {
            assert!(matches!(error, CleanupError::RuntimeEnded));
            assert_eq!(origin.type_name(), "library::support::session::Session");
            assert_eq!(error.to_string(), "its runtime ended before its cleanup");
        }
    });
    let mut kinds: Vec<_> = incidents
        .iter()
        .map(|it| format!("{:?}", it.kind))
        .collect();
    kinds.sort();
    assert_eq!(kinds, ["Forgotten", "Forgotten", "Interrupted"]);
}

#[test]
fn rp8_a_task_that_ends_with_the_runtime_hands_over_to_nobody_and_that_is_an_incident() {
    let ((), incidents) = record(|| {
        let runtime = runtime();
        let diary = Diary::default();
        let mut reaper = runtime.block_on(async {
            let reaper = AsyncDropReaper::new();
            let reaped = reaper.adopt(ada(&diary));
            tokio::spawn(async move {
                let _reaped = reaped;
                pending::<()>().await;
            });
            let_tasks_run().await;
            reaper
        });
        drop(runtime);
        diary.assert_reads(&["ada dropped"]);
        let errors = futures::executor::block_on(reaper.async_drop()).unwrap_err();
        assert_eq!(errors.len(), 1);
    });
    assert_eq!(incidents.len(), 1);
    assert_eq!(incidents[0].kind, IncidentKind::Forgotten);
}

#[test]
fn rp8_a_runtime_of_many_threads_ends_with_values_pending() {
    fn program() {
        let runtime = Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let mut reaper = runtime.block_on(async {
            let reaper = AsyncDropReaper::new();
            for _ in 0..100 {
                drop(reaper.adopt(endless(&Diary::default())));
            }
            reaper
        });
        drop(runtime);
        let errors = futures::executor::block_on(reaper.async_drop()).unwrap_err();
        assert_eq!(errors.len(), 100);
    }
    let outcome = run_in_new_process(
        test_path!("rp8_a_runtime_of_many_threads_ends_with_values_pending"),
        program,
    );
    assert!(outcome.lived_on, "{}", outcome.stderr);
    let forgotten = r#"Forgot to call async_drop on Session("ada"), created at "#;
    let interrupted = r#"async_drop on Session("ada") was interrupted before it finished"#;
    let reports =
        outcome.stderr.matches(forgotten).count() + outcome.stderr.matches(interrupted).count();
    assert_eq!(reports, 100, "{}", outcome.stderr);
}

#[test]
fn rp9_a_cleanup_that_panics_stops_no_other_and_is_an_error_and_an_incident() {
    let ((), incidents) = run(async {
        let diary = Diary::default();
        let mut reaper = AsyncDropReaper::new();
        let session =
            |name, ending| AsyncDropGuard::new(Session::of(name, &diary).waiting(2).ending(ending));
        drop(reaper.adopt(session("bob", Ending::Panics("the line is dead"))));
        drop(reaper.adopt(ada(&diary)));
        drop(reaper.adopt(session("cyd", Ending::Fails("no answer"))));

        let errors = reaper.async_drop().await.unwrap_err();
        let errors: Vec<_> = errors.iter().map(|(_, error)| error).collect();
        assert!(matches!(
            errors[..],
            [CleanupError::Panicked(_), CleanupError::Failed(_)]
        ));
        assert_eq!(
            errors[0].to_string(),
            "its cleanup panicked: the line is dead"
        );
        let entries = diary.entries();
        for entry in ["ada dropped", "bob dropped", "cyd dropped"] {
            assert_eq!(entries.iter().filter(|it| *it == entry).count(), 1);
        }
        let begun = entries.iter().filter(|it| *it == "bob cleanup begins");
        assert_eq!(begun.count(), 1, "it is not tried again");
    });
    assert_eq!(incidents.len(), 1);
    assert_eq!(incidents[0].kind, IncidentKind::Interrupted);
    assert!(incidents[0].message.contains(r#"Session("bob")"#));
}

#[test]
fn rp9_an_error_whose_value_then_panics_in_its_own_drop_is_reported() {
    let (errors, incidents) = run(async {
        let mut reaper = AsyncDropReaper::new();
        let session = Session::of("ada", &Diary::default())
            .ending(Ending::Fails("no answer"))
            .panicking_in_drop("drop panics");
        drop(reaper.adopt(AsyncDropGuard::new(session)));
        reaper.async_drop().await.unwrap_err()
    });
    assert_eq!(errors.len(), 1);
    assert!(errors.to_string().ends_with("panicked: drop panics"));
    assert_eq!(incidents.len(), 1);
    assert_eq!(incidents[0].kind, IncidentKind::Suppressed);
}

#[test]
fn rp9_a_cleanup_that_panics_and_a_value_that_panics_in_its_own_drop_do_not_abort() {
    fn program() {
        runtime().block_on(async {
            let mut reaper = AsyncDropReaper::new();
            let session = Session::of("ada", &Diary::default())
                .ending(Ending::Panics("no answer"))
                .panicking_in_drop("drop panics");
            drop(reaper.adopt(AsyncDropGuard::new(session)));
            let errors = reaper.async_drop().await.unwrap_err();
            let text = errors.to_string();
            assert!(text.ends_with("panicked: no answer"), "{text}");
            eprintln!("the reaper has ended");
        });
    }

    let outcome = run_in_new_process(
        test_path!(
            "rp9_a_cleanup_that_panics_and_a_value_that_panics_in_its_own_drop_do_not_abort"
        ),
        program,
    );

    assert!(outcome.lived_on, "{}", outcome.stderr);
    for text in [
        "no answer",
        "was interrupted before it finished",
        "drop panics",
        "the reaper has ended",
    ] {
        assert!(outcome.stderr.contains(text), "{text}: {}", outcome.stderr);
    }
}

#[test]
fn rp10_outside_of_a_runtime_it_panics_where_it_was_called() {
    fn program() {
        let _ = AsyncDropReaper::new();
    }
    let outcome = run_in_new_process(
        test_path!("rp10_outside_of_a_runtime_it_panics_where_it_was_called"),
        program,
    );
    assert_eq!(
        outcome.stderr,
        "thread 'program' panicked at tests/reaper.rs\n\
         AsyncDropReaper::new was called outside of a tokio runtime, \
         and needs one for the tasks in which it cleans up\n"
    );
}

/// A value that counts what happens to it. Every tenth cleanup fails.
#[derive(Debug)]
struct Counted {
    number: usize,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    cleaned_up: AtomicUsize,
    dropped: AtomicUsize,
}

#[async_trait]
impl AsyncDrop for Counted {
    type Error = NumberError;

    async fn async_drop_impl(&mut self) -> Result<(), NumberError> {
        if self.number % 3 == 0 {
            yield_now().await;
        }
        self.counts.cleaned_up.fetch_add(1, Ordering::Relaxed);
        if self.number % 10 == 0 {
            Err(NumberError(self.number))
        } else {
            Ok(())
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.counts.dropped.fetch_add(1, Ordering::Relaxed);
    }
}

#[derive(Debug)]
struct NumberError(usize);

impl std::fmt::Display for NumberError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "number {} failed", self.0)
    }
}

impl Error for NumberError {}

const TASKS: usize = 100;
const EACH: usize = 1_000;

#[test]
fn rp11_100_000_values_handed_over_at_once_are_cleaned_up_once_each() {
    let runtime = Builder::new_multi_thread()
        .worker_threads(4)
        .enable_all()
        .build()
        .unwrap();
    let counts = Arc::new(Counts::default());
    let errors = runtime.block_on(async {
        let mut reaper = AsyncDropReaper::new();
        let (go, _) = watch::channel(());
        let tasks: Vec<_> = (0..TASKS)
            .map(|task| {
                let (reaper, counts) = (reaper.handle(), Arc::clone(&counts));
                let mut goes = go.subscribe();
                tokio::spawn(async move {
                    let values: Vec<_> = (task * EACH..(task + 1) * EACH)
                        .map(|number| Counted {
                            number,
                            counts: Arc::clone(&counts),
                        })
                        .map(|value| reaper.adopt(AsyncDropGuard::new(value)))
                        .collect();
                    // Every other task is aborted with its values in its hands.
                    if task % 2 == 0 {
                        pending::<()>().await;
                    }
                    goes.changed().await.unwrap();
                    drop(values);
                })
            })
            .collect();
        while reaper.pending() < TASKS * EACH {
            yield_now().await;
        }
        assert_eq!(reaper.pending(), TASKS * EACH);
        go.send_replace(());
        for task in tasks.iter().step_by(2) {
            task.abort();
        }
        for task in tasks {
            let _ = task.await;
        }
        let end = timeout(60 * SECOND, reaper.async_drop()).await;
        let errors = end.expect("it hangs").unwrap_err();
        assert_eq!(tasks_left().await, 0);
        errors
    });

    assert_eq!(errors.total(), TASKS * EACH);
    assert_eq!(counts.cleaned_up.load(Ordering::Relaxed), TASKS * EACH);
    assert_eq!(counts.dropped.load(Ordering::Relaxed), TASKS * EACH);
    let mut numbers: Vec<_> = errors
        .iter()
        .map(|(_, error)| error.downcast_ref::<NumberError>().unwrap().0)
        .collect();
    numbers.sort_unstable();
    let failing: Vec<_> = (0..TASKS * EACH).step_by(10).collect();
    assert_eq!(numbers, failing, "each error is there once");
}

/// A task counts as alive for a moment after its future has ended, on the thread that ran it.
async fn tasks_left() -> usize {
    let start = Instant::now();
    while alive_tasks() > 0 && start.elapsed() < 10 * SECOND {
        sleep(Duration::from_millis(1)).await;
    }
    alive_tasks()
}

/// The reaper may end between the decision to clean a value up and the moment when its task can be aborted.
#[test]
fn rp11_a_hand_over_that_races_with_the_deadline_leaves_no_task() {
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    for _ in 0..30 {
        let reaper = runtime.block_on(async { AsyncDropReaper::new() });
        let counts: [Arc<()>; EACH] = std::array::from_fn(|_| Arc::new(()));
        let values: Vec<_> = counts
            .iter()
            .map(|alive| reaper.adopt(AsyncDropGuard::new(Silent(Arc::clone(alive)))))
            .collect();
        let (begun, begins) = mpsc::channel();
        let thread = thread::spawn(move || {
            let dropped = move || {
                begun.send(()).unwrap();
                drop(values);
            };
            record(dropped).1.len()
        });
        begins.recv().unwrap();
        let error = runtime
            .block_on(AsyncDropReaper::shutdown(reaper, Duration::ZERO))
            .unwrap_err();
        let incidents = thread.join().unwrap();
        // What was in use at the deadline was dropped by its owner after it.
        assert_eq!(error.in_use().len(), incidents);
        assert_eq!(error.being_cleaned_up().len() + incidents, EACH);
        assert_eq!(runtime.block_on(tasks_left()), 0);
        assert!(counts.iter().all(|alive| Arc::strong_count(alive) == 1));
    }
}

/// A value whose cleanup waits for ever.
#[derive(Debug)]
struct Silent(#[expect(dead_code, reason = "it is counted")] Arc<()>);

#[async_trait]
impl AsyncDrop for Silent {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        pending().await
    }
}

#[test]
fn rp11_a_deadline_in_the_middle_loses_none() {
    let ((), incidents) = run(async {
        let counts = Arc::new(Counts::default());
        let reaper = AsyncDropReaper::new();
        let mut in_use = Vec::new();
        for number in 0..EACH {
            let counts = Arc::clone(&counts);
            let reaped = reaper.adopt(AsyncDropGuard::new(Counted { number, counts }));
            match number % 4 {
                0 => in_use.push(reaped),
                _ => drop(reaped),
            }
            if number == EACH / 2 {
                let_tasks_run().await;
            }
        }
        let error = AsyncDropReaper::shutdown(reaper, Duration::ZERO)
            .await
            .unwrap_err();
        let cleaned_up = counts.cleaned_up.load(Ordering::Relaxed);
        assert!(cleaned_up > 0);
        assert_eq!(error.in_use().len(), EACH / 4);
        assert_eq!(
            error.being_cleaned_up().len() + cleaned_up + in_use.len(),
            EACH
        );
        assert_eq!(alive_tasks(), 0);
        drop(in_use);
        assert_eq!(counts.dropped.load(Ordering::Relaxed), EACH);
    });
    assert_eq!(incidents.len(), EACH / 4);
}

#[test]
fn rp11_no_task_is_left_behind_by_the_end_of_a_reaper() {
    run_without_incident(async {
        let mut reaper = AsyncDropReaper::new();
        for _ in 0..100 {
            drop(reaper.adopt(AsyncDropGuard::new(Slow(Diary::default()))));
        }
        let_tasks_run().await;
        assert_eq!(alive_tasks(), 100);
        reaper.async_drop().await.unwrap();
        assert_eq!(alive_tasks(), 0);
    });
}

/// The runtime has other work, so it needs many turns to drop what was abandoned.
#[test]
fn rp11_a_shutdown_waits_for_what_it_has_abandoned_as_long_as_some_of_it_goes() {
    static DROPPED: AtomicUsize = AtomicUsize::new(0);

    #[derive(Debug)]
    struct Upload;

    impl Drop for Upload {
        fn drop(&mut self) {
            DROPPED.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[async_trait]
    impl AsyncDrop for Upload {
        type Error = io::Error;

        async fn async_drop_impl(&mut self) -> io::Result<()> {
            pending().await
        }
    }

    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        for _ in 0..60 {
            tokio::spawn(async {
                loop {
                    thread::sleep(Duration::from_millis(2));
                    yield_now().await;
                }
            });
        }
        let reaper = AsyncDropReaper::new();
        for _ in 0..200 {
            drop(reaper.adopt(AsyncDropGuard::new(Upload)));
        }
        let limit = Duration::from_millis(300);
        let error = AsyncDropReaper::shutdown(reaper, limit).await.unwrap_err();
        assert_eq!(error.being_cleaned_up().len(), 200);
        assert_eq!(DROPPED.load(Ordering::SeqCst), 200);
    });
}

#[test]
fn rp11_a_writer_that_asks_the_reaper_can_print_it() {
    use std::fmt::Write;

    struct Log(ReaperHandle, String);

    impl Write for Log {
        fn write_str(&mut self, text: &str) -> std::fmt::Result {
            write!(self.1, "[{}]{text}", self.0.pending())
        }
    }

    // A thread of its own, because the fault is that it waits without an end.
    let (done, waits) = mpsc::channel();
    thread::spawn(move || {
        runtime().block_on(async {
            let mut reaper = AsyncDropReaper::new();
            let mut log = Log(reaper.handle(), String::new());
            write!(log, "{reaper:?} {:?}", reaper.handle()).unwrap();
            reaper.async_drop().await.unwrap();
            done.send(log.1).unwrap();
        });
    });
    let text = waits.recv_timeout(10 * SECOND).expect("it printed");
    assert!(
        text.contains("AsyncDropReaper") && text.contains("ReaperHandle"),
        "{text}"
    );
}

#[test]
fn rp11_no_task_is_left_behind_by_a_shutdown_at_its_deadline() {
    run_without_incident(async {
        let reaper = AsyncDropReaper::new();
        for _ in 0..100 {
            drop(reaper.adopt(AsyncDropGuard::new(Slow(Diary::default()))));
        }
        let start = Instant::now();
        let limit = Duration::from_millis(500);
        let error = AsyncDropReaper::shutdown(reaper, limit).await.unwrap_err();
        assert_eq!(error.being_cleaned_up().len(), 100);
        assert_eq!(start.elapsed(), limit);
        assert_eq!(alive_tasks(), 0);
    });
}

#[test]
fn rp12_a_reaper_that_is_forgotten_is_an_incident_and_so_are_its_errors() {
    let ((), incidents) = run(async {
        let diary = Diary::default();
        let reaper = AsyncDropReaper::new();
        let line = line!() - 1;
        drop(reaper.adopt(failing("line is dead")));
        let_tasks_run().await;
        drop(reaper.adopt(AsyncDropGuard::new(Slow(diary.clone()))));
        let in_use = reaper.adopt(ada(&diary));
        let handle = reaper.handle();
        drop(reaper);
        assert_eq!(line + 7, line!() - 1);
        // The cleanup that was begun goes on, and nothing new is taken.
        assert_eq!(handle.pending(), 1);
        sleep(2 * SECOND).await;
        diary.assert_reads(&["slow cleanup begins", "slow cleanup ends", "slow dropped"]);
        drop(in_use);
    });
    let kinds: Vec<_> = incidents.iter().map(|it| it.kind).collect();
    assert_eq!(
        kinds,
        [
            IncidentKind::Forgotten,
            IncidentKind::Suppressed,
            IncidentKind::Forgotten
        ]
    );
    assert!(
        incidents[0]
            .message
            .contains("AsyncDropReaper { in_use: 1, being_cleaned_up: 1, errors: 1 }"),
    );
    assert!(incidents[1].message.contains("line is dead"));
    assert_eq!(incidents[2].type_name, "library::support::session::Session");
}

#[test]
fn rp12_an_error_that_comes_after_the_end_is_an_incident() {
    let ((), incidents) = run(async {
        let reaper = AsyncDropReaper::new();
        drop(reaper.adopt(failing("line is dead")));
        drop(reaper);
        let_tasks_run().await;
    });
    let kinds: Vec<_> = incidents.iter().map(|it| it.kind).collect();
    assert_eq!(kinds, [IncidentKind::Forgotten, IncidentKind::Suppressed]);
    assert!(incidents[1].message.contains("line is dead"));
}

#[test]
fn rp12_an_interrupted_reaper_says_so() {
    let ((), incidents) = run(async {
        let mut reaper = AsyncDropReaper::new();
        let mut reaped = reaper.adopt(ada(&Diary::default()));
        abandon_after(1, reaper.async_drop());
        drop(reaper);
        reaped.async_drop().await.unwrap();
    });
    assert_eq!(incidents.len(), 1);
    assert_eq!(incidents[0].kind, IncidentKind::Interrupted);
}
