//! The promises D1 to D3.
//!
//! Where a time limit must run out it is a short one, and no test looks at the clock.

use std::fmt::{self, Debug};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use asyncdrop::incident::IncidentKind;
use asyncdrop::{AsyncDrop, AsyncDropGuard, SyncDrop, async_trait};
use futures::executor::block_on;
use tokio::sync::mpsc;

use crate::support::{
    Diary, Ending, Outcome, Session, message_of_panic, record, run_in_new_process,
};
use crate::{place, test_path};

const SHORT: Duration = Duration::from_millis(50);

/// Cleaned up by a future of the test's choice.
struct Custom<F>(F);

impl<F> Debug for Custom<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Custom")
    }
}

#[async_trait]
impl<F, Fut> AsyncDrop for Custom<F>
where
    F: Fn() -> Fut + Send + Sync,
    Fut: Future<Output = ()> + Send,
{
    type Error = String;

    async fn async_drop_impl(&mut self) -> Result<(), String> {
        (self.0)().await;
        Ok(())
    }
}

#[test]
fn d1_dropping_it_cleans_up_outside_of_any_runtime() {
    let diary = Diary::default();
    let session = SyncDrop::new(AsyncDropGuard::new(Session::of("ada", &diary).waiting(3)));

    drop(session);

    diary.assert_reads(&["ada cleanup begins", "ada cleanup ends", "ada dropped"]);
}

#[test]
fn d1_it_derefs_to_the_value() {
    let diary = Diary::default();
    let mut session = SyncDrop::new(AsyncDropGuard::new(Session::of("ada", &diary)));

    session.user = "eve";

    assert_eq!(session.user, "eve");
    assert_eq!(
        format!("{session:?}"),
        "SyncDrop(Some(AsyncDropGuard(Session(\"eve\"))))"
    );
}

#[test]
fn d1_the_guard_can_be_taken_back_and_is_still_armed() {
    let diary = Diary::default();
    let session = SyncDrop::new(AsyncDropGuard::new(Session::of("ada", &diary)));

    let mut session = session.into_inner_dont_drop();

    diary.assert_reads(&[]);
    assert_eq!(block_on(session.async_drop()), Ok(()));
    diary.assert_reads(&["ada cleanup begins", "ada cleanup ends", "ada dropped"]);
}

#[test]
fn d1_a_value_that_was_already_cleaned_up_is_left_alone() {
    let diary = Diary::default();
    let mut guard = AsyncDropGuard::new(Session::of("ada", &diary));
    assert_eq!(block_on(guard.async_drop()), Ok(()));

    drop(SyncDrop::new(guard));

    diary.assert_reads(&["ada cleanup begins", "ada cleanup ends", "ada dropped"]);
}

#[test]
fn d1_it_can_be_dropped_on_another_thread() {
    let diary = Diary::default();
    let session = SyncDrop::new(AsyncDropGuard::new(Session::of("ada", &diary).waiting(1)));

    thread::spawn(move || drop(session)).join().unwrap();

    diary.assert_reads(&["ada cleanup begins", "ada cleanup ends", "ada dropped"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d1_on_a_multi_threaded_runtime_a_cleanup_may_use_timers_and_tasks() {
    let done = Arc::new(AtomicBool::new(false));
    let cleanup = {
        let done = Arc::clone(&done);
        move || {
            let done = Arc::clone(&done);
            async move {
                tokio::time::sleep(Duration::from_millis(1)).await;
                tokio::spawn(async move { done.store(true, Ordering::SeqCst) })
                    .await
                    .unwrap();
            }
        }
    };

    drop(SyncDrop::new(AsyncDropGuard::new(Custom(cleanup))));

    assert!(done.load(Ordering::SeqCst));
}

/// The message of a cleanup that waited in vain.
fn deadlock(type_name: &str, place: &str) -> String {
    format!(
        "async_drop on {type_name} did not finish within 50ms in SyncDrop, which blocks this thread: \
         if the cleanup waits for something that only this thread can drive, it is a deadlock. \
         Call async_drop().await instead, or on a multi-threaded runtime drop it inside \
         tokio::task::block_in_place. Created at {place}"
    )
}

fn type_name_of<T>(_: &AsyncDropGuard<T>) -> &'static str
where
    T: Debug,
{
    std::any::type_name::<T>()
}

#[tokio::test(flavor = "current_thread")]
async fn d2_a_cleanup_that_sleeps_on_the_blocked_runtime_panics_with_the_reason() {
    let line = line!() + 1;
    let guard = AsyncDropGuard::new(Custom(|| tokio::time::sleep(Duration::from_millis(1))));
    let type_name = type_name_of(&guard);
    let value = SyncDrop::with_time_limit(guard, SHORT);

    let message = message_of_panic(|| drop(value));

    assert_eq!(message, deadlock(type_name, &place!(line, 17)));
}

#[tokio::test(flavor = "current_thread")]
async fn d2_a_cleanup_that_waits_for_a_task_of_the_blocked_runtime_panics_with_the_reason() {
    let line = line!() + 1;
    let guard = AsyncDropGuard::new(Custom(async || tokio::spawn(async {}).await.unwrap()));
    let type_name = type_name_of(&guard);
    let value = SyncDrop::with_time_limit(guard, SHORT);

    let message = message_of_panic(|| drop(value));

    assert_eq!(message, deadlock(type_name, &place!(line, 17)));
}

#[test]
fn d2_a_cleanup_that_never_ends_panics_and_its_value_is_reported_as_interrupted() {
    let guard = AsyncDropGuard::new(Custom(std::future::pending::<()>));
    let value = SyncDrop::with_time_limit(guard, SHORT);

    let (message, incidents) = record(|| message_of_panic(|| drop(value)));

    assert!(message.contains("it is a deadlock"));
    let [incident] = &incidents[..] else {
        panic!("{incidents:?}")
    };
    assert_eq!(incident.kind, IncidentKind::Interrupted);
    assert!(
        incident
            .message
            .starts_with("async_drop on Custom was interrupted before it finished, ")
    );
}

#[test]
fn d2_a_cleanup_that_owns_a_guard_when_the_time_is_up_does_not_hide_the_reason() {
    // The hook is the default one here, which panics.
    let guard = AsyncDropGuard::new(Custom(async || {
        let _session = AsyncDropGuard::new(Session::of("ada", &Diary::default()));
        std::future::pending::<()>().await;
    }));
    let value = SyncDrop::with_time_limit(guard, SHORT);

    let message = message_of_panic(|| drop(value));

    assert!(message.contains("it is a deadlock"), "{message}");
}

/// Ends after two seconds, by the hand of another thread.
async fn wait_two_seconds() {
    let (sender, receiver) = futures::channel::oneshot::channel();
    thread::spawn(move || {
        thread::sleep(Duration::from_secs(2));
        let _ = sender.send(());
    });
    receiver.await.unwrap();
}

#[test]
fn d2_the_time_limit_is_the_one_that_was_set() {
    let guard = AsyncDropGuard::new(Custom(wait_two_seconds));
    let value = SyncDrop::with_time_limit(guard, SHORT);
    assert!(message_of_panic(|| drop(value)).contains(" did not finish within 50ms in SyncDrop"));

    let guard = AsyncDropGuard::new(Custom(wait_two_seconds));
    drop(SyncDrop::with_time_limit(guard, Duration::from_secs(60)));
}

#[test]
fn d2_the_time_limit_is_ten_seconds_unless_it_is_set() {
    // Side by side, because this is the longest of all tests.
    thread::scope(|threads| {
        threads.spawn(|| {
            let guard = AsyncDropGuard::new(Custom(wait_two_seconds));
            drop(SyncDrop::new(guard));
        });

        let guard = AsyncDropGuard::new(Custom(std::future::pending::<()>));
        let value = SyncDrop::new(guard);
        let message = message_of_panic(|| drop(value));
        assert!(
            message.contains(" did not finish within 10s in SyncDrop"),
            "{message}"
        );
    });
}

/// More operations on a channel than tokio grants to one poll of a task.
async fn receive_a_thousand_messages() {
    let (sender, mut receiver) = mpsc::unbounded_channel();
    for number in 0..1000 {
        sender.send(number).unwrap();
    }
    for number in 0..1000 {
        assert_eq!(receiver.recv().await, Some(number));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d2_more_operations_than_tokio_grants_to_a_task_panic_with_the_reason() {
    let line = line!() + 1;
    let guard = AsyncDropGuard::new(Custom(receive_a_thousand_messages));
    let type_name = type_name_of(&guard);
    let value = SyncDrop::with_time_limit(guard, SHORT);

    let message = message_of_panic(|| drop(value));

    let place = place!(line, 17);
    assert_eq!(
        message,
        format!(
            "async_drop on {type_name} did not finish within 50ms in SyncDrop, which blocks this thread: \
             the cleanup was still running, and needs more time, or more operations than tokio grants \
             to one poll of a task. Call async_drop().await instead, or on a multi-threaded runtime drop it inside \
             tokio::task::block_in_place. Created at {place}"
        )
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d2_in_block_in_place_there_is_no_limit_to_the_operations() {
    let guard = AsyncDropGuard::new(Custom(receive_a_thousand_messages));
    tokio::task::block_in_place(|| drop(SyncDrop::new(guard)));

    let task = tokio::spawn(async {
        let guard = AsyncDropGuard::new(Custom(receive_a_thousand_messages));
        tokio::task::block_in_place(|| drop(SyncDrop::new(guard)));
    });
    task.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d2_a_spawned_task_may_wait_for_another_one_in_block_in_place() {
    let task = tokio::spawn(async move {
        let guard = AsyncDropGuard::new(Custom(async || tokio::spawn(async {}).await.unwrap()));
        tokio::task::block_in_place(|| drop(SyncDrop::new(guard)));
    });

    task.await.unwrap();
}

#[test]
fn d2_outside_of_a_runtime_there_is_no_limit_to_the_operations() {
    let guard = AsyncDropGuard::new(Custom(receive_a_thousand_messages));
    drop(SyncDrop::new(guard));
}

#[test]
fn d2_a_cleanup_that_is_ready_at_once_needs_no_time() {
    let diary = Diary::default();
    let guard = AsyncDropGuard::new(Session::of("ada", &diary));

    drop(SyncDrop::with_time_limit(guard, Duration::ZERO));

    diary.assert_reads(&["ada cleanup begins", "ada cleanup ends", "ada dropped"]);
}

#[test]
fn d2_a_cleanup_that_needs_a_runtime_where_there_is_none_panics_with_that_reason() {
    let guard = AsyncDropGuard::new(Custom(async || tokio::task::yield_now().await));
    drop(SyncDrop::new(guard));
    let guard = AsyncDropGuard::new(Custom(async || {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }));

    let (message, incidents) = record(|| message_of_panic(|| drop(SyncDrop::new(guard))));

    assert!(
        message.starts_with("there is no reactor running"),
        "{message}"
    );
    assert_eq!(incidents.len(), 1);
}

#[test]
fn d2_it_uses_up_no_wake_up_of_the_executor_around_it() {
    // A plain executor parks its thread, and all it knows of a wake-up is that the thread was unparked.
    thread::current().unpark();

    drop(SyncDrop::new(AsyncDropGuard::new(Custom(async || {
        let (sender, receiver) = futures::channel::oneshot::channel();
        thread::spawn(move || sender.send(()).unwrap());
        receiver.await.unwrap();
    }))));

    // Ends at once, or never.
    thread::park();
}

#[test]
fn d3_a_failing_cleanup_panics_with_the_error() {
    let diary = Diary::default();
    let line = line!() + 1;
    let guard = AsyncDropGuard::new(Session::of("ada", &diary).ending(Ending::Fails("no route")));
    let value = SyncDrop::new(guard);

    let message = message_of_panic(|| drop(value));

    let place = place!(line, 17);
    assert_eq!(
        message,
        format!(
            "async_drop on {} failed in SyncDrop: \"no route\", created at {place}",
            std::any::type_name::<Session>()
        )
    );
    diary.assert_reads(&["ada cleanup begins", "ada cleanup fails", "ada dropped"]);
}

#[test]
fn d3_while_unwinding_a_failing_cleanup_is_reported_and_does_not_panic() {
    let diary = Diary::default();
    let guard = AsyncDropGuard::new(Session::of("ada", &diary).ending(Ending::Fails("no route")));

    let (message, incidents) = record(|| {
        message_of_panic(|| {
            let _value = SyncDrop::new(guard);
            panic!("the assertion that failed");
        })
    });

    assert_eq!(message, "the assertion that failed");
    let [incident] = &incidents[..] else {
        panic!("{incidents:?}")
    };
    assert_eq!(incident.kind, IncidentKind::Suppressed);
    assert!(incident.message.contains("\"no route\""));
    diary.assert_reads(&["ada cleanup begins", "ada cleanup fails", "ada dropped"]);
}

#[test]
fn d3_while_unwinding_a_cleanup_that_succeeds_is_silent() {
    let diary = Diary::default();
    let guard = AsyncDropGuard::new(Session::of("ada", &diary));

    let (_, incidents) = record(|| {
        message_of_panic(|| {
            let _value = SyncDrop::new(guard);
            panic!("the assertion that failed");
        })
    });

    assert_eq!(incidents, []);
    diary.assert_reads(&["ada cleanup begins", "ada cleanup ends", "ada dropped"]);
}

#[test]
fn d3_while_unwinding_cleanups_that_panic_and_that_never_end_do_not_abort() {
    let outcome = run_in_new_process(
        test_path!("d3_while_unwinding_cleanups_that_panic_and_that_never_end_do_not_abort"),
        || {
            let guard = AsyncDropGuard::new(Custom(std::future::pending::<()>));
            let _endless = SyncDrop::with_time_limit(guard, SHORT);
            let diary = Diary::default();
            let session = Session::of("ada", &diary).ending(Ending::Panics("no route"));
            let _panicking = SyncDrop::new(AsyncDropGuard::new(session));
            panic!("the assertion that failed");
        },
    );

    let Outcome { lived_on, stderr } = outcome;
    assert!(lived_on, "{stderr}");
    let without_places: Vec<_> = stderr
        .lines()
        .map(|line| line.split(", created at").next().unwrap())
        .collect();
    assert_eq!(
        without_places,
        [
            "thread 'program' panicked at tests/sync_drop.rs",
            "the assertion that failed",
            "thread 'program' panicked at tests/support/session.rs",
            "no route",
            "async_drop on Session(\"ada\") was interrupted before it finished",
            "async_drop on Custom was interrupted before it finished",
        ]
    );
}

#[test]
fn d3_a_cleanup_that_panics_goes_on_panicking() {
    let diary = Diary::default();
    let session = Session::of("ada", &diary).ending(Ending::Panics("no route"));
    let value = SyncDrop::new(AsyncDropGuard::new(session));

    let (message, incidents) = record(|| message_of_panic(|| drop(value)));

    assert_eq!(message, "no route");
    let kinds: Vec<_> = incidents.iter().map(|it| it.kind).collect();
    assert_eq!(kinds, [IncidentKind::Interrupted]);
}

#[test]
fn d3_an_error_whose_debug_panics_does_not_abort() {
    let outcome = run_in_new_process(
        test_path!("d3_an_error_whose_debug_panics_does_not_abort"),
        || {
            struct Unprintable;
            impl Debug for Unprintable {
                fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
                    panic!("cannot be printed")
                }
            }

            #[derive(Debug)]
            struct Failing;

            #[async_trait]
            impl AsyncDrop for Failing {
                type Error = Unprintable;

                async fn async_drop_impl(&mut self) -> Result<(), Unprintable> {
                    Err(Unprintable)
                }
            }

            let value = SyncDrop::new(AsyncDropGuard::new(Failing));
            let ended = catch_unwind(AssertUnwindSafe(|| drop(value)));
            assert!(ended.is_err());
        },
    );

    assert!(outcome.lived_on, "{}", outcome.stderr);
}
