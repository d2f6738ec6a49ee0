//! Closures that functions of the crate call, and functions that return a guard which is clean already.

use super::*;
use ::futures::executor::block_on;

/// Calls what it is given.
fn measured<R>(operation: impl FnOnce() -> R) -> (R, u8) {
    let result = operation();
    (result, 0)
}

/// Calls what it is given, by another function.
fn measured_twice<R>(operation: impl FnOnce() -> R) -> ((R, u8), u8) {
    let (result, number) = measured(operation);
    ((result, number), number)
}

/// May do without what it is given.
fn perhaps(yes: bool, operation: impl FnOnce()) {
    if yes {
        operation();
    }
}

/// Keeps what it is given.
fn kept(operation: impl FnOnce() + 'static) -> Box<dyn FnOnce()> {
    Box::new(operation)
}

pub struct Bench;

impl Bench {
    fn measured<R>(&self, operation: impl FnOnce() -> R) -> R {
        operation()
    }
}

fn close(session: &mut AsyncDropGuard<Session>) -> Result<(), Failed> {
    block_on(session.async_drop())
}

// finds: nothing
pub fn cleaned_up_in_a_closure() {
    let mut session = open();
    let (result, _) = measured(|| close(&mut session));
    result.unwrap();
}

// finds: nothing
pub fn cleaned_up_in_a_closure_of_a_closure() {
    let mut session = open();
    let (result, _) = measured_twice(|| close(&mut session));
}

// finds: nothing
pub fn cleaned_up_in_a_closure_for_a_method(bench: &Bench) {
    let mut session = open();
    bench.measured(|| close(&mut session)).unwrap();
}

// finds: nothing
pub fn two_in_one_closure() {
    let mut one = open();
    let mut other = open();
    let (results, _) = measured(|| (close(&mut one), close(&mut other)));
}

// finds: dropped-armed end
pub fn one_of_two_in_a_closure() {
    let mut one = open();
    let mut other = open();
    let (result, _) = measured(|| {
        other.0 += 1;
        close(&mut one)
    });
}

// finds: dropped-armed end
pub fn cleaned_up_in_a_closure_that_is_perhaps_called(yes: bool) {
    let mut session = open();
    perhaps(yes, || close(&mut session).unwrap());
}

// finds: dropped-armed end
pub fn used_in_a_closure() -> u8 {
    let session = open();
    measured(|| session.0).0
}

/// The guard that it returns is clean.
fn used_up() -> AsyncDropGuard<Session> {
    let mut session = open();
    close(&mut session).unwrap();
    session
}

fn used_up_with_its_number() -> (AsyncDropGuard<Session>, u8) {
    let session = used_up();
    (session, 3)
}

fn perhaps_used_up(yes: bool) -> AsyncDropGuard<Session> {
    let mut session = open();
    if yes {
        close(&mut session).unwrap();
    }
    session
}

// finds: nothing
pub fn used_up_by_a_function() {
    let session = used_up();
    assert!(session.0 < 9);
}

// finds: nothing
pub fn used_up_by_a_function_that_returns_more() {
    let (session, number) = used_up_with_its_number();
    assert!(number > 2 && session.0 < 9);
}

// finds: dropped-armed end
pub fn perhaps_used_up_by_a_function(yes: bool) {
    let session = perhaps_used_up(yes);
}

struct World {
    session: AsyncDropGuard<Session>,
}

impl World {
    /// Is called like the function that leaks.
    fn forget(mut self) {
        close(&mut self.session).unwrap();
    }
}

// finds: nothing
pub fn forgotten_by_a_method_of_another_kind() {
    let world = World { session: open() };
    world.forget();
}

/// Says what came of a cleanup, as tests do.
async fn end<T: AsyncDrop<Error = Failed> + std::fmt::Debug>(
    log: &mut Vec<String>,
    guard: &mut AsyncDropGuard<T>,
) {
    let result = guard.async_drop().await;
    log.push(format!("{result:?}"));
}

async fn one_of(number: u8) -> AsyncDropGuard<Session> {
    match number {
        0 => open(),
        _ => connect().await.unwrap(),
    }
}

// finds: nothing
pub async fn cleaned_up_and_said(log: &mut Vec<String>) {
    let mut session = one_of(1).await;
    step().await.ok();
    end(log, &mut session).await;
}

// finds: nothing
pub async fn cleaned_up_and_said_if_there_is_one(
    log: &mut Vec<String>,
    opened: impl Fn() -> Option<AsyncDropGuard<Session>>,
) {
    if let Some(mut session) = opened() {
        end(log, &mut session).await;
    }
    step().await.ok();
}

// finds: nothing
pub fn each_of_a_list_but_one() {
    let mut sessions = vec![open(), open(), open()];
    let mut last = sessions.remove(2);
    for session in &mut sessions {
        assert!(close(session).is_ok());
    }
    assert!(close(&mut last).is_ok());
}

// finds: nothing
pub fn each_of_a_list_with_keys(sessions: impl Iterator<Item = (u8, AsyncDropGuard<Session>)>) {
    let mut drained: Vec<_> = sessions.collect();
    for (key, session) in &mut drained {
        assert_eq!(session.0, *key);
        assert!(block_on(session.async_drop()).is_ok());
    }
}

// finds: dropped-inside end
pub fn one_of_two_in_each_of_a_list(
    sessions: impl Iterator<Item = (AsyncDropGuard<Session>, AsyncDropGuard<Session>)>,
) {
    let mut drained: Vec<_> = sessions.collect();
    for (one, other) in &mut drained {
        assert!(close(one).is_ok());
        other.0 += 1;
    }
}

// finds: nothing
pub async fn each_by_the_path_of_the_cleanup(mut sessions: Vec<AsyncDropGuard<Session>>) {
    let cleanups = sessions.iter_mut().map(AsyncDropGuard::async_drop);
    ::futures::future::join_all(cleanups).await;
}

// finds: dropped-inside end
pub async fn each_by_another_path(mut sessions: Vec<AsyncDropGuard<Session>>) {
    let clean = sessions
        .iter_mut()
        .map(|session| AsyncDropGuard::is_dropped(session));
    assert_eq!(clean.count(), 0);
}
