//! Ways out of a function.

use super::*;

// finds: dropped-armed end
pub async fn forgotten() {
    let session = open();
    step().await.ok();
}

// finds: nothing
pub async fn remembered() -> Result<(), Failed> {
    let mut session = open();
    session.async_drop().await
}

// finds: dropped-armed ?
pub async fn question_mark() -> Result<(), Failed> {
    let mut session = open();
    step().await?;
    session.async_drop().await
}

// finds: nothing
pub async fn question_mark_before() -> Result<(), Failed> {
    step().await?;
    let mut session = open();
    session.async_drop().await?;
    step().await?;
    Ok(())
}

// finds: dropped-armed ?, ?
pub async fn two_question_marks() -> Result<(), Failed> {
    let mut session = open();
    let number = step().await?;
    check(number)?;
    session.async_drop().await
}

// finds: dropped-armed return
pub async fn early_return() -> Result<(), Failed> {
    let mut session = open();
    if session.0 > 3 {
        return Ok(());
    }
    session.async_drop().await
}

// finds: nothing
pub async fn early_return_cleaned_up() -> Result<(), Failed> {
    let mut session = open();
    if session.0 > 3 {
        return session.async_drop().await;
    }
    session.async_drop().await
}

// finds: dropped-armed return, end
pub async fn return_and_end() {
    let session = open();
    if check(3).is_ok() {
        return;
    }
    step().await.ok();
}

// finds: dropped-armed return
pub async fn let_else() -> Result<(), Failed> {
    let mut session = open();
    let Some(number) = check(session.0).ok() else {
        return Ok(());
    };
    session.async_drop().await
}

// finds: dropped-armed end
pub async fn only_in_one_arm(number: u8) {
    let mut session = open();
    match number {
        0 => session.async_drop().await.unwrap(),
        1 => tokio::task::yield_now().await,
        _ => session.async_drop().await.unwrap(),
    }
}

// finds: nothing
pub async fn moved_in_some_arms(number: u8) -> Result<(), Failed> {
    let mut session = open();
    match number {
        0 => hand_over(session).await,
        1 => Ok(drop(keep(session))),
        _ => session.async_drop().await,
    }
}

// finds: dropped-armed end
pub async fn moved_in_one_arm_and_forgotten_in_the_other(number: u8) {
    let session = open();
    if number == 0 {
        hand_over(session).await.unwrap();
    } else {
        tokio::task::yield_now().await;
    }
}

// finds: nothing
pub async fn hand_over(mut session: AsyncDropGuard<Session>) -> Result<(), Failed> {
    session.async_drop().await
}

// finds: nothing
fn keep(session: AsyncDropGuard<Session>) -> Session {
    session.unsafe_into_inner_dont_drop()
}

// finds: dropped-armed end
pub async fn shadowed() {
    let session = open();
    let mut session = open();
    session.async_drop().await.unwrap();
}

// finds: dropped-armed drop
pub async fn dropped_by_hand() {
    let session = open();
    drop(session);
}

// finds: nothing
pub async fn dropped_after_the_cleanup() -> Result<(), Failed> {
    let mut session = open();
    session.async_drop().await?;
    drop(session);
    Ok(())
}

// finds: dropped-armed assignment
pub async fn assigned_over() -> Result<(), Failed> {
    let mut session = open();
    session = connect_now();
    session.async_drop().await
}

// finds: nothing
pub fn connect_now() -> AsyncDropGuard<Session> {
    open()
}

// finds: nothing
pub async fn assigned_after_the_cleanup() -> Result<(), Failed> {
    let mut session = open();
    session.async_drop().await?;
    session = open();
    session.async_drop().await
}

// finds: nothing
pub async fn panics_instead() {
    let session = open();
    step().await.ok();
    panic!("the guard reports it");
}

// finds: nothing
pub async fn asked_whether_it_is_dropped() -> Result<(), Failed> {
    let mut session = open();
    if session.0 == 0 {
        session.async_drop().await?;
    }
    if !session.is_dropped() {
        session.async_drop().await?;
    }
    Ok(())
}

// finds: dropped-armed end
pub async fn in_a_nested_block() {
    {
        let session = open();
    }
    step().await.ok();
}

// finds: dropped-armed ?
pub async fn second_of_two() -> Result<(), Failed> {
    let mut first = open();
    let second = connect().await;
    let first_result = first.async_drop().await;
    let mut second = second?;
    check(second.0)?;
    first_result.and(second.async_drop().await)
}

// finds: nothing
pub async fn returned() -> Result<AsyncDropGuard<Session>, Failed> {
    let session = connect().await?;
    Ok(session)
}

// finds: dropped-armed end
pub fn without_async() {
    let session = open();
}
