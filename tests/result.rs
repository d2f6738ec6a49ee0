//! The promise R1, and N1 for the result.

use std::pin::pin;
use std::task::Poll;
use std::thread;

use asyncdrop::incident::IncidentKind;
use asyncdrop::{AsyncDropGuard, AsyncDropResult};
use futures::executor::block_on;
use tokio::runtime::{Handle, Runtime};

use crate::place;
use crate::support::{Diary, Ending, Session, abandon_after, message_of_panic, poll_once, record};

type Login = AsyncDropGuard<AsyncDropResult<Session, &'static str>>;

#[track_caller]
fn logged_in(session: Session) -> Login {
    AsyncDropResult::new(Ok(AsyncDropGuard::new(session)))
}

#[track_caller]
fn refused() -> Login {
    AsyncDropResult::new(Err("wrong password"))
}

fn end(login: &mut Login) -> Result<(), String> {
    block_on(login.async_drop())
}

#[test]
fn r1_an_ok_is_cleaned_up_once() {
    let diary = Diary::default();
    let mut login = logged_in(Session::of("ada", &diary));

    assert_eq!(end(&mut login), Ok(()));
    assert_eq!(end(&mut login), Ok(()));

    diary.assert_reads(&["ada cleanup begins", "ada cleanup ends", "ada dropped"]);
}

#[test]
fn r1_the_error_of_the_cleanup_is_returned() {
    let diary = Diary::default();
    let mut login = logged_in(Session::of("ada", &diary).ending(Ending::Fails("line is dead")));

    assert_eq!(end(&mut login), Err("line is dead".to_owned()));
    assert_eq!(end(&mut login), Ok(()));
}

#[test]
fn r1_an_err_is_left_as_it_is() {
    let mut login = refused();

    let (ended, incidents) = record(|| end(&mut login));

    assert_eq!(ended, Ok(()));
    assert_eq!(incidents, []);
    assert!(login.is_dropped());
}

#[test]
fn r1_a_result_let_go_on_another_thread_is_cleaned_up_as_on_its_own() {
    let diary = Diary::default();
    let mut login = logged_in(Session::of("ada", &diary).ending(Ending::Fails("line is dead")));
    let mut refused = refused();

    let end_both = move || (end(&mut login), end(&mut refused));
    let ended = thread::spawn(end_both).join().unwrap();

    assert_eq!(ended, (Err("line is dead".to_owned()), Ok(())));
    diary.assert_reads(&["ada cleanup begins", "ada cleanup fails", "ada dropped"]);
}

#[test]
fn r1_a_result_forgotten_on_another_thread_panics_there() {
    let diary = Diary::default();
    let line = line!() + 2;
    let ada = AsyncDropGuard::new(Session::of("ada", &diary));
    let login: Login = AsyncDropResult::new(Ok(ada));

    let forget = move || message_of_panic(|| drop(login));
    let message = thread::spawn(forget).join().unwrap();

    let place = place!(line, 24);
    assert_eq!(
        message,
        format!(
            "Forgot to call async_drop on AsyncDropResult {{ result: Ok(AsyncDropGuard(Session(\"ada\"))) }}, created at {place}"
        )
    );
    diary.assert_reads(&["ada dropped"]);
}

#[test]
fn r1_a_result_from_a_runtime_that_has_ended_is_cleaned_up_outside_of_any() {
    let diary = Diary::default();
    let runtime = Runtime::new().unwrap();
    let session = Session::of("ada", &diary).waiting(1);
    let mut login = runtime.block_on(async { logged_in(session) });
    drop(runtime);

    assert!(Handle::try_current().is_err());
    let mut cleanup = pin!(login.async_drop());
    assert!(poll_once(cleanup.as_mut()).is_pending());
    assert_eq!(poll_once(cleanup.as_mut()), Poll::Ready(Ok(())));

    diary.assert_reads(&["ada cleanup begins", "ada cleanup ends", "ada dropped"]);
}

#[test]
fn r1_value_and_error_can_be_looked_at() {
    let diary = Diary::default();
    let mut login = logged_in(Session::of("ada", &diary));
    assert_eq!(login.ok().unwrap().user, "ada");
    assert_eq!(login.err(), None);
    assert_eq!(login.as_ref().unwrap().user, "ada");
    assert_eq!(end(&mut login), Ok(()));

    let mut login = refused();
    assert!(login.ok().is_none());
    assert_eq!(login.err(), Some(&"wrong password"));
    assert_eq!(login.as_ref().unwrap_err(), &"wrong password");
    assert_eq!(end(&mut login), Ok(()));
}

#[test]
fn r1_both_cases_come_out_as_they_went_in() {
    let diary = Diary::default();
    let login = logged_in(Session::of("ada", &diary));
    let mut session = AsyncDropResult::into_inner(login).unwrap();
    assert!(!session.is_dropped());
    assert_eq!(block_on(session.async_drop()), Ok(()));

    let (login, incidents) = record(|| AsyncDropResult::into_inner(refused()));
    assert_eq!(login.unwrap_err(), "wrong password");
    assert_eq!(incidents, []);
}

#[test]
fn r1_a_forgotten_result_panics_in_both_cases() {
    let diary = Diary::default();
    let line = line!() + 1;
    let refused: Login = AsyncDropResult::new(Err("wrong password"));
    let session = Ok(AsyncDropGuard::new(Session::of("ada", &diary)));
    let logged_in: Login = AsyncDropResult::new(session);

    assert_eq!(
        message_of_panic(|| drop(refused)),
        format!(
            "Forgot to call async_drop on AsyncDropResult {{ result: Err(\"wrong password\") }}, created at {}",
            place!(line, 26)
        )
    );
    assert_eq!(
        message_of_panic(|| drop(logged_in)),
        format!(
            "Forgot to call async_drop on AsyncDropResult {{ result: Ok(AsyncDropGuard(Session(\"ada\"))) }}, created at {}",
            place!(line + 2, 28)
        )
    );
}

#[test]
fn n1_an_interrupted_cleanup_leaves_the_value_in_its_place_and_can_go_on() {
    let diary = Diary::default();
    let mut login = logged_in(Session::of("ada", &diary).waiting(2));

    abandon_after(1, login.async_drop());
    assert_eq!(login.ok().unwrap().user, "ada");
    assert_eq!(end(&mut login), Ok(()));

    diary.assert_reads(&[
        "ada cleanup begins",
        "ada cleanup begins",
        "ada cleanup ends",
        "ada dropped",
    ]);
}

#[test]
fn n1_a_cleanup_that_panicked_is_reported_if_nobody_takes_it_up() {
    let diary = Diary::default();
    let mut login = logged_in(Session::of("ada", &diary).ending(Ending::Panics("no route")));
    assert_eq!(message_of_panic(|| end(&mut login)), "no route");

    let (_, incidents) = record(|| drop(login));

    let kinds: Vec<_> = incidents.iter().map(|it| it.kind).collect();
    assert_eq!(
        kinds,
        [IncidentKind::Interrupted, IncidentKind::Interrupted]
    );
}

#[test]
fn r1_value_and_error_can_be_worked_with() {
    let diary = Diary::default();
    let mut login = logged_in(Session::of("ada", &diary));
    login.as_mut().unwrap().user = "eve";
    assert_eq!(end(&mut login), Ok(()));
    diary.assert_reads(&["eve cleanup begins", "eve cleanup ends", "eve dropped"]);

    let mut login = refused();
    *login.as_mut().unwrap_err() = "no such user";
    assert_eq!(login.err(), Some(&"no such user"));
    assert_eq!(end(&mut login), Ok(()));
}

#[test]
fn r1_a_value_that_was_already_cleaned_up_is_passed_over_and_cannot_be_lent() {
    let diary = Diary::default();
    let line = line!() + 1;
    let mut session = AsyncDropGuard::new(Session::of("ada", &diary));
    assert_eq!(block_on(session.async_drop()), Ok(()));
    let mut login: Login = AsyncDropResult::new(Ok(session));

    let expected = format!(
        "AsyncDropGuard<{}> was used after async_drop, created at {}",
        std::any::type_name::<Session>(),
        place!(line, 23)
    );
    for message in [
        message_of_panic(|| login.ok().is_some()),
        message_of_panic(|| login.as_ref().is_ok()),
        message_of_panic(|| login.as_mut().is_ok()),
    ] {
        assert_eq!(message, expected);
    }
    assert_eq!(login.err(), None, "whether there is an error can be asked");
    assert_eq!(
        format!("{login:?}"),
        "AsyncDropGuard(AsyncDropResult { result: Ok(AsyncDropGuard(<dropped>)) })"
    );
    assert_eq!(end(&mut login), Ok(()));
    diary.assert_reads(&["ada cleanup begins", "ada cleanup ends", "ada dropped"]);
}
