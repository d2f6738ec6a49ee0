//! Parts of a value that no two threads ever look at together.

use std::sync::{Mutex, PoisonError};

/// What is only ever reached through `&mut`. The mutex is never locked, but it makes the whole `Sync` if its content is `Send`.
///
/// Without it a close whose future is not `Sync`, which the boxed futures of async traits are not,
/// would keep the value from being shared between tasks.
pub(crate) struct Unshared<P>(Mutex<P>);

impl<P> Unshared<P> {
    pub(crate) fn new(part: P) -> Self {
        Self(Mutex::new(part))
    }

    pub(crate) fn into_inner(self) -> P {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}
