//! Guards behind pointers, in futures that nothing polls, and in places that get a new value.

use super::*;
use std::collections::HashMap;
use std::mem;
use std::rc::Rc;
use std::sync::Arc;
use tokio::sync::Mutex;

// finds: dropped-inside end
pub async fn in_an_arc() {
    let session = Arc::new(open());
    step().await.ok();
}

// finds: dropped-inside ?
pub async fn in_an_arc_that_is_left_early() -> Result<(), Failed> {
    let session = Arc::new(open());
    step().await?;
    let mut session = Arc::into_inner(session).unwrap();
    session.async_drop().await
}

// finds: nothing
pub async fn in_an_arc_taken_out() -> Result<(), Failed> {
    let session = Arc::new(open());
    step().await.ok();
    let mut session = Arc::into_inner(session).unwrap();
    session.async_drop().await
}

// finds: nothing
pub async fn in_an_arc_with_another_owner() {
    let session = Arc::new(open());
    let other = Arc::clone(&session);
    tokio::spawn(async move { println!("{}", other.0) });
}

// finds: nothing
pub async fn in_an_arc_cleaned_up_in_place() -> Result<(), Failed> {
    let mut session = Arc::new(open());
    Arc::get_mut(&mut session).unwrap().async_drop().await
}

// finds: nothing
pub async fn in_an_arc_behind_a_lock() -> Result<(), Failed> {
    let session = Arc::new(Mutex::new(open()));
    let mut locked = session.lock().await;
    locked.async_drop().await
}

// finds: nothing
pub fn an_arc_of_someone_else(session: Arc<AsyncDropGuard<Session>>) -> u8 {
    session.0
}

// finds: dropped-inside drop
pub fn in_an_rc() {
    let session = Rc::new(open());
    drop(session);
}

// finds: dropped-inside end
pub async fn in_a_box() {
    let session = Box::new(open());
    step().await.ok();
}

// finds: nothing
pub async fn in_a_box_cleaned_up() -> Result<(), Failed> {
    let mut session = Box::new(open());
    step().await.ok();
    session.async_drop().await
}

// finds: nothing
pub async fn in_a_box_taken_out() -> Result<(), Failed> {
    let session = Box::new(open());
    let mut session = *session;
    session.async_drop().await
}

pub struct Connection {
    number: u8,
    session: AsyncDropGuard<Session>,
}

// finds: nothing
pub async fn in_a_boxed_struct_cleaned_up() -> Result<(), Failed> {
    let mut connection = Box::new(Connection {
        number: 1,
        session: open(),
    });
    connection.session.async_drop().await
}

// finds: dropped-inside ?
pub async fn in_a_boxed_struct() -> Result<(), Failed> {
    let mut connection = Box::new(Connection {
        number: 1,
        session: open(),
    });
    check(connection.number)?;
    connection.session.async_drop().await
}

// finds: dropped-inside end
pub async fn in_a_block_that_is_not_polled() {
    let session = open();
    let work = async move { close(session).await };
    step().await.ok();
}

// finds: nothing
pub async fn in_a_block_that_is_awaited() -> Result<(), Failed> {
    let session = open();
    let work = async move { close(session).await };
    step().await.ok();
    work.await
}

// finds: dropped-inside ?
pub async fn in_a_block_that_is_awaited_too_late() -> Result<(), Failed> {
    let session = open();
    let work = async move { close(session).await };
    step().await?;
    work.await
}

// finds: nothing
pub async fn close(mut session: AsyncDropGuard<Session>) -> Result<(), Failed> {
    session.async_drop().await
}

// finds: dropped-inside end
pub async fn in_a_call_that_is_not_polled() {
    let closing = close(open());
    step().await.ok();
}

// finds: dropped-inside drop
pub fn in_a_future_that_is_dropped() {
    drop(close(open()));
}

// finds: nothing
pub async fn in_a_future_that_is_spawned() {
    let closing = close(open());
    tokio::spawn(closing).await.unwrap().unwrap();
}

// finds: nothing
pub async fn in_a_future_that_is_pinned() -> Result<(), Failed> {
    let closing = close(open());
    tokio::pin!(closing);
    tokio::select! {
        result = &mut closing => return result,
        _ = step() => {}
    }
    closing.await
}

// finds: nothing
pub async fn in_futures_that_are_joined() -> Result<(), Failed> {
    let (one, two) = tokio::join!(close(open()), close(open()));
    one.and(two)
}

// finds: dropped-inside end
pub async fn in_a_list_of_futures() {
    let mut closing = Vec::new();
    closing.push(Box::pin(close(open())));
    step().await.ok();
}

// finds: dropped-armed assignment
pub async fn assigned_over() -> Result<(), Failed> {
    let mut session = open();
    session.0 += 1;
    session = open();
    session.async_drop().await
}

// finds: nothing
pub async fn assigned_over_after_the_cleanup() -> Result<(), Failed> {
    let mut session = open();
    session.async_drop().await?;
    session = open();
    session.async_drop().await
}

// finds: dropped-inside assignment
pub fn assigned_over_an_element(sessions: &mut Vec<AsyncDropGuard<Session>>) {
    sessions[0] = open();
}

// finds: dropped-armed end
pub async fn replaced(session: &mut AsyncDropGuard<Session>) {
    let old = mem::replace(session, open());
    step().await.ok();
}

// finds: nothing
pub async fn replaced_and_cleaned_up(session: &mut AsyncDropGuard<Session>) -> Result<(), Failed> {
    let mut old = mem::replace(session, open());
    old.async_drop().await
}

// finds: nothing
pub async fn replaced_by_nothing() -> Result<(), Failed> {
    let mut slot = Some(open());
    let old = mem::replace(&mut slot, None);
    match old {
        Some(mut old) => old.async_drop().await,
        None => Ok(()),
    }
}

// finds: dropped-inside end
pub async fn replaced_in_an_option() -> Result<(), Failed> {
    let mut slot = Some(open());
    if let Some(mut old) = slot.replace(open()) {
        old.async_drop().await.unwrap();
    }
    Ok(())
}

// finds: nothing
pub async fn swapped_and_both_cleaned_up() -> Result<(), Failed> {
    let mut one = open();
    let mut two = open();
    mem::swap(&mut one, &mut two);
    let result = one.async_drop().await;
    two.async_drop().await?;
    result
}

// finds: dropped-armed end
pub async fn swapped_with_one_that_was_cleaned_up() -> Result<(), Failed> {
    let mut one = open();
    let mut two = open();
    one.async_drop().await.unwrap();
    mem::swap(&mut one, &mut two);
    two.0 += 1;
    Ok(())
}

// finds: nothing
pub async fn all_taken_at_once(sessions: &mut Vec<AsyncDropGuard<Session>>) -> Result<(), Failed> {
    for mut session in mem::take(sessions) {
        session.async_drop().await.unwrap();
    }
    Ok(())
}

// finds: dropped-inside retain
pub fn retained(sessions: &mut Vec<AsyncDropGuard<Session>>) {
    sessions.retain(|session| session.0 > 0);
}

// finds: dropped-inside clear
pub fn a_map_that_is_cleared(sessions: &mut HashMap<u8, AsyncDropGuard<Session>>) {
    sessions.clear();
}

// finds: nothing
pub async fn a_map_that_is_cleared_after_the_cleanup(
    sessions: &mut HashMap<u8, AsyncDropGuard<Session>>,
) {
    for session in sessions.values_mut() {
        session.async_drop().await.unwrap();
    }
    sessions.clear();
}

// finds: dropped-inside end
pub async fn removed(sessions: &mut HashMap<u8, AsyncDropGuard<Session>>) {
    let old = sessions.remove(&1);
    step().await.ok();
}

// finds: nothing
pub async fn removed_and_cleaned_up(sessions: &mut HashMap<u8, AsyncDropGuard<Session>>) {
    if let Some(mut old) = sessions.remove(&1) {
        old.async_drop().await.unwrap();
    }
}

// finds: dropped-inside end
pub fn drained(sessions: &mut Vec<AsyncDropGuard<Session>>) {
    sessions.drain(..);
}

// finds: nothing
pub async fn drained_and_cleaned_up(sessions: &mut Vec<AsyncDropGuard<Session>>) {
    for mut session in sessions.drain(..) {
        session.async_drop().await.unwrap();
    }
}

// finds: dropped-inside end
pub async fn in_a_tuple_of_options() {
    let pair = (Some(open()), None::<AsyncDropGuard<Session>>);
    step().await.ok();
}

// finds: nothing
pub async fn in_a_tuple_cleaned_up() -> Result<(), Failed> {
    let mut pair = (open(), 1);
    step().await.ok();
    pair.0.async_drop().await
}

// finds: nothing
pub async fn matched_twice(
    first: Result<AsyncDropGuard<Session>, Failed>,
    second: Result<AsyncDropGuard<Session>, Failed>,
) -> Result<(AsyncDropGuard<Session>, AsyncDropGuard<Session>), Failed> {
    let (mut first, mut second) = (first, second);
    match (&mut first, &mut second) {
        (Err(_), Ok(left)) | (Ok(left), Err(_)) => left.async_drop().await.unwrap(),
        (Ok(_), Ok(_)) | (Err(_), Err(_)) => {}
    }
    match (first, second) {
        (Ok(first), Ok(second)) => Ok((first, second)),
        (Err(error), _) | (_, Err(error)) => Err(error),
    }
}

// finds: dropped-armed end
pub async fn matched_once(
    first: Result<AsyncDropGuard<Session>, Failed>,
    second: Result<AsyncDropGuard<Session>, Failed>,
) -> Result<(AsyncDropGuard<Session>, AsyncDropGuard<Session>), Failed> {
    match (first, second) {
        (Ok(first), Ok(second)) => Ok((first, second)),
        (Err(error), _) | (_, Err(error)) => Err(error),
    }
}

// finds: nothing
pub async fn selected_by_a_function() -> Result<(), Failed> {
    use ::futures::future::{Either, select};
    let mut session = open();
    let in_time = {
        let cleanup = std::pin::pin!(session.async_drop());
        let other = std::pin::pin!(step());
        match select(cleanup, other).await {
            Either::Left((result, _)) => Some(result),
            Either::Right(_) => None,
        }
    };
    match in_time {
        Some(result) => result,
        None => session.async_drop().await,
    }
}

// finds: dropped-interrupted end
pub async fn selected_by_a_function_and_left() -> Result<(), Failed> {
    use ::futures::future::{Either, select};
    let mut session = open();
    let cleanup = std::pin::pin!(session.async_drop());
    let other = std::pin::pin!(step());
    match select(cleanup, other).await {
        Either::Left((result, _)) => result,
        Either::Right(_) => Ok(()),
    }
}
