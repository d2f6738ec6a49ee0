//! Loops.

use super::*;

// finds: dropped-armed continue
pub async fn continued(numbers: Vec<u8>) {
    for number in numbers {
        let mut session = open();
        if number == 0 {
            continue;
        }
        session.async_drop().await.unwrap();
    }
}

// finds: dropped-armed break
pub async fn broken_off(numbers: Vec<u8>) {
    for number in numbers {
        let mut session = open();
        if number == 0 {
            break;
        }
        session.async_drop().await.unwrap();
    }
}

// finds: nothing
pub async fn in_each_round(numbers: Vec<u8>) -> Result<(), Failed> {
    for number in numbers {
        let mut session = open();
        let checked = check(number);
        session.async_drop().await?;
        checked?;
    }
    Ok(())
}

// finds: dropped-armed ?
pub async fn question_mark_in_a_round(numbers: Vec<u8>) -> Result<(), Failed> {
    for number in numbers {
        let mut session = open();
        check(number)?;
        session.async_drop().await?;
    }
    Ok(())
}

// finds: dropped-armed end
pub async fn forgotten_in_each_round() {
    loop {
        let session = open();
        step().await.ok();
    }
}

// finds: nothing
pub async fn tried_again() -> Result<(), Failed> {
    let mut session = open();
    while session.async_drop().await.is_err() {
        step().await.ok();
    }
    Ok(())
}

// finds: nothing
pub async fn replaced_in_a_loop() -> Result<(), Failed> {
    let mut session = open();
    for _ in 0..3 {
        session.async_drop().await?;
        session = open();
    }
    session.async_drop().await
}

/// A flag beside a guard.
pub struct Noted {
    session: AsyncDropGuard<Session>,
    any: bool,
}

impl Noted {
    // finds: nothing
    pub fn note(&mut self, numbers: &[u8]) {
        for number in numbers {
            self.any |= *number > 1;
        }
    }
}

pub struct Node {
    session: AsyncDropGuard<Session>,
    next: Option<Box<Node>>,
}

// finds: nothing
pub fn along_a_list(mut node: &mut Node) {
    while let Some(next) = &mut node.next {
        node = next;
    }
    node.session.0 += 1;
}

// finds: dropped-inside end
pub fn a_list_that_is_built(length: u8) {
    let mut list: Option<Box<Node>> = None;
    for _ in 0..length {
        let next = list;
        list = Some(Box::new(Node {
            session: open(),
            next,
        }));
    }
}

// finds: nothing
pub async fn all_at_once(count: u8) {
    let mut sessions = Vec::new();
    for _ in 0..count {
        sessions.push(open());
    }
    let mut cleanups = Vec::new();
    for session in &mut sessions {
        cleanups.push(session.async_drop());
    }
    ::futures::future::join_all(cleanups).await;
}
