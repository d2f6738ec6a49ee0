//! Futures of cleanups that are kept, boxed, or polled by hand.

use super::*;
use std::pin::pin;

// finds: nothing
pub async fn kept_in_a_variable() -> Result<(), Failed> {
    let mut session = open();
    let cleanup = session.async_drop();
    step().await.ok();
    cleanup.await
}

// finds: nothing
pub async fn boxed() -> Result<(), Failed> {
    let mut session = open();
    let cleanup = Box::pin(session.async_drop());
    cleanup.await
}

// finds: nothing
pub async fn pinned_and_selected_until_it_ends() -> Result<(), Failed> {
    let mut session = open();
    let mut cleanup = pin!(session.async_drop());
    loop {
        tokio::select! {
            result = &mut cleanup => break result,
            _ = step() => {}
        }
    }
}

// finds: dropped-armed end
pub async fn never_polled() {
    let mut session = open();
    let cleanup = session.async_drop();
    step().await.ok();
}

// finds: dropped-interrupted end
pub fn polled_once() {
    use ::futures::FutureExt;
    let mut session = open();
    let result = session.async_drop().now_or_never();
    println!("{result:?}");
}

// finds: nothing
pub fn blocked_on() {
    let mut session = open();
    ::futures::executor::block_on(session.async_drop()).unwrap();
}

// finds: nothing
pub fn blocked_on_in_place() {
    let mut session = open();
    tokio::task::block_in_place(|| {
        ::futures::executor::block_on(session.async_drop()).unwrap();
    });
}

// finds: dropped-armed end
pub fn only_looked_at_in_place() {
    let mut session = open();
    tokio::task::block_in_place(|| {
        session.0 += 1;
    });
}
