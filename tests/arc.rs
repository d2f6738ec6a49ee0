//! The promises A1 to A3, and N1 for the arc.
//!
//! That A2 holds under every interleaving is explored elsewhere; here it is tried on real threads.

use std::hint;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use asyncdrop::incident::IncidentKind;
use asyncdrop::{AsyncDrop, AsyncDropArc, AsyncDropGuard, AsyncDropWeak};
use futures::executor::block_on;

use crate::support::{
    Diary, Ending, Session, abandon_after, message_of_panic, record, run_in_new_process,
};
use crate::{place, test_path};

#[track_caller]
fn shared(session: Session) -> AsyncDropGuard<AsyncDropArc<Session>> {
    AsyncDropArc::new(AsyncDropGuard::new(session))
}

#[track_caller]
fn end<T: AsyncDrop + std::fmt::Debug>(guard: &mut AsyncDropGuard<T>) -> Result<(), T::Error> {
    block_on(guard.async_drop())
}

#[test]
fn a1_a_single_owner_cleans_up() {
    let diary = Diary::default();
    let mut only = shared(Session::of("ada", &diary));

    assert_eq!(end(&mut only), Ok(()));

    diary.assert_reads(&["ada cleanup begins", "ada cleanup ends", "ada dropped"]);
}

#[test]
fn a1_the_last_of_several_owners_cleans_up_whoever_it_is() {
    for last in 0..3 {
        let diary = Diary::default();
        let first = shared(Session::of("ada", &diary));
        let second = AsyncDropArc::clone(&first);
        let third = AsyncDropArc::clone(&second);
        let mut owners = vec![first, second, third];
        let mut last = owners.remove(last);

        for owner in &mut owners {
            assert_eq!(end(owner), Ok(()));
        }
        diary.assert_reads(&[]);
        assert_eq!(last.user, "ada");

        assert_eq!(end(&mut last), Ok(()));
        diary.assert_reads(&["ada cleanup begins", "ada cleanup ends", "ada dropped"]);
    }
}

#[test]
fn a1_an_owner_that_is_not_the_last_gets_ok_at_its_first_poll() {
    let diary = Diary::default();
    let mut first = shared(Session::of("ada", &diary).waiting(3));
    let mut second = AsyncDropArc::clone(&first);

    let mut letting_go = Box::pin(first.async_drop());
    assert_eq!(
        crate::support::poll_once(letting_go.as_mut()),
        std::task::Poll::Ready(Ok(()))
    );
    drop(letting_go);

    assert_eq!(end(&mut second), Ok(()));
}

#[test]
fn a1_the_error_of_the_cleanup_goes_to_the_last_owner_alone() {
    let diary = Diary::default();
    let mut first = shared(Session::of("ada", &diary).ending(Ending::Fails("line is dead")));
    let mut second = AsyncDropArc::clone(&first);

    let ((first, second), incidents) = record(|| (end(&mut first), end(&mut second)));

    assert_eq!(first, Ok(()));
    assert_eq!(second, Err("line is dead".to_owned()));
    assert_eq!(incidents, []);
    diary.assert_reads(&["ada cleanup begins", "ada cleanup fails", "ada dropped"]);
}

#[test]
fn a1_an_owner_that_lets_go_a_second_time_changes_nothing() {
    let diary = Diary::default();
    let mut first = shared(Session::of("ada", &diary));
    let mut second = AsyncDropArc::clone(&first);

    assert_eq!(end(&mut first), Ok(()));
    assert_eq!(end(&mut first), Ok(()));
    assert_eq!(AsyncDropArc::strong_count(&second), 1);
    diary.assert_reads(&[]);

    assert_eq!(end(&mut second), Ok(()));
    assert_eq!(end(&mut second), Ok(()));
    diary.assert_reads(&["ada cleanup begins", "ada cleanup ends", "ada dropped"]);
}

#[test]
fn a1_a_panic_in_the_cleanup_goes_on_in_the_last_owner_which_can_try_again() {
    let diary = Diary::default();
    let mut first = shared(Session::of("ada", &diary).ending(Ending::Panics("no route")));
    let mut second = AsyncDropArc::clone(&first);
    assert_eq!(end(&mut first), Ok(()));

    assert_eq!(message_of_panic(|| end(&mut second)), "no route");
    assert!(!second.is_dropped());
    assert_eq!(message_of_panic(|| end(&mut second)), "no route");

    let (_, incidents) = record(|| drop(second));
    // The owner tells first. The value's own guard tells too: it was interrupted as well.
    let kinds: Vec<_> = incidents.iter().map(|it| it.kind).collect();
    assert_eq!(
        kinds,
        [IncidentKind::Interrupted, IncidentKind::Interrupted]
    );
    diary.assert_reads(&[
        "ada cleanup begins",
        "ada cleanup panics",
        "ada cleanup begins",
        "ada cleanup panics",
        "ada dropped",
    ]);
}

#[test]
fn a1_into_inner_gives_the_value_to_the_last_owner_and_none_to_the_others() {
    let diary = Diary::default();
    let first = shared(Session::of("ada", &diary));
    let second = AsyncDropArc::clone(&first);

    assert!(AsyncDropArc::into_inner(first).is_none());
    let mut session = AsyncDropArc::into_inner(second).expect("the last owner");

    diary.assert_reads(&[]);
    assert_eq!(end(&mut session), Ok(()));
    diary.assert_reads(&["ada cleanup begins", "ada cleanup ends", "ada dropped"]);
}

#[test]
fn a1_into_inner_after_an_interruption_gives_the_interrupted_value_back() {
    let diary = Diary::default();
    let mut only = shared(Session::of("ada", &diary).waiting(1));
    abandon_after(1, only.async_drop());

    let mut session = AsyncDropArc::into_inner(only).expect("the last owner");
    assert_eq!(end(&mut session), Ok(()));

    diary.assert_reads(&[
        "ada cleanup begins",
        "ada cleanup begins",
        "ada cleanup ends",
        "ada dropped",
    ]);
}

#[test]
fn a1_a_weak_reference_keeps_nobody_from_cleaning_up() {
    let diary = Diary::default();
    let mut owner = shared(Session::of("ada", &diary));
    let weak = AsyncDropArc::downgrade(&owner);
    let weak_too = weak.clone();
    assert_eq!(AsyncDropArc::strong_count(&owner), 1);

    assert_eq!(end(&mut owner), Ok(()));

    diary.assert_reads(&["ada cleanup begins", "ada cleanup ends", "ada dropped"]);
    assert!(weak.upgrade().is_none());
    assert!(weak_too.upgrade().is_none());
    assert_eq!(format!("{weak:?}"), "AsyncDropWeak");
}

#[test]
fn a1_an_upgraded_weak_reference_is_an_owner_like_any_other() {
    let diary = Diary::default();
    let mut owner = shared(Session::of("ada", &diary));
    let weak = AsyncDropArc::downgrade(&owner);

    let mut upgraded = weak.upgrade().expect("there is an owner");
    assert_eq!(AsyncDropArc::strong_count(&owner), 2);
    assert!(AsyncDropArc::ptr_eq(&owner, &upgraded));

    assert_eq!(end(&mut owner), Ok(()));
    diary.assert_reads(&[]);
    assert_eq!(end(&mut upgraded), Ok(()));
    diary.assert_reads(&["ada cleanup begins", "ada cleanup ends", "ada dropped"]);
}

#[test]
fn a1_a_weak_reference_gets_nothing_once_the_cleanup_has_begun() {
    let diary = Diary::default();
    let mut owner = shared(Session::of("ada", &diary).waiting(1));
    let weak = AsyncDropArc::downgrade(&owner);

    abandon_after(1, owner.async_drop());
    assert!(weak.upgrade().is_none());

    assert_eq!(end(&mut owner), Ok(()));
}

#[test]
fn a1_owners_of_different_values_are_not_equal() {
    let diary = Diary::default();
    let mut one = shared(Session::of("ada", &diary));
    let mut other = shared(Session::of("ada", &diary).waiting(1));
    let mut same = AsyncDropArc::clone(&one);

    assert!(AsyncDropArc::ptr_eq(&one, &same));
    assert!(!AsyncDropArc::ptr_eq(&one, &other));
    abandon_after(1, other.async_drop());
    assert!(!AsyncDropArc::ptr_eq(&one, &other));
    assert!(!AsyncDropArc::ptr_eq(&other, &one));
    assert!(AsyncDropArc::ptr_eq(&other, &other));

    block_on(async {
        one.async_drop().await.unwrap();
        same.async_drop().await.unwrap();
        other.async_drop().await.unwrap();
    });
}

#[test]
fn a1_a_value_that_was_cleaned_up_before_it_was_shared_is_not_cleaned_up_again() {
    let diary = Diary::default();
    let mut guard = AsyncDropGuard::new(Session::of("ada", &diary));
    assert_eq!(end(&mut guard), Ok(()));

    let mut owner = AsyncDropArc::new(guard);
    assert_eq!(end(&mut owner), Ok(()));

    diary.assert_reads(&["ada cleanup begins", "ada cleanup ends", "ada dropped"]);
}

/// Shares `values` between two threads, which let go of each at the same moment, and returns what each got.
fn let_go_together<R: Send>(
    values: impl Iterator<Item = Session>,
    let_go: impl Fn(AsyncDropGuard<AsyncDropArc<Session>>) -> R + Sync,
) -> Vec<(R, R)> {
    let (one, other): (Vec<_>, Vec<_>) = values
        .map(|value| {
            let owner = shared(value);
            (AsyncDropArc::clone(&owner), owner)
        })
        .unzip();
    let arrived = AtomicUsize::new(0);
    let run = |owners: Vec<_>| {
        owners
            .into_iter()
            .enumerate()
            .map(|(round, owner)| {
                arrived.fetch_add(1, Ordering::SeqCst);
                // Spinning starts both closer together than a barrier that has to wake a thread.
                while arrived.load(Ordering::SeqCst) < 2 * (round + 1) {
                    hint::spin_loop();
                }
                // A panic here must not leave the other thread spinning.
                catch_unwind(AssertUnwindSafe(|| let_go(owner)))
            })
            .collect::<Vec<_>>()
    };
    thread::scope(|scope| {
        let one = scope.spawn(|| run(one));
        let other = run(other);
        let outcomes = one.join().unwrap().into_iter().zip(other);
        outcomes
            .map(|(one, other)| (one.unwrap(), other.unwrap()))
            .collect()
    })
}

const ROUNDS: usize = 20_000;

#[test]
fn a2_of_owners_that_let_go_together_on_two_threads_one_cleans_up() {
    let diaries: Vec<_> = (0..ROUNDS).map(|_| Diary::default()).collect();
    let values = diaries
        .iter()
        .map(|diary| Session::of("ada", diary).ending(Ending::Fails("line is dead")));

    let outcomes = let_go_together(values, |mut owner| end(&mut owner));

    for (outcome, diary) in outcomes.iter().zip(&diaries) {
        assert_ne!(outcome.0.is_err(), outcome.1.is_err());
        diary.assert_reads(&["ada cleanup begins", "ada cleanup fails", "ada dropped"]);
    }
}

#[test]
fn a2_of_owners_that_take_the_value_out_together_one_gets_it() {
    let diary = Diary::default();
    let values = (0..ROUNDS).map(|_| Session::of("ada", &diary));

    let outcomes = let_go_together(values, AsyncDropArc::into_inner);

    for outcome in outcomes {
        let ((Some(mut session), None) | (None, Some(mut session))) = outcome else {
            panic!("not one, but both or none: {outcome:?}")
        };
        assert_eq!(end(&mut session), Ok(()));
    }
    assert_eq!(diary.entries().len(), 3 * ROUNDS);
}

#[test]
fn a2_an_owner_let_go_on_another_thread_cleans_up_there() {
    let diary = Diary::default();
    let mut here = shared(Session::of("ada", &diary));
    let mut there = AsyncDropArc::clone(&here);
    assert_eq!(end(&mut here), Ok(()));

    let outcome = thread::spawn(move || end(&mut there)).join().unwrap();

    assert_eq!(outcome, Ok(()));
    diary.assert_reads(&["ada cleanup begins", "ada cleanup ends", "ada dropped"]);
}

#[test]
fn a3_a_forgotten_owner_panics_itself_and_names_its_own_place() {
    let diary = Diary::default();
    let mut first = shared(Session::of("ada", &diary));
    let line = line!() + 1;
    let second = AsyncDropArc::clone(&first);

    let message = message_of_panic(|| drop(second));

    let place = place!(line, 18);
    assert_eq!(
        message,
        format!("Forgot to call async_drop on AsyncDropArc(Session(\"ada\")), created at {place}")
    );
    diary.assert_reads(&[]);
    assert_eq!(end(&mut first), Ok(()));
    diary.assert_reads(&["ada cleanup begins", "ada cleanup ends", "ada dropped"]);
}

#[test]
fn a3_the_first_owner_and_an_upgraded_one_name_their_own_places_too() {
    let diary = Diary::default();
    let line = line!() + 1;
    let first = AsyncDropArc::new(AsyncDropGuard::new(Session::of("ada", &diary)));
    let weak: AsyncDropWeak<_> = AsyncDropArc::downgrade(&first);
    let upgraded = weak.upgrade().unwrap();

    let (_, incidents) = record(|| {
        drop(first);
        drop(upgraded);
    });

    let what: Vec<_> = incidents
        .iter()
        .map(|it| (it.message.clone(), it.location.clone()))
        .collect();
    let forgotten = |value: &str, place: String| {
        (
            format!("Forgot to call async_drop on {value}, created at {place}"),
            place,
        )
    };
    assert_eq!(
        what,
        [
            forgotten("AsyncDropArc(Session(\"ada\"))", place!(line, 17)),
            forgotten("AsyncDropArc(Session(\"ada\"))", place!(line + 2, 25)),
            // Nobody is left who could clean the value up.
            forgotten("Session(\"ada\")", place!(line, 35)),
        ]
    );
    diary.assert_reads(&["ada dropped"]);
}

#[test]
fn n1_the_last_owner_interrupted_in_the_cleanup_takes_it_up_again() {
    let diary = Diary::default();
    let mut first = shared(Session::of("ada", &diary).waiting(2));
    let mut last = AsyncDropArc::clone(&first);
    assert_eq!(end(&mut first), Ok(()));

    abandon_after(2, last.async_drop());
    assert!(!last.is_dropped());
    assert_eq!(last.user, "ada", "the value can still be read");
    assert_eq!(AsyncDropArc::strong_count(&last), 1);
    assert_eq!(
        format!("{last:?}"),
        "AsyncDropGuard(AsyncDropArc(AsyncDropGuard(Session(\"ada\"))))"
    );
    assert_eq!(end(&mut last), Ok(()));

    diary.assert_reads(&[
        "ada cleanup begins",
        "ada cleanup begins",
        "ada cleanup ends",
        "ada dropped",
    ]);
}

#[test]
fn n1_an_error_after_an_interruption_is_still_returned() {
    let diary = Diary::default();
    let mut only = shared(
        Session::of("ada", &diary)
            .waiting(1)
            .ending(Ending::Fails("line is dead")),
    );

    abandon_after(1, only.async_drop());

    assert_eq!(end(&mut only), Err("line is dead".to_owned()));
    assert_eq!(end(&mut only), Ok(()));
}

#[test]
fn an_owner_whose_cleanup_has_begun_gives_no_further_owner() {
    let diary = Diary::default();
    let mut only = shared(Session::of("ada", &diary).waiting(1));
    abandon_after(1, only.async_drop());

    let message = message_of_panic(|| AsyncDropArc::clone(&only));
    let expected = format!(
        "asyncdrop::arc::AsyncDropArc<{}> gets no new owner: its cleanup has begun",
        std::any::type_name::<Session>()
    );
    assert_eq!(message, expected);
    let message = message_of_panic(|| AsyncDropArc::downgrade(&only));
    assert_eq!(message, expected);

    assert_eq!(end(&mut only), Ok(()));
}

#[test]
fn an_owner_used_after_it_let_go_names_its_type() {
    let diary = Diary::default();
    let mut first = shared(Session::of("ada", &diary));
    let line = line!() + 1;
    let mut second = AsyncDropArc::clone(&first);
    assert_eq!(end(&mut second), Ok(()));

    let message = message_of_panic(|| second.user);

    let place = place!(line, 22);
    assert_eq!(
        message,
        format!(
            "AsyncDropGuard<asyncdrop::arc::AsyncDropArc<{}>> was used after async_drop, created at {place}",
            std::any::type_name::<Session>()
        )
    );
    assert_eq!(end(&mut first), Ok(()));
}

#[test]
fn a1_an_owner_that_has_let_go_gives_no_owner_and_no_answer() {
    let diary = Diary::default();
    let mut first = shared(Session::of("ada", &diary));
    let line = line!() + 1;
    let mut second = AsyncDropArc::clone(&first);
    assert_eq!(end(&mut second), Ok(()));

    let expected = format!(
        "AsyncDropGuard<asyncdrop::arc::AsyncDropArc<{}>> was used after async_drop, created at {}",
        std::any::type_name::<Session>(),
        place!(line, 22)
    );
    for message in [
        message_of_panic(|| AsyncDropArc::clone(&second)),
        message_of_panic(|| AsyncDropArc::downgrade(&second)),
        message_of_panic(|| AsyncDropArc::strong_count(&second)),
        message_of_panic(|| AsyncDropArc::ptr_eq(&second, &first)),
        message_of_panic(|| AsyncDropArc::ptr_eq(&first, &second)),
    ] {
        assert_eq!(message, expected);
    }

    assert_eq!(AsyncDropArc::strong_count(&first), 1);
    assert_eq!(end(&mut first), Ok(()));
}

/// Runs `program` in a new process. Its panic must name this file, where it was caused, and none of the library.
#[track_caller]
fn assert_panics_where_it_is_called(test: &str, program: fn()) {
    let outcome = run_in_new_process(test, program);
    assert!(
        outcome
            .stderr
            .starts_with("thread 'program' panicked at tests/arc.rs\nAsyncDropGuard<"),
        "{}",
        outcome.stderr
    );
}

fn owner_that_has_let_go() -> AsyncDropGuard<AsyncDropArc<Session>> {
    let mut owner = shared(Session::of("ada", &Diary::default()));
    assert_eq!(end(&mut owner), Ok(()));
    owner
}

#[test]
fn a1_asked_for_its_count_an_owner_that_has_let_go_names_the_place_of_the_call() {
    assert_panics_where_it_is_called(
        test_path!("a1_asked_for_its_count_an_owner_that_has_let_go_names_the_place_of_the_call"),
        || {
            let _ = AsyncDropArc::strong_count(&owner_that_has_let_go());
        },
    );
}

#[test]
fn a1_compared_an_owner_that_has_let_go_names_the_place_of_the_call() {
    assert_panics_where_it_is_called(
        test_path!("a1_compared_an_owner_that_has_let_go_names_the_place_of_the_call"),
        || {
            let owner = owner_that_has_let_go();
            let _ = AsyncDropArc::ptr_eq(&owner, &owner);
        },
    );
}

#[test]
fn a1_a_value_that_was_already_cleaned_up_is_passed_over_and_cannot_be_used() {
    let diary = Diary::default();
    let line = line!() + 1;
    let mut session = AsyncDropGuard::new(Session::of("ada", &diary));
    assert_eq!(end(&mut session), Ok(()));
    let mut first = AsyncDropArc::new(session);
    let mut second = AsyncDropArc::clone(&first);

    let message = message_of_panic(|| first.user);

    assert_eq!(
        message,
        format!(
            "AsyncDropGuard<{}> was used after async_drop, created at {}",
            std::any::type_name::<Session>(),
            place!(line, 23)
        )
    );
    assert_eq!(
        format!("{first:?}"),
        "AsyncDropGuard(AsyncDropArc(AsyncDropGuard(<dropped>)))"
    );
    assert_eq!(end(&mut first), Ok(()));
    assert_eq!(end(&mut second), Ok(()));
    diary.assert_reads(&["ada cleanup begins", "ada cleanup ends", "ada dropped"]);
}

#[test]
fn a_weak_reference_counts_the_owners_until_the_last_has_let_go() {
    let diary = Diary::default();
    let session = AsyncDropGuard::new(Session::of("ada", &diary).waiting(1));
    let mut first = AsyncDropArc::new(session);
    let weak = AsyncDropArc::downgrade(&first);
    assert_eq!(weak.strong_count(), 1);
    let mut second = weak.upgrade().unwrap();
    assert_eq!(weak.strong_count(), 2);
    assert_eq!(weak.clone().strong_count(), 2);

    block_on(first.async_drop()).unwrap();
    assert_eq!(weak.strong_count(), 1);

    // From the beginning of the cleanup on there is no owner to be added to.
    abandon_after(1, second.async_drop());
    assert_eq!(weak.strong_count(), 0);
    assert!(weak.upgrade().is_none());
    block_on(second.async_drop()).unwrap();
    assert_eq!(weak.strong_count(), 0);
}
