//! The cleanup of one value in a task of its reaper's.

use std::borrow::Cow;
use std::error::Error;
use std::fmt::Debug;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::{AbortHandle, Abortable};

use crate::async_drop::AsyncDrop;
use crate::cleanup_error::CleanupError;
use crate::guard::AsyncDropGuard;
use crate::held_error::HeldError;
use crate::origin::ValueOrigin;
use crate::panics::contain_panic;
use crate::reaper::registry::Adoption;
use crate::reaper::tasks::Tasks;

/// A guarded value that was adopted, with what is known of it.
///
/// It lives in a box from its adoption to its end, so that a large value is never moved:
/// a task of the reaper's, and what is around it, would otherwise need several times its size of stack.
pub(super) struct Adopted<T: Debug> {
    pub(super) guard: AsyncDropGuard<T>,
    pub(super) name: Option<Cow<'static, str>>,
    /// The span that the value was adopted in.
    #[cfg(feature = "tracing")]
    pub(super) span: tracing::Span,
}

impl<T: Debug> Adopted<T> {
    pub(super) fn new(guard: AsyncDropGuard<T>, name: Option<Cow<'static, str>>) -> Self {
        Self {
            guard,
            name,
            #[cfg(feature = "tracing")]
            span: tracing::Span::current(),
        }
    }

    pub(super) fn origin(&self) -> ValueOrigin {
        let origin = ValueOrigin::of::<T>(self.guard.created_at());
        match &self.name {
            Some(name) => origin.named(name.clone()),
            None => origin,
        }
    }

    /// Reports a value that nobody will clean up, and drops it, in a place that must not panic.
    pub(super) fn report(mut self: Box<Self>) {
        let name = self.name.take();
        contain_panic(|| self.guard.miss_cleanup(name));
        contain_panic(|| drop(self));
    }

    /// Drops a value that was reported in another way.
    fn abandon(mut self: Box<Self>) {
        contain_panic(|| self.guard.abandon());
        contain_panic(|| drop(self));
    }
}

/// Starts the job that cleans up a value which its owner has dropped.
pub(super) fn hand_over<T>(adoption: Adoption, adopted: Box<Adopted<T>>)
where
    T: AsyncDrop<Error: Into<Box<dyn Error + Send + Sync>>> + Debug + Send + 'static,
{
    let (abort, registration) = AbortHandle::new_pair();
    if !adoption.begin_cleanup(abort) {
        adopted.report();
        return;
    }
    let core = Arc::clone(adoption.core());
    let job = Job(Some((adopted, adoption)));
    // Spawners and subscribers are code of others, and a hand-over must not panic.
    contain_panic(|| {
        let task = Abortable::new(job.run(), registration);
        Tasks::run(&core, task.map(drop));
    });
}

/// `None` once it has ended.
struct Job<T>(Option<(Box<Adopted<T>>, Adoption)>)
where
    T: AsyncDrop<Error: Into<Box<dyn Error + Send + Sync>>> + Debug + Send + 'static;

impl<T> Job<T>
where
    T: AsyncDrop<Error: Into<Box<dyn Error + Send + Sync>>> + Debug + Send + 'static,
{
    #[expect(
        clippy::manual_async_fn,
        reason = "an `async fn` keeps room for the job twice, for its argument and for its variable"
    )]
    fn run(mut self) -> impl Future<Output = ()> + Send {
        #[cfg(feature = "tracing")]
        let span = self.span();
        let job = async move {
            let Some((adopted, _)) = &mut self.0 else {
                return;
            };
            // The conversion of the error is code of others, too.
            let cleanup = async {
                let result = adopted.guard.async_drop().await;
                result.err().map(CleanupError::failed)
            };
            let error = match AssertUnwindSafe(cleanup).catch_unwind().await {
                Ok(error) => error,
                // After a panic nobody looks at the value again: it is only reported.
                Err(panic) => Some(CleanupError::panicked(panic)),
            };
            self.end(error);
        };
        #[cfg(feature = "tracing")]
        let job = tracing::Instrument::instrument(job, span);
        job
    }

    /// The span that the cleanup runs in: a child of the one in which the value was adopted.
    #[cfg(feature = "tracing")]
    fn span(&self) -> tracing::Span {
        let Some((adopted, _)) = &self.0 else {
            return tracing::Span::none();
        };
        tracing::info_span!(
            parent: &adopted.span,
            "async_drop",
            r#type = std::any::type_name::<T>(),
            name = adopted.name.as_deref(),
        )
    }

    fn end(&mut self, error: Option<CleanupError>) {
        let Some((adopted, adoption)) = self.0.take() else {
            return;
        };
        let origin = error.is_some().then(|| adopted.origin());
        let mut error = error
            .zip(origin)
            .map(|(error, origin)| HeldError::new(error, origin));
        if adopted.guard.is_dropped() {
            contain_panic(|| drop(adopted));
        } else if adoption.was_given_up() {
            // The error of `shutdown` has reported it.
            adopted.abandon();
        } else {
            let origin = adopted.origin();
            adopted.report();
            error.get_or_insert_with(|| HeldError::new(CleanupError::RuntimeEnded, origin));
        }
        adoption.end_job(error);
    }
}

/// A job that did not come to its end by itself: its runtime has ended, or the deadline of a shutdown has passed.
impl<T> Drop for Job<T>
where
    T: AsyncDrop<Error: Into<Box<dyn Error + Send + Sync>>> + Debug + Send + 'static,
{
    fn drop(&mut self) {
        self.end(None);
    }
}
