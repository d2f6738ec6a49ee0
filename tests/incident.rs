//! The promises I1 to I3, and what else the hook must stand.
//!
//! The hook belongs to the process, so every test that sets or takes one runs a process of its own.

use std::fmt::{self, Debug};
use std::mem;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use asyncdrop::incident::{self, IncidentKind};
use asyncdrop::{AsyncDropGuard, with_async_drop};
use futures::executor::block_on;

use crate::support::{
    Diary, Ending, Outcome, Recorded, Session, abandon_after, message_of_panic, record,
    run_in_new_process,
};
use crate::{cleaned_up_at_once, place, test_path};

/// A session that nobody writes a diary for.
fn session() -> Session {
    Session::of("ada", &Diary::default())
}

/// Fails in the body and in the cleanup, which is the one way to a `Suppressed` incident.
fn fail_twice(guard: AsyncDropGuard<Session>) {
    let body = block_on(with_async_drop(guard, async |_| {
        Err::<(), _>("the line is dead".to_owned())
    }));
    assert_eq!(body, Err("the line is dead".to_owned()));
}

/// A value whose `Debug` cannot be relied on.
struct Unprintable;

impl Debug for Unprintable {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("Debug is out of order");
    }
}

cleaned_up_at_once!(Unprintable);

#[test]
fn i1_the_default_hook_panics_on_a_forgotten_guard() {
    fn program() {
        let _session = AsyncDropGuard::new(session());
    }
    let line = line!() - 2;

    let outcome = run_in_new_process(
        test_path!("i1_the_default_hook_panics_on_a_forgotten_guard"),
        program,
    );

    let place = place!(line, 24);
    assert_eq!(
        outcome,
        Outcome {
            lived_on: true,
            stderr: format!(
                "thread 'program' panicked at src/incident.rs\n\
                 Forgot to call async_drop on Session(\"ada\"), created at {place}\n"
            ),
        }
    );
}

#[test]
fn i1_the_default_hook_panics_on_an_interrupted_cleanup() {
    fn program() {
        let mut session = AsyncDropGuard::new(session().waiting(1));
        abandon_after(1, session.async_drop());
    }
    let line = line!() - 3;

    let outcome = run_in_new_process(
        test_path!("i1_the_default_hook_panics_on_an_interrupted_cleanup"),
        program,
    );

    let place = place!(line, 27);
    assert_eq!(
        outcome,
        Outcome {
            lived_on: true,
            stderr: format!(
                "thread 'program' panicked at src/incident.rs\n\
                 async_drop on Session(\"ada\") was interrupted before it finished, created at {place}\n"
            ),
        }
    );
}

#[test]
fn i1_the_default_hook_prints_a_suppressed_error_and_does_not_panic() {
    fn program() {
        fail_twice(AsyncDropGuard::new(
            session().ending(Ending::Fails("connection reset")),
        ));
        eprintln!("no panic so far");
    }
    let line = line!() - 5;

    let outcome = run_in_new_process(
        test_path!("i1_the_default_hook_prints_a_suppressed_error_and_does_not_panic"),
        program,
    );

    let place = place!(line, 20);
    assert_eq!(
        outcome,
        Outcome {
            lived_on: true,
            stderr: format!(
                "Suppressed an error of {}: \"connection reset\", created at {place}\n\
                 no panic so far\n",
                std::any::type_name::<Session>()
            ),
        }
    );
}

#[test]
fn i1_what_the_default_hook_prints_is_one_line_also_where_the_value_has_many() {
    struct Query;

    impl Debug for Query {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("SELECT 1\nFROM users")
        }
    }

    cleaned_up_at_once!(Query);

    fn program() {
        let _query = AsyncDropGuard::new(Query);
        panic!("the line is dead");
    }
    let line = line!() - 3;

    let outcome = run_in_new_process(
        test_path!("i1_what_the_default_hook_prints_is_one_line_also_where_the_value_has_many"),
        program,
    );

    let place = place!(line, 22);
    assert_eq!(
        outcome,
        Outcome {
            lived_on: true,
            stderr: format!(
                "thread 'program' panicked at tests/incident.rs\n\
                 the line is dead\n\
                 Forgot to call async_drop on SELECT 1 FROM users, created at {place}\n"
            ),
        }
    );
}

#[test]
fn i2_with_a_hook_of_the_users_own_nothing_is_printed_and_nothing_panics() {
    fn program() {
        static KINDS: Mutex<Vec<IncidentKind>> = Mutex::new(Vec::new());
        incident::set_hook(Box::new(|incident| {
            KINDS.lock().unwrap().push(incident.kind());
        }));

        drop(AsyncDropGuard::new(session()));
        let mut interrupted = AsyncDropGuard::new(session().waiting(1));
        abandon_after(1, interrupted.async_drop());
        drop(interrupted);
        fail_twice(AsyncDropGuard::new(
            session().ending(Ending::Fails("connection reset")),
        ));
        eprintln!("{:?}", KINDS.lock().unwrap());
    }

    let outcome = run_in_new_process(
        test_path!("i2_with_a_hook_of_the_users_own_nothing_is_printed_and_nothing_panics"),
        program,
    );

    assert_eq!(
        outcome,
        Outcome {
            lived_on: true,
            stderr: "[Forgotten, Interrupted, Suppressed]\n".into(),
        }
    );
}

#[test]
fn i2_a_hook_may_panic_with_words_of_its_own() {
    fn program() {
        incident::set_hook(Box::new(|incident| {
            panic!("{:?} is against the house rules", incident.kind())
        }));
        let message = message_of_panic(|| drop(AsyncDropGuard::new(session())));
        eprintln!("caught: {message}");
    }

    let outcome = run_in_new_process(
        test_path!("i2_a_hook_may_panic_with_words_of_its_own"),
        program,
    );

    assert_eq!(
        outcome,
        Outcome {
            lived_on: true,
            stderr: "thread 'program' panicked at tests/incident.rs\n\
                     Forgotten is against the house rules\n\
                     caught: Forgotten is against the house rules\n"
                .into(),
        }
    );
}

#[test]
fn i2_the_hook_is_the_same_on_every_thread() {
    fn program() {
        static SEEN: AtomicUsize = AtomicUsize::new(0);
        incident::set_hook(Box::new(|_| {
            SEEN.fetch_add(1, Ordering::Relaxed);
        }));
        thread::scope(|threads| {
            for _ in 0..4 {
                threads.spawn(|| drop(AsyncDropGuard::new(session())));
            }
        });
        eprintln!("{} incidents", SEEN.load(Ordering::Relaxed));
    }

    let outcome = run_in_new_process(
        test_path!("i2_the_hook_is_the_same_on_every_thread"),
        program,
    );

    assert_eq!(
        outcome,
        Outcome {
            lived_on: true,
            stderr: "4 incidents\n".into(),
        }
    );
}

#[test]
fn i2_take_hook_returns_the_hook_and_puts_the_default_one_back() {
    fn program() {
        incident::set_hook(Box::new(|incident| {
            eprintln!("mine: {:?}", incident.kind());
        }));
        let mine = incident::take_hook();
        let message = message_of_panic(|| drop(AsyncDropGuard::new(Unnamed)));
        assert!(message.starts_with("Forgot to call async_drop on Unnamed"));

        incident::set_hook(mine);
        drop(AsyncDropGuard::new(Unnamed));

        // The default one can be taken like any other.
        drop(incident::take_hook());
        let default = incident::take_hook();
        incident::set_hook(Box::new(move |incident| {
            eprintln!("before the default one");
            default(incident);
        }));
        message_of_panic(|| drop(AsyncDropGuard::new(Unnamed)));
    }
    let first_line = line!() - 15;
    let last_line = line!() - 3;

    let outcome = run_in_new_process(
        test_path!("i2_take_hook_returns_the_hook_and_puts_the_default_one_back"),
        program,
    );

    let first = place!(first_line, 48);
    let last = place!(last_line, 34);
    assert_eq!(
        outcome,
        Outcome {
            lived_on: true,
            stderr: format!(
                "thread 'program' panicked at src/incident.rs\n\
                 Forgot to call async_drop on Unnamed, created at {first}\n\
                 mine: Forgotten\n\
                 before the default one\n\
                 thread 'program' panicked at src/incident.rs\n\
                 Forgot to call async_drop on Unnamed, created at {last}\n"
            ),
        }
    );
}

#[derive(Debug)]
struct Unnamed;

cleaned_up_at_once!(Unnamed);

#[test]
fn i2_a_hook_may_change_the_hook() {
    fn program() {
        incident::set_hook(Box::new(|_| {
            eprintln!("the first hook, once");
            incident::set_hook(Box::new(|_| eprintln!("the second hook")));
        }));
        drop(AsyncDropGuard::new(session()));
        drop(AsyncDropGuard::new(session()));
    }

    let outcome = run_in_new_process(test_path!("i2_a_hook_may_change_the_hook"), program);

    assert_eq!(
        outcome,
        Outcome {
            lived_on: true,
            stderr: "the first hook, once\nthe second hook\n".into(),
        }
    );
}

#[test]
fn i2_a_hook_that_is_replaced_may_itself_hold_a_guard() {
    fn program() {
        let held = AsyncDropGuard::new(Unnamed);
        incident::set_hook(Box::new(move |_| {
            let _ = &held;
        }));
        incident::set_hook(Box::new(|incident| eprintln!("{:?}", incident.kind())));
    }

    let outcome = run_in_new_process(
        test_path!("i2_a_hook_that_is_replaced_may_itself_hold_a_guard"),
        program,
    );

    assert_eq!(
        outcome,
        Outcome {
            lived_on: true,
            stderr: "Forgotten\n".into(),
        }
    );
}

#[test]
fn i3_a_hook_that_panics_while_unwinding_does_not_abort() {
    fn program() {
        incident::set_hook(Box::new(|_| panic!("the hook is out of order")));
        let _session = AsyncDropGuard::new(session());
        panic!("the line is dead");
    }

    let outcome = run_in_new_process(
        test_path!("i3_a_hook_that_panics_while_unwinding_does_not_abort"),
        program,
    );

    assert_eq!(
        outcome,
        Outcome {
            lived_on: true,
            stderr: "thread 'program' panicked at tests/incident.rs\n\
                     the line is dead\n\
                     thread 'program' panicked at tests/incident.rs\n\
                     the hook is out of order\n"
                .into(),
        }
    );
}

#[test]
fn i3_a_hook_whose_panic_has_a_payload_that_panics_when_dropped_does_not_abort() {
    struct Explosive;

    impl Drop for Explosive {
        fn drop(&mut self) {
            panic!("the payload was dropped");
        }
    }

    fn program() {
        incident::set_hook(Box::new(|_| std::panic::panic_any(Explosive)));
        let _session = AsyncDropGuard::new(session());
        panic!("the line is dead");
    }

    let outcome = run_in_new_process(
        test_path!("i3_a_hook_whose_panic_has_a_payload_that_panics_when_dropped_does_not_abort"),
        program,
    );

    assert_eq!(
        outcome,
        Outcome {
            lived_on: true,
            stderr: "thread 'program' panicked at tests/incident.rs\n\
                     the line is dead\n\
                     thread 'program' panicked at tests/incident.rs\n\
                     Box<dyn Any>\n\
                     thread 'program' panicked at tests/incident.rs\n\
                     the payload was dropped\n"
                .into(),
        }
    );
}

#[test]
fn i3_a_debug_that_panics_while_unwinding_does_not_abort_and_the_rest_is_printed() {
    fn program() {
        let _value = AsyncDropGuard::new(Unprintable);
        panic!("the line is dead");
    }
    let line = line!() - 3;

    let outcome = run_in_new_process(
        test_path!("i3_a_debug_that_panics_while_unwinding_does_not_abort_and_the_rest_is_printed"),
        program,
    );

    let place = place!(line, 22);
    assert_eq!(
        outcome,
        Outcome {
            lived_on: true,
            stderr: format!(
                "thread 'program' panicked at tests/incident.rs\n\
                 the line is dead\n\
                 thread 'program' panicked at tests/incident.rs\n\
                 Debug is out of order\n\
                 Forgot to call async_drop on <a value whose Debug panicked>, created at {place}\n"
            ),
        }
    );
}

#[test]
fn i3_a_debug_that_panics_leaves_the_rest_of_the_message_of_the_default_hook() {
    fn program() {
        drop(AsyncDropGuard::new(Unprintable));
    }
    let line = line!() - 2;

    let outcome = run_in_new_process(
        test_path!("i3_a_debug_that_panics_leaves_the_rest_of_the_message_of_the_default_hook"),
        program,
    );

    let place = place!(line, 14);
    assert_eq!(
        outcome,
        Outcome {
            lived_on: true,
            stderr: format!(
                "thread 'program' panicked at tests/incident.rs\n\
                 Debug is out of order\n\
                 thread 'program' panicked at src/incident.rs\n\
                 Forgot to call async_drop on <a value whose Debug panicked>, created at {place}\n"
            ),
        }
    );
}

#[test]
fn i3_a_hook_that_panics_with_a_value_whose_debug_panics_does_not_abort() {
    fn program() {
        incident::set_hook(Box::new(|incident| panic!("{incident}")));
        let message = message_of_panic(|| drop(AsyncDropGuard::new(Unprintable)));
        eprintln!("{message}");
    }
    let line = line!() - 3;

    let outcome = run_in_new_process(
        test_path!("i3_a_hook_that_panics_with_a_value_whose_debug_panics_does_not_abort"),
        program,
    );

    let place = place!(line, 48);
    let message =
        format!("Forgot to call async_drop on <a value whose Debug panicked>, created at {place}");
    assert_eq!(
        outcome,
        Outcome {
            lived_on: true,
            stderr: format!(
                "thread 'program' panicked at tests/incident.rs\n\
                 Debug is out of order\n\
                 thread 'program' panicked at tests/incident.rs\n\
                 {message}\n\
                 {message}\n"
            ),
        }
    );
}

#[test]
fn i3_a_debug_that_forgets_a_guard_of_its_own_does_not_abort() {
    struct Careless;

    impl Debug for Careless {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            drop(AsyncDropGuard::new(Unnamed));
            f.write_str("Careless")
        }
    }

    cleaned_up_at_once!(Careless);

    fn program() {
        let _value = AsyncDropGuard::new(Careless);
        panic!("the line is dead");
    }
    let inner_line = line!() - 11;
    let line = line!() - 4;

    let outcome = run_in_new_process(
        test_path!("i3_a_debug_that_forgets_a_guard_of_its_own_does_not_abort"),
        program,
    );

    let (inner, outer) = (place!(inner_line, 18), place!(line, 22));
    assert_eq!(
        outcome,
        Outcome {
            lived_on: true,
            stderr: format!(
                "thread 'program' panicked at tests/incident.rs\n\
                 the line is dead\n\
                 Forgot to call async_drop on Unnamed, created at {inner}\n\
                 Forgot to call async_drop on Careless, created at {outer}\n"
            ),
        }
    );
}

#[test]
fn an_incident_says_what_happened_to_which_type_and_where() {
    let line = line!() + 1;
    let guard = AsyncDropGuard::new(session());

    let (_, incidents) = record(|| drop(guard));

    let place = place!(line, 17);
    assert_eq!(
        incidents,
        [Recorded {
            kind: IncidentKind::Forgotten,
            type_name: std::any::type_name::<Session>(),
            location: place.clone(),
            message: format!("Forgot to call async_drop on Session(\"ada\"), created at {place}"),
        }]
    );
}

#[test]
fn an_incident_has_a_debug_that_holds_its_message() {
    fn program() {
        incident::set_hook(Box::new(|incident| {
            let debug = format!("{incident:?}");
            assert!(debug.starts_with("Incident { kind: Forgotten, type_name: "));
            assert!(debug.contains("message: \"Forgot to call async_drop on Unnamed, created at "));
            eprintln!("seen");
        }));
        drop(AsyncDropGuard::new(Unnamed));
    }

    let outcome = run_in_new_process(
        test_path!("an_incident_has_a_debug_that_holds_its_message"),
        program,
    );

    assert_eq!(
        outcome,
        Outcome {
            lived_on: true,
            stderr: "seen\n".into(),
        }
    );
}

#[test]
fn a_guard_dropped_in_a_thread_local_at_the_end_of_its_thread_reaches_the_hook() {
    fn program() {
        thread_local! {
            static SESSION: AsyncDropGuard<Unnamed> = AsyncDropGuard::new(Unnamed);
        }
        incident::set_hook(Box::new(|incident| eprintln!("{:?}", incident.kind())));
        let thread = thread::spawn(|| SESSION.with(|_| ()));
        thread.join().unwrap();
    }

    let outcome = run_in_new_process(
        test_path!("a_guard_dropped_in_a_thread_local_at_the_end_of_its_thread_reaches_the_hook"),
        program,
    );

    assert_eq!(
        outcome,
        Outcome {
            lived_on: true,
            stderr: "Forgotten\n".into(),
        }
    );
}

#[test]
fn a_guard_dropped_inside_a_panic_hook_does_not_abort() {
    fn program() {
        let guard = Mutex::new(Some(AsyncDropGuard::new(Unnamed)));
        std::panic::set_hook(Box::new(move |_| drop(guard.lock().unwrap().take())));
        panic!("the line is dead");
    }
    let line = line!() - 4;

    let outcome = run_in_new_process(
        test_path!("a_guard_dropped_inside_a_panic_hook_does_not_abort"),
        program,
    );

    let place = place!(line, 37);
    assert_eq!(
        outcome,
        Outcome {
            lived_on: true,
            stderr: format!("Forgot to call async_drop on Unnamed, created at {place}\n"),
        }
    );
}

#[test]
fn two_threads_that_report_at_once_and_set_hooks_do_not_deadlock() {
    fn program() {
        let seen = Arc::new(AtomicUsize::new(0));
        let hook = |seen: &Arc<AtomicUsize>| {
            let seen = Arc::clone(seen);
            Box::new(move |_: &incident::Incident<'_>| {
                seen.fetch_add(1, Ordering::Relaxed);
            })
        };
        incident::set_hook(hook(&seen));
        thread::scope(|threads| {
            for _ in 0..4 {
                threads.spawn(|| {
                    for _ in 0..1_000 {
                        drop(AsyncDropGuard::new(Unnamed));
                        incident::set_hook(hook(&seen));
                    }
                });
            }
        });
        eprintln!("{} incidents", seen.load(Ordering::Relaxed));
        // The hook holds the counter, and goes with the process.
        mem::forget(seen);
    }

    let outcome = run_in_new_process(
        test_path!("two_threads_that_report_at_once_and_set_hooks_do_not_deadlock"),
        program,
    );

    assert_eq!(
        outcome,
        Outcome {
            lived_on: true,
            stderr: "4000 incidents\n".into(),
        }
    );
}
