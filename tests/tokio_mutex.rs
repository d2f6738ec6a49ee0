//! The promise M1, and N1 for the mutex.

#![cfg(feature = "tokio")]

use std::pin::pin;
use std::task::Poll;
use std::thread;

use asyncdrop::incident::IncidentKind;
use asyncdrop::{AsyncDrop, AsyncDropArc, AsyncDropGuard, AsyncDropTokioMutex};
use futures::executor::block_on;
use tokio::runtime::{Handle, Runtime};

use crate::place;
use crate::support::{
    CLEANED_UP, Diary, Ending, Session, abandon_after, message_of_panic, poll_once, record,
};

#[track_caller]
fn locked(session: Session) -> AsyncDropGuard<AsyncDropTokioMutex<Session>> {
    AsyncDropTokioMutex::new(AsyncDropGuard::new(session))
}

fn end<T: AsyncDrop + std::fmt::Debug>(guard: &mut AsyncDropGuard<T>) -> Result<(), T::Error> {
    block_on(guard.async_drop())
}

#[test]
fn m1_the_lock_guard_reaches_the_value_directly() {
    let diary = Diary::default();
    let mut mutex = locked(Session::of("ada", &diary));

    // The types say it: no guard stands between the lock and the value.
    let mut lock: tokio::sync::MappedMutexGuard<'_, Session> = block_on(mutex.lock());
    lock.user = "eve";
    drop(lock);
    let lock: tokio::sync::MappedMutexGuard<'_, Session> = mutex.try_lock().unwrap();
    assert_eq!(lock.user, "eve");
    drop(lock);
    let value: &mut Session = mutex.get_mut();
    value.user = "ada";

    assert_eq!(end(&mut mutex), Ok(()));
    diary.assert_reads(&CLEANED_UP);
}

#[test]
fn m1_one_holds_the_lock_at_a_time() {
    let diary = Diary::default();
    let mut mutex = locked(Session::of("ada", &diary));

    let held = block_on(mutex.lock());
    assert_eq!(
        mutex.try_lock().unwrap_err().to_string(),
        "operation would block"
    );
    let mut waiting = Box::pin(mutex.lock());
    assert!(poll_once(waiting.as_mut()).is_pending());
    assert_eq!(
        format!("{mutex:?}"),
        "AsyncDropGuard(AsyncDropTokioMutex(<locked>))"
    );
    drop(held);
    let Poll::Ready(lock) = poll_once(waiting.as_mut()) else {
        panic!("the lock is free")
    };
    drop(lock);
    drop(waiting);

    assert_eq!(
        format!("{mutex:?}"),
        "AsyncDropGuard(AsyncDropTokioMutex(AsyncDropGuard(Session(\"ada\"))))"
    );
    assert_eq!(end(&mut mutex), Ok(()));
}

#[test]
fn m1_the_cleanup_runs_once_and_its_error_is_returned_once() {
    let diary = Diary::default();
    let mut mutex = locked(Session::of("ada", &diary).ending(Ending::Fails("line is dead")));

    assert_eq!(end(&mut mutex), Err("line is dead".to_owned()));
    assert_eq!(end(&mut mutex), Ok(()));

    diary.assert_reads(&["ada cleanup begins", "ada cleanup fails", "ada dropped"]);
}

#[test]
fn m1_a_mutex_let_go_on_another_thread_is_cleaned_up_as_on_its_own() {
    let diary = Diary::default();
    let mut mutex = locked(Session::of("ada", &diary).ending(Ending::Fails("line is dead")));
    assert_eq!(block_on(mutex.lock()).user, "ada");

    let ended = thread::spawn(move || end(&mut mutex)).join().unwrap();

    assert_eq!(ended, Err("line is dead".to_owned()));
    diary.assert_reads(&["ada cleanup begins", "ada cleanup fails", "ada dropped"]);
}

#[test]
fn m1_a_mutex_forgotten_on_another_thread_panics_there() {
    let diary = Diary::default();
    let line = line!() + 2;
    let ada = AsyncDropGuard::new(Session::of("ada", &diary));
    let mutex = AsyncDropTokioMutex::new(ada);

    let forget = move || message_of_panic(|| drop(mutex));
    let message = thread::spawn(forget).join().unwrap();

    let place = place!(line, 17);
    assert_eq!(
        message,
        format!(
            "Forgot to call async_drop on AsyncDropTokioMutex(AsyncDropGuard(Session(\"ada\"))), created at {place}"
        )
    );
    diary.assert_reads(&["ada dropped"]);
}

#[test]
fn m1_a_mutex_from_a_runtime_that_has_ended_works_outside_of_any() {
    let diary = Diary::default();
    let runtime = Runtime::new().unwrap();
    let session = Session::of("ada", &diary).waiting(1);
    let mut mutex = runtime.block_on(async { locked(session) });
    drop(runtime);

    assert!(Handle::try_current().is_err());
    let Poll::Ready(session) = poll_once(pin!(mutex.lock())) else {
        panic!("the lock is free")
    };
    assert_eq!(session.user, "ada");
    drop(session);
    let mut cleanup = pin!(mutex.async_drop());
    assert!(poll_once(cleanup.as_mut()).is_pending());
    assert_eq!(poll_once(cleanup.as_mut()), Poll::Ready(Ok(())));

    diary.assert_reads(&CLEANED_UP);
}

#[test]
fn m1_the_value_comes_out_of_the_lock_still_guarded() {
    let diary = Diary::default();
    let mutex = locked(Session::of("ada", &diary));

    let mut session = AsyncDropTokioMutex::into_inner(mutex);

    assert!(!session.is_dropped());
    diary.assert_reads(&[]);
    assert_eq!(end(&mut session), Ok(()));
}

#[test]
fn m1_a_forgotten_mutex_names_its_own_place_and_reports_the_value_too() {
    let diary = Diary::default();
    let line = line!() + 1;
    let session = AsyncDropGuard::new(Session::of("ada", &diary));
    let mutex = AsyncDropTokioMutex::new(session);

    let (_, incidents) = record(|| drop(mutex));

    let messages: Vec<_> = incidents.iter().map(|it| it.message.clone()).collect();
    assert_eq!(
        messages,
        [
            format!(
                "Forgot to call async_drop on AsyncDropTokioMutex(AsyncDropGuard(Session(\"ada\"))), created at {}",
                place!(line + 1, 17)
            ),
            format!(
                "Forgot to call async_drop on Session(\"ada\"), created at {}",
                place!(line, 19)
            ),
        ]
    );
}

#[test]
fn a_panic_while_the_lock_is_held_does_not_poison_it() {
    let diary = Diary::default();
    let mut mutex = locked(Session::of("ada", &diary));

    let message = message_of_panic(|| {
        let _lock = block_on(mutex.lock());
        panic!("no route");
    });

    assert_eq!(message, "no route");
    assert_eq!(mutex.try_lock().unwrap().user, "ada");
    assert_eq!(end(&mut mutex), Ok(()));
    diary.assert_reads(&CLEANED_UP);
}

#[test]
fn a_lock_that_was_leaked_does_not_keep_the_value_from_its_cleanup() {
    let diary = Diary::default();
    let mut mutex = locked(Session::of("ada", &diary));
    std::mem::forget(block_on(mutex.lock()));

    assert!(mutex.try_lock().is_err());
    assert_eq!(end(&mut mutex), Ok(()));

    diary.assert_reads(&CLEANED_UP);
}

#[test]
fn a_waiter_that_was_cancelled_gives_up_its_place_and_nothing_else() {
    let diary = Diary::default();
    let mut mutex = locked(Session::of("ada", &diary));
    let held = block_on(mutex.lock());

    abandon_after(1, mutex.lock());
    drop(held);

    assert!(mutex.try_lock().is_ok());
    assert_eq!(end(&mut mutex), Ok(()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_owners_change_one_value_and_the_last_cleans_it_up() {
    let diary = Diary::default();
    let mut mutex = AsyncDropArc::new(locked(Session::of("ada", &diary)));
    let tasks: Vec<_> = (0..20)
        .map(|_| {
            let mut mutex = AsyncDropArc::clone(&mutex);
            tokio::spawn(async move {
                let mut session = mutex.lock().await;
                let before = session.waits;
                tokio::task::yield_now().await;
                session.waits = before + 1;
                drop(session);
                mutex.async_drop().await.unwrap();
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }

    assert_eq!(mutex.lock().await.waits, 20);
    mutex.async_drop().await.unwrap();

    diary.assert_reads(&CLEANED_UP);
}

#[test]
fn n1_an_interrupted_cleanup_leaves_the_value_in_its_lock_and_can_go_on() {
    let diary = Diary::default();
    let mut mutex = locked(Session::of("ada", &diary).waiting(2));

    abandon_after(1, mutex.async_drop());
    assert!(!mutex.is_dropped());
    assert_eq!(mutex.try_lock().unwrap().user, "ada");
    assert_eq!(end(&mut mutex), Ok(()));

    diary.assert_reads(&[
        "ada cleanup begins",
        "ada cleanup begins",
        "ada cleanup ends",
        "ada dropped",
    ]);
}

#[test]
fn n1_a_cleanup_that_panicked_can_be_called_again_or_is_reported() {
    let diary = Diary::default();
    let mut mutex = locked(Session::of("ada", &diary).ending(Ending::Panics("no route")));

    assert_eq!(message_of_panic(|| end(&mut mutex)), "no route");
    assert_eq!(message_of_panic(|| end(&mut mutex)), "no route");

    let (_, incidents) = record(|| drop(mutex));
    let kinds: Vec<_> = incidents.iter().map(|it| it.kind).collect();
    assert_eq!(
        kinds,
        [IncidentKind::Interrupted, IncidentKind::Interrupted]
    );
}

#[test]
fn m1_a_value_that_was_already_cleaned_up_is_passed_over_and_cannot_be_reached() {
    let diary = Diary::default();
    let line = line!() + 1;
    let mut session = AsyncDropGuard::new(Session::of("ada", &diary));
    assert_eq!(end(&mut session), Ok(()));
    let mut mutex = AsyncDropTokioMutex::new(session);

    let expected = format!(
        "AsyncDropGuard<{}> was used after async_drop, created at {}",
        std::any::type_name::<Session>(),
        place!(line, 23)
    );
    // Each takes the lock first, and its panic lets go of it.
    for message in [
        message_of_panic(|| block_on(mutex.lock()).user),
        message_of_panic(|| mutex.try_lock().is_ok()),
        message_of_panic(|| mutex.get_mut().user),
    ] {
        assert_eq!(message, expected);
    }
    assert_eq!(
        format!("{mutex:?}"),
        "AsyncDropGuard(AsyncDropTokioMutex(AsyncDropGuard(<dropped>)))"
    );
    assert_eq!(end(&mut mutex), Ok(()));
    diary.assert_reads(&CLEANED_UP);
}
