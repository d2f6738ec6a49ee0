//! Guards inside of other values.

use super::*;
use ::futures::future::join_all;
use std::collections::HashMap;

// finds: dropped-inside end
pub async fn in_an_option() {
    let session = Some(open());
    step().await.ok();
}

// finds: nothing
pub async fn in_an_option_cleaned_up(wanted: bool) -> Result<(), Failed> {
    let mut session = if wanted { Some(open()) } else { None };
    step().await.ok();
    if let Some(session) = &mut session {
        session.async_drop().await?;
    }
    Ok(())
}

// finds: nothing
pub async fn taken_out_of_an_option(wanted: bool) -> Result<(), Failed> {
    let mut session = wanted.then(open);
    if let Some(mut session) = session.take() {
        session.async_drop().await?;
    }
    Ok(())
}

// finds: dropped-inside end
pub async fn in_a_vec() {
    let mut sessions = Vec::new();
    sessions.push(open());
    step().await.ok();
}

// finds: nothing
pub async fn in_a_vec_cleaned_up() -> Result<(), Failed> {
    let mut sessions = vec![open(), open()];
    for session in &mut sessions {
        session.async_drop().await.unwrap();
    }
    Ok(())
}

// finds: nothing
pub async fn in_a_vec_consumed() {
    let sessions = vec![open(), open()];
    for mut session in sessions {
        session.async_drop().await.unwrap();
    }
}

// finds: dropped-inside ?
pub async fn in_a_vec_half_cleaned_up() -> Result<(), Failed> {
    let mut sessions = vec![open(), open()];
    for session in &mut sessions {
        session.async_drop().await?;
    }
    Ok(())
}

// finds: nothing
pub async fn in_a_vec_popped() {
    let mut sessions = vec![open(), open()];
    while let Some(mut session) = sessions.pop() {
        session.async_drop().await.unwrap();
    }
}

// finds: nothing
pub async fn in_a_vec_joined() {
    let mut sessions = vec![open(), open()];
    let results = join_all(sessions.iter_mut().map(|session| session.async_drop())).await;
    assert!(results.iter().all(Result::is_ok));
}

// finds: dropped-inside clear
pub fn cleared() {
    let mut sessions = vec![open()];
    sessions.clear();
}

// finds: dropped-inside truncate, end
pub fn truncated() {
    let mut sessions = vec![open()];
    sessions.truncate(0);
}

// finds: nothing
pub fn an_empty_vec() {
    let sessions: Vec<AsyncDropGuard<Session>> = Vec::new();
}

// finds: dropped-inside end
pub fn in_a_tuple() {
    let pair = (1, open());
}

// finds: dropped-inside end
pub async fn in_a_map() {
    let mut sessions = HashMap::new();
    sessions.entry(1).or_insert_with(open);
    step().await.ok();
}

// finds: nothing
pub async fn in_a_map_cleaned_up() {
    let mut sessions = HashMap::from([(1, open())]);
    for session in sessions.values_mut() {
        session.async_drop().await.unwrap();
    }
}

// finds: dropped-inside end
pub async fn pushed_out_of_a_map(sessions: &mut HashMap<u8, AsyncDropGuard<Session>>) {
    let old = sessions.insert(1, open());
}

// finds: nothing
pub async fn pushed_out_of_a_map_and_cleaned_up(
    sessions: &mut HashMap<u8, AsyncDropGuard<Session>>,
) {
    if let Some(mut old) = sessions.insert(1, open()) {
        old.async_drop().await.unwrap();
    }
}

// finds: nothing
pub fn asserted_not_to_be_there(sessions: &mut HashMap<u8, AsyncDropGuard<Session>>) {
    assert!(sessions.insert(1, open()).is_none());
}
