//! The promises W1 to W8, and what else the scopes must stand.

use std::convert::Infallible;
use std::error::Error;
use std::future::Future;
use std::io;
use std::num::ParseIntError;

use asyncdrop::incident::IncidentKind;
use asyncdrop::{
    AsyncDrop, AsyncDropGuard, ScopeError, async_drop_on_err, async_trait, with_async_drop,
    with_async_drop_2, with_async_drop_2_infallible, with_async_drop_both_errors,
};
use futures::executor::block_on;

use crate::support::{
    Diary, Ending, Recorded, Session, abandon_after, message_of_panic, record, run_crate,
    run_in_new_process,
};
use crate::{cleaned_up_at_once, place, test_path};

const CLEANED_UP_AFTER_THE_BLOCK: [&str; 4] = [
    "block ends",
    "ada cleanup begins",
    "ada cleanup ends",
    "ada dropped",
];

fn session(diary: &Diary) -> AsyncDropGuard<Session> {
    AsyncDropGuard::new(Session::of("ada", diary))
}

/// A guard whose cleanup fails with `connection reset`.
#[track_caller]
fn failing_session(diary: &Diary) -> AsyncDropGuard<Session> {
    AsyncDropGuard::new(Session::of("ada", diary).ending(Ending::Fails("connection reset")))
}

/// An error that a cleanup's `String` can be converted into, and that says so.
#[derive(Debug, PartialEq, Eq)]
enum AppError {
    Body(&'static str),
    Number(ParseIntError),
    Cleanup(String),
}

impl From<String> for AppError {
    fn from(error: String) -> Self {
        Self::Cleanup(error)
    }
}

impl From<ParseIntError> for AppError {
    fn from(error: ParseIntError) -> Self {
        Self::Number(error)
    }
}

/// A value whose cleanup cannot fail.
#[derive(Debug)]
struct Scratch(Diary);

#[async_trait]
impl AsyncDrop for Scratch {
    type Error = Infallible;

    async fn async_drop_impl(&mut self) -> Result<(), Infallible> {
        self.0.write("scratch cleaned up");
        Ok(())
    }
}

#[test]
fn w1_the_macro_cleans_up_after_a_block_that_ends_with_ok() {
    let diary = Diary::default();
    let session = session(&diary);

    let result: Result<u32, AppError> = block_on(async {
        with_async_drop_2!(session, {
            session.diary.write("block ends");
            Ok(7)
        })
    });

    assert_eq!(result, Ok(7));
    diary.assert_reads(&CLEANED_UP_AFTER_THE_BLOCK);
}

#[test]
fn w1_the_macro_cleans_up_after_a_block_that_ends_with_err() {
    let diary = Diary::default();
    let session = session(&diary);

    let result: Result<u32, AppError> = block_on(async {
        with_async_drop_2!(session, {
            session.diary.write("block ends");
            Err(AppError::Body("the line is dead"))
        })
    });

    assert_eq!(result, Err(AppError::Body("the line is dead")));
    diary.assert_reads(&CLEANED_UP_AFTER_THE_BLOCK);
}

#[test]
fn w1_a_question_mark_leaves_the_block_only_and_the_cleanup_runs() {
    let diary = Diary::default();

    let result = block_on(async {
        let session = session(&diary);
        let result: Result<u32, AppError> = with_async_drop_2!(session, {
            diary.write("block ends");
            let number: u32 = "seven".parse()?;
            Ok(number)
        });
        diary.write("still in the function");
        result
    });

    assert!(matches!(result, Err(AppError::Number(_))));
    diary.assert_reads(&[
        "block ends",
        "ada cleanup begins",
        "ada cleanup ends",
        "ada dropped",
        "still in the function",
    ]);
}

#[test]
fn w1_a_return_leaves_the_block_only_and_the_cleanup_runs() {
    let diary = Diary::default();

    let result = block_on(async {
        let session = session(&diary);
        let early = true;
        let result: Result<u32, AppError> = with_async_drop_2!(session, {
            diary.write("block ends");
            if early {
                return Ok(7);
            }
            diary.write("never written");
            Ok(8)
        });
        diary.write("still in the function");
        result
    });

    assert_eq!(result, Ok(7));
    diary.assert_reads(&[
        "block ends",
        "ada cleanup begins",
        "ada cleanup ends",
        "ada dropped",
        "still in the function",
    ]);
}

#[test]
fn w1_the_function_cleans_up_after_ok_err_question_mark_and_return() {
    async fn run(diary: &Diary, number: &str) -> Result<u32, AppError> {
        with_async_drop(session(diary), async |session| {
            session.diary.write("block ends");
            if number == "none" {
                return Err(AppError::Body("no number"));
            }
            Ok(number.parse()?)
        })
        .await
    }

    for (number, expected) in [
        ("7", Ok(7)),
        ("none", Err(AppError::Body("no number"))),
        (
            "seven",
            Err(AppError::Number("seven".parse::<u32>().unwrap_err())),
        ),
    ] {
        let diary = Diary::default();
        assert_eq!(block_on(run(&diary, number)), expected);
        diary.assert_reads(&CLEANED_UP_AFTER_THE_BLOCK);
    }
}

#[test]
fn w1_the_infallible_macro_returns_whatever_the_block_ends_with() {
    block_on(async {
        let diary = Diary::default();
        let scratch = AsyncDropGuard::new(Scratch(diary.clone()));
        let number = with_async_drop_2_infallible!(scratch, {
            scratch.0.write("block ends");
            7
        });
        assert_eq!(number, 7);
        diary.assert_reads(&["block ends", "scratch cleaned up"]);

        let scratch = AsyncDropGuard::new(Scratch(Diary::default()));
        with_async_drop_2_infallible!(scratch, {
            scratch.0.write("nothing to return");
        });

        let scratch = AsyncDropGuard::new(Scratch(diary.clone()));
        let result: Result<u32, ParseIntError> = with_async_drop_2_infallible!(scratch, {
            let number = "seven".parse::<u32>()?;
            scratch.0.write("never written");
            Ok(number)
        });
        assert!(result.is_err());
        diary.assert_reads(&["block ends", "scratch cleaned up", "scratch cleaned up"]);
    });
}

#[test]
fn w1_the_block_may_change_the_value() {
    let diary = Diary::default();
    // The binding is not `mut`: the macro takes the guard over.
    let session = session(&diary);

    let result: Result<(), AppError> = block_on(async {
        with_async_drop_2!(session, {
            session.user = "grace";
            Ok(())
        })
    });

    assert_eq!(result, Ok(()));
    diary.assert_reads(&[
        "grace cleanup begins",
        "grace cleanup ends",
        "grace dropped",
    ]);
}

#[test]
fn w1_a_block_that_cleaned_up_itself_leaves_nothing_to_do() {
    let diary = Diary::default();
    let session = failing_session(&diary);

    let result: Result<(), AppError> = block_on(async {
        with_async_drop_2!(session, {
            assert_eq!(session.async_drop().await, Err("connection reset".into()));
            Ok(())
        })
    });

    assert_eq!(result, Ok(()));
    diary.assert_reads(&["ada cleanup begins", "ada cleanup fails", "ada dropped"]);
}

#[test]
fn w1_inner_scopes_are_cleaned_up_before_outer_ones() {
    let diary = Diary::default();
    let outer = AsyncDropGuard::new(Session::of("outer", &diary));
    let inner = AsyncDropGuard::new(Session::of("inner", &diary));

    let result: Result<u32, AppError> = block_on(async {
        with_async_drop_2!(outer, {
            let found = with_async_drop_2!(inner, {
                diary.write(format!("{} and {}", outer.user, inner.user));
                Ok::<u32, AppError>(7)
            })?;
            Ok(found + 1)
        })
    });

    assert_eq!(result, Ok(8));
    diary.assert_reads(&[
        "outer and inner",
        "inner cleanup begins",
        "inner cleanup ends",
        "inner dropped",
        "outer cleanup begins",
        "outer cleanup ends",
        "outer dropped",
    ]);
}

#[test]
fn w2_the_error_of_the_cleanup_is_returned_where_the_body_was_ok() {
    block_on(async {
        let diary = Diary::default();
        let session = failing_session(&diary);
        let result: Result<u32, AppError> = with_async_drop_2!(session, { Ok(7) });
        assert_eq!(result, Err(AppError::Cleanup("connection reset".into())));

        let session = failing_session(&diary);
        let result: Result<u32, AppError> = with_async_drop(session, async |_| Ok(7)).await;
        assert_eq!(result, Err(AppError::Cleanup("connection reset".into())));
    });
}

#[test]
fn w2_the_error_of_the_cleanup_goes_through_map_error() {
    block_on(async {
        let diary = Diary::default();
        let session = failing_session(&diary);
        let context = "logging out";
        let result: Result<u32, io::Error> = with_async_drop_2!(session, { Ok(7) }, |error| {
            io::Error::other(format!("{context}: {error}"))
        });
        assert_eq!(
            result.unwrap_err().to_string(),
            "logging out: connection reset"
        );

        // A path to a function, and a comma at the end, are as good.
        let session = failing_session(&diary);
        let result: Result<u32, io::Error> =
            with_async_drop_2!(session, { Ok(7) }, io::Error::other,);
        assert_eq!(result.unwrap_err().to_string(), "connection reset");
    });
}

/// What must be reported when the cleanup of [`failing_session`] lost to an earlier error.
fn suppressed(place: String) -> Recorded {
    let type_name = std::any::type_name::<Session>();
    Recorded {
        kind: IncidentKind::Suppressed,
        type_name,
        location: place.clone(),
        message: format!(
            "Suppressed an error of {type_name}: \"connection reset\", created at {place}"
        ),
    }
}

#[test]
fn w2_in_the_macro_the_bodys_error_wins_and_the_cleanups_is_reported() {
    let diary = Diary::default();
    let line = line!() + 1;
    let session = failing_session(&diary);

    let (result, incidents) = record(|| {
        block_on(async {
            with_async_drop_2!(session, {
                Err::<u32, _>(AppError::Body("the line is dead"))
            })
        })
    });

    assert_eq!(result, Err(AppError::Body("the line is dead")));
    assert_eq!(incidents, [suppressed(place!(line, 19))]);
    diary.assert_reads(&["ada cleanup begins", "ada cleanup fails", "ada dropped"]);
}

#[test]
fn w2_with_map_error_the_bodys_error_wins_and_is_not_mapped() {
    let diary = Diary::default();
    let line = line!() + 1;
    let session = failing_session(&diary);

    let (result, incidents) = record(|| {
        block_on(async {
            with_async_drop_2!(
                session,
                { Err::<u32, _>(AppError::Body("the line is dead")) },
                |_| unreachable!("nothing returns the cleanup's error")
            )
        })
    });

    assert_eq!(result, Err(AppError::Body("the line is dead")));
    assert_eq!(incidents, [suppressed(place!(line, 19))]);
}

#[test]
fn w2_in_the_function_the_bodys_error_wins_and_the_cleanups_is_reported() {
    let diary = Diary::default();
    let line = line!() + 1;
    let session = failing_session(&diary);

    let (result, incidents) = record(|| {
        block_on(with_async_drop(session, async |_| {
            Err::<u32, _>(AppError::Body("the line is dead"))
        }))
    });

    assert_eq!(result, Err(AppError::Body("the line is dead")));
    assert_eq!(incidents, [suppressed(place!(line, 19))]);
}

#[test]
fn w2_in_nested_scopes_the_first_error_wins_and_every_other_is_reported() {
    let diary = Diary::default();
    let outer_line = line!() + 1;
    let outer = failing_session(&diary);
    let inner_line = line!() + 1;
    let inner = failing_session(&diary);

    let (result, incidents) = record(|| {
        block_on(async {
            with_async_drop_2!(outer, {
                with_async_drop_2!(inner, { Err::<u32, _>(AppError::Body("the line is dead")) })
            })
        })
    });

    assert_eq!(result, Err(AppError::Body("the line is dead")));
    assert_eq!(
        incidents,
        [
            suppressed(place!(inner_line, 17)),
            suppressed(place!(outer_line, 17)),
        ]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w3_a_scope_that_borrows_across_awaits_can_be_spawned() {
    let diary = Diary::default();
    let session = session(&diary);

    let task = tokio::spawn(with_async_drop(session, async |session| {
        let user = &mut session.user;
        tokio::task::yield_now().await;
        *user = "grace";
        tokio::task::yield_now().await;
        session.diary.write("block ends");
        Ok::<_, AppError>(7)
    }));

    assert_eq!(task.await.unwrap(), Ok(7));
    diary.assert_reads(&[
        "block ends",
        "grace cleanup begins",
        "grace cleanup ends",
        "grace dropped",
    ]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w3_a_macro_that_borrows_across_awaits_can_be_spawned() {
    let diary = Diary::default();
    let session = session(&diary);

    let task = tokio::spawn(async move {
        with_async_drop_2!(session, {
            let user = &mut session.user;
            tokio::task::yield_now().await;
            *user = "grace";
            Ok::<_, AppError>(user.len())
        })
    });

    assert_eq!(task.await.unwrap(), Ok(5));
    diary.assert_reads(&[
        "grace cleanup begins",
        "grace cleanup ends",
        "grace dropped",
    ]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w3_an_infallible_macro_that_borrows_across_awaits_can_be_spawned() {
    let diary = Diary::default();
    let scratch = AsyncDropGuard::new(Scratch(diary.clone()));

    let task = tokio::spawn(async move {
        with_async_drop_2_infallible!(scratch, {
            let diary = &mut scratch.0;
            tokio::task::yield_now().await;
            diary.write("block ends");
        });
    });

    task.await.unwrap();
    diary.assert_reads(&["block ends", "scratch cleaned up"]);
}

#[test]
fn w3_the_closure_may_borrow_from_its_surroundings_and_move_out_of_them() {
    let diary = Diary::default();
    let mut lines = vec!["hello"];
    let last = String::from("goodbye");

    let result: Result<String, AppError> = block_on(with_async_drop(
        session(&diary),
        async |session: &mut Session| {
            lines.push(session.user);
            tokio::task::yield_now().await;
            let moved = last;
            Ok(moved)
        },
    ));

    assert_eq!(result, Ok("goodbye".into()));
    assert_eq!(lines, ["hello", "ada"]);
}

/// The crate in `tests/fixtures/alone` has no dependency but `asyncdrop`, and hides every name that it can.
#[test]
fn w4_the_macros_work_in_a_crate_that_depends_on_asyncdrop_alone() {
    run_crate("alone", &"the block ends\ncleaned up\n".repeat(8));
}

#[test]
fn w4_the_names_inside_the_macros_do_not_meet_those_of_the_block() {
    let diary = Diary::default();

    let result: Result<usize, AppError> = block_on(async {
        let body = session(&diary);
        let guard = 1;
        let map_error = 2;
        with_async_drop_2!(body, { Ok(body.user.len() + guard + map_error) })
    });

    assert_eq!(result, Ok(6));
    diary.assert_reads(&["ada cleanup begins", "ada cleanup ends", "ada dropped"]);
}

#[test]
fn w5_a_panic_in_the_block_skips_the_cleanup_and_is_reported() {
    let diary = Diary::default();
    let line = line!() + 1;
    let session = AsyncDropGuard::new(Session::of("ada", &diary));

    let (message, incidents) = record(|| {
        message_of_panic(|| {
            block_on(async {
                with_async_drop_2!(session, {
                    if session.user == "ada" {
                        panic!("the line is dead");
                    }
                    Ok::<(), AppError>(())
                })
            })
        })
    });

    assert_eq!(message, "the line is dead");
    assert_forgotten_while_unwinding(&incidents, place!(line, 19));
    diary.assert_reads(&["ada dropped"]);
}

#[test]
fn w5_a_panic_in_the_infallible_block_skips_the_cleanup_and_is_reported() {
    let diary = Diary::default();
    let scratch = AsyncDropGuard::new(Scratch(diary.clone()));

    let (message, incidents) = record(|| {
        message_of_panic(|| {
            block_on(async {
                with_async_drop_2_infallible!(scratch, {
                    scratch.0.write("about to panic");
                    if true {
                        panic!("the line is dead");
                    }
                    7
                })
            })
        })
    });

    assert_eq!(message, "the line is dead");
    let kinds: Vec<_> = incidents.iter().map(|it| it.kind).collect();
    assert_eq!(kinds, [IncidentKind::Forgotten]);
    diary.assert_reads(&["about to panic"]);
}

#[test]
fn w5_a_panic_in_the_closure_skips_the_cleanup_and_is_reported() {
    let diary = Diary::default();
    let line = line!() + 1;
    let session = AsyncDropGuard::new(Session::of("ada", &diary));

    let (message, incidents) = record(|| {
        message_of_panic(|| {
            block_on(with_async_drop(session, async |session| {
                if session.user == "ada" {
                    panic!("the line is dead");
                }
                Ok::<(), AppError>(())
            }))
        })
    });

    assert_eq!(message, "the line is dead");
    assert_forgotten_while_unwinding(&incidents, place!(line, 19));
    diary.assert_reads(&["ada dropped"]);
}

fn io_error(text: &'static str) -> io::Error {
    io::Error::other(text)
}

#[test]
fn w6_the_scope_with_both_errors_returns_what_failed_and_loses_nothing() {
    for (body, cleanup, expected) in [
        (Ok(7), Ending::Well, Ok(7)),
        (Err("body"), Ending::Well, Err(ScopeError::Body("body"))),
        (
            Ok(7),
            Ending::Fails("cleanup"),
            Err(ScopeError::Cleanup("cleanup".to_owned())),
        ),
        (
            Err("body"),
            Ending::Fails("cleanup"),
            Err(ScopeError::Both {
                body: "body",
                cleanup: "cleanup".to_owned(),
            }),
        ),
    ] {
        let diary = Diary::default();
        let session = AsyncDropGuard::new(Session::of("ada", &diary).ending(cleanup));
        let (result, incidents) = record(|| {
            block_on(with_async_drop_both_errors(session, async |session| {
                session.diary.write("block ends");
                body
            }))
        });
        assert_eq!(result, expected);
        assert_eq!(incidents, []);
        let entries = diary.entries();
        assert_eq!(entries[..2], CLEANED_UP_AFTER_THE_BLOCK[..2]);
        assert_eq!(entries[3..], ["ada dropped"]);
    }
}

#[test]
fn w6_an_error_that_the_text_names_is_not_its_source_again() {
    /// An error with another one under it, which its own text doesn't name.
    #[derive(Debug, PartialEq)]
    struct Unreachable(ParseIntError);

    impl std::fmt::Display for Unreachable {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("unreachable")
        }
    }

    impl Error for Unreachable {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&self.0)
        }
    }

    let body = || io_error("no answer");
    let cleanup = || io_error("broken pipe");
    let has_source = |error: &dyn Error| error.source().is_some();

    let both = ScopeError::Both {
        body: body(),
        cleanup: cleanup(),
    };
    assert!(!has_source(&both));
    assert_eq!(
        both.to_string(),
        "the body failed: no answer; then the cleanup failed: broken pipe"
    );
    assert_eq!(both.body().unwrap().to_string(), "no answer");
    assert_eq!(both.cleanup().unwrap().to_string(), "broken pipe");

    let only_body: ScopeError<_, io::Error> = ScopeError::Body(body());
    assert!(!has_source(&only_body));
    assert_eq!(only_body.to_string(), "the body failed: no answer");
    assert!(only_body.cleanup().is_none());

    let only_cleanup: ScopeError<io::Error, _> = ScopeError::Cleanup(cleanup());
    assert!(!has_source(&only_cleanup));
    assert_eq!(only_cleanup.to_string(), "the cleanup failed: broken pipe");
    assert!(only_cleanup.body().is_none());

    let port = Unreachable("port".parse::<u16>().unwrap_err());
    let with_more: ScopeError<_, io::Error> = ScopeError::Body(port);
    assert_eq!(with_more.to_string(), "the body failed: unreachable");
    assert_eq!(
        with_more.source().unwrap().to_string(),
        "invalid digit found in string"
    );
}

#[test]
fn w6_a_question_mark_and_a_return_leave_the_closure_only() {
    async fn run(diary: &Diary, number: &str) -> Result<u32, ScopeError<ParseIntError, String>> {
        with_async_drop_both_errors(session(diary), async |session| {
            session.diary.write("block ends");
            if number == "none" {
                return Ok(0);
            }
            let number: u32 = number.parse()?;
            Ok(number)
        })
        .await
    }

    for number in ["7", "none", "seven"] {
        let diary = Diary::default();
        let result = block_on(run(&diary, number));
        assert_eq!(result.is_err(), number == "seven");
        diary.assert_reads(&CLEANED_UP_AFTER_THE_BLOCK);
    }
}

#[test]
fn w6_its_future_can_be_spawned_and_its_error_goes_into_anyhow() {
    async fn program() -> anyhow::Result<()> {
        let session = AsyncDropGuard::new(Session::of("ada", &Diary::default()));
        let scope = with_async_drop_both_errors(session, async |session| {
            tokio::task::yield_now().await;
            session.user = "eve";
            Result::<(), _>::Err(io_error("no answer"))
        });
        let result = tokio::spawn(scope).await?;
        Ok(result.map_err(|error| match error {
            ScopeError::Body(body) => ScopeError::Body(body),
            ScopeError::Cleanup(cleanup) => ScopeError::Cleanup(io::Error::other(cleanup)),
            ScopeError::Both { body, cleanup } => ScopeError::Both {
                body,
                cleanup: io::Error::other(cleanup),
            },
        })?)
    }

    let runtime = tokio::runtime::Runtime::new().unwrap();
    let error = runtime.block_on(program()).unwrap_err();
    assert_eq!(error.to_string(), "the body failed: no answer");
    assert_eq!(format!("{error:#}"), "the body failed: no answer");
}

#[test]
fn w6_a_panic_in_the_closure_skips_the_cleanup_and_is_reported() {
    let diary = Diary::default();
    let line = line!() + 1;
    let session = AsyncDropGuard::new(Session::of("ada", &diary));

    let (message, incidents) = record(|| {
        message_of_panic(|| {
            block_on(with_async_drop_both_errors(session, async |session| {
                if session.user == "ada" {
                    panic!("the line is dead");
                }
                Ok::<(), AppError>(())
            }))
        })
    });

    assert_eq!(message, "the line is dead");
    assert_forgotten_while_unwinding(&incidents, place!(line, 19));
    diary.assert_reads(&["ada dropped"]);
}

#[track_caller]
fn assert_forgotten_while_unwinding(incidents: &[Recorded], place: String) {
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
fn w5_a_guard_that_was_already_cleaned_up_panics_before_the_body_runs() {
    fn check(scope: impl Future) {
        let message = message_of_panic(|| block_on(scope));
        assert!(message.contains("was used after async_drop"), "{message}");
    }
    let cleaned_up = || {
        let mut session = session(&Diary::default());
        block_on(session.async_drop()).unwrap();
        session
    };
    let not_run = async |_: &mut Session| -> Result<(), AppError> { panic!("the body runs") };

    check(with_async_drop(cleaned_up(), not_run));
    check(with_async_drop_both_errors(cleaned_up(), not_run));
    check(async_drop_on_err(cleaned_up(), not_run));
}

/// A guard whose cleanup panics.
fn panicking_session(diary: &Diary) -> AsyncDropGuard<Session> {
    AsyncDropGuard::new(Session::of("ada", diary).ending(Ending::Panics("no route")))
}

#[test]
fn w5_a_panic_in_the_cleanup_goes_on_and_takes_the_error_of_the_body_along() {
    fn check(scope: impl Future<Output: std::fmt::Debug>, diary: &Diary) {
        let (message, incidents) = record(|| message_of_panic(|| block_on(scope)));
        assert_eq!(message, "no route");
        let kinds: Vec<_> = incidents.iter().map(|it| it.kind).collect();
        assert_eq!(kinds, [IncidentKind::Interrupted]);
        diary.assert_reads(&["ada cleanup begins", "ada cleanup panics", "ada dropped"]);
    }
    const DEAD: Result<(), AppError> = Err(AppError::Body("the line is dead"));

    let diary = Diary::default();
    check(
        with_async_drop(panicking_session(&diary), async |_| DEAD),
        &diary,
    );

    let diary = Diary::default();
    check(
        with_async_drop_both_errors(panicking_session(&diary), async |_| DEAD),
        &diary,
    );

    let diary = Diary::default();
    check(
        async_drop_on_err(panicking_session(&diary), async |_| DEAD),
        &diary,
    );

    let diary = Diary::default();
    let session = panicking_session(&diary);
    check(async { with_async_drop_2!(session, { DEAD }) }, &diary);

    let diary = Diary::default();
    let session = panicking_session(&diary);
    check(
        async { with_async_drop_2!(session, { DEAD }, AppError::Cleanup) },
        &diary,
    );
}

#[test]
fn w5_a_panic_in_the_cleanup_after_an_infallible_block_goes_on() {
    #[derive(Debug)]
    struct Broken;

    #[async_trait]
    impl AsyncDrop for Broken {
        type Error = Infallible;

        async fn async_drop_impl(&mut self) -> Result<(), Infallible> {
            panic!("no route")
        }
    }

    let broken = AsyncDropGuard::new(Broken);

    let (message, incidents) = record(|| {
        message_of_panic(|| block_on(async { with_async_drop_2_infallible!(broken, { 7 }) }))
    });

    assert_eq!(message, "no route");
    let kinds: Vec<_> = incidents.iter().map(|it| it.kind).collect();
    assert_eq!(kinds, [IncidentKind::Interrupted]);
}

/// What the body has returned is dropped in favor of the error of the cleanup. If that is a guard, it panics.
#[test]
fn w2_the_error_of_the_cleanup_is_reported_where_a_guard_from_the_body_panics() {
    fn program() {
        fn check(scope: impl Future) {
            let message = message_of_panic(|| block_on(scope));
            assert!(message.starts_with("Forgot to call async_drop on Scratch"));
        }

        let diary = Diary::default();
        let scratch = || Ok::<_, AppError>(AsyncDropGuard::new(Scratch(Diary::default())));
        check(with_async_drop(failing_session(&diary), async |_| {
            scratch()
        }));
        check(with_async_drop_both_errors(
            failing_session(&diary),
            async |_| scratch(),
        ));
        let session = failing_session(&diary);
        check(async { with_async_drop_2!(session, { scratch() }) });
        eprintln!("all three have panicked");
    }

    let outcome = run_in_new_process(
        test_path!("w2_the_error_of_the_cleanup_is_reported_where_a_guard_from_the_body_panics"),
        program,
    );

    let text = outcome.stderr;
    assert!(text.contains("all three have panicked"), "{text}");
    let suppressed = text.matches("Suppressed an error of ").count();
    assert_eq!(suppressed, 3, "{text}");
}

#[test]
fn a_scope_dropped_in_its_block_reports_a_forgotten_guard() {
    let diary = Diary::default();
    let session = session(&diary);

    let (_, incidents) = record(|| {
        abandon_after(
            1,
            with_async_drop(session, async |_| {
                tokio::task::yield_now().await;
                Ok::<(), AppError>(())
            }),
        );
    });

    let kinds: Vec<_> = incidents.iter().map(|it| it.kind).collect();
    assert_eq!(kinds, [IncidentKind::Forgotten]);
    diary.assert_reads(&["ada dropped"]);
}

#[test]
fn a_scope_dropped_in_its_cleanup_reports_an_interrupted_one() {
    fn check(scope: impl Future, diary: &Diary) {
        let (_, incidents) = record(|| abandon_after(1, scope));
        let kinds: Vec<_> = incidents.iter().map(|it| it.kind).collect();
        assert_eq!(kinds, [IncidentKind::Interrupted]);
        diary.assert_reads(&["ada cleanup begins", "ada dropped"]);
    }

    let diary = Diary::default();
    let session = AsyncDropGuard::new(Session::of("ada", &diary).waiting(1));
    check(
        with_async_drop(session, async |_| Ok::<(), AppError>(())),
        &diary,
    );

    let diary = Diary::default();
    let session = AsyncDropGuard::new(Session::of("ada", &diary).waiting(1));
    check(
        async { with_async_drop_2!(session, { Ok::<(), AppError>(()) }) },
        &diary,
    );
}

#[test]
fn a_scope_that_was_never_polled_reports_a_forgotten_guard() {
    let diary = Diary::default();

    let (_, incidents) = record(|| {
        drop(with_async_drop(session(&diary), async |_| {
            Ok::<(), AppError>(())
        }));
    });

    let kinds: Vec<_> = incidents.iter().map(|it| it.kind).collect();
    assert_eq!(kinds, [IncidentKind::Forgotten]);
}

/// A value with a lifetime: it writes into the diary of the session that it has borrowed.
#[derive(Debug)]
struct Transaction<'s> {
    session: &'s mut Session,
    ending: Result<(), &'static str>,
}

#[async_trait]
impl AsyncDrop for Transaction<'_> {
    type Error = String;

    async fn async_drop_impl(&mut self) -> Result<(), String> {
        tokio::task::yield_now().await;
        self.session.diary.write("rolled back");
        self.ending.map_err(str::to_owned)
    }
}

impl<'s> Transaction<'s> {
    #[track_caller]
    fn of(session: &'s mut Session) -> AsyncDropGuard<Self> {
        let ending = Ok(());
        AsyncDropGuard::new(Self { session, ending })
    }

    /// Needs `&mut` across an `.await`, as most of what a client does.
    async fn execute(&mut self, sql: &str) -> Result<usize, AppError> {
        tokio::task::yield_now().await;
        if sql == "nonsense" {
            return Err(AppError::Body("syntax error"));
        }
        self.session.diary.write(sql);
        Ok(sql.len())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w7_the_macro_takes_a_value_that_borrows_in_a_future_that_is_spawned() {
    async fn insert(diary: Diary, sql: &str) -> Result<usize, AppError> {
        let mut session = Session::of("ada", &diary);
        let transaction = Transaction::of(&mut session);
        let inserted = with_async_drop_2!(transaction, { transaction.execute(sql).await })?;
        let again = with_async_drop_2!(
            transaction = Transaction::of(&mut session),
            { transaction.execute(sql).await },
            AppError::Cleanup
        )?;
        // The borrow has ended with the scope.
        session.user = "grace";
        Ok(inserted + again)
    }

    let diary = Diary::default();
    let sql = String::from("insert");
    let task = tokio::spawn({
        let diary = diary.clone();
        async move { insert(diary, &sql).await }
    });

    assert_eq!(task.await.unwrap(), Ok(12));
    diary.assert_reads(&[
        "insert",
        "rolled back",
        "insert",
        "rolled back",
        "grace dropped",
    ]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w7_the_infallible_macro_takes_a_value_that_borrows_in_a_future_that_is_spawned() {
    #[derive(Debug)]
    struct Entry<'d>(&'d mut Vec<&'static str>);

    #[async_trait]
    impl AsyncDrop for Entry<'_> {
        type Error = Infallible;

        async fn async_drop_impl(&mut self) -> Result<(), Infallible> {
            tokio::task::yield_now().await;
            self.0.push("end");
            Ok(())
        }
    }

    let task = tokio::spawn(async {
        let mut lines = Vec::new();
        let number =
            with_async_drop_2_infallible!(entry = AsyncDropGuard::new(Entry(&mut lines)), {
                let lines = &mut entry.0;
                tokio::task::yield_now().await;
                lines.push("begin");
                7
            });
        (number, lines)
    });

    assert_eq!(task.await.unwrap(), (7, vec!["begin", "end"]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w7_async_drop_on_err_takes_a_value_that_borrows_in_a_future_that_is_spawned() {
    async fn begin<'s>(
        session: &'s mut Session,
        sql: &str,
    ) -> Result<AsyncDropGuard<Transaction<'s>>, AppError> {
        let transaction = Transaction::of(session);
        let (transaction, length) =
            async_drop_on_err!(transaction, { transaction.execute(sql).await })?;
        assert_eq!(length, sql.len());
        Ok(transaction)
    }

    let diary = Diary::default();
    let task = tokio::spawn({
        let diary = diary.clone();
        async move {
            let mut session = Session::of("ada", &diary);
            let refused = begin(&mut session, "nonsense").await.map(drop);
            diary.write("refused");
            let mut transaction = begin(&mut session, "begin").await?;
            diary.write("begun");
            transaction.async_drop().await?;
            Ok::<_, AppError>(refused)
        }
    });

    assert_eq!(task.await.unwrap(), Ok(Err(AppError::Body("syntax error"))));
    diary.assert_reads(&[
        "rolled back",
        "refused",
        "begin",
        "begun",
        "rolled back",
        "ada dropped",
    ]);
}

#[test]
fn w7_in_async_drop_on_err_the_blocks_error_wins_and_the_cleanups_is_reported() {
    let diary = Diary::default();
    let line = line!() + 1;
    let session = failing_session(&diary);

    let (result, incidents) = record(|| {
        block_on(async {
            async_drop_on_err!(session, {
                Err::<u32, _>(AppError::Body("the line is dead"))
            })
        })
    });

    assert_eq!(
        result.map(|(_, number)| number),
        Err(AppError::Body("the line is dead"))
    );
    assert_eq!(incidents, [suppressed(place!(line, 19))]);
    diary.assert_reads(&["ada cleanup begins", "ada cleanup fails", "ada dropped"]);
}

#[test]
fn w7_in_async_drop_on_err_a_question_mark_and_a_return_leave_the_block_only() {
    for (number, expected) in [("7", Some(7)), ("none", Some(0)), ("seven", None)] {
        let diary = Diary::default();
        let result: Result<_, AppError> = block_on(async {
            let session = session(&diary);
            let result = async_drop_on_err!(session, {
                diary.write("block ends");
                if number == "none" {
                    return Ok(0);
                }
                let number: u32 = number.parse()?;
                Ok(number)
            });
            diary.write("still in the function");
            result
        });
        match (result, expected) {
            (Ok((mut session, number)), Some(expected)) => {
                assert_eq!(number, expected);
                diary.assert_reads(&["block ends", "still in the function"]);
                // It is returned armed.
                block_on(session.async_drop()).unwrap();
            }
            (Err(AppError::Number(_)), None) => diary.assert_reads(&[
                "block ends",
                "ada cleanup begins",
                "ada cleanup ends",
                "ada dropped",
                "still in the function",
            ]),
            (result, _) => panic!("{result:?}"),
        }
    }
}

#[test]
fn w7_a_panic_in_the_block_of_async_drop_on_err_skips_the_cleanup_and_is_reported() {
    let diary = Diary::default();
    let line = line!() + 1;
    let session = AsyncDropGuard::new(Session::of("ada", &diary));

    let (message, incidents) = record(|| {
        message_of_panic(|| {
            block_on(async {
                async_drop_on_err!(session, {
                    if session.user == "ada" {
                        panic!("the line is dead");
                    }
                    Ok::<(), AppError>(())
                })
            })
        })
    });

    assert_eq!(message, "the line is dead");
    assert_forgotten_while_unwinding(&incidents, place!(line, 19));
    diary.assert_reads(&["ada dropped"]);
}

#[test]
fn w7_a_panic_in_the_cleanup_of_async_drop_on_err_goes_on() {
    let diary = Diary::default();
    let session = panicking_session(&diary);

    let (message, incidents) = record(|| {
        message_of_panic(|| {
            block_on(async {
                async_drop_on_err!(session, {
                    Err::<(), _>(AppError::Body("the line is dead"))
                })
            })
        })
    });

    assert_eq!(message, "no route");
    let kinds: Vec<_> = incidents.iter().map(|it| it.kind).collect();
    assert_eq!(kinds, [IncidentKind::Interrupted]);
    diary.assert_reads(&["ada cleanup begins", "ada cleanup panics", "ada dropped"]);
}

/// Opens a session, or is refused.
#[track_caller]
fn open(
    user: &str,
    diary: &Diary,
) -> impl Future<Output = Result<AsyncDropGuard<Session>, AppError>> {
    let opened = match user {
        "ada" => Ok(session(diary)),
        _ => Err(AppError::Body("refused")),
    };
    diary.write("open");
    async { opened }
}

#[test]
fn w8_the_scope_makes_the_binding_of_an_expression_that_is_evaluated_once() {
    let diary = Diary::default();

    let (first, second): (Result<_, AppError>, Result<_, AppError>) = block_on(async {
        let first = with_async_drop_2!(session = open("ada", &diary).await?, {
            session.user = "grace";
            Ok(session.user.len())
        });
        let second = with_async_drop_2!(
            session = open("ada", &diary).await?,
            { Ok(session.user.len()) },
            AppError::Cleanup,
        );
        Ok::<_, AppError>((first, second))
    })
    .unwrap();

    assert_eq!((first, second), (Ok(5), Ok(3)));
    diary.assert_reads(&[
        "open",
        "grace cleanup begins",
        "grace cleanup ends",
        "grace dropped",
        "open",
        "ada cleanup begins",
        "ada cleanup ends",
        "ada dropped",
    ]);
}

#[test]
fn w8_a_question_mark_in_the_expression_leaves_the_function() {
    async fn run(diary: &Diary, scope: u8) -> Result<(), AppError> {
        match scope {
            0 => with_async_drop_2!(session = open("eve", diary).await?, {
                session.diary.write("the block runs");
                Ok::<(), AppError>(())
            })?,
            1 => {
                let (mut session, ()) = async_drop_on_err!(session = open("eve", diary).await?, {
                    session.diary.write("the block runs");
                    Ok::<(), AppError>(())
                })?;
                session.async_drop().await?;
            }
            _ => with_async_drop_2_infallible!(
                scratch = open("eve", diary)
                    .await?
                    .map_unsafe(|session| Scratch(session.diary.clone())),
                { scratch.0.write("the block runs") }
            ),
        }
        diary.write("still in the function");
        Ok(())
    }

    for scope in 0..3 {
        let diary = Diary::default();
        let result = block_on(run(&diary, scope));
        assert_eq!(result, Err(AppError::Body("refused")));
        diary.assert_reads(&["open"]);
    }
}

#[test]
fn w8_the_expression_may_use_what_is_called_like_the_guard() {
    let diary = Diary::default();

    let result: Result<usize, AppError> = block_on(async {
        let session = "grace";
        // The expression sees the name as it was, and so does what comes after the scope.
        let inside = with_async_drop_2!(
            session = AsyncDropGuard::new(Session::of(session, &diary)),
            { Ok::<_, AppError>(session.user) }
        )?;
        Ok(inside.len() + session.len())
    });

    assert_eq!(result, Ok(10));
}

#[test]
fn w8_async_drop_on_err_and_the_infallible_macro_make_the_binding_too() {
    let diary = Diary::default();

    block_on(async {
        let (mut session, seven) = async_drop_on_err!(session = open("ada", &diary).await?, {
            session.user = "grace";
            Ok::<_, AppError>(7)
        })?;
        assert_eq!((session.user, seven), ("grace", 7));
        session.async_drop().await?;

        let scratch = || AsyncDropGuard::new(Scratch(diary.clone()));
        let length: usize = with_async_drop_2_infallible!(it = scratch(), { it.0.entries().len() });
        assert_eq!(length, 4);
        Ok::<_, AppError>(())
    })
    .unwrap();

    diary.assert_reads(&[
        "open",
        "grace cleanup begins",
        "grace cleanup ends",
        "grace dropped",
        "scratch cleaned up",
    ]);
}

/// A guard is lent to the cleanup and not moved into it, so the future of a scope has its value once.
#[test]
fn w8_the_futures_of_the_macros_hold_the_value_once() {
    #[derive(Debug)]
    struct Large([u8; 10_000]);
    cleaned_up_at_once!(Large);

    fn size<F: Future>(scope: F) -> usize {
        let size = size_of_val(&scope);
        block_on(scope);
        size
    }
    let large = || AsyncDropGuard::new(Large([7; 10_000]));

    let sizes = [
        size(async {
            with_async_drop_2_infallible!(large = large(), {
                tokio::task::yield_now().await;
                assert_eq!(large.0[0], 7);
            });
        }),
        size(async {
            let ended: Result<(), Infallible> = with_async_drop_2!(large = large(), {
                tokio::task::yield_now().await;
                assert_eq!(large.0[0], 7);
                Ok(())
            });
            ended
        }),
    ];
    assert!(sizes.iter().all(|size| *size < 11_000), "{sizes:?}");
}
