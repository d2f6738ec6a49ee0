//! The promises DV1 to DV12: what `#[derive(AsyncDrop)]` makes of a type. DV13, what it refuses, is in `compile-fail/`.

use std::cell::Cell;
use std::error::Error;
use std::fmt::{self, Debug, Display};
use std::io;
use std::marker::PhantomData;
use std::num::ParseIntError;
use std::panic::{AssertUnwindSafe, RefUnwindSafe, UnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;

use asyncdrop::incident::{self, IncidentKind};
use asyncdrop::{
    AsyncDrop, AsyncDropArc, AsyncDropGuard, AsyncDropHashMap, CleanupErrors, async_trait,
};
use futures::executor::block_on;
use static_assertions::{assert_impl_all, assert_not_impl_any};

use crate::support::{
    Diary, Ending, Session, abandon_after, message_of_panic, poll_once, record, run_crate,
    run_in_new_process,
};
use crate::{place, test_path};

type FieldErrors = CleanupErrors;

#[track_caller]
fn guard(session: Session) -> AsyncDropGuard<Session> {
    AsyncDropGuard::new(session)
}

fn failing(user: &'static str, diary: &Diary) -> Session {
    Session::of(user, diary).ending(Ending::Fails("the line is dead"))
}

fn panicking(user: &'static str, diary: &Diary) -> Session {
    Session::of(user, diary).ending(Ending::Panics("the line exploded"))
}

/// The sessions in each of the types below: the names of the fields are those of the users.
macro_rules! with_three_sessions {
    ($($(#[$attribute:meta])* $name:ident)*) => {$(
        #[derive(Debug, AsyncDrop)]
        $(#[$attribute])*
        struct $name {
            ada: AsyncDropGuard<Session>,
            bob: AsyncDropGuard<Session>,
            cyd: AsyncDropGuard<Session>,
        }

        impl $name {
            fn of([ada, bob, cyd]: [Session; 3]) -> AsyncDropGuard<Self> {
                let [ada, bob, cyd] = [guard(ada), guard(bob), guard(cyd)];
                AsyncDropGuard::new(Self { ada, bob, cyd })
            }
        }
    )*};
}

with_three_sessions! {
    Declared
    #[async_drop(reverse)] Reversed
    #[async_drop(concurrent)] Concurrent
    #[async_drop(error = "String")] FirstError
    #[async_drop(reverse, error = "Alarm")] LastError
    #[async_drop(concurrent, error = "String")] FirstDeclared
}

fn three(diary: &Diary) -> [Session; 3] {
    ["ada", "bob", "cyd"].map(|user| Session::of(user, diary))
}

fn names_of(errors: FieldErrors) -> Vec<String> {
    let names = errors.iter().map(|(origin, _)| origin.name());
    names.map(|name| name.unwrap().to_owned()).collect()
}

/// The error of a whole program, which knows what its parts fail with.
#[derive(Debug, PartialEq)]
enum Alarm {
    Session(String),
    Number(ParseIntError),
}

impl From<String> for Alarm {
    fn from(error: String) -> Self {
        Self::Session(error)
    }
}

impl From<ParseIntError> for Alarm {
    fn from(error: ParseIntError) -> Self {
        Self::Number(error)
    }
}

/// A counter whose cleanup reads it back from its text.
#[derive(Debug)]
struct Counter(&'static str);

#[async_trait]
impl AsyncDrop for Counter {
    type Error = ParseIntError;

    async fn async_drop_impl(&mut self) -> Result<(), ParseIntError> {
        self.0.parse::<u32>().map(|_| ())
    }
}

// DV1

#[test]
fn dv1_the_guards_are_cleaned_up_in_the_order_of_declaration_one_after_the_other() {
    let diary = Diary::default();
    let mut value = Declared::of(three(&diary).map(|it| it.waiting(2)));

    block_on(value.async_drop()).unwrap();

    assert!(value.is_dropped());
    diary.assert_reads(&[
        "ada cleanup begins",
        "ada cleanup ends",
        "ada dropped",
        "bob cleanup begins",
        "bob cleanup ends",
        "bob dropped",
        "cyd cleanup begins",
        "cyd cleanup ends",
        "cyd dropped",
    ]);
}

#[test]
fn dv1_the_other_fields_are_left_as_they_are() {
    #[derive(Debug, AsyncDrop)]
    struct Client {
        before: Rc<Cell<u32>>,
        session: AsyncDropGuard<Session>,
        after: Option<String>,
    }

    let diary = Diary::default();
    let seen = Rc::new(Cell::new(1));
    let mut client = Client {
        before: Rc::clone(&seen),
        session: guard(Session::of("ada", &diary)),
        after: Some("note".into()),
    };

    block_on(client.async_drop_impl()).unwrap();

    assert!(client.session.is_dropped());
    assert_eq!(Rc::strong_count(&client.before), 2);
    assert_eq!(client.after.as_deref(), Some("note"));
}

// DV2

#[test]
fn dv2_with_reverse_the_last_one_is_first() {
    let diary = Diary::default();

    block_on(Reversed::of(three(&diary)).async_drop()).unwrap();

    diary.assert_reads(&[
        "cyd cleanup begins",
        "cyd cleanup ends",
        "cyd dropped",
        "bob cleanup begins",
        "bob cleanup ends",
        "bob dropped",
        "ada cleanup begins",
        "ada cleanup ends",
        "ada dropped",
    ]);
}

// DV3

#[test]
fn dv3_with_concurrent_all_are_cleaned_up_at_the_same_time() {
    let diary = Diary::default();
    let [ada, bob, cyd] = three(&diary);
    let mut value = Concurrent::of([ada.waiting(2), bob.waiting(1), cyd]);

    block_on(value.async_drop()).unwrap();

    diary.assert_reads(&[
        "ada cleanup begins",
        "bob cleanup begins",
        "cyd cleanup begins",
        "cyd cleanup ends",
        "cyd dropped",
        "bob cleanup ends",
        "bob dropped",
        "ada cleanup ends",
        "ada dropped",
    ]);
}

// DV4

#[test]
fn dv4_one_that_fails_stops_no_other_and_every_error_has_the_name_of_its_field() {
    let diary = Diary::default();
    let [_, bob, _] = three(&diary);
    let mut value = Declared::of([failing("ada", &diary), bob, failing("cyd", &diary)]);

    let errors: FieldErrors = block_on(value.async_drop()).unwrap_err();

    let text = errors.to_string();
    assert!(
        text.starts_with(r#"2 of 3 cleanups failed: "ada" ("#),
        "{text}"
    );
    assert!(text.contains(r#": the line is dead; "cyd" ("#), "{text}");
    assert!(text.ends_with(": the line is dead"), "{text}");
    assert!(value.is_dropped());
    assert!(diary.entries().contains(&"bob cleanup ends".to_owned()));
}

#[test]
fn dv4_the_errors_come_in_the_order_of_the_cleanups() {
    let diary = Diary::default();
    let all = || ["ada", "bob", "cyd"].map(|user| failing(user, &diary));

    let declared = block_on(Declared::of(all()).async_drop());
    let reversed = block_on(Reversed::of(all()).async_drop());
    // The last one is done first.
    let [ada, bob, cyd] = all();
    let mut concurrent = Concurrent::of([ada.waiting(2), bob.waiting(1), cyd]);
    let concurrent = block_on(concurrent.async_drop());

    assert_eq!(names_of(declared.unwrap_err()), ["ada", "bob", "cyd"]);
    assert_eq!(names_of(reversed.unwrap_err()), ["cyd", "bob", "ada"]);
    assert_eq!(names_of(concurrent.unwrap_err()), ["ada", "bob", "cyd"]);
}

#[test]
fn dv4_errors_of_different_types_are_kept_as_they_are() {
    #[derive(Debug, AsyncDrop)]
    struct Mixed {
        session: AsyncDropGuard<Session>,
        counter: AsyncDropGuard<Counter>,
    }

    let diary = Diary::default();
    let mut mixed = AsyncDropGuard::new(Mixed {
        session: guard(failing("ada", &diary)),
        counter: AsyncDropGuard::new(Counter("seven")),
    });

    let errors = block_on(mixed.async_drop()).unwrap_err();

    let expected = "seven".parse::<u32>().unwrap_err();
    let mut errors = errors.into_iter();
    let (name, error) = errors.next().unwrap();
    assert_eq!(
        (name.name(), error.to_string()),
        (Some("session"), "the line is dead".into())
    );
    let (name, error) = errors.next().unwrap();
    assert_eq!(name.name(), Some("counter"));
    assert_eq!(error.downcast_ref(), Some(&expected));
    let error = error.downcast::<fmt::Error>().unwrap_err();
    assert_eq!(error.downcast::<ParseIntError>().unwrap(), expected);
}

#[test]
fn dv4_an_error_with_the_name_of_its_field_looks_like_the_error_itself() {
    #[derive(Debug)]
    struct Outer(io::Error);

    impl Display for Outer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.pad("outer")
        }
    }

    impl Error for Outer {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&self.0)
        }
    }

    #[derive(Debug)]
    struct File;

    #[async_trait]
    impl AsyncDrop for File {
        type Error = Outer;

        async fn async_drop_impl(&mut self) -> Result<(), Outer> {
            Err(Outer(io::Error::other("the disk is full")))
        }
    }

    #[derive(Debug, AsyncDrop)]
    struct Store {
        file: AsyncDropGuard<File>,
    }

    let file = AsyncDropGuard::new(File);
    let errors = block_on(AsyncDropGuard::new(Store { file }).async_drop()).unwrap_err();
    let (_, error) = errors.iter().next().unwrap();
    let itself = error.downcast_ref::<Outer>().unwrap();

    assert_eq!(itself.0.to_string(), "the disk is full");
    // Its text has the sources, so it has none of its own.
    assert_eq!(error.to_string(), "outer: the disk is full");
    assert_eq!(format!("{error:?}"), "outer: the disk is full");
    assert!(error.source().is_none());

    let text = errors.to_string();
    assert!(text.ends_with(": outer: the disk is full"), "{text}");
    assert_eq!(format!("{:#}", anyhow::Error::from(errors)), text);
}

#[test]
fn dv4_types_that_derive_it_can_be_fields_of_each_other() {
    #[derive(Debug, AsyncDrop)]
    struct Program {
        first: AsyncDropGuard<Declared>,
        second: AsyncDropGuard<Reversed>,
    }

    let diary = Diary::default();
    let [ada, bob, _] = three(&diary);
    let mut program = AsyncDropGuard::new(Program {
        first: Declared::of([ada, bob, failing("cyd", &diary)]),
        second: Reversed::of(three(&diary)),
    });

    let errors = block_on(program.async_drop()).unwrap_err();

    let text = errors.to_string();
    assert!(
        text.starts_with(
            r#"1 of 2 cleanups failed: "first" (library::derive::Declared), created at "#
        ),
        "{text}"
    );
    assert!(
        text.contains(
            r#": 1 of 3 cleanups failed: "cyd" (library::support::session::Session), created at "#
        ),
        "{text}"
    );
    assert!(text.ends_with(": the line is dead"), "{text}");
}

// DV5

#[test]
fn dv5_a_panic_goes_on_after_the_rest_are_done() {
    let diary = Diary::default();
    let done = |value: &dyn Fn([Session; 3]) -> Box<dyn FnOnce()>| {
        let [_, bob, cyd] = three(&diary);
        let (message, incidents) = record(|| {
            let end = value([panicking("ada", &diary), bob.waiting(1), cyd]);
            message_of_panic(end)
        });
        assert_eq!(message, "the line exploded");
        let entries = diary.entries();
        for entry in ["bob cleanup ends", "cyd cleanup ends"] {
            assert!(entries.contains(&entry.to_owned()), "{entries:?}");
        }
        // The value around them, and the one whose cleanup panicked.
        let kinds: Vec<_> = incidents.iter().map(|it| it.kind).collect();
        assert_eq!(kinds, [IncidentKind::Interrupted; 2]);
        assert!(incidents[1].type_name.ends_with("Session"));
    };

    done(&|sessions| {
        let mut value = Declared::of(sessions);
        Box::new(move || block_on(value.async_drop()).unwrap())
    });
    done(&|sessions| {
        let mut value = Reversed::of(sessions);
        Box::new(move || block_on(value.async_drop()).unwrap())
    });
    done(&|sessions| {
        let mut value = Concurrent::of(sessions);
        Box::new(move || block_on(value.async_drop()).unwrap())
    });
}

#[test]
fn dv5_of_two_panics_the_first_goes_on() {
    let diary = Diary::default();
    let [ada, _, _] = three(&diary);
    let first = Session::of("bob", &diary).ending(Ending::Panics("first"));
    let second = Session::of("cyd", &diary).ending(Ending::Panics("second"));

    let (message, _) = record(|| {
        let mut value = Declared::of([ada, first, second]);
        message_of_panic(|| block_on(value.async_drop()))
    });

    assert_eq!(message, "first");
}

#[test]
fn dv5_whoever_catches_the_panic_can_call_again_and_gets_the_errors() {
    let diary = Diary::default();
    let [_, _, cyd] = three(&diary);

    let (result, incidents) = record(|| {
        let mut value = Declared::of([failing("ada", &diary), panicking("bob", &diary), cyd]);
        let panicked = catch_unwind(AssertUnwindSafe(|| block_on(value.async_drop())));
        assert!(panicked.is_err());
        value.bob.ending = Ending::Well;
        block_on(value.async_drop())
    });

    assert_eq!(names_of(result.unwrap_err()), ["ada"]);
    assert_eq!(incidents, []);
    let begun = |user| {
        let entry = format!("{user} cleanup begins");
        diary.entries().iter().filter(|it| **it == entry).count()
    };
    assert_eq!((begun("ada"), begun("bob"), begun("cyd")), (1, 2, 1));
}

// DV6

#[test]
fn dv6_an_interrupted_cleanup_goes_on_with_what_is_left() {
    let diary = Diary::default();
    let [ada, bob, cyd] = three(&diary);
    let mut value = Declared::of([ada, bob.waiting(1), cyd]);

    abandon_after(1, value.async_drop());
    assert!(value.ada.is_dropped() && !value.bob.is_dropped());
    block_on(value.async_drop()).unwrap();

    diary.assert_reads(&[
        "ada cleanup begins",
        "ada cleanup ends",
        "ada dropped",
        "bob cleanup begins",
        "bob cleanup begins",
        "bob cleanup ends",
        "bob dropped",
        "cyd cleanup begins",
        "cyd cleanup ends",
        "cyd dropped",
    ]);
}

#[test]
fn dv6_errors_gathered_before_an_interruption_are_still_returned() {
    let diary = Diary::default();
    let (errors, incidents) = record(|| {
        let [_, bob, _] = three(&diary);
        let [ada, cyd] = ["ada", "cyd"].map(|user| failing(user, &diary));
        let mut value = Declared::of([ada, bob.waiting(1), cyd]);
        abandon_after(1, value.async_drop());
        block_on(value.async_drop()).unwrap_err()
    });

    assert_eq!((errors.len(), errors.total()), (2, 3));
    assert_eq!(names_of(errors), ["ada", "cyd"]);
    assert_eq!(incidents, []);
}

#[test]
fn dv6_an_error_that_waits_in_a_field_moves_with_the_value() {
    let diary = Diary::default();
    let [_, bob, cyd] = three(&diary);
    let mut value = Declared::of([failing("ada", &diary), bob.waiting(1), cyd]);
    abandon_after(1, value.async_drop());

    let mut boxed = value.into_box();
    let errors = block_on(boxed.async_drop()).unwrap_err();

    assert_eq!(names_of(errors), ["ada"]);
}

// DV7

#[test]
fn dv7_errors_gathered_before_an_interruption_are_reported_when_nobody_calls_again() {
    let diary = Diary::default();
    let line = line!() + 1;
    let ada = guard(failing("ada", &diary));
    let [_, bob, cyd] = three(&diary);

    let ((), incidents) = record(|| {
        let mut value = AsyncDropGuard::new(Declared {
            ada,
            bob: guard(bob.waiting(1)),
            cyd: guard(cyd),
        });
        abandon_after(1, value.async_drop());
    });

    let kinds: Vec<_> = incidents.iter().map(|it| it.kind).collect();
    assert_eq!(
        kinds,
        [
            // The whole, then its fields in order.
            IncidentKind::Interrupted,
            IncidentKind::Suppressed,
            IncidentKind::Interrupted,
            IncidentKind::Forgotten,
        ]
    );
    let suppressed = &incidents[1];
    assert!(suppressed.type_name.ends_with("Session"));
    let place = place!(line, 15);
    assert_eq!(suppressed.location, place);
    assert!(
        suppressed.message.contains(r#""the line is dead""#),
        "{suppressed:?}"
    );
}

#[test]
fn dv7_an_error_that_waits_in_a_field_is_reported_when_the_field_is_replaced() {
    let diary = Diary::default();
    let [_, bob, cyd] = three(&diary);
    let (result, incidents) = record(|| {
        let mut value = Declared::of([failing("ada", &diary), bob.waiting(1), cyd]);
        abandon_after(1, value.async_drop());
        value.ada = guard(Session::of("ada again", &diary));
        block_on(value.async_drop())
    });

    assert!(result.is_ok());
    let kinds: Vec<_> = incidents.iter().map(|it| it.kind).collect();
    assert_eq!(kinds, [IncidentKind::Suppressed]);
}

#[test]
fn dv7_by_default_the_program_says_which_error_was_lost() {
    fn interrupt() {
        let diary = Diary::default();
        let [_, bob, cyd] = three(&diary);
        let mut value = Declared::of([failing("ada", &diary), bob.waiting(1), cyd]);
        abandon_after(1, value.async_drop());
    }

    let outcome = run_in_new_process(
        test_path!("dv7_by_default_the_program_says_which_error_was_lost"),
        interrupt,
    );

    assert!(outcome.lived_on);
    let lines: Vec<_> = outcome.stderr.lines().collect();
    assert!(
        lines[1].starts_with("async_drop on Declared {"),
        "{lines:#?}"
    );
    assert!(
        lines[2].starts_with(
            r#"Suppressed an error of library::support::session::Session: "the line is dead", "#
        ),
        "{lines:#?}"
    );
}

// DV8

#[test]
fn dv8_the_first_error_is_returned_as_it_is_and_the_others_are_reported() {
    let diary = Diary::default();
    let fails = |user, why| Session::of(user, &diary).ending(Ending::Fails(why));
    let (result, incidents): (Result<(), String>, _) = record(|| {
        let sessions = [
            fails("ada", "one"),
            fails("bob", "two"),
            fails("cyd", "three"),
        ];
        block_on(FirstError::of(sessions).async_drop())
    });

    assert_eq!(result, Err("one".into()));
    let messages: Vec<_> = incidents.iter().map(|it| &it.message[..]).collect();
    assert_eq!(messages.len(), 2);
    assert!(
        messages[0]
            .starts_with(r#"Suppressed an error of library::support::session::Session: "two", "#)
    );
    assert!(
        messages[1]
            .starts_with(r#"Suppressed an error of library::support::session::Session: "three", "#)
    );
}

#[test]
fn dv8_with_reverse_the_first_error_is_that_of_the_last_field() {
    let diary = Diary::default();
    let fails = |user, why| Session::of(user, &diary).ending(Ending::Fails(why));
    let (result, incidents) = record(|| {
        let sessions = [
            fails("ada", "one"),
            fails("bob", "two"),
            Session::of("cyd", &diary),
        ];
        block_on(LastError::of(sessions).async_drop())
    });

    assert_eq!(result, Err(Alarm::Session("two".into())));
    assert_eq!(incidents.len(), 1);
    assert!(incidents[0].message.contains(r#""one""#));
}

#[test]
fn dv8_with_concurrent_the_first_error_is_that_of_the_first_field_whichever_failed_first() {
    let diary = Diary::default();
    let fails = |user, why| Session::of(user, &diary).ending(Ending::Fails(why));
    let (result, incidents) = record(|| {
        let sessions = [
            fails("ada", "one").waiting(2),
            fails("bob", "two"),
            Session::of("cyd", &diary),
        ];
        block_on(FirstDeclared::of(sessions).async_drop())
    });

    assert_eq!(result, Err("one".to_owned()));
    assert_eq!(incidents.len(), 1);
    assert!(incidents[0].message.contains(r#""two""#));
}

#[test]
fn dv8_each_error_is_converted_with_from() {
    #[derive(Debug, AsyncDrop)]
    #[async_drop(error = "Alarm")]
    struct Mixed {
        session: AsyncDropGuard<Session>,
        counter: AsyncDropGuard<Counter>,
    }

    let diary = Diary::default();
    let end = |session, counter| {
        let mut mixed = AsyncDropGuard::new(Mixed {
            session: guard(session),
            counter: AsyncDropGuard::new(Counter(counter)),
        });
        block_on(mixed.async_drop())
    };

    let expected = Alarm::Session("the line is dead".into());
    assert_eq!(end(failing("ada", &diary), "7"), Err(expected));
    let expected = Alarm::Number("seven".parse::<u32>().unwrap_err());
    assert_eq!(end(Session::of("ada", &diary), "seven"), Err(expected));
    assert_eq!(end(Session::of("ada", &diary), "7"), Ok(()));
}

#[test]
fn dv8_an_error_gathered_before_an_interruption_is_still_the_first() {
    let diary = Diary::default();
    let fails = |user, why| Session::of(user, &diary).ending(Ending::Fails(why));
    let (result, incidents) = record(|| {
        let [one, two] = [fails("ada", "one"), fails("bob", "two").waiting(1)];
        let mut value = FirstError::of([one, two, Session::of("cyd", &diary)]);
        abandon_after(1, value.async_drop());
        block_on(value.async_drop())
    });

    assert_eq!(result, Err("one".into()));
    assert_eq!(incidents.len(), 1);
    assert!(incidents[0].message.contains(r#""two""#));
}

#[test]
fn dv8_no_error_is_lost_to_a_hook_that_panics() {
    fn program() {
        incident::set_hook(Box::new(|incident| {
            let message = incident.to_string();
            eprintln!("reported {}", message.split(", ").next().unwrap());
            if !std::thread::panicking() {
                panic!("the hook panics");
            }
        }));
        let diary = Diary::default();
        let fails = |user, why| Session::of(user, &diary).ending(Ending::Fails(why));
        let mut value = FirstError::of([
            fails("ada", "one"),
            fails("bob", "two"),
            fails("cyd", "three"),
        ]);
        let panicked = catch_unwind(AssertUnwindSafe(|| block_on(value.async_drop())));
        assert!(panicked.is_err());
        eprintln!("returned {:?}", block_on(value.async_drop()));
    }

    let outcome = run_in_new_process(
        test_path!("dv8_no_error_is_lost_to_a_hook_that_panics"),
        program,
    );

    assert!(outcome.lived_on);
    assert_eq!(
        outcome.stderr.lines().collect::<Vec<_>>(),
        [
            r#"reported Suppressed an error of library::support::session::Session: "two""#,
            "thread 'program' panicked at tests/derive.rs",
            "the hook panics",
            r#"reported Suppressed an error of library::support::session::Session: "one""#,
            r#"returned Err("three")"#,
        ]
    );
}

// DV9

type Connected = AsyncDropGuard<Session>;

#[allow(
    unused_qualifications,
    unused_parens,
    reason = "there are many ways to write a type"
)]
#[derive(Debug, AsyncDrop)]
struct Places {
    plain: AsyncDropGuard<Session>,
    path: asyncdrop::AsyncDropGuard<crate::support::Session>,
    absent: Option<AsyncDropGuard<Session>>,
    present: Option<AsyncDropGuard<Session>>,
    many: Vec<AsyncDropGuard<Session>>,
    boxed: Box<AsyncDropGuard<Session>>,
    nested: std::vec::Vec<Option<std::boxed::Box<AsyncDropGuard<Session>>>>,
    #[rustfmt::skip]
    parentheses: (AsyncDropGuard<Session>),
    #[async_drop(guard)]
    alias: Connected,
    #[async_drop(skip)]
    skipped: AsyncDropGuard<Session>,
    #[async_drop(skip)]
    #[allow(dead_code, reason = "it only has to be there")]
    out_of_reach: PhantomData<AsyncDropGuard<Session>>,
    #[async_drop(skip)]
    #[allow(dead_code, reason = "it only has to be there")]
    no_guard: u8,
}

#[test]
fn dv9_guards_are_found_where_their_type_is_written() {
    let diary = Diary::default();
    let session = |user| guard(failing(user, &diary));
    let mut places = Places {
        plain: session("plain"),
        path: session("path"),
        absent: None,
        present: Some(session("present")),
        many: vec![session("many 1"), session("many 2")],
        boxed: Box::new(session("boxed")),
        nested: vec![None, Some(Box::new(session("nested")))],
        parentheses: session("parentheses"),
        alias: session("alias"),
        skipped: session("skipped"),
        out_of_reach: PhantomData,
        no_guard: 7,
    };

    let errors = block_on(places.async_drop_impl()).unwrap_err();

    assert_eq!(errors.total(), 9);
    assert_eq!(
        names_of(errors),
        [
            "plain",
            "path",
            "present",
            "many",
            "many",
            "boxed",
            "nested",
            "parentheses",
            "alias"
        ]
    );
    // What is left alone is still armed.
    assert!(!places.skipped.is_dropped());
    assert!(block_on(places.skipped.async_drop()).is_err());
}

#[test]
fn dv9_a_guard_behind_an_alias_that_is_not_marked_is_missed_and_says_so() {
    #[derive(Debug, AsyncDrop)]
    struct Client {
        seen: AsyncDropGuard<Session>,
        #[allow(dead_code, reason = "nobody ends it")]
        unseen: Connected,
    }

    let diary = Diary::default();
    let ((), incidents) = record(|| {
        let mut client = AsyncDropGuard::new(Client {
            seen: guard(Session::of("ada", &diary)),
            unseen: guard(Session::of("bob", &diary)),
        });
        block_on(client.async_drop()).unwrap();
        assert!(client.is_dropped());
    });

    let kinds: Vec<_> = incidents.iter().map(|it| it.kind).collect();
    assert_eq!(kinds, [IncidentKind::Forgotten]);
    assert!(incidents[0].message.contains(r#"Session("bob")"#));
}

#[test]
fn dv9_a_guard_of_a_trait_object_is_a_guard() {
    #[derive(Debug, AsyncDrop)]
    struct Client {
        transport: AsyncDropGuard<Box<dyn AsyncDrop<Error = String> + Send>>,
    }

    let diary = Diary::default();
    let transport = guard(failing("ada", &diary)).into_box();
    let transport = transport.map_unsafe(|it| it as _);
    let errors = block_on(AsyncDropGuard::new(Client { transport }).async_drop()).unwrap_err();
    assert_eq!(names_of(errors), ["transport"]);
}

#[test]
fn dv9_with_reverse_a_vec_is_cleaned_up_from_its_end() {
    #[derive(Debug, AsyncDrop)]
    #[async_drop(reverse)]
    struct Stack {
        bottom: AsyncDropGuard<Session>,
        rest: Vec<AsyncDropGuard<Session>>,
    }

    let diary = Diary::default();
    let session = |user| guard(Session::of(user, &diary));
    let mut stack = AsyncDropGuard::new(Stack {
        bottom: session("one"),
        rest: vec![session("two"), session("three")],
    });

    block_on(stack.async_drop()).unwrap();

    let entries = diary.entries();
    let begun: Vec<_> = entries
        .iter()
        .filter_map(|entry| entry.strip_suffix(" cleanup begins"))
        .collect();
    assert_eq!(begun, ["three", "two", "one"]);
}

#[test]
fn dv9_without_any_guard_at_run_time_there_is_nothing_to_do() {
    #[derive(Debug, AsyncDrop)]
    struct Client {
        session: Option<AsyncDropGuard<Session>>,
    }

    let mut client = AsyncDropGuard::new(Client { session: None });
    assert!(block_on(client.async_drop()).is_ok());
}

// DV10

#[test]
fn dv10_tuple_structs_name_their_fields_by_number() {
    #[derive(Debug, AsyncDrop)]
    struct Pair(
        #[allow(dead_code, reason = "it only has to be there")] u8,
        AsyncDropGuard<Session>,
        AsyncDropGuard<Session>,
    );

    let diary = Diary::default();
    let [first, second] = ["ada", "bob"].map(|user| guard(failing(user, &diary)));
    let mut pair = AsyncDropGuard::new(Pair(7, first, second));

    let errors = block_on(pair.async_drop()).unwrap_err();
    assert_eq!(names_of(errors), ["1", "2"]);
}

#[allow(dead_code, reason = "some fields only have to be there")]
#[derive(Debug, AsyncDrop)]
enum Phase {
    Idle,
    Connecting(u8, AsyncDropGuard<Session>),
    Connected {
        r#in: AsyncDropGuard<Session>,
        since: u8,
        out: Option<AsyncDropGuard<Session>>,
    },
    Closed {
        code: u8,
    },
}

#[test]
fn dv10_of_an_enum_the_current_variant_is_cleaned_up() {
    let diary = Diary::default();
    let session = |user| guard(failing(user, &diary));
    let names = |phase: Phase| {
        let result = block_on(AsyncDropGuard::new(phase).async_drop());
        result.err().map(names_of).unwrap_or_default()
    };

    assert_eq!(names(Phase::Idle), [""; 0]);
    assert_eq!(names(Phase::Closed { code: 1 }), [""; 0]);
    assert_eq!(
        names(Phase::Connecting(1, session("ada"))),
        ["Connecting.1"]
    );
    let connected = Phase::Connected {
        r#in: session("bob"),
        since: 2,
        out: Some(session("cyd")),
    };
    assert_eq!(names(connected), ["Connected.in", "Connected.out"]);
}

/// The parameters stand in guards, in helpers that need more of them, and beside the guards.
#[derive(Debug, AsyncDrop)]
struct Everything<'a, T, S, N, const WIDTH: usize = 2>
where
    T: Debug + AsyncDrop,
    S: Debug + AsyncDrop,
    N: Debug,
{
    name: &'a str,
    one: AsyncDropGuard<T>,
    shared: AsyncDropGuard<AsyncDropArc<S>>,
    map: Option<AsyncDropGuard<AsyncDropHashMap<&'static str, Counter>>>,
    numbers: [N; WIDTH],
}

#[test]
fn dv10_generic_types_ask_of_their_parameters_what_their_guards_need() {
    /// It is neither `Send` nor cleaned up.
    type Note = Rc<Cell<u8>>;

    async fn end<S>(name: &str, session: Session, shared: S) -> FieldErrors
    where
        S: AsyncDrop<Error: Error + Send + Sync + 'static> + Debug + Send + Sync,
    {
        let shared = AsyncDropGuard::new(shared);
        let mut everything = AsyncDropGuard::new(Everything::<_, _, Note> {
            name,
            one: guard(session),
            shared: AsyncDropArc::new(shared),
            map: None,
            numbers: [Note::default(), Note::default()],
        });
        assert_eq!((everything.name, everything.numbers.len()), (name, 2));
        assert!(everything.map.is_none());
        everything.async_drop().await.unwrap_err()
    }

    let diary = Diary::default();
    let name = String::from("everything");
    let errors = block_on(end(&name, failing("ada", &diary), Counter("seven")));
    assert_eq!(names_of(errors), ["one", "shared"]);
}

#[test]
fn dv10_a_generic_guard_and_a_generic_error() {
    #[derive(Debug, AsyncDrop)]
    #[async_drop(error = "E", concurrent)]
    enum Either<G, T: AsyncDrop + Debug, E>
    where
        E: Debug,
    {
        Marked(#[async_drop(guard)] G),
        Written(AsyncDropGuard<T>),
        #[allow(dead_code, reason = "it only has to be there")]
        Neither(PhantomData<fn() -> E>),
    }

    let diary = Diary::default();
    type Ended<E> = Either<AsyncDropGuard<Session>, Counter, E>;
    let mut marked = AsyncDropGuard::new(Ended::<Alarm>::Marked(guard(failing("ada", &diary))));
    let result = block_on(marked.async_drop());
    assert_eq!(result, Err(Alarm::Session("the line is dead".into())));
    let counter = AsyncDropGuard::new(Counter("seven"));
    let mut written = AsyncDropGuard::new(Ended::<Alarm>::Written(counter));
    assert!(matches!(
        block_on(written.async_drop()),
        Err(Alarm::Number(_))
    ));
}

#[test]
fn dv10_a_type_can_hold_itself() {
    #[derive(Debug, AsyncDrop)]
    #[async_drop(error = "String")]
    struct Plain {
        session: AsyncDropGuard<Session>,
        next: Option<Box<AsyncDropGuard<Plain>>>,
    }

    #[derive(Debug, AsyncDrop)]
    struct Generic<T: AsyncDrop + Debug + Send> {
        own: AsyncDropGuard<T>,
        children: Vec<AsyncDropGuard<Generic<T>>>,
    }

    let diary = Diary::default();
    let last = AsyncDropGuard::new(Plain {
        session: guard(failing("bob", &diary)),
        next: None,
    });
    let mut first = AsyncDropGuard::new(Plain {
        session: guard(Session::of("ada", &diary)),
        next: Some(Box::new(last)),
    });
    assert_eq!(block_on(first.async_drop()), Err("the line is dead".into()));

    let leaf = |number| {
        AsyncDropGuard::new(Generic {
            own: AsyncDropGuard::new(Counter(number)),
            children: Vec::new(),
        })
    };
    let mut root = leaf("1");
    root.children = vec![leaf("2"), leaf("three")];
    let errors = block_on(root.async_drop()).unwrap_err();
    let text = errors.to_string();
    assert!(
        text.starts_with(r#"1 of 3 cleanups failed: "children" ("#),
        "{text}"
    );
    assert!(
        text.contains(r#": 1 of 1 cleanups failed: "own" (library::derive::Counter), created at "#),
        "{text}"
    );
    assert!(text.ends_with(": invalid digit found in string"), "{text}");
}

#[test]
fn dv10_private_types_in_public_ones_and_deprecated_types_are_no_warnings() {
    mod inner {
        #![deny(warnings)]

        use super::{AsyncDrop, AsyncDropGuard, Debug, Session, async_trait};

        #[derive(Debug)]
        struct Private<T>(T);

        #[async_trait]
        impl<T: Send> AsyncDrop for Private<T> {
            type Error = String;

            async fn async_drop_impl(&mut self) -> Result<(), String> {
                Ok(())
            }
        }

        #[derive(Debug, AsyncDrop)]
        pub(super) struct Public<T: Debug + Send> {
            private: AsyncDropGuard<Private<T>>,
            pub(super) session: Option<AsyncDropGuard<Session>>,
        }

        #[deprecated]
        #[derive(Debug, AsyncDrop)]
        pub(super) enum Old {
            #[deprecated]
            Session(#[deprecated] AsyncDropGuard<Session>),
        }

        pub(super) fn public(value: u8) -> AsyncDropGuard<Public<u8>> {
            let private = AsyncDropGuard::new(Private(value));
            assert_eq!(private.0, 7);
            let session = None;
            AsyncDropGuard::new(Public { private, session })
        }
    }

    let mut public = inner::public(7);
    assert!(public.session.is_none());
    block_on(public.async_drop()).unwrap();
    #[allow(deprecated, reason = "it is what is tested")]
    let mut old = AsyncDropGuard::new(inner::Old::Session(guard(Session::of(
        "ada",
        &Diary::default(),
    ))));
    block_on(old.async_drop()).unwrap();
}

#[test]
fn dv10_a_type_made_by_another_macro() {
    macro_rules! pool {
        ($name:ident, $guard:ty, $inner:ty) => {
            #[derive(Debug, AsyncDrop)]
            struct $name {
                one: $guard,
                more: Vec<$guard>,
                other: AsyncDropGuard<$inner>,
            }
        };
    }
    pool!(Pool, AsyncDropGuard<Session>, Session);

    let diary = Diary::default();
    let session = |user| guard(failing(user, &diary));
    let mut pool = AsyncDropGuard::new(Pool {
        one: session("ada"),
        more: vec![session("bob")],
        other: session("cyd"),
    });
    let errors = block_on(pool.async_drop()).unwrap_err();
    assert_eq!(names_of(errors), ["one", "more", "other"]);
}

#[test]
fn dv10_a_type_can_hold_one_of_the_same_name_from_another_module() {
    mod inner {
        use super::{AsyncDrop, Debug, Session, async_trait};

        #[derive(Debug)]
        pub(super) struct Pool<T>(pub(super) T, pub(super) Session);

        #[async_trait]
        impl<T: Send + Debug> AsyncDrop for Pool<T> {
            type Error = String;

            async fn async_drop_impl(&mut self) -> Result<(), String> {
                self.1.async_drop_impl().await
            }
        }
    }

    // Without a bound for the field, `T` would not be known to be `Send`.
    #[derive(Debug, AsyncDrop)]
    struct Pool<T: Debug> {
        inner: AsyncDropGuard<inner::Pool<T>>,
    }

    let diary = Diary::default();
    let inner = AsyncDropGuard::new(inner::Pool(7, failing("ada", &diary)));
    assert_eq!(inner.0, 7);
    let errors = block_on(AsyncDropGuard::new(Pool { inner }).async_drop()).unwrap_err();
    assert_eq!(names_of(errors), ["inner"]);
}

#[test]
fn dv10_a_path_that_ends_like_a_parameter_does_not_name_it() {
    mod session {
        pub(super) type T = super::Session;
    }

    // A bound for `path` would have no parameter in it, which is a warning.
    #[deny(warnings)]
    #[derive(Debug, AsyncDrop)]
    struct Client<T: AsyncDrop + Debug + Send> {
        parameter: AsyncDropGuard<T>,
        path: AsyncDropGuard<session::T>,
    }

    let diary = Diary::default();
    let client = Client {
        parameter: AsyncDropGuard::new(Counter("seven")),
        path: guard(failing("ada", &diary)),
    };
    let errors = block_on(AsyncDropGuard::new(client).async_drop()).unwrap_err();
    assert_eq!(names_of(errors), ["parameter", "path"]);
}

#[test]
fn dv10_a_type_can_hold_itself_under_each_of_its_names() {
    #[derive(Debug, AsyncDrop)]
    struct Tree<T: AsyncDrop + Debug + Send> {
        own: AsyncDropGuard<T>,
        #[allow(clippy::use_self, reason = "it is what is tested")]
        named: Vec<AsyncDropGuard<Tree<T>>>,
        itself: Vec<AsyncDropGuard<Self>>,
        in_another: Vec<AsyncDropGuard<Pair<Self, T>>>,
    }

    #[derive(Debug, AsyncDrop)]
    struct Pair<A: Debug, B: Debug> {
        one: AsyncDropGuard<A>,
        other: AsyncDropGuard<B>,
    }

    fn leaf(number: &'static str) -> AsyncDropGuard<Tree<Counter>> {
        AsyncDropGuard::new(Tree {
            own: AsyncDropGuard::new(Counter(number)),
            named: Vec::new(),
            itself: Vec::new(),
            in_another: Vec::new(),
        })
    }

    let mut root = leaf("1");
    root.named.push(leaf("two"));
    root.itself.push(leaf("4"));
    let one = leaf("five");
    let other = AsyncDropGuard::new(Counter("6"));
    root.in_another
        .push(AsyncDropGuard::new(Pair { one, other }));

    let errors = block_on(root.async_drop()).unwrap_err();
    assert_eq!(names_of(errors), ["named", "in_another"]);
}

/// With `Folder<T>` in its place, each would need a bound on the other. A trait object names no parameter.
#[test]
fn dv10_two_generic_types_can_hold_each_other_if_one_hides_its_parameter() {
    #[derive(Debug, AsyncDrop)]
    struct Folder<T: AsyncDrop + Debug + Send> {
        own: AsyncDropGuard<T>,
        entries: Vec<AsyncDropGuard<Entry<T>>>,
    }

    #[derive(Debug, AsyncDrop)]
    struct Entry<T: AsyncDrop + Debug + Send> {
        own: AsyncDropGuard<T>,
        folder: Option<AsyncDropGuard<Box<dyn AsyncDrop<Error = CleanupErrors> + Send>>>,
    }

    let counter = |text| AsyncDropGuard::new(Counter(text));
    let folder = AsyncDropGuard::new(Folder {
        own: counter("one"),
        entries: Vec::new(),
    });
    let entry = AsyncDropGuard::new(Entry {
        own: counter("2"),
        folder: Some(folder.into_box().map_unsafe(|it| it as _)),
    });
    let mut root = AsyncDropGuard::new(Folder {
        own: counter("3"),
        entries: vec![entry],
    });

    let text = block_on(root.async_drop()).unwrap_err().to_string();
    let names = ["entries", "folder", "own"];
    let places: Vec<_> = names
        .iter()
        .map(|name| text.find(&format!("{name:?}")))
        .collect();
    assert!(places.is_sorted() && places[0].is_some(), "{text}");
}

#[test]
fn dv10_the_names_inside_the_macro_do_not_meet_those_of_the_user() {
    #![allow(
        non_upper_case_globals,
        dead_code,
        reason = "they only have to be there"
    )]

    mod of_a_module {
        use super::{AsyncDrop, AsyncDropGuard, Session};

        static guards: u8 = 1;
        static field_0: u8 = 1;
        const field_1: u8 = 1;
        const this: u8 = 1;

        #[derive(Debug, AsyncDrop)]
        pub(super) struct Client {
            pub(super) session: AsyncDropGuard<Session>,
            pub(super) other: AsyncDropGuard<Session>,
        }

        /// An `Error` here must not be taken for that of the trait.
        #[derive(Debug, AsyncDrop)]
        pub(super) enum Phase {
            Error(AsyncDropGuard<Session>, AsyncDropGuard<Session>),
            Item,
            Output,
        }
    }

    #[derive(Debug, AsyncDrop)]
    struct Lines<'async_drop_self, 'async_drop_future, const guards: usize, const field_0: usize> {
        session: AsyncDropGuard<Session>,
        lines: [&'async_drop_self str; guards],
        more: [&'async_drop_future str; field_0],
    }

    #[derive(Debug, AsyncDrop)]
    enum Line<'a, const field_0: usize> {
        One(AsyncDropGuard<Session>, &'a str),
        Many([&'a str; field_0]),
    }

    let diary = Diary::default();
    let session = |user| guard(failing(user, &diary));
    let ended = |names: Result<(), FieldErrors>| names_of(names.unwrap_err());

    let (ada, bob) = (session("ada"), session("bob"));
    let mut client = AsyncDropGuard::new(of_a_module::Client {
        session: ada,
        other: bob,
    });
    assert_eq!(ended(block_on(client.async_drop())), ["session", "other"]);

    let phase = of_a_module::Phase::Error(session("ada"), session("bob"));
    let mut phase = AsyncDropGuard::new(phase);
    assert_eq!(ended(block_on(phase.async_drop())), ["Error.0", "Error.1"]);

    let mut lines = AsyncDropGuard::new(Lines {
        session: session("ada"),
        lines: ["one"],
        more: ["two", "three"],
    });
    assert_eq!(ended(block_on(lines.async_drop())), ["session"]);
    let mut line = AsyncDropGuard::new(Line::<0>::One(session("ada"), "one"));
    assert_eq!(ended(block_on(line.async_drop())), ["One.0"]);
}

/// Each level of a cleanup needs some stack, of which a thread has 2 MiB. The book says how many levels that is.
#[test]
fn dv10_five_hundred_values_can_hold_one_another() {
    #[derive(Debug, AsyncDrop)]
    struct Node {
        next: Option<Box<AsyncDropGuard<Node>>>,
    }

    fn program() {
        let mut first = AsyncDropGuard::new(Node { next: None });
        for _ in 1..500 {
            let next = Some(Box::new(first));
            first = AsyncDropGuard::new(Node { next });
        }
        block_on(first.async_drop()).unwrap();
    }

    let outcome = run_in_new_process(
        test_path!("dv10_five_hundred_values_can_hold_one_another"),
        program,
    );
    assert!(outcome.lived_on, "{}", outcome.stderr);
    assert_eq!(outcome.stderr, "");
}

// DV11

#[test]
fn dv11_only_the_guards_must_be_send() {
    #[derive(Debug, AsyncDrop)]
    struct Local {
        session: AsyncDropGuard<Session>,
        counter: Rc<Cell<u8>>,
    }

    #[derive(Debug, AsyncDrop)]
    struct Everywhere {
        session: AsyncDropGuard<Session>,
    }

    assert_not_impl_any!(AsyncDropGuard<Local>: Send, Sync);
    assert_impl_all!(AsyncDropGuard<Local>: Unpin);
    assert_impl_all!(
        AsyncDropGuard<Everywhere>: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe
    );
    assert_impl_all!(FieldErrors: Send, Sync, Unpin);

    fn assert_send<T: Send>(value: T) -> T {
        value
    }
    let diary = Diary::default();
    let session = || guard(Session::of("ada", &diary));
    let mut everywhere = AsyncDropGuard::new(Everywhere { session: session() });
    block_on(assert_send(everywhere.async_drop())).unwrap();

    let mut local = Local {
        session: session(),
        counter: Rc::default(),
    };
    // The future holds nothing of `Local` but the guard.
    block_on(assert_send(local.async_drop_impl())).unwrap();
    local.counter.set(1);
}

#[test]
fn dv11_an_error_that_is_not_sync_leaves_the_guard_as_it_is() {
    #[derive(Debug)]
    struct SendOnly;

    #[async_trait]
    impl AsyncDrop for SendOnly {
        type Error = Cell<u8>;

        async fn async_drop_impl(&mut self) -> Result<(), Cell<u8>> {
            Err(Cell::new(7))
        }
    }

    #[derive(Debug, AsyncDrop)]
    #[async_drop(error = "Cell<u8>")]
    struct Outer {
        inner: AsyncDropGuard<SendOnly>,
    }

    assert_impl_all!(AsyncDropGuard<Outer>: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe);
    let inner = AsyncDropGuard::new(SendOnly);
    let mut outer = AsyncDropGuard::new(Outer { inner });
    assert_eq!(block_on(outer.async_drop()), Err(Cell::new(7)));
}

#[test]
fn dv11_the_future_can_be_given_to_another_thread_half_way() {
    let diary = Diary::default();
    let mut value = Concurrent::of(three(&diary).map(|it| it.waiting(5)));
    {
        let mut cleanup = pin!(value.async_drop());
        assert!(poll_once(cleanup.as_mut()).is_pending());
        std::thread::scope(|scope| {
            scope.spawn(|| block_on(cleanup)).join().unwrap().unwrap();
        });
    }
    assert!(value.is_dropped());
}

// DV12

/// The crate in `tests/fixtures/derived` has no dependency but `asyncdrop`, and hides every name that it can.
#[test]
fn dv12_the_macro_works_in_a_crate_that_depends_on_asyncdrop_alone() {
    run_crate("derived", &"cleaned up\n".repeat(9));
}

mod facade {
    pub(crate) mod reexported {
        pub(crate) use asyncdrop::*;
    }
}

#[test]
fn dv12_the_crate_can_be_known_by_another_path() {
    #[derive(Debug, facade::reexported::AsyncDrop)]
    #[async_drop(crate = "facade::reexported")]
    struct Client {
        session: AsyncDropGuard<Session>,
    }

    let diary = Diary::default();
    let session = guard(Session::of("ada", &diary));
    block_on(AsyncDropGuard::new(Client { session }).async_drop()).unwrap();
}
