//! What belongs to an adopted value wherever that is: with its owner at first, and then perhaps in a job.

use std::sync::Arc;
use std::task::Context;

use crate::cleanup_error::CleanupError;
use crate::held_error::HeldError;
use crate::panics::contain_panic;
use crate::reaper::place::{Place, Stage, State};
use crate::reaper::registry::Registry;
use crate::reaper::vacant;

pub(super) struct Adoption(Arc<Place>);

impl Adoption {
    #[inline]
    pub(super) fn new(place: Arc<Place>) -> Self {
        Self(place)
    }

    /// The reaper, unless it has ended and can't be reached any more.
    pub(super) fn registry(&self) -> Option<Arc<Registry>> {
        self.0.registry().upgrade()
    }

    /// Whether the reaper cleans the value up from now on. It does not if it has ended.
    pub(super) fn begin_cleanup(&self) -> bool {
        self.0.begin_cleanup()
    }

    /// Whether a shutdown does not wait for the job any more.
    pub(super) fn is_given_up(&self) -> bool {
        self.0.state().stage() == Stage::GivenUp
    }

    /// The job waits. It is woken if a shutdown gives it up, unless one has done so already: then this returns `false`.
    pub(super) fn wait(&self, context: &Context<'_>) -> bool {
        self.0.wait(context)
    }

    /// The job ends with a value that is not cleaned up. Whether a shutdown has named it.
    ///
    /// If it has not, none will from now on: the job says itself what became of the value.
    pub(super) fn was_given_up(&self) -> bool {
        self.0.begin_end()
    }

    /// The owner has cleaned the value up, or has taken it back.
    #[inline]
    pub(super) fn end_in_place(self) {
        let before = self.0.vacate();
        self.leave(before);
    }

    /// The reaper has come to the end of the cleanup.
    pub(super) fn end_job(self, mut error: Option<HeldError<CleanupError>>) {
        let before = match &mut error {
            None => None,
            held => self.with_registry(|registry| registry.finish_with(held, &self.0)),
        };
        let before = before.unwrap_or_else(|| self.0.finish());
        self.leave(before);
        let Some(late) = error else {
            return;
        };
        // An ended reaper is not asked for its errors, so one that comes late becomes an incident.
        if matches!(late.get(), CleanupError::RuntimeEnded) {
            // The guard of the value has just reported that.
            drop(late.into_inner());
        } else {
            contain_panic(|| drop(late));
        }
    }

    /// Calls `f` with the reaper, if there is one.
    ///
    /// This may be its last owner, and what goes with it is a spawner of the user's, whose `Drop` may panic.
    fn with_registry<R>(&self, f: impl FnOnce(&Registry) -> R) -> Option<R> {
        let registry = self.registry()?;
        let result = f(&registry);
        contain_panic(move || drop(registry));
        Some(result)
    }

    #[inline]
    fn leave(self, before: State) {
        if before.is_watched() {
            self.with_registry(Registry::wake);
        }
        if matches!(before.stage(), Stage::GivenUp | Stage::Released) {
            // The end of the reaper may be about to read whose place this is, so it stays as it is until that is done.
            self.with_registry(Registry::wait_for_book);
        }
        if before.is_noted() {
            // The last waker of a task may drop the task, and what that owns.
            contain_panic(|| drop(self.0.take_notes()));
        }
        vacant::keep(self.0);
    }
}

#[cfg(test)]
impl Adoption {
    pub(super) fn place(&self) -> &Place {
        &self.0
    }
}
