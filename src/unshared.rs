//! Parts of a value that no two threads ever look at together.

use std::sync::{Mutex, PoisonError};

/// What is only ever reached through `&mut`. The mutex is never locked, but it makes the whole `Sync` if its content is `Send`.
///
/// Without it a close whose future is not `Sync`, which the boxed futures of async traits are not,
/// or what a panic carries, would keep the value from being shared between tasks.
#[derive(Default)]
pub(crate) struct Unshared<P>(Mutex<P>);

impl<P> Unshared<P> {
    pub(crate) fn new(part: P) -> Self {
        Self(Mutex::new(part))
    }

    pub(crate) fn get_mut(&mut self) -> &mut P {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn into_inner(self) -> P {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}
