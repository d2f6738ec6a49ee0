//! An error that stays with the guard of the value that it came from.

use std::any::Any;
use std::fmt::Debug;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::{Mutex, PoisonError};

use crate::held_error::HeldError;

/// An error of any type that the cleanup has left, while its caller, who has more guards to clean up, cannot return it yet.
///
/// A guard must not know the type of its errors, because any value can be in one.
/// The lock makes the error `Sync`, so that a guard has the auto traits of its value and no others.
/// In a second box it is one pointer instead of two, because every guard has room for it, but hardly any ever has one.
pub(crate) struct KeptError(Box<ErasedError>);

type ErasedError = Box<dyn Any + Send + Sync + UnwindSafe + RefUnwindSafe>;

impl KeptError {
    pub(crate) fn new<E: Debug + Send + 'static>(error: HeldError<E>) -> Self {
        Self(Box::new(Box::new(Mutex::new(error))))
    }

    pub(crate) fn into_inner<E: Debug + 'static>(self) -> HeldError<E> {
        let erased: Box<dyn Any + Send> = *self.0;
        erased
            .downcast::<Mutex<HeldError<E>>>()
            .expect("a guard keeps errors of its own value only")
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
