//! The promise W2 for `async_drop_on_err` and `flatten_async_drop`.

use asyncdrop::incident::IncidentKind;
use asyncdrop::{AsyncDropGuard, async_drop_on_err, flatten_async_drop};
use futures::executor::block_on;

use crate::place;
use crate::support::{
    CLEANED_UP, Diary, Ending, Recorded, Session, abandon_after, message_of_panic, record,
};

/// The error type of a program, made from those of two steps.
#[derive(Debug, PartialEq)]
enum AppError {
    Login(LoginError),
    Query(QueryError),
}

#[derive(Debug, PartialEq)]
struct LoginError(&'static str);

#[derive(Debug, PartialEq)]
struct QueryError(&'static str);

impl From<LoginError> for AppError {
    fn from(error: LoginError) -> Self {
        Self::Login(error)
    }
}

impl From<QueryError> for AppError {
    fn from(error: QueryError) -> Self {
        Self::Query(error)
    }
}

type First = Result<AsyncDropGuard<Session>, LoginError>;
type Second = Result<AsyncDropGuard<Session>, QueryError>;
type Both = (AsyncDropGuard<Session>, AsyncDropGuard<Session>);

#[track_caller]
fn flatten(first: First, second: Second) -> (Result<Both, AppError>, Vec<Recorded>) {
    record(|| block_on(flatten_async_drop(first, second)))
}

fn suppressed(error: &str, place: String) -> Recorded {
    let type_name = std::any::type_name::<Session>();
    Recorded {
        kind: IncidentKind::Suppressed,
        type_name,
        message: format!("Suppressed an error of {type_name}: {error}, created at {place}"),
        location: place,
    }
}

#[test]
fn w2_flatten_gives_both_guards_to_the_caller_still_armed() {
    let diary = Diary::default();
    let first = Ok(AsyncDropGuard::new(Session::of("ada", &diary)));
    let second = Ok(AsyncDropGuard::new(Session::of("bob", &diary)));

    let (flat, incidents) = flatten(first, second);

    let (mut first, mut second) = flat.unwrap();
    assert_eq!((first.user, second.user), ("ada", "bob"));
    assert_eq!(incidents, []);
    diary.assert_reads(&[]);
    block_on(async {
        first.async_drop().await.unwrap();
        second.async_drop().await.unwrap();
    });
}

#[test]
fn w2_flatten_cleans_up_the_first_when_the_second_is_an_error() {
    let diary = Diary::default();
    let first = Ok(AsyncDropGuard::new(Session::of("ada", &diary)));

    let (flat, incidents) = flatten(first, Err(QueryError("no such table")));

    assert_eq!(
        flat.unwrap_err(),
        AppError::Query(QueryError("no such table"))
    );
    assert_eq!(incidents, []);
    diary.assert_reads(&CLEANED_UP);
}

#[test]
fn w2_flatten_cleans_up_the_second_when_the_first_is_an_error() {
    let diary = Diary::default();
    let second = Ok(AsyncDropGuard::new(Session::of("ada", &diary)));

    let (flat, incidents) = flatten(Err(LoginError("wrong password")), second);

    assert_eq!(
        flat.unwrap_err(),
        AppError::Login(LoginError("wrong password"))
    );
    assert_eq!(incidents, []);
    diary.assert_reads(&CLEANED_UP);
}

#[test]
fn w2_flatten_never_replaces_the_original_error_by_that_of_a_cleanup() {
    let diary = Diary::default();
    let session = || Session::of("ada", &diary).ending(Ending::Fails("line is dead"));

    let line = line!() + 1;
    let first = Ok(AsyncDropGuard::new(session()));
    let (flat, incidents) = flatten(first, Err(QueryError("no such table")));
    assert_eq!(
        flat.unwrap_err(),
        AppError::Query(QueryError("no such table"))
    );
    assert_eq!(
        incidents,
        [suppressed("\"line is dead\"", place!(line, 20))]
    );

    let line = line!() + 1;
    let second = Ok(AsyncDropGuard::new(session()));
    let (flat, incidents) = flatten(Err(LoginError("wrong password")), second);
    assert_eq!(
        flat.unwrap_err(),
        AppError::Login(LoginError("wrong password"))
    );
    assert_eq!(
        incidents,
        [suppressed("\"line is dead\"", place!(line, 21))]
    );
}

#[test]
fn w2_flatten_with_two_errors_returns_the_first_and_reports_the_second() {
    let (mut line, first, second) = (
        0,
        First::Err(LoginError("wrong password")),
        Second::Err(QueryError("no such table")),
    );

    let (flat, incidents) = record(|| {
        line = line!() + 1;
        let flat = flatten_async_drop(first, second);
        block_on(flat)
    });

    let flat: Result<Both, AppError> = flat;
    assert_eq!(
        flat.unwrap_err(),
        AppError::Login(LoginError("wrong password"))
    );
    assert_eq!(
        incidents,
        [suppressed(
            "QueryError(\"no such table\")",
            place!(line, 20)
        )]
    );
}

#[test]
fn w2_flatten_lets_a_panic_of_the_cleanup_go_on_and_reports_the_guard_and_the_error() {
    let diary = Diary::default();
    let session = Session::of("ada", &diary).ending(Ending::Panics("no route"));
    let first: First = Ok(AsyncDropGuard::new(session));

    let (message, incidents) = record(|| {
        message_of_panic(|| {
            let second = Second::Err(QueryError("no such table"));
            block_on(flatten_async_drop::<AppError, _, _, _, _>(first, second))
        })
    });

    assert_eq!(message, "no route");
    let kinds: Vec<_> = incidents.iter().map(|it| it.kind).collect();
    assert_eq!(kinds, [IncidentKind::Interrupted, IncidentKind::Suppressed]);
    assert!(incidents[1].message.contains("no such table"));
}

#[test]
fn w2_flatten_reports_the_guard_and_the_error_when_it_is_cancelled() {
    let diary = Diary::default();
    let first: First = Ok(AsyncDropGuard::new(Session::of("ada", &diary).waiting(2)));
    let second = Second::Err(QueryError("no such table"));

    let (_, incidents) = record(|| {
        abandon_after(1, flatten_async_drop::<AppError, _, _, _, _>(first, second));
    });

    let kinds: Vec<_> = incidents.iter().map(|it| it.kind).collect();
    assert_eq!(kinds, [IncidentKind::Interrupted, IncidentKind::Suppressed]);
    assert!(incidents[1].message.contains("no such table"));
}

#[test]
fn w2_on_err_gives_guard_and_output_to_the_caller_where_the_body_was_ok() {
    let diary = Diary::default();
    let guard = AsyncDropGuard::new(Session::of("ada", &diary));

    let outcome = block_on(async_drop_on_err(guard, async |session| {
        session.user = "eve";
        Result::<_, LoginError>::Ok(7)
    }));

    let (mut session, output) = outcome.unwrap();
    assert_eq!((session.user, output), ("eve", 7));
    diary.assert_reads(&[]);
    assert_eq!(block_on(session.async_drop()), Ok(()));
}

#[test]
fn w2_on_err_cleans_up_where_the_body_failed() {
    let diary = Diary::default();
    let guard = AsyncDropGuard::new(Session::of("ada", &diary));

    let (outcome, incidents) = record(|| {
        block_on(async_drop_on_err(guard, async |session| {
            session.diary.write("body fails");
            Result::<(), _>::Err(LoginError("wrong password"))
        }))
    });

    assert_eq!(outcome.unwrap_err(), LoginError("wrong password"));
    assert_eq!(incidents, []);
    assert_eq!(diary.entries()[0], "body fails");
    assert_eq!(diary.entries()[1..], CLEANED_UP);
}

#[test]
fn w2_on_err_never_replaces_the_bodys_error_by_that_of_the_cleanup() {
    let diary = Diary::default();
    let session = Session::of("ada", &diary).ending(Ending::Fails("line is dead"));
    let line = line!() + 1;
    let guard = AsyncDropGuard::new(session);

    let (outcome, incidents) = record(|| {
        block_on(async_drop_on_err(guard, async |_| {
            Result::<(), _>::Err(LoginError("wrong password"))
        }))
    });

    assert_eq!(outcome.unwrap_err(), LoginError("wrong password"));
    assert_eq!(
        incidents,
        [suppressed("\"line is dead\"", place!(line, 17))]
    );
}

#[test]
fn w2_on_err_reports_the_guard_when_it_is_cancelled_in_the_body_or_in_the_cleanup() {
    let diary = Diary::default();
    let guard = || AsyncDropGuard::new(Session::of("ada", &diary).waiting(1));

    let (_, in_body) = record(|| {
        abandon_after(
            1,
            async_drop_on_err(guard(), async |_| {
                std::future::pending::<Result<(), LoginError>>().await
            }),
        );
    });
    let (_, in_cleanup) = record(|| {
        abandon_after(
            1,
            async_drop_on_err(guard(), async |_| {
                Result::<(), _>::Err(LoginError("wrong password"))
            }),
        );
    });

    let kinds = |incidents: &[Recorded]| incidents.iter().map(|it| it.kind).collect::<Vec<_>>();
    assert_eq!(kinds(&in_body), [IncidentKind::Forgotten]);
    assert_eq!(kinds(&in_cleanup), [IncidentKind::Interrupted]);
}

#[test]
fn w2_on_err_reports_the_guard_when_the_body_panics() {
    let diary = Diary::default();
    let guard = AsyncDropGuard::new(Session::of("ada", &diary));

    let (message, incidents) = record(|| {
        message_of_panic(|| {
            block_on(async_drop_on_err(
                guard,
                async |_| -> Result<(), LoginError> { panic!("no route") },
            ))
        })
    });

    assert_eq!(message, "no route");
    let kinds: Vec<_> = incidents.iter().map(|it| it.kind).collect();
    assert_eq!(kinds, [IncidentKind::Forgotten]);
}
