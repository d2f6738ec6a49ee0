//! Panics that must be stopped where they are, and those that are resumed later.

use std::any::Any;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread;

/// What a panic carries.
pub(crate) type Panic = Box<dyn Any + Send>;

/// Runs `f`, and returns `None` if it panicked.
///
/// Whatever `f` touches is only read afterwards to be printed or dropped, so a broken invariant does no harm.
pub(crate) fn contain_panic<R>(f: impl FnOnce() -> R) -> Option<R> {
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(value) => Some(value),
        Err(panic) => {
            discard(panic);
            None
        }
    }
}

/// Drops what a panic carries. It can be any value, so its `Drop` may panic again, but that panic is caught.
pub(crate) fn discard(panic: Panic) {
    if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(panic))) {
        // The chain must end somewhere, so from here on it is leaked.
        mem::forget(second);
    }
}

/// Runs `f`, and passes its panic on unless the thread is unwinding already, because a second one that left a `Drop` would abort the process.
pub(crate) fn without_a_second_panic(f: impl FnOnce()) {
    if thread::panicking() {
        contain_panic(f);
    } else {
        f();
    }
}

/// The first of several panics, which is resumed when all is done.
///
/// A later one is dropped, and so is this one if it is never resumed.
#[derive(Default)]
pub(crate) struct FirstPanic(Option<Panic>);

impl FirstPanic {
    pub(crate) fn keep(&mut self, panic: Panic) {
        match self.0 {
            Some(_) => discard(panic),
            None => self.0 = Some(panic),
        }
    }

    /// Runs `f`, and keeps its panic if it is the first.
    pub(crate) fn keep_from(&mut self, f: impl FnOnce()) {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(f)) {
            self.keep(panic);
        }
    }

    /// Resumes the panic, if there was one. It is not kept any longer.
    pub(crate) fn resume(&mut self) {
        if let Some(panic) = self.0.take() {
            resume_unwind(panic);
        }
    }
}

impl Drop for FirstPanic {
    fn drop(&mut self) {
        if let Some(panic) = self.0.take() {
            discard(panic);
        }
    }
}

/// Holds a value of a user's type, whose `Drop` may panic. If the thread is unwinding, that panic is caught.
pub(crate) struct DroppedSafely<T>(Option<T>);

impl<T> DroppedSafely<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(Some(value))
    }

    pub(crate) fn get(&self) -> &T {
        self.0.as_ref().expect("only `into_inner` takes it out")
    }

    pub(crate) fn into_inner(mut self) -> T {
        self.0.take().expect("only this takes it out")
    }
}

impl<T> Drop for DroppedSafely<T> {
    fn drop(&mut self) {
        let value = self.0.take();
        without_a_second_panic(|| drop(value));
    }
}

/// What a panic said, if it said anything.
pub(crate) fn message(panic: &Panic) -> &str {
    match panic.downcast_ref::<String>() {
        Some(message) => message,
        None => match panic.downcast_ref::<&str>() {
            Some(message) => message,
            None => "(no message)",
        },
    }
}
