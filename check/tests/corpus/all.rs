//! Functions that drop guards, and functions that do not, side by side.
//!
//! Above each stands what is to be found in it: `// finds: dropped-armed ?, return`, or `// finds: nothing`.
//! The words are those of the ways out, in the order of the source.
//! A function that is called by others here has its own expectation.

#![allow(
    dead_code,
    unused_variables,
    unused_mut,
    unused_must_use,
    unused_assignments
)]
#![allow(clippy::all, unreachable_pub, missing_debug_implementations)]

mod arguments;
mod by_hand;
mod called;
mod cleanups;
mod containers;
mod fields;
mod futures;
mod loops;
mod owners;
mod paths;
mod same_names;
mod shapes;
mod silenced;
mod states;

use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};

#[derive(Debug)]
pub struct Session(pub u8);

#[derive(Debug)]
pub struct Failed;

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("failed")
    }
}

impl std::error::Error for Failed {}

#[async_trait]
impl AsyncDrop for Session {
    type Error = Failed;

    async fn async_drop_impl(&mut self) -> Result<(), Failed> {
        Ok(())
    }
}

/// Its cleanup cannot fail.
#[derive(Debug)]
pub struct Quiet;

#[async_trait]
impl AsyncDrop for Quiet {
    type Error = std::convert::Infallible;

    async fn async_drop_impl(&mut self) -> Result<(), std::convert::Infallible> {
        Ok(())
    }
}

// finds: nothing
pub fn open() -> AsyncDropGuard<Session> {
    AsyncDropGuard::new(Session(0))
}

// finds: nothing
pub async fn connect() -> Result<AsyncDropGuard<Session>, Failed> {
    Ok(open())
}

pub async fn step() -> Result<u8, Failed> {
    tokio::task::yield_now().await;
    Ok(1)
}

pub fn check(number: u8) -> Result<u8, Failed> {
    if number > 9 { Err(Failed) } else { Ok(number) }
}

fn main() {}
