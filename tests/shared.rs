//! The promises S1 to S3, and N1 for the shared creation.
//!
//! S3, that it is built on `futures::future::Shared`, is what makes a waiter that was not polled first wake up:
//! those tests run on a real executor.

use std::future::{self, Future};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use asyncdrop::incident::IncidentKind;
use asyncdrop::{AsyncDrop, AsyncDropArc, AsyncDropGuard, AsyncDropShared};
use futures::executor::block_on;

use crate::place;
use crate::support::{
    CLEANED_UP, Diary, Ending, Session, abandon_after, message_of_panic, poll_once, record,
};

type BoxedCreation = Pin<Box<dyn Future<Output = AsyncDropGuard<Session>> + Send>>;
type Shared = AsyncDropGuard<AsyncDropShared<Session, BoxedCreation>>;

#[track_caller]
fn shared(creation: impl Future<Output = AsyncDropGuard<Session>> + Send + 'static) -> Shared {
    AsyncDropShared::new(Box::pin(creation))
}

/// Creates `session` after so many polls.
#[track_caller]
fn created_after(polls: usize, session: Session) -> Shared {
    let diary = session.diary.clone();
    shared(async move {
        diary.write("creation begins");
        for _ in 0..polls {
            tokio::task::yield_now().await;
        }
        diary.write("creation ends");
        AsyncDropGuard::new(session)
    })
}

fn end<T: AsyncDrop + std::fmt::Debug>(guard: &mut AsyncDropGuard<T>) -> Result<(), T::Error> {
    block_on(guard.async_drop())
}

#[test]
fn s1_the_creation_does_not_run_before_somebody_waits() {
    let diary = Diary::default();
    let mut owner = created_after(0, Session::of("ada", &diary));
    let other = AsyncDropShared::clone(&owner);
    drop(owner.get());

    assert!(owner.peek().is_none());
    diary.assert_reads(&[]);

    assert_eq!(end(&mut owner), Ok(()));
    diary.assert_reads(&[]);
    let mut other = other;
    assert_eq!(end(&mut other), Ok(()));
}

#[test]
fn s1_the_creation_runs_once_for_all_who_wait() {
    let diary = Diary::default();
    let mut first = created_after(2, Session::of("ada", &diary));
    let mut second = AsyncDropShared::clone(&first);

    block_on(async {
        let (mut one, mut other) = futures::future::join(first.get(), second.get()).await;
        let mut late = (&*second).await;

        assert!(AsyncDropArc::ptr_eq(&one, &other));
        assert!(AsyncDropArc::ptr_eq(&one, &late));
        assert_eq!(first.peek().unwrap().user, "ada");
        diary.assert_reads(&["creation begins", "creation ends"]);

        one.async_drop().await.unwrap();
        other.async_drop().await.unwrap();
        late.async_drop().await.unwrap();
        first.async_drop().await.unwrap();
        assert_eq!(diary.entries().len(), 2);
        second.async_drop().await.unwrap();
    });

    assert_eq!(diary.entries()[2..], CLEANED_UP);
}

#[test]
fn s1_when_the_first_poller_is_cancelled_another_goes_on() {
    let diary = Diary::default();
    let mut owner = created_after(3, Session::of("ada", &diary));

    abandon_after(2, owner.get());
    assert!(owner.peek().is_none());
    let mut value = block_on(owner.get());

    diary.assert_reads(&["creation begins", "creation ends"]);
    assert_eq!(end(&mut value), Ok(()));
    assert_eq!(end(&mut owner), Ok(()));
}

/// A future by hand keeps what it captured until it is dropped itself.
struct Creation {
    poll: Box<dyn FnMut() -> AsyncDropGuard<Session> + Send>,
    _captured: AsyncDropGuard<Session>,
}

impl Future for Creation {
    type Output = AsyncDropGuard<Session>;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready((self.poll)())
    }
}

/// Counts how often a task was woken.
#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn s1_a_waiter_is_woken_although_the_poller_before_it_was_cancelled() {
    let diary = Diary::default();
    let (open, opened) = futures::channel::oneshot::channel::<()>();
    let session = Session::of("ada", &diary);
    let mut owner = shared(async move {
        opened.await.unwrap();
        AsyncDropGuard::new(session)
    });

    let wakes = Arc::new(Wakes::default());
    let waker = Waker::from(Arc::clone(&wakes));
    let mut poller = Box::pin(owner.get());
    let mut waiter = Box::pin(owner.get());
    assert!(poll_once(poller.as_mut()).is_pending());
    assert!(
        waiter
            .as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_pending()
    );
    drop(poller);

    open.send(()).unwrap();
    assert_eq!(wakes.0.load(Ordering::SeqCst), 1);
    let Poll::Ready(mut value) = poll_once(waiter.as_mut()) else {
        panic!("the creation can go on")
    };
    drop(waiter);

    assert_eq!(end(&mut value), Ok(()));
    assert_eq!(end(&mut owner), Ok(()));
}

#[test]
fn s1_a_future_of_get_that_was_leaked_keeps_nobody_waiting() {
    let diary = Diary::default();
    let mut owner = created_after(2, Session::of("ada", &diary));
    for polls in 0..2 {
        let mut leaked = Box::pin(owner.get());
        for _ in 0..polls {
            assert!(poll_once(leaked.as_mut()).is_pending());
        }
        std::mem::forget(leaked);
    }

    assert_eq!(end(&mut owner), Ok(()));

    assert_eq!(diary.entries()[2..], CLEANED_UP);
}

#[test]
fn s1_a_future_of_get_that_was_leaked_after_the_creation_keeps_nobody_waiting() {
    let diary = Diary::default();
    let mut owner = created_after(0, Session::of("ada", &diary));
    let mut value = block_on(owner.get());
    std::mem::forget(owner.get());

    assert_eq!(end(&mut value), Ok(()));
    assert_eq!(end(&mut owner), Ok(()));

    assert_eq!(diary.entries()[2..], CLEANED_UP);
}

#[test]
fn s1_each_value_from_get_is_an_owner_that_names_its_own_place() {
    let diary = Diary::default();
    let mut owner = created_after(0, Session::of("ada", &diary));
    let line = line!() + 1;
    let one = block_on(owner.get());
    let other = block_on(async { (&*owner).await });

    for (value, place) in [(one, place!(line, 30)), (other, place!(line + 1, 44))] {
        let (_, incidents) = record(|| drop(value));
        let [incident] = &incidents[..] else {
            panic!("{incidents:?}")
        };
        assert_eq!(
            incident.message,
            format!(
                "Forgot to call async_drop on AsyncDropArc(Session(\"ada\")), created at {place}"
            )
        );
    }
    assert_eq!(end(&mut owner), Ok(()));
}

#[test]
fn s2_the_last_owner_runs_a_creation_that_never_ran_and_cleans_its_output() {
    let diary = Diary::default();
    let mut first = created_after(2, Session::of("ada", &diary));
    let mut last = AsyncDropShared::clone(&first);

    assert_eq!(end(&mut first), Ok(()));
    diary.assert_reads(&[]);
    assert_eq!(end(&mut last), Ok(()));

    assert_eq!(diary.entries()[..2], ["creation begins", "creation ends"]);
    assert_eq!(diary.entries()[2..], CLEANED_UP);
}

#[test]
fn s2_the_last_owner_goes_on_with_a_creation_that_others_left_half_done() {
    let diary = Diary::default();
    let mut owner = created_after(2, Session::of("ada", &diary));
    abandon_after(1, owner.get());

    assert_eq!(end(&mut owner), Ok(()));

    assert_eq!(diary.entries()[..2], ["creation begins", "creation ends"]);
    assert_eq!(diary.entries()[2..], CLEANED_UP);
}

#[test]
fn s2_a_guard_that_the_creation_captured_is_not_forgotten() {
    let diary = Diary::default();
    let mut captured = AsyncDropGuard::new(Session::of("login", &diary));
    let session = Session::of("ada", &diary);
    let mut owner = shared(async move {
        captured.async_drop().await.unwrap();
        AsyncDropGuard::new(session)
    });

    let (ended, incidents) = record(|| end(&mut owner));

    assert_eq!(ended, Ok(()));
    assert_eq!(incidents, []);
    assert_eq!(
        diary.entries()[..3],
        [
            "login cleanup begins",
            "login cleanup ends",
            "login dropped"
        ]
    );
    assert_eq!(diary.entries()[3..], CLEANED_UP);
}

#[test]
fn s2_the_last_of_all_owners_cleans_up_and_gets_the_error() {
    let diary = Diary::default();
    let ada = || Session::of("ada", &diary).ending(Ending::Fails("line is dead"));

    // Who got the value lets go last.
    let mut owner = created_after(0, ada());
    let mut value = block_on(owner.get());
    assert_eq!(end(&mut owner), Ok(()));
    assert_eq!(end(&mut value), Err("line is dead".to_owned()));

    // Who waited for it lets go last.
    let mut owner = created_after(0, ada());
    let mut value = block_on(owner.get());
    assert_eq!(end(&mut value), Ok(()));
    assert_eq!(end(&mut owner), Err("line is dead".to_owned()));
}

#[test]
fn s2_a_cleanup_that_is_called_twice_runs_once() {
    let diary = Diary::default();
    let mut owner = created_after(0, Session::of("ada", &diary));

    let (_, incidents) = record(|| {
        assert_eq!(end(&mut owner), Ok(()));
        assert_eq!(end(&mut owner), Ok(()));
    });

    assert!(owner.is_dropped());
    assert_eq!(incidents, []);
    assert_eq!(diary.entries()[2..], CLEANED_UP);
}

#[test]
fn s2_a_cleanup_that_fails_returns_its_error_once() {
    let diary = Diary::default();
    let session = Session::of("ada", &diary).ending(Ending::Fails("line is dead"));
    let mut owner = created_after(0, session);

    let (_, incidents) = record(|| {
        assert_eq!(end(&mut owner), Err("line is dead".to_owned()));
        assert_eq!(end(&mut owner), Ok(()));
    });

    assert!(owner.is_dropped());
    assert_eq!(incidents, []);
    assert_eq!(
        diary.entries()[2..],
        ["ada cleanup begins", "ada cleanup fails", "ada dropped"]
    );
}

#[test]
fn s2_a_cleanup_that_panics_can_be_called_again_or_is_reported() {
    let diary = Diary::default();
    let session = Session::of("ada", &diary).ending(Ending::Panics("no route"));
    let mut owner = created_after(0, session);

    // The creation is not repeated, and the panic is the one of the cleanup each time.
    assert_eq!(message_of_panic(|| end(&mut owner)), "no route");
    assert_eq!(message_of_panic(|| end(&mut owner)), "no route");
    assert!(!owner.is_dropped());
    assert_eq!(owner.peek().unwrap().user, "ada");
    let (_, incidents) = record(|| drop(owner));

    let what: Vec<_> = incidents
        .iter()
        .map(|it| it.message.split(", created").next().unwrap())
        .collect();
    assert_eq!(
        what,
        [
            "async_drop on AsyncDropShared(Session(\"ada\")) was interrupted before it finished",
            "async_drop on AsyncDropArc(AsyncDropGuard(Session(\"ada\"))) was interrupted before it finished",
            "async_drop on Session(\"ada\") was interrupted before it finished",
        ]
    );
    diary.assert_reads(&[
        "creation begins",
        "creation ends",
        "ada cleanup begins",
        "ada cleanup panics",
        "ada cleanup begins",
        "ada cleanup panics",
        "ada dropped",
    ]);
}

#[test]
fn s2_a_creation_that_panics_panics_in_the_task_that_polled_it_and_in_all_others() {
    let mut owner = shared(async { panic!("no route") });

    assert_eq!(message_of_panic(|| block_on(owner.get())), "no route");
    assert_eq!(
        message_of_panic(|| block_on(owner.get())),
        format!(
            "the future that creates a shared {} has panicked",
            std::any::type_name::<Session>()
        )
    );
    assert!(owner.peek().is_none());
    assert_eq!(
        format!("{owner:?}"),
        "AsyncDropGuard(AsyncDropShared(<not created>))"
    );

    let (ended, incidents) = record(|| end(&mut owner));
    assert_eq!(ended, Ok(()), "there is nothing left to clean up");
    assert_eq!(incidents, []);
}

#[test]
fn s2_a_creation_that_panics_in_the_last_owner_panics_there_once() {
    let mut owner = shared(async { panic!("no route") });

    let (_, incidents) = record(|| {
        assert_eq!(message_of_panic(|| end(&mut owner)), "no route");
        assert_eq!(end(&mut owner), Ok(()));
    });

    assert_eq!(incidents, []);
}

#[test]
fn s2_a_guard_that_a_panicking_creation_captured_is_reported() {
    let diary = Diary::default();
    let captured = AsyncDropGuard::new(Session::of("login", &diary));
    let mut owner = shared(async move {
        assert_ne!(captured.user, "login", "no such user");
        captured
    });

    let (_, incidents) = record(|| {
        message_of_panic(|| block_on(owner.get()));
        assert_eq!(end(&mut owner), Ok(()));
    });

    let kinds: Vec<_> = incidents.iter().map(|it| it.kind).collect();
    assert_eq!(kinds, [IncidentKind::Forgotten]);
    diary.assert_reads(&["login dropped"]);
}

#[test]
fn s2_a_creation_whose_own_drop_panics_leaves_nobody_waiting() {
    let diary = Diary::default();
    let line = line!() + 1;
    let captured = AsyncDropGuard::new(Session::of("login", &diary));
    let mut owner = shared(Creation {
        poll: {
            let diary = diary.clone();
            Box::new(move || AsyncDropGuard::new(Session::of("ada", &diary)))
        },
        _captured: captured,
    });
    let mut waiter = AsyncDropShared::clone(&owner);

    let place = place!(line, 20);
    assert_eq!(
        message_of_panic(|| block_on(owner.get())),
        format!("Forgot to call async_drop on Session(\"login\"), created at {place}")
    );

    // The others learn of it, instead of waiting for ever.
    let mut waiting = Box::pin(waiter.get());
    assert_eq!(
        message_of_panic(|| poll_once(waiting.as_mut())),
        format!(
            "the future that creates a shared {} has panicked",
            std::any::type_name::<Session>()
        )
    );
    drop(waiting);
    assert_eq!(end(&mut owner), Ok(()));
    let mut cleanup = pin!(waiter.async_drop());
    assert_eq!(poll_once(cleanup.as_mut()), Poll::Ready(Ok(())));
    let mut dropped = diary.entries();
    dropped.sort_unstable();
    assert_eq!(dropped, ["ada dropped", "login dropped"]);
}

#[test]
fn s2_a_creation_that_panics_and_whose_own_drop_panics_leaves_nobody_waiting() {
    let diary = Diary::default();
    let mut owner = shared(Creation {
        poll: Box::new(|| panic!("no route")),
        _captured: AsyncDropGuard::new(Session::of("login", &diary)),
    });

    let (message, incidents) = record(|| message_of_panic(|| block_on(owner.get())));

    assert_eq!(message, "no route");
    let kinds: Vec<_> = incidents.iter().map(|it| it.kind).collect();
    assert_eq!(kinds, [IncidentKind::Forgotten]);
    assert_eq!(end(&mut owner), Ok(()));

    let mut owner = shared(Creation {
        poll: Box::new(|| panic!("no route")),
        _captured: AsyncDropGuard::new(Session::of("login", &diary)),
    });
    assert_eq!(message_of_panic(|| block_on(owner.get())), "no route");
    assert_eq!(end(&mut owner), Ok(()));
    diary.assert_reads(&["login dropped", "login dropped"]);
}

#[test]
fn s2_a_forgotten_owner_names_its_own_place() {
    let diary = Diary::default();
    let mut first = created_after(0, Session::of("ada", &diary));
    let line = line!() + 1;
    let second = AsyncDropShared::clone(&first);

    let message = message_of_panic(|| drop(second));

    let place = place!(line, 18);
    assert_eq!(
        message,
        format!("Forgot to call async_drop on AsyncDropShared(<not created>), created at {place}")
    );
    assert_eq!(end(&mut first), Ok(()));
}

#[test]
fn s2_the_last_owner_forgotten_reports_the_value_too() {
    let diary = Diary::default();
    let owner = created_after(0, Session::of("ada", &diary));
    let mut value = block_on(owner.get());
    assert_eq!(end(&mut value), Ok(()));

    let (_, incidents) = record(|| drop(owner));

    let what: Vec<_> = incidents
        .iter()
        .map(|it| it.message.split(", created").next().unwrap())
        .collect();
    assert_eq!(
        what,
        [
            "Forgot to call async_drop on AsyncDropShared(Session(\"ada\"))",
            "Forgot to call async_drop on AsyncDropArc(Session(\"ada\"))",
            "Forgot to call async_drop on Session(\"ada\")",
        ]
    );
}

#[test]
fn s2_owners_on_many_threads_create_once_and_clean_up_once() {
    for _ in 0..100 {
        let diary = Diary::default();
        let first = created_after(3, Session::of("ada", &diary).waiting(1));
        let mut owners: Vec<_> = (0..4).map(|_| AsyncDropShared::clone(&first)).collect();
        owners.push(first);

        thread::scope(|scope| {
            for (index, mut owner) in owners.into_iter().enumerate() {
                scope.spawn(move || {
                    block_on(async {
                        if index % 2 == 0 {
                            let mut value = owner.get().await;
                            value.async_drop().await.unwrap();
                        }
                        owner.async_drop().await.unwrap();
                    });
                });
            }
        });

        assert_eq!(diary.entries()[..2], ["creation begins", "creation ends"]);
        assert_eq!(diary.entries()[2..], CLEANED_UP);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s3_tasks_that_wait_are_woken_when_somebody_else_created_the_value() {
    let diary = Diary::default();
    let (open, opened) = tokio::sync::oneshot::channel::<()>();
    let session = Session::of("ada", &diary);
    let mut owner = shared(async move {
        opened.await.unwrap();
        AsyncDropGuard::new(session)
    });
    let tasks: Vec<_> = (0..50)
        .map(|_| {
            let mut owner = AsyncDropShared::clone(&owner);
            tokio::spawn(async move {
                let mut value = owner.get().await;
                owner.async_drop().await.unwrap();
                value.async_drop().await.unwrap();
            })
        })
        .collect();

    tokio::task::yield_now().await;
    open.send(()).unwrap();
    for task in tasks {
        task.await.unwrap();
    }
    owner.async_drop().await.unwrap();

    diary.assert_reads(&CLEANED_UP);
}

#[test]
fn n1_the_last_owner_interrupted_in_the_creation_goes_on_with_it() {
    let diary = Diary::default();
    let mut owner = created_after(3, Session::of("ada", &diary));

    abandon_after(2, owner.async_drop());
    assert!(!owner.is_dropped());
    assert!(owner.peek().is_none());
    assert_eq!(end(&mut owner), Ok(()));

    assert_eq!(diary.entries()[..2], ["creation begins", "creation ends"]);
    assert_eq!(diary.entries()[2..], CLEANED_UP);
}

#[test]
fn n1_the_last_owner_interrupted_in_the_cleanup_takes_it_up_again() {
    let diary = Diary::default();
    let mut owner = created_after(
        0,
        Session::of("ada", &diary)
            .waiting(2)
            .ending(Ending::Fails("line is dead")),
    );

    abandon_after(1, owner.async_drop());
    assert_eq!(owner.peek().unwrap().user, "ada");
    assert_eq!(end(&mut owner), Err("line is dead".to_owned()));

    diary.assert_reads(&[
        "creation begins",
        "creation ends",
        "ada cleanup begins",
        "ada cleanup begins",
        "ada cleanup fails",
        "ada dropped",
    ]);
}

#[test]
fn n1_an_owner_whose_cleanup_has_begun_gives_no_value_and_no_owner() {
    let diary = Diary::default();
    let mut owner = created_after(1, Session::of("ada", &diary));
    abandon_after(1, owner.async_drop());

    let expected = format!(
        "asyncdrop::shared::AsyncDropShared<{}, {}> gets no new owner: its cleanup has begun",
        std::any::type_name::<Session>(),
        std::any::type_name::<BoxedCreation>(),
    );
    assert_eq!(message_of_panic(|| owner.get()), expected);
    assert_eq!(
        message_of_panic(|| AsyncDropShared::clone(&owner)),
        expected
    );

    assert_eq!(end(&mut owner), Ok(()));
}

#[test]
fn a_wait_for_the_value_prints_its_name() {
    let diary = Diary::default();
    let mut shared =
        AsyncDropShared::new(async { AsyncDropGuard::new(Session::of("ada", &diary)) });
    assert_eq!(format!("{:?}", shared.get()), "AsyncDropSharedGet { .. }");
    block_on(shared.async_drop()).unwrap();
}

#[test]
fn n1_a_last_owner_interrupted_in_the_creation_and_dropped_is_reported() {
    let owner: Shared = shared(future::pending());
    let mut owner = owner;
    abandon_after(1, owner.async_drop());

    let (_, incidents) = record(|| drop(owner));

    let [incident] = &incidents[..] else {
        panic!("{incidents:?}")
    };
    assert!(incident.message.starts_with(
        "async_drop on AsyncDropShared(<not created>) was interrupted before it finished, "
    ));
}

#[test]
fn peek_finds_nothing_after_the_values_own_drop_has_panicked() {
    let diary = Diary::default();
    let session = Session::of("ada", &diary).panicking_in_drop("no line to hang up");
    let mut owner = created_after(0, session);

    let (message, _) = record(|| message_of_panic(|| end(&mut owner)));

    assert_eq!(message, "no line to hang up");
    assert!(owner.peek().is_none());
    assert_eq!(end(&mut owner), Ok(()));
}

#[test]
fn peek_finds_nothing_after_the_cleanup_was_called_past_the_guard() {
    let diary = Diary::default();
    let mut owner = created_after(0, Session::of("ada", &diary));

    block_on(owner.async_drop_impl()).unwrap();

    assert!(owner.peek().is_none());
    assert_eq!(end(&mut owner), Ok(()));
    assert_eq!(diary.entries()[2..], CLEANED_UP);
}

#[test]
fn s1_an_owner_that_has_let_go_gives_no_value_and_no_owner() {
    let diary = Diary::default();
    let mut first = created_after(0, Session::of("ada", &diary));
    let line = line!() + 1;
    let mut second = AsyncDropShared::clone(&first);
    assert_eq!(end(&mut second), Ok(()));

    let expected = format!(
        "AsyncDropGuard<asyncdrop::shared::AsyncDropShared<{}, {}>> was used after async_drop, created at {}",
        std::any::type_name::<Session>(),
        std::any::type_name::<BoxedCreation>(),
        place!(line, 22)
    );
    for message in [
        message_of_panic(|| AsyncDropShared::clone(&second)),
        message_of_panic(|| second.get()),
        message_of_panic(|| second.peek().is_some()),
    ] {
        assert_eq!(message, expected);
    }
    assert_eq!(end(&mut first), Ok(()));
}

/// Says that it was woken, and keeps the one who wakes it waiting.
struct HoldsWhoWakes {
    woken: mpsc::Sender<()>,
    go_on: Mutex<mpsc::Receiver<()>>,
}

impl Wake for HoldsWhoWakes {
    fn wake(self: Arc<Self>) {
        let _ = self.woken.send(());
        let _ = self.go_on.lock().unwrap().recv_timeout(TEN_SECONDS);
    }
}

const TEN_SECONDS: Duration = Duration::from_secs(10);

#[test]
fn s2_whoever_sees_the_panic_of_a_creation_first_gets_it_also_one_that_did_not_poll_it() {
    let broken = Arc::new(AtomicBool::new(false));
    let mut owner = shared({
        let broken = Arc::clone(&broken);
        future::poll_fn(move |_| {
            assert!(!broken.load(Ordering::SeqCst), "no route");
            Poll::Pending
        })
    });
    let (woken, was_woken) = mpsc::channel();
    let (let_go_on, go_on) = mpsc::channel();
    let go_on = Mutex::new(go_on);
    let waker = Waker::from(Arc::new(HoldsWhoWakes { woken, go_on }));
    let mut waiter = Box::pin(owner.get());
    let waits = waiter.as_mut().poll(&mut Context::from_waker(&waker));
    assert!(waits.is_pending());
    broken.store(true, Ordering::SeqCst);

    let (seen_first, seen_by_the_poller) = thread::scope(|scope| {
        let poller = scope.spawn(|| message_of_panic(|| block_on(owner.get())));
        was_woken
            .recv_timeout(TEN_SECONDS)
            .expect("the poller wakes those who wait");
        let seen_first = message_of_panic(|| poll_once(waiter.as_mut()));
        drop(let_go_on);
        (seen_first, poller.join().unwrap())
    });

    assert_eq!(seen_first, "no route");
    assert_eq!(
        seen_by_the_poller,
        format!(
            "the future that creates a shared {} has panicked",
            std::any::type_name::<Session>()
        )
    );
    drop(waiter);
    assert_eq!(end(&mut owner), Ok(()));
}

#[test]
fn s1_a_creation_that_waits_for_itself_never_ends() {
    let itself = Arc::new(Mutex::new(None::<Shared>));
    let mut owner = shared({
        let itself = Arc::clone(&itself);
        async move {
            let owner = itself.lock().unwrap().take().unwrap();
            let value = owner.get().await;
            drop((owner, value));
            unreachable!("it would have to have ended before");
        }
    });
    *itself.lock().unwrap() = Some(AsyncDropShared::clone(&owner));

    let mut waiting = Box::pin(owner.get());
    for _ in 0..100 {
        assert!(poll_once(waiting.as_mut()).is_pending());
    }

    drop(waiting);
    // The future holds an owner that it will never end, so nobody is the last one.
    assert_eq!(end(&mut owner), Ok(()));
}

#[test]
fn s2_a_creation_that_owns_itself_neither_runs_nor_is_reported() {
    let diary = Diary::default();
    let itself = Arc::new(Mutex::new(None::<Shared>));
    let mut owner = shared({
        let (diary, itself) = (diary.clone(), Arc::clone(&itself));
        async move {
            diary.write("creation begins");
            drop(itself);
            AsyncDropGuard::new(Session::of("ada", &diary))
        }
    });
    *itself.lock().unwrap() = Some(AsyncDropShared::clone(&owner));
    drop(itself);

    let (_, incidents) = record(|| {
        assert_eq!(end(&mut owner), Ok(()));
        drop(owner);
    });

    assert_eq!(incidents, []);
    diary.assert_reads(&[]);
}

#[test]
fn s2_a_creation_that_returns_a_guard_without_a_value_leaves_nothing_to_use_or_clean_up() {
    let diary = Diary::default();
    let mut session = AsyncDropGuard::new(Session::of("ada", &diary));
    assert_eq!(end(&mut session), Ok(()));
    let mut owner = shared(future::ready(session));
    let mut value = block_on(owner.get());

    assert!(message_of_panic(|| value.user).contains("was used after async_drop"));
    assert!(owner.peek().is_none());
    assert_eq!(
        format!("{value:?}"),
        "AsyncDropGuard(AsyncDropArc(AsyncDropGuard(<dropped>)))"
    );
    assert_eq!(
        format!("{owner:?}"),
        "AsyncDropGuard(AsyncDropShared(<not created>))"
    );

    assert_eq!(end(&mut value), Ok(()));
    assert_eq!(end(&mut owner), Ok(()));
    diary.assert_reads(&CLEANED_UP);
}
