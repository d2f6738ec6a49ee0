//! Cleanups that are interrupted, and results that are thrown away.

use super::*;
use asyncdrop::{async_drop_all, with_async_drop, with_async_drop_2, with_async_drop_2_infallible};
use std::pin::pin;
use std::time::Duration;
use tokio::time::timeout;

const LIMIT: Duration = Duration::from_secs(1);

// finds: dropped-interrupted end
pub async fn interrupted() {
    let mut session = open();
    if timeout(LIMIT, session.async_drop()).await.is_err() {
        step().await.ok();
    }
}

// finds: nothing
pub async fn interrupted_and_resumed() -> Result<(), Failed> {
    let mut session = open();
    if timeout(LIMIT, session.async_drop()).await.is_err() {
        session.async_drop().await?;
    }
    Ok(())
}

// finds: dropped-interrupted ?
pub async fn interrupted_by_a_question_mark() -> Result<(), Box<dyn std::error::Error>> {
    let mut session = open();
    let result = timeout(LIMIT, session.async_drop()).await?;
    result.map_err(|_| "failed".into())
}

// finds: nothing
pub async fn matched() -> Result<(), Failed> {
    let mut session = open();
    match timeout(LIMIT, session.async_drop()).await {
        Ok(result) => result,
        Err(_) => session.async_drop().await,
    }
}

// finds: nothing
pub async fn within_a_limit() {
    let mut session = open();
    session.async_drop_within(LIMIT).await.unwrap();
}

// finds: dropped-interrupted end
pub async fn selected() {
    let mut session = open();
    tokio::select! {
        result = session.async_drop() => result.unwrap(),
        () = tokio::time::sleep(LIMIT) => {}
    }
}

// finds: nothing
pub async fn selected_and_resumed() -> Result<(), Failed> {
    let mut session = open();
    tokio::select! {
        result = session.async_drop() => return result,
        () = tokio::time::sleep(LIMIT) => {}
    }
    session.async_drop().await
}

// finds: nothing
pub async fn either_ended_or_resumed() -> Result<(), Failed> {
    use ::futures::future::{Either, select};
    let mut session = open();
    let result = match select(pin!(session.async_drop()), pin!(step())).await {
        Either::Left((result, _)) => Some(result),
        Either::Right(_) => None,
    };
    if let Some(result) = result {
        return result;
    }
    session.async_drop().await
}

// finds: dropped-interrupted end
pub async fn either_ended_or_dropped() {
    use ::futures::future::{Either, select};
    let mut session = open();
    if let Either::Left((result, _)) = select(pin!(session.async_drop()), pin!(step())).await {
        result.unwrap();
    }
}

// finds: nothing
pub async fn joined() -> Result<(), Failed> {
    let mut first = open();
    let mut second = open();
    let (one, two) = tokio::join!(first.async_drop(), second.async_drop());
    one.and(two)
}

// finds: nothing
pub async fn joined_by_futures() -> Result<(), Failed> {
    let mut first = open();
    let mut second = open();
    let (one, two) = ::futures::join!(first.async_drop(), second.async_drop());
    one.and(two)
}

// finds: dropped-interrupted ?
// finds: dropped-interrupted ?
pub async fn try_joined() -> Result<(), Failed> {
    let mut first = open();
    let mut second = open();
    tokio::try_join!(first.async_drop(), second.async_drop())?;
    Ok(())
}

// finds: result-dropped
pub async fn result_thrown_away() {
    let mut session = open();
    let _ = session.async_drop().await;
}

// finds: result-dropped
pub async fn result_made_silent() {
    let mut session = open();
    session.async_drop().await.ok();
}

/// Its error has something to drop.
#[derive(Debug)]
pub struct Socket;

#[async_trait]
impl AsyncDrop for Socket {
    type Error = std::io::Error;

    async fn async_drop_impl(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

// finds: result-dropped
pub async fn result_with_more_to_drop_thrown_away() {
    let mut socket = AsyncDropGuard::new(Socket);
    let _ = socket.async_drop().await;
}

// finds: result-dropped
pub async fn result_with_more_to_drop_thrown_away_in_a_loop(
    sockets: &mut [AsyncDropGuard<Socket>],
) {
    for socket in sockets {
        let _ = socket.async_drop().await;
    }
}

// finds: nothing
pub async fn result_with_more_to_drop_returned() -> std::io::Result<()> {
    let mut socket = AsyncDropGuard::new(Socket);
    let result = socket.async_drop().await;
    step().await.ok();
    result
}

// finds: nothing
pub async fn result_with_more_to_drop_matched() {
    let mut socket = AsyncDropGuard::new(Socket);
    match socket.async_drop().await {
        Ok(()) => {}
        Err(error) => eprintln!("{error}"),
    }
}

// finds: nothing
pub async fn result_logged() {
    let mut session = open();
    if let Err(error) = session.async_drop().await {
        eprintln!("{error:?}");
    }
}

// finds: nothing
pub async fn no_result_to_throw_away() {
    let mut quiet = AsyncDropGuard::new(Quiet);
    let _ = quiet.async_drop().await;
}

// finds: nothing
pub async fn scope() -> Result<u8, Failed> {
    let session = open();
    with_async_drop_2!(session, {
        let number = step().await?;
        check(number)
    })
}

// finds: nothing
pub async fn scope_that_cannot_fail() -> u8 {
    let quiet = AsyncDropGuard::new(Quiet);
    with_async_drop_2_infallible!(quiet, { step().await.unwrap_or(0) })
}

// finds: nothing
pub async fn scope_function() -> Result<u8, Failed> {
    with_async_drop(open(), async |session| {
        let number = step().await?;
        check(number + session.0)
    })
    .await
}

// finds: dropped-armed ?
pub async fn before_the_scope() -> Result<u8, Failed> {
    let session = open();
    let number = step().await?;
    with_async_drop_2!(session, { check(number) })
}

// finds: nothing
pub async fn all_of_them() -> Result<(), Failed> {
    let sessions = [("a", open()), ("b", open())];
    async_drop_all(sessions).await.map_err(|_| Failed)
}

// finds: leaked forget
pub fn forgotten_for_good() {
    let session = open();
    std::mem::forget(session);
}

// finds: leaked leak
pub fn boxed_and_leaked() {
    let session = Box::new(open());
    Box::leak(session);
}

static KEPT: std::sync::OnceLock<AsyncDropGuard<Session>> = std::sync::OnceLock::new();

// finds: leaked set
pub fn kept_in_a_static() {
    KEPT.set(open()).ok();
}
