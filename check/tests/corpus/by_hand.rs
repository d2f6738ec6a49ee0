//! Cleanups whose futures are polled by hand, once, in a loop, or by a function of the crate, and compared with what they return.

use super::*;
use ::futures::FutureExt as _;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

fn poll_once<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// As a cleanup returns it. Errors can't be compared in the corpus, so what is compared cannot fail.
type Done = Result<(), std::convert::Infallible>;

fn quiet() -> AsyncDropGuard<Quiet> {
    AsyncDropGuard::new(Quiet)
}

// finds: dropped-interrupted end
pub fn polled_once_by_a_function() {
    let mut session = open();
    let mut cleanup = pin!(session.async_drop());
    let polled = poll_once(cleanup.as_mut());
}

// finds: nothing
pub fn polled_until_ready() {
    let mut session = open();
    let mut cleanup = pin!(session.async_drop());
    while poll_once(cleanup.as_mut()).is_pending() {}
}

// finds: nothing
pub fn polled_until_ready_in_a_box() {
    let mut session = open();
    let mut cleanup = Box::pin(session.async_drop());
    let mut context = Context::from_waker(Waker::noop());
    while cleanup.as_mut().poll(&mut context).is_pending() {
        std::thread::yield_now();
    }
}

// finds: nothing
pub fn polled_and_asserted() {
    let mut session = open();
    let mut cleanup = pin!(session.async_drop());
    assert!(poll_once(cleanup.as_mut()).is_pending());
    assert!(poll_once(cleanup.as_mut()).is_ready());
}

// finds: dropped-interrupted end
pub fn asserted_to_be_pending() {
    let mut session = open();
    let mut cleanup = pin!(session.async_drop());
    assert!(poll_once(cleanup.as_mut()).is_pending());
}

// finds: dropped-interrupted end
pub fn asserted_not_to_be_ready() {
    let mut session = open();
    let mut cleanup = pin!(session.async_drop());
    assert!(!poll_once(cleanup.as_mut()).is_ready());
}

// finds: nothing
pub fn compared_with_ready() {
    let mut session = quiet();
    let mut cleanup = Box::pin(session.async_drop());
    assert_eq!(poll_once(cleanup.as_mut()), Poll::Ready(Ok(())));
}

// finds: dropped-interrupted end
pub fn compared_with_pending() {
    let mut session = quiet();
    let mut cleanup = Box::pin(session.async_drop());
    assert_eq!(poll_once(cleanup.as_mut()), Poll::Pending);
}

// finds: dropped-interrupted end
pub fn compared_with_anything(expected: Poll<Done>) {
    let mut session = quiet();
    let mut cleanup = Box::pin(session.async_drop());
    assert_eq!(poll_once(cleanup.as_mut()), expected);
}

// finds: dropped-interrupted end
pub fn compared_and_it_is_another() {
    let mut session = quiet();
    let mut cleanup = Box::pin(session.async_drop());
    assert_ne!(poll_once(cleanup.as_mut()), Poll::Ready(Ok(())));
}

// finds: nothing
pub fn now_or_never_at_once() {
    let mut session = open();
    session.async_drop().now_or_never().unwrap().unwrap();
}

// finds: dropped-interrupted drop
pub fn now_or_never_and_it_was_never() {
    let mut session = open();
    assert!(session.async_drop().now_or_never().is_none());
    drop(session);
}

// finds: nothing
pub fn now_or_never_compared() {
    let mut session = quiet();
    assert!(session.async_drop().now_or_never().is_none());
    assert_eq!(session.async_drop().now_or_never(), Some(Ok(())));
}

// finds: nothing
pub async fn now_or_never_or_awaited() -> Result<(), Failed> {
    let mut session = open();
    match session.async_drop().now_or_never() {
        Some(result) => result,
        None => session.async_drop().await,
    }
}

// finds: nothing
pub async fn timed_out_and_asserted() {
    let limit = std::time::Duration::from_secs(1);
    let mut session = open();
    assert!(
        tokio::time::timeout(limit, session.async_drop())
            .await
            .is_ok()
    );
}

// finds: nothing
pub async fn after_what_never_ends() {
    let mut session = open();
    step().await.ok();
    std::future::pending::<()>().await;
}

// finds: nothing
pub fn a_future_that_is_pending_has_no_guard(
    connecting: Pin<&mut dyn Future<Output = AsyncDropGuard<Session>>>,
) {
    let polled = connecting.poll(&mut Context::from_waker(Waker::noop()));
    assert!(polled.is_pending());
}

// finds: dropped-inside end
pub fn a_future_that_is_ready_has_one(
    connecting: Pin<&mut dyn Future<Output = AsyncDropGuard<Session>>>,
) {
    let polled = connecting.poll(&mut Context::from_waker(Waker::noop()));
    assert!(polled.is_ready());
}

// finds: nothing
pub async fn refused() {
    let connected = connect().await;
    assert!(connected.is_err());
}

// finds: dropped-inside end
pub async fn not_refused() {
    let connected = connect().await;
    assert!(connected.is_ok());
}

/// A type whose cleanup is called without its guard.
#[derive(Debug, AsyncDrop)]
#[async_drop(error = "Failed")]
pub struct Pair {
    one: AsyncDropGuard<Session>,
    other: AsyncDropGuard<Session>,
}

// finds: nothing
pub async fn cleaned_up_without_a_guard() {
    let mut pair = Pair {
        one: open(),
        other: open(),
    };
    pair.async_drop_impl().await.unwrap();
}
