//! Errors that are not returned yet.

use std::fmt::Debug;
use std::panic::Location;
#[cfg(feature = "derive")]
use std::sync::Arc;

use crate::incident::{Incident, report};
use crate::origin::ValueOrigin;
use crate::panics::DroppedSafely;

/// An error on its way to the caller. If it is dropped before it gets there, it becomes an incident.
///
/// Errors wait while other cleanups still run, but meanwhile a cancellation or a panic can keep them from the caller.
pub(crate) struct HeldError<E: Debug>(Option<Held<E>>);

struct Held<E> {
    error: DroppedSafely<E>,
    origin: ValueOrigin,
}

impl<E: Debug> HeldError<E> {
    /// Holds the `error` from the cleanup of the value that came from `origin`.
    pub(crate) fn new(error: E, origin: ValueOrigin) -> Self {
        let error = DroppedSafely::new(error);
        Self(Some(Held { error, origin }))
    }

    /// Holds the `error` from the cleanup of a `T` whose guard was created at `created_at`.
    pub(crate) fn from_cleanup_of<T>(error: E, created_at: &'static Location<'static>) -> Self {
        Self::new(error, ValueOrigin::of::<T>(created_at))
    }

    pub(crate) fn get(&self) -> &E {
        let held = self.0.as_ref().expect("only those that own it take it");
        held.error.get()
    }

    pub(crate) fn into_inner(self) -> E {
        self.into_parts().1
    }

    /// The error, and which value it came from.
    pub(crate) fn into_parts(mut self) -> (ValueOrigin, E) {
        let held = self.0.take().expect("only those that own it take it");
        (held.origin, held.error.into_inner())
    }

    /// Says which name the value had.
    #[cfg(feature = "derive")]
    pub(crate) fn named(self, name: &'static str) -> Self {
        let (origin, error) = self.into_parts();
        Self::new(error, origin.named(Arc::new(name.into())))
    }

    /// Holds the error as another type from now on.
    pub(crate) fn map<F: Debug>(self, f: impl FnOnce(E) -> F) -> HeldError<F> {
        let (origin, error) = self.into_parts();
        HeldError::new(f(error), origin)
    }
}

impl<E: Debug> Drop for HeldError<E> {
    fn drop(&mut self) {
        // The error is dropped after the report, but a hook may have left that with a panic, so it is dropped in such a way
        // that a second panic is caught.
        if let Some(Held { error, origin }) = self.0.take() {
            report(&Incident::suppressed(error.get(), &origin));
        }
    }
}
