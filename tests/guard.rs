//! The promises G1 to G10, and what else a guard must stand.
//!
//! G8 and G9 are about what does not compile: `tests/compile_fail.rs` pins their messages.

use std::cell::{Cell, RefCell};
use std::fmt::{self, Debug};
use std::future::Future;
use std::marker::PhantomPinned;
use std::panic::{AssertUnwindSafe, RefUnwindSafe, UnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;

use asyncdrop::incident::IncidentKind;
use asyncdrop::{AsyncDrop, AsyncDropGuard};
use futures::executor::block_on;
use static_assertions::{assert_impl_all, assert_not_impl_any};

use crate::support::{
    Diary, Ending, Outcome, Session, abandon_after, message_of_panic, poll_once, record,
    run_in_new_process,
};
use crate::{cleaned_up_at_once, place, test_path};

/// A constructor, as the contract wants it: it passes its caller on.
#[track_caller]
fn log_in(user: &'static str, diary: &Diary) -> AsyncDropGuard<Session> {
    AsyncDropGuard::new(Session::of(user, diary))
}

#[test]
fn g1_a_forgotten_guard_panics_with_the_value_and_the_place_of_creation() {
    let diary = Diary::default();
    let line = line!() + 1;
    let guard = AsyncDropGuard::new(Session::of("ada", &diary));

    let message = message_of_panic(|| drop(guard));

    let place = place!(line, 17);
    assert_eq!(
        message,
        format!("Forgot to call async_drop on Session(\"ada\"), created at {place}")
    );
}

#[test]
fn g1_a_constructor_with_track_caller_passes_its_own_caller_on() {
    let diary = Diary::default();
    let line = line!() + 1;
    let guard = log_in("ada", &diary);

    let message = message_of_panic(|| drop(guard));

    let place = place!(line, 17);
    assert_eq!(
        message,
        format!("Forgot to call async_drop on Session(\"ada\"), created at {place}")
    );
}

#[test]
fn g1_the_place_is_that_of_new_however_the_guard_was_moved_and_mapped() {
    let diary = Diary::default();
    let line = line!() + 1;
    let guard = AsyncDropGuard::new(Session::of("ada", &diary));
    let guard = guard.into_box().map_unsafe(|session| (1, session));
    let boxed = Box::new(Some(guard));

    let message = message_of_panic(|| drop(boxed));

    let place = place!(line, 17);
    assert_eq!(
        message,
        format!("Forgot to call async_drop on (1, Session(\"ada\")), created at {place}")
    );
}

#[test]
fn g1_the_value_of_a_forgotten_guard_is_still_dropped_once() {
    let diary = Diary::default();
    let guard = log_in("ada", &diary);

    message_of_panic(|| drop(guard));

    diary.assert_reads(&["ada dropped"]);
}

#[test]
fn g1_a_forgotten_guard_inside_a_forgotten_value_does_not_abort() {
    #[derive(Debug)]
    struct Pool(#[expect(dead_code, reason = "read by Debug")] AsyncDropGuard<Session>);

    cleaned_up_at_once!(Pool);

    let diary = Diary::default();
    let inner_line = line!() + 1;
    let session = log_in("ada", &diary);
    let pool_line = line!() + 1;
    let pool = AsyncDropGuard::new(Pool(session));

    let (_, incidents) = record(|| drop(pool));

    let messages: Vec<_> = incidents.iter().map(|it| it.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            format!(
                "Forgot to call async_drop on Pool(AsyncDropGuard(Session(\"ada\"))), created at {}",
                place!(pool_line, 16)
            ),
            format!(
                "Forgot to call async_drop on Session(\"ada\"), created at {}",
                place!(inner_line, 19)
            ),
        ]
    );
    diary.assert_reads(&["ada dropped"]);
}

#[test]
fn g1_a_forgotten_guard_panics_with_all_lines_of_its_value() {
    #[derive(Debug)]
    struct Query(Sql);

    struct Sql;

    impl Debug for Sql {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("SELECT 1\nFROM users")
        }
    }

    cleaned_up_at_once!(Query);

    let line = line!() + 1;
    let guard = AsyncDropGuard::new(Query(Sql));

    let message = message_of_panic(|| drop(guard));

    let place = place!(line, 17);
    assert_eq!(
        message,
        format!("Forgot to call async_drop on Query(SELECT 1\nFROM users), created at {place}")
    );
}

#[test]
fn g1_a_forgotten_guard_whose_value_panics_in_its_own_drop_does_not_abort_the_process() {
    fn program() {
        let session = Session::of("ada", &Diary::default()).panicking_in_drop("no route");
        let _session = AsyncDropGuard::new(session);
    }
    let line = line!() - 2;

    let outcome = run_in_new_process(
        test_path!(
            "g1_a_forgotten_guard_whose_value_panics_in_its_own_drop_does_not_abort_the_process"
        ),
        program,
    );

    let place = place!(line, 24);
    assert_eq!(
        outcome,
        Outcome {
            lived_on: true,
            stderr: format!(
                "thread 'program' panicked at src/incident.rs\n\
                 Forgot to call async_drop on Session(\"ada\"), created at {place}\n\
                 thread 'program' panicked at tests/support/session.rs\n\
                 no route\n"
            ),
        }
    );
}

#[test]
fn g1_a_value_that_panics_in_its_own_drop_does_so_where_the_hook_does_not_panic() {
    let diary = Diary::default();
    let session = Session::of("ada", &diary).panicking_in_drop("no route");
    let guard = AsyncDropGuard::new(session);

    let (message, incidents) = record(|| message_of_panic(|| drop(guard)));

    assert_eq!(message, "no route");
    assert_eq!(incidents.len(), 1);
    diary.assert_reads(&["ada dropped"]);
}

#[test]
fn g2_a_guard_dropped_while_unwinding_is_reported_and_the_first_panic_goes_on() {
    let diary = Diary::default();

    let (message, incidents) = record(|| {
        message_of_panic(|| {
            let _first = log_in("ada", &diary);
            let _second = log_in("grace", &diary);
            panic!("the line is dead");
        })
    });

    assert_eq!(message, "the line is dead");
    let kinds: Vec<_> = incidents.iter().map(|it| it.kind).collect();
    assert_eq!(kinds, [IncidentKind::Forgotten, IncidentKind::Forgotten]);
    diary.assert_reads(&["grace dropped", "ada dropped"]);
}

#[test]
fn g2_a_guard_dropped_while_unwinding_does_not_abort_the_process() {
    fn program() {
        let diary = Diary::default();
        let _session = AsyncDropGuard::new(Session::of("ada", &diary));
        panic!("the line is dead");
    }
    let line = line!() - 3;

    let outcome = run_in_new_process(
        test_path!("g2_a_guard_dropped_while_unwinding_does_not_abort_the_process"),
        program,
    );

    let place = place!(line, 24);
    assert_eq!(
        outcome,
        Outcome {
            lived_on: true,
            stderr: format!(
                "thread 'program' panicked at tests/guard.rs\n\
                 the line is dead\n\
                 Forgot to call async_drop on Session(\"ada\"), created at {place}\n"
            ),
        }
    );
}

#[test]
fn g2_an_interrupted_guard_dropped_while_unwinding_does_not_abort_the_process() {
    fn program() {
        let diary = Diary::default();
        let mut session = AsyncDropGuard::new(Session::of("ada", &diary).waiting(1));
        abandon_after(1, session.async_drop());
        panic!("the line is dead");
    }
    let line = line!() - 4;

    let outcome = run_in_new_process(
        test_path!("g2_an_interrupted_guard_dropped_while_unwinding_does_not_abort_the_process"),
        program,
    );

    let place = place!(line, 27);
    assert_eq!(
        outcome,
        Outcome {
            lived_on: true,
            stderr: format!(
                "thread 'program' panicked at tests/guard.rs\n\
                 the line is dead\n\
                 async_drop on Session(\"ada\") was interrupted before it finished, created at {place}\n"
            ),
        }
    );
}

#[test]
fn g2_a_value_that_panics_in_its_own_drop_while_unwinding_does_not_abort_the_process() {
    fn program() {
        let session = Session::of("ada", &Diary::default()).panicking_in_drop("no route");
        let _session = AsyncDropGuard::new(session);
        panic!("the line is dead");
    }

    let outcome = run_in_new_process(
        test_path!(
            "g2_a_value_that_panics_in_its_own_drop_while_unwinding_does_not_abort_the_process"
        ),
        program,
    );

    assert!(outcome.lived_on, "{}", outcome.stderr);
    assert!(
        outcome
            .stderr
            .contains("Forgot to call async_drop on Session")
    );
    assert!(outcome.stderr.contains("no route"));
}

#[test]
fn g3_async_drop_cleans_up_once_then_drops_the_value_before_it_returns() {
    let diary = Diary::default();
    let mut guard = log_in("ada", &diary);

    block_on(async {
        assert_eq!(guard.async_drop().await, Ok(()));
        diary.write("async_drop returned");
    });

    diary.assert_reads(&[
        "ada cleanup begins",
        "ada cleanup ends",
        "ada dropped",
        "async_drop returned",
    ]);
}

#[test]
fn g3_a_second_async_drop_does_nothing_and_returns_ok() {
    let diary = Diary::default();
    let mut guard = log_in("ada", &diary);

    assert_eq!(block_on(guard.async_drop()), Ok(()));
    assert_eq!(block_on(guard.async_drop()), Ok(()));

    diary.assert_reads(&["ada cleanup begins", "ada cleanup ends", "ada dropped"]);
}

#[test]
fn g3_a_guard_that_was_cleaned_up_is_dropped_in_silence() {
    let diary = Diary::default();

    let (_, incidents) = record(|| {
        let mut guard = log_in("ada", &diary);
        assert!(!guard.is_dropped());
        block_on(guard.async_drop()).unwrap();
        assert!(guard.is_dropped());
    });

    assert_eq!(incidents, []);
}

#[test]
fn g3_a_value_whose_own_drop_panics_is_cleaned_up_all_the_same() {
    let diary = Diary::default();
    let mut guard = AsyncDropGuard::new(Session::of("ada", &diary).panicking_in_drop("no luck"));

    let message = message_of_panic(|| block_on(guard.async_drop()));

    assert_eq!(message, "no luck");
    assert!(guard.is_dropped());
    assert_eq!(block_on(guard.async_drop()), Ok(()));
    diary.assert_reads(&["ada cleanup begins", "ada cleanup ends", "ada dropped"]);
}

#[test]
fn g4_the_error_of_a_cleanup_is_returned_once_and_the_value_is_dropped() {
    let diary = Diary::default();
    let session = Session::of("ada", &diary).ending(Ending::Fails("connection reset"));

    let (_, incidents) = record(|| {
        let mut guard = AsyncDropGuard::new(session);
        let first = block_on(guard.async_drop());
        assert_eq!(first, Err("connection reset".to_owned()));
        assert!(guard.is_dropped());
        assert_eq!(block_on(guard.async_drop()), Ok(()));
    });

    assert_eq!(incidents, []);
    diary.assert_reads(&["ada cleanup begins", "ada cleanup fails", "ada dropped"]);
}

#[test]
fn g4_the_error_is_reported_where_a_panic_of_the_values_own_drop_takes_its_way() {
    let diary = Diary::default();
    let session = Session::of("ada", &diary)
        .ending(Ending::Fails("connection reset"))
        .panicking_in_drop("no luck");
    let line = line!() + 1;
    let mut guard = AsyncDropGuard::new(session);

    let (message, incidents) = record(|| message_of_panic(|| block_on(guard.async_drop())));

    assert_eq!(message, "no luck");
    let place = place!(line, 21);
    let [incident] = &incidents[..] else {
        panic!("{incidents:?}");
    };
    assert_eq!(incident.kind, IncidentKind::Suppressed);
    assert_eq!(incident.location, place);
    assert_eq!(
        incident.message,
        format!(
            "Suppressed an error of {}: \"connection reset\", created at {place}",
            std::any::type_name::<Session>()
        )
    );
    assert!(guard.is_dropped());
}

#[test]
fn g5_an_interrupted_cleanup_keeps_the_value_and_can_be_called_again() {
    let diary = Diary::default();

    let (_, incidents) = record(|| {
        let mut guard = AsyncDropGuard::new(Session::of("ada", &diary).waiting(2));
        abandon_after(1, guard.async_drop());
        abandon_after(2, guard.async_drop());
        assert!(!guard.is_dropped());
        assert_eq!(guard.user, "ada");
        assert_eq!(block_on(guard.async_drop()), Ok(()));
        assert!(guard.is_dropped());
    });

    assert_eq!(incidents, []);
    diary.assert_reads(&[
        "ada cleanup begins",
        "ada cleanup begins",
        "ada cleanup begins",
        "ada cleanup ends",
        "ada dropped",
    ]);
}

#[test]
fn g5_a_guard_dropped_after_an_interruption_panics_with_the_value_and_the_place() {
    let diary = Diary::default();
    let line = line!() + 1;
    let mut guard = AsyncDropGuard::new(Session::of("ada", &diary).waiting(1));
    abandon_after(1, guard.async_drop());

    let message = message_of_panic(|| drop(guard));

    let place = place!(line, 21);
    assert_eq!(
        message,
        format!(
            "async_drop on Session(\"ada\") was interrupted before it finished, created at {place}"
        )
    );
    diary.assert_reads(&["ada cleanup begins", "ada dropped"]);
}

#[test]
fn g5_a_cleanup_that_panics_leaves_the_guard_interrupted_with_its_value() {
    let diary = Diary::default();
    let session = Session::of("ada", &diary).ending(Ending::Panics("out of paper"));
    let mut guard = AsyncDropGuard::new(session);

    let message = message_of_panic(|| block_on(guard.async_drop()));
    assert_eq!(message, "out of paper");
    assert!(!guard.is_dropped());

    guard.ending = Ending::Well;
    let (_, incidents) = record(|| drop(guard));

    let kinds: Vec<_> = incidents.iter().map(|it| it.kind).collect();
    assert_eq!(kinds, [IncidentKind::Interrupted]);
    diary.assert_reads(&["ada cleanup begins", "ada cleanup panics", "ada dropped"]);
}

#[test]
fn g5_a_cleanup_that_panicked_can_be_called_again() {
    let diary = Diary::default();
    let session = Session::of("ada", &diary).ending(Ending::Panics("out of paper"));
    let mut guard = AsyncDropGuard::new(session);
    message_of_panic(|| block_on(guard.async_drop()));

    guard.ending = Ending::Well;
    assert_eq!(block_on(guard.async_drop()), Ok(()));

    drop(guard);
    diary.assert_reads(&[
        "ada cleanup begins",
        "ada cleanup panics",
        "ada cleanup begins",
        "ada cleanup ends",
        "ada dropped",
    ]);
}

#[test]
fn g5_mapping_an_interrupted_guard_leaves_it_interrupted() {
    let diary = Diary::default();
    let mut guard = AsyncDropGuard::new(Session::of("ada", &diary).waiting(1));
    abandon_after(1, guard.async_drop());
    let guard = guard.into_box();

    let (_, incidents) = record(|| drop(guard));

    let kinds: Vec<_> = incidents.iter().map(|it| it.kind).collect();
    assert_eq!(kinds, [IncidentKind::Interrupted]);
}

#[test]
fn g6_a_future_of_async_drop_that_was_never_polled_leaves_the_guard_armed() {
    let diary = Diary::default();
    let line = line!() + 1;
    let mut guard = log_in("ada", &diary);
    abandon_after(0, guard.async_drop());
    assert!(!guard.is_dropped());

    let message = message_of_panic(|| drop(guard));

    let place = place!(line, 21);
    assert_eq!(
        message,
        format!("Forgot to call async_drop on Session(\"ada\"), created at {place}")
    );
    diary.assert_reads(&["ada dropped"]);
}

/// A guard that was cleaned up, and the text that every use of it panics with.
fn used_up(diary: &Diary) -> (AsyncDropGuard<Session>, String) {
    let line = line!() + 1;
    let mut guard = AsyncDropGuard::new(Session::of("ada", diary));
    block_on(guard.async_drop()).unwrap();
    let text = format!(
        "AsyncDropGuard<{}> was used after async_drop, created at {}",
        std::any::type_name::<Session>(),
        place!(line, 21)
    );
    (guard, text)
}

#[test]
fn g7_reading_the_value_after_async_drop_panics_and_names_the_type() {
    let (guard, text) = used_up(&Diary::default());
    assert_eq!(message_of_panic(|| guard.user), text);
}

#[test]
fn g7_changing_the_value_after_async_drop_panics_and_names_the_type() {
    let (mut guard, text) = used_up(&Diary::default());
    assert_eq!(message_of_panic(|| guard.waits = 1), text);
}

#[test]
fn g7_taking_the_value_out_after_async_drop_panics_and_names_the_type() {
    let (guard, text) = used_up(&Diary::default());
    assert_eq!(
        message_of_panic(|| guard.unsafe_into_inner_dont_drop()),
        text
    );
}

#[test]
fn g7_mapping_after_async_drop_panics_and_names_the_type() {
    let (guard, text) = used_up(&Diary::default());
    assert_eq!(message_of_panic(|| guard.map_unsafe(|_| ())), text);

    let (guard, text) = used_up(&Diary::default());
    assert_eq!(message_of_panic(|| guard.into_box()), text);
}

#[test]
fn g7_the_panic_points_to_the_line_that_used_the_guard() {
    fn program() {
        let (guard, _) = used_up(&Diary::default());
        let _ = guard.user;
    }

    let outcome = run_in_new_process(
        test_path!("g7_the_panic_points_to_the_line_that_used_the_guard"),
        program,
    );

    let (_guard, text) = used_up(&Diary::default());
    assert_eq!(
        outcome,
        Outcome {
            lived_on: true,
            stderr: format!("thread 'program' panicked at tests/guard.rs\n{text}\n"),
        }
    );
}

#[test]
fn g7_a_used_up_guard_can_still_be_printed() {
    let diary = Diary::default();
    let mut guard = log_in("ada", &diary);
    assert_eq!(format!("{guard:?}"), "AsyncDropGuard(Session(\"ada\"))");
    block_on(guard.async_drop()).unwrap();
    assert_eq!(format!("{guard:?}"), "AsyncDropGuard(<dropped>)");
}

#[test]
fn g8_a_guard_is_not_clone_even_where_its_value_is() {
    assert_not_impl_any!(AsyncDropGuard<u32>: Clone, Copy);
    assert_not_impl_any!(AsyncDropGuard<Session>: Clone, Copy);
}

#[test]
fn g9_a_type_without_async_drop_is_none_that_new_takes() {
    // The bound is on `new` alone, so that a mapped guard can hold any value.
    assert_not_impl_any!(String: AsyncDrop);
    assert_impl_all!(Session: AsyncDrop);
}

#[test]
fn g10_a_guard_that_is_never_dropped_is_not_missed() {
    let diary = Diary::default();
    let guard = log_in("ada", &diary);

    let (_, incidents) = record(|| std::mem::forget(guard));

    assert_eq!(incidents, []);
    diary.assert_reads(&[]);
}

#[test]
fn g10_a_guard_in_a_cycle_of_rcs_is_not_missed() {
    struct Node {
        me: RefCell<Option<Rc<Node>>>,
        _guard: AsyncDropGuard<Session>,
    }
    let diary = Diary::default();

    let (_, incidents) = record(|| {
        let node = Rc::new(Node {
            me: RefCell::new(None),
            _guard: log_in("ada", &diary),
        });
        *node.me.borrow_mut() = Some(Rc::clone(&node));
    });

    assert_eq!(incidents, []);
    diary.assert_reads(&[]);
}

#[test]
fn g10_a_process_that_exits_misses_no_guard() {
    fn program() {
        let _session = AsyncDropGuard::new(Session::of("ada", &Diary::default()));
        std::process::exit(0);
    }

    let outcome = run_in_new_process(
        test_path!("g10_a_process_that_exits_misses_no_guard"),
        program,
    );

    assert_eq!(
        outcome,
        Outcome {
            // It ended with a status of its own.
            lived_on: false,
            stderr: String::new(),
        }
    );
}

#[test]
fn a_value_taken_out_of_its_guard_is_watched_over_no_more() {
    let diary = Diary::default();

    let (_, incidents) = record(|| {
        let session = log_in("ada", &diary).unsafe_into_inner_dont_drop();
        diary.write("taken out");
        drop(session);
    });

    assert_eq!(incidents, []);
    diary.assert_reads(&["taken out", "ada dropped"]);
}

#[test]
fn a_mapped_guard_cleans_up_the_new_value_alone() {
    let diary = Diary::default();
    let old = log_in("ada", &diary);
    let mut new = old.map_unsafe(|mut session| {
        session.user = "grace";
        session
    });

    block_on(new.async_drop()).unwrap();

    diary.assert_reads(&[
        "grace cleanup begins",
        "grace cleanup ends",
        "grace dropped",
    ]);
}

#[test]
fn a_map_that_panics_drops_the_value_and_lets_its_own_panic_through() {
    let diary = Diary::default();
    let guard = log_in("ada", &diary);

    let (message, incidents) = record(|| {
        message_of_panic(|| guard.map_unsafe(|_session| -> () { panic!("no such mapping") }))
    });

    assert_eq!(message, "no such mapping");
    assert_eq!(incidents, []);
    diary.assert_reads(&["ada dropped"]);
}

#[test]
fn a_guard_holds_boxed_trait_objects_of_async_drop_itself() {
    type Anything = Box<dyn AsyncDrop<Error = String> + Send>;

    let diary = Diary::default();
    let mut guards: Vec<AsyncDropGuard<Anything>> = vec![
        log_in("ada", &diary).into_box().map_unsafe(|it| it as _),
        log_in("grace", &diary).into_box().map_unsafe(|it| it as _),
    ];
    assert_eq!(format!("{:?}", guards[0]), "AsyncDropGuard(dyn AsyncDrop)");

    for guard in &mut guards {
        block_on(guard.async_drop()).unwrap();
    }

    diary.assert_reads(&[
        "ada cleanup begins",
        "ada cleanup ends",
        "ada dropped",
        "grace cleanup begins",
        "grace cleanup ends",
        "grace dropped",
    ]);
}

#[test]
fn a_forgotten_trait_object_is_reported_with_the_place_of_its_guard() {
    let diary = Diary::default();
    let line = line!() + 1;
    let guard: AsyncDropGuard<Box<dyn AsyncDrop<Error = String> + Send + Sync>> =
        log_in("ada", &diary).into_box().map_unsafe(|it| it as _);

    let message = message_of_panic(|| drop(guard));

    let place = place!(line + 1, 9);
    assert_eq!(
        message,
        format!("Forgot to call async_drop on dyn AsyncDrop, created at {place}")
    );
    diary.assert_reads(&["ada dropped"]);
}

#[test]
fn a_guard_holds_trait_objects_of_a_trait_above_async_drop() {
    trait Transport: AsyncDrop<Error = String> + Debug + Send {
        fn peer(&self) -> &str;
    }

    impl Transport for Session {
        fn peer(&self) -> &str {
            self.user
        }
    }

    let diary = Diary::default();
    let mut guard: AsyncDropGuard<Box<dyn Transport>> =
        log_in("ada", &diary).into_box().map_unsafe(|it| it as _);
    assert_eq!(guard.peer(), "ada");

    block_on(guard.async_drop()).unwrap();

    diary.assert_reads(&["ada cleanup begins", "ada cleanup ends", "ada dropped"]);
}

#[test]
fn a_guard_has_the_auto_traits_of_its_value() {
    assert_impl_all!(AsyncDropGuard<u32>: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe);
    assert_impl_all!(AsyncDropGuard<Cell<u32>>: Send, Unpin);
    assert_not_impl_any!(AsyncDropGuard<Cell<u32>>: Sync, RefUnwindSafe);
    assert_not_impl_any!(AsyncDropGuard<Rc<u32>>: Send, Sync);
    assert_not_impl_any!(AsyncDropGuard<std::sync::MutexGuard<'static, u32>>: Send);
    assert_impl_all!(AsyncDropGuard<std::sync::MutexGuard<'static, u32>>: Sync);
    assert_not_impl_any!(AsyncDropGuard<PhantomPinned>: Unpin);
}

#[test]
fn the_future_of_a_cleanup_can_be_sent_where_the_value_can() {
    fn assert_send<F: Future + Send>(future: F) -> F {
        future
    }
    let diary = Diary::default();
    let mut guard = log_in("ada", &diary);

    block_on(assert_send(guard.async_drop())).unwrap();

    diary.assert_reads(&["ada cleanup begins", "ada cleanup ends", "ada dropped"]);
}

#[test]
fn a_finished_cleanup_needs_no_more_than_the_polls_it_waits_for() {
    let diary = Diary::default();
    let mut guard = AsyncDropGuard::new(Session::of("ada", &diary).waiting(2));
    let mut future = pin!(guard.async_drop());

    assert!(poll_once(future.as_mut()).is_pending());
    assert!(poll_once(future.as_mut()).is_pending());
    assert!(poll_once(future.as_mut()).is_ready());
}

#[test]
fn a_panic_caught_inside_the_guarded_value_changes_nothing() {
    let diary = Diary::default();
    let mut guard = log_in("ada", &diary);
    let caught = catch_unwind(AssertUnwindSafe(|| {
        guard.waits = 0;
        panic!("caught");
    }));
    assert!(caught.is_err());

    assert_eq!(block_on(guard.async_drop()), Ok(()));
}

/// The one byte more that says which state it is, the place, and what their alignment wants.
#[test]
#[cfg(target_pointer_width = "64")]
fn a_guard_is_hardly_larger_than_its_value() {
    assert_eq!(size_of::<AsyncDropGuard<u64>>(), 24);
    assert_eq!(size_of::<AsyncDropGuard<String>>(), 40);
    assert_eq!(size_of::<AsyncDropGuard<[u8; 1000]>>(), 1016);
}
