//! Guards as arguments, and functions that clean up what they are lent.

use super::*;

// finds: dropped-armed end
pub async fn taken_and_forgotten(session: AsyncDropGuard<Session>) {
    step().await.ok();
}

// finds: nothing
pub async fn close(session: &mut AsyncDropGuard<Session>) -> Result<(), Failed> {
    step().await.ok();
    session.async_drop().await
}

// finds: nothing
pub async fn close_sometimes(session: &mut AsyncDropGuard<Session>) -> Result<(), Failed> {
    if session.0 > 0 {
        return session.async_drop().await;
    }
    Ok(())
}

// finds: nothing
pub async fn looks(session: &mut AsyncDropGuard<Session>) -> u8 {
    session.0
}

// finds: nothing
pub async fn closed_by_a_helper() -> Result<(), Failed> {
    let mut session = open();
    close(&mut session).await
}

// finds: dropped-armed end
pub async fn closed_by_a_helper_that_may_not() -> Result<(), Failed> {
    let mut session = open();
    close_sometimes(&mut session).await
}

// finds: dropped-armed end
pub async fn only_looked_at() {
    let mut session = open();
    looks(&mut session).await;
}

// finds: nothing
pub fn future_of_the_cleanup(
    session: &mut AsyncDropGuard<Session>,
) -> impl Future<Output = Result<(), Failed>> {
    session.async_drop()
}

// finds: nothing
pub async fn closed_by_a_returned_future() -> Result<(), Failed> {
    let mut session = open();
    future_of_the_cleanup(&mut session).await
}

pub struct Closer;

impl Closer {
    // finds: nothing
    pub async fn finish(&self, session: &mut AsyncDropGuard<Session>) -> Result<(), Failed> {
        session.async_drop().await
    }
}

// finds: nothing
pub async fn closed_by_a_method() -> Result<(), Failed> {
    let mut session = open();
    Closer.finish(&mut session).await
}

#[async_trait]
pub trait Finisher {
    async fn complete(&self, session: &mut AsyncDropGuard<Session>) -> Result<(), Failed>;
}

#[async_trait]
impl Finisher for Closer {
    // finds: nothing
    async fn complete(&self, session: &mut AsyncDropGuard<Session>) -> Result<(), Failed> {
        session.async_drop().await
    }
}

// finds: nothing
pub async fn closed_by_a_method_of_a_trait() -> Result<(), Failed> {
    let mut session = open();
    Closer.complete(&mut session).await
}

// finds: dropped-inside assignment
pub fn assigned_over_what_is_lent(session: &mut AsyncDropGuard<Session>) {
    *session = open();
}

// finds: nothing
pub async fn rotated(session: &mut AsyncDropGuard<Session>) -> Result<(), Failed> {
    session.async_drop().await?;
    *session = open();
    Ok(())
}

// finds: nothing
pub fn cleans_up_at_once<T: AsyncDrop + std::fmt::Debug>(
    guard: &mut AsyncDropGuard<T>,
) -> Result<(), T::Error> {
    ::futures::executor::block_on(guard.async_drop())
}

// finds: nothing
pub fn cleaned_up_without_a_task() {
    let mut session = open();
    assert!(cleans_up_at_once(&mut session).is_ok());
    session.0 += 1;
}

// finds: nothing
pub fn polled_until_it_has_ended() {
    let mut session = open();
    let mut cleanup = Box::pin(session.async_drop());
    ::futures::executor::block_on(&mut cleanup).unwrap();
}

// finds: nothing
pub fn cleaned_up_in_a_closure() {
    let mut session = open();
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        cleans_up_at_once(&mut session)
    }));
    result.unwrap().unwrap();
}
