//! The cleanup of one value in a task of its reaper's.

use std::error::Error;
use std::fmt::Debug;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::FutureExt;

use crate::async_drop::AsyncDrop;
use crate::cleanup_error::CleanupError;
use crate::guard::AsyncDropGuard;
use crate::held_error::HeldError;
use crate::origin::{Name, ValueOrigin};
use crate::panics::{Panic, contain_panic};
use crate::reaper::adoption::Adoption;
use crate::reaper::tasks::{HandedOver, Spawner, Tasks, Turn};

/// A guarded value that was adopted, with what is known of it.
///
/// It lives in a box from its adoption to its end, so that a large value is never moved:
/// a task of the reaper's, and what is around it, would otherwise need several times its size of stack.
pub(super) struct Adopted<T: Debug> {
    pub(super) guard: AsyncDropGuard<T>,
    pub(super) name: Option<Name>,
    /// The span that the value was adopted in, and from the hand-over on that of its cleanup.
    #[cfg(feature = "tracing")]
    pub(super) span: tracing::Span,
}

impl<T: Debug> Adopted<T> {
    pub(super) fn new(guard: AsyncDropGuard<T>, name: Option<Name>) -> Self {
        Self {
            guard,
            name,
            #[cfg(feature = "tracing")]
            span: tracing::Span::current(),
        }
    }

    /// What it has in common with the other values of its kind.
    pub(super) fn unnamed_origin(&self) -> ValueOrigin {
        ValueOrigin::of::<T>(self.guard.created_at())
    }

    pub(super) fn origin(&self) -> ValueOrigin {
        let origin = self.unnamed_origin();
        match &self.name {
            Some(name) => origin.named(Arc::clone(name)),
            None => origin,
        }
    }

    /// Opens the span that the cleanup runs in: a child of the one in which the value was adopted.
    #[cfg(feature = "tracing")]
    fn in_span(mut self: Box<Self>) -> Box<Self> {
        let open = || {
            tracing::info_span!(
                parent: &self.span,
                "async_drop",
                r#type = std::any::type_name::<T>(),
                name = self.name.as_ref().map(|name| &***name),
            )
        };
        // A subscriber is code of others. If it panics, the cleanup runs in the span that there is.
        if let Some(span) = contain_panic(open) {
            self.span = span;
        }
        self
    }

    /// The cleanup, in its span. A panic in it is its result.
    fn clean_up(&mut self) -> impl Future<Output = Result<Result<(), T::Error>, Panic>> + Send
    where
        T: AsyncDrop + Send,
    {
        #[cfg(feature = "tracing")]
        let span = self.span.clone();
        let cleanup = AssertUnwindSafe(self.guard.async_drop()).catch_unwind();
        #[cfg(feature = "tracing")]
        let cleanup = tracing::Instrument::instrument(cleanup, span);
        cleanup
    }

    /// Reports a value that will not be cleaned up, in a place that must not panic.
    pub(super) fn report(&mut self) {
        let name = self.name.take();
        contain_panic(|| self.guard.miss_cleanup(name));
    }

    /// Tells the guard of a value that was reported in another way to say nothing.
    fn abandon(&mut self) {
        contain_panic(|| self.guard.end_in_place());
    }
}

/// Starts the job that cleans up a value which its owner has dropped.
pub(super) fn hand_over<T>(adoption: Adoption, mut adopted: Box<Adopted<T>>)
where
    T: AsyncDrop<Error: Into<Box<dyn Error + Send + Sync>>> + Debug + Send + 'static,
{
    // If the reaper has ended, there is none, or it doesn't take the value over.
    let registry = adoption.registry();
    match registry {
        Some(registry) if adoption.begin_cleanup() => {
            Tasks::run(&registry, adopted, adoption);
            contain_panic(move || drop(registry));
        }
        ended => {
            adopted.report();
            // asyncdrop: allow(dropped-inside): the guard was reported just now, so its drop has nothing to say
            contain_panic(|| drop(adopted));
            // It may have left a name in its place.
            adoption.end_in_place();
            // It may be the last that has the spawner.
            contain_panic(move || drop(ended));
        }
    }
}

impl<T> HandedOver for Adopted<T>
where
    T: AsyncDrop<Error: Into<Box<dyn Error + Send + Sync>>> + Debug + Send + 'static,
{
    fn start(self: Box<Self>, adoption: Adoption, spawner: &Spawner, turn: Option<Turn>) {
        spawner.spawn(Job::new(self, adoption, turn).run());
    }

    fn forget(self: Box<Self>, adoption: Adoption) {
        // asyncdrop: allow(dropped-inside): the job looks at the guard when it is dropped, and reports or abandons it
        drop(Job::new(self, adoption, None));
    }
}

struct Job<T>
where
    T: AsyncDrop<Error: Into<Box<dyn Error + Send + Sync>>> + Debug + Send + 'static,
{
    /// `None` once it has ended.
    value: Option<(Box<Adopted<T>>, Adoption)>,
    turn: Option<Turn>,
}

impl<T> Job<T>
where
    T: AsyncDrop<Error: Into<Box<dyn Error + Send + Sync>>> + Debug + Send + 'static,
{
    fn new(adopted: Box<Adopted<T>>, adoption: Adoption, turn: Option<Turn>) -> Self {
        #[cfg(feature = "tracing")]
        let adopted = adopted.in_span();
        Self {
            value: Some((adopted, adoption)),
            turn,
        }
    }

    /// Runs the cleanup to its end, unless a shutdown gives the job up.
    ///
    /// Every word in this future is one that each pending value needs, and is moved several times on its way into its task.
    /// So there is one future around that of the guard.
    #[expect(
        clippy::manual_async_fn,
        reason = "an `async fn` keeps room for its arguments twice"
    )]
    fn run(mut self) -> impl Future<Output = ()> + Send {
        async move {
            self.turn = self.turn.take().and_then(Turn::begin);
            let error = match &mut self.value {
                Some((adopted, adoption)) => {
                    let mut cleanup = pin!(Some(adopted.clean_up()));
                    let ended = poll_fn(|context| poll(cleanup.as_mut(), adoption, context)).await;
                    if ended.is_none() {
                        // What the cleanup holds may panic when it is dropped, as guards do.
                        contain_panic(|| cleanup.set(None));
                    }
                    ended.and_then(into_error)
                }
                None => None,
            };
            self.end(error);
        }
    }

    fn end(&mut self, error: Option<CleanupError>) {
        let Some((mut adopted, adoption)) = self.value.take() else {
            return;
        };
        #[cfg(feature = "tracing")]
        let span = adopted.span.clone();
        #[cfg(feature = "tracing")]
        let _in_span = contain_panic(|| span.enter());
        let origin = error.is_some().then(|| adopted.origin());
        let mut error = error
            .zip(origin)
            .map(|(error, origin)| HeldError::new(error, origin));
        if adopted.guard.is_dropped() {
            // It was cleaned up.
        } else if adoption.was_given_up() {
            // The error of `shutdown` has reported it.
            adopted.abandon();
        } else {
            let origin = adopted.origin();
            adopted.report();
            error.get_or_insert_with(|| HeldError::new(CleanupError::RuntimeEnded, origin));
        }
        // asyncdrop: allow(dropped-inside): the guard was cleaned up, reported or abandoned just now
        contain_panic(|| drop(adopted));
        adoption.end_job(error);
    }
}

/// `Ready(None)` if a shutdown has given the job up.
fn poll<F: Future>(
    cleanup: Pin<&mut Option<F>>,
    adoption: &Adoption,
    context: &mut Context<'_>,
) -> Poll<Option<F::Output>> {
    if !adoption.is_given_up() {
        let running = cleanup
            .as_pin_mut()
            .expect("it is taken out when the job ends");
        match running.poll(context) {
            Poll::Ready(ended) => return Poll::Ready(Some(ended)),
            Poll::Pending if adoption.wait(context) => return Poll::Pending,
            Poll::Pending => {}
        }
    }
    Poll::Ready(None)
}

fn into_error<E>(ended: Result<Result<(), E>, Panic>) -> Option<CleanupError>
where
    E: Into<Box<dyn Error + Send + Sync>>,
{
    let error = match ended {
        Ok(result) => result.err()?,
        // After a panic the value isn't looked at again, so it is only reported.
        Err(panic) => return Some(CleanupError::panicked(panic)),
    };
    // The conversion of the error is code of others, too.
    let converted = catch_unwind(AssertUnwindSafe(|| CleanupError::failed(error)));
    Some(converted.unwrap_or_else(CleanupError::panicked))
}

/// A job that did not come to its end by itself: its runtime has ended, or the deadline of a shutdown has passed.
impl<T> Drop for Job<T>
where
    T: AsyncDrop<Error: Into<Box<dyn Error + Send + Sync>>> + Debug + Send + 'static,
{
    fn drop(&mut self) {
        self.end(None);
        if let Some(turn) = self.turn.take() {
            turn.end();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::io;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use async_trait::async_trait;

    use crate::reaper::registry::Registry;
    use crate::with::AsyncDropWith;

    /// The name of a job that waited is there together with its waker.
    #[test]
    fn a_job_that_has_waited_gives_its_name_back_at_its_end() {
        let name: Name = Arc::new("ada".into());
        let mut polled = false;
        let close = async move |()| {
            poll_fn(|context| match std::mem::replace(&mut polled, true) {
                true => Poll::Ready(()),
                false => {
                    context.waker().wake_by_ref();
                    Poll::Pending
                }
            })
            .await;
            io::Result::Ok(())
        };
        let registry = Registry::without_tasks();
        let guard = AsyncDropWith::new((), close);
        let adopted = Box::new(Adopted::new(guard, Some(Arc::clone(&name))));
        // A reaper is asked without the name, which would otherwise stay with the kind.
        let origin = adopted.unnamed_origin();
        let adoption = registry.admit(&origin, Some(&name)).unwrap();
        assert!(adoption.begin_cleanup());
        assert_eq!(Arc::strong_count(&name), 3);
        futures::executor::block_on(Job::new(adopted, adoption, None).run());
        assert_eq!((registry.len(), Arc::strong_count(&name)), (0, 1));
    }

    /// A job of a reaper, which has the value from the first moment on.
    fn job_of<T>(registry: &Arc<Registry>, guard: AsyncDropGuard<T>) -> Job<T>
    where
        T: AsyncDrop<Error: Into<Box<dyn Error + Send + Sync>>> + Debug + Send + 'static,
    {
        let adopted = Box::new(Adopted::new(guard, None));
        let adoption = registry.admit(&adopted.origin(), None).unwrap();
        assert!(adoption.begin_cleanup());
        Job::new(adopted, adoption, None)
    }

    /// Sees at its drop how many values the reaper has.
    struct Counts(Arc<Registry>, Arc<AtomicUsize>);

    impl Drop for Counts {
        fn drop(&mut self) {
            self.1.store(self.0.len(), Ordering::SeqCst);
        }
    }

    #[test]
    fn a_value_that_was_given_up_is_there_until_it_was_dropped() {
        let registry = Registry::without_tasks();
        let seen = Arc::new(AtomicUsize::new(0));
        let counts = Counts(Arc::clone(&registry), Arc::clone(&seen));
        let guard = AsyncDropWith::new(counts, async |_| io::Result::Ok(()));
        let job = job_of(&registry, guard).run();
        drop(registry.give_up());
        futures::executor::block_on(job);
        assert_eq!((seen.load(Ordering::SeqCst), registry.len()), (1, 0));
    }

    #[test]
    fn a_value_whose_runtime_has_ended_is_there_until_it_was_dropped() {
        let registry = Registry::without_tasks();
        let seen = Arc::new(AtomicUsize::new(0));
        let counts = Counts(Arc::clone(&registry), Arc::clone(&seen));
        let guard = AsyncDropWith::new(counts, async |_| io::Result::Ok(()));
        // asyncdrop: allow(dropped-inside): its runtime drops it
        drop(job_of(&registry, guard).run());
        assert_eq!((seen.load(Ordering::SeqCst), registry.len()), (1, 0));
        assert!(registry.take_errors().is_some());
    }

    #[test]
    fn a_value_that_its_reaper_does_not_take_over_gives_its_name_back() {
        let name: Name = Arc::new("ada".into());
        let registry = Registry::without_tasks();
        let guard = AsyncDropWith::new((), async |()| io::Result::Ok(()));
        let adopted = Box::new(Adopted::new(guard, Some(Arc::clone(&name))));
        let origin = adopted.unnamed_origin();
        let adoption = registry.admit(&origin, Some(&name)).unwrap();
        registry.close();
        hand_over(adoption, adopted);
        assert_eq!(Arc::strong_count(&name), 1);
    }

    struct PanicsInDrop;

    impl Drop for PanicsInDrop {
        fn drop(&mut self) {
            panic!("dropped badly");
        }
    }

    /// Its cleanup keeps something that is dropped with the cleanup, and not with the value.
    #[derive(Debug)]
    struct Endless;

    #[async_trait]
    impl AsyncDrop for Endless {
        type Error = io::Error;

        async fn async_drop_impl(&mut self) -> io::Result<()> {
            let _in_the_middle = PanicsInDrop;
            std::future::pending().await
        }
    }

    #[test]
    fn a_cleanup_that_panics_when_it_is_given_up_does_not_reach_the_runtime() {
        let registry = Registry::without_tasks();
        let guard = AsyncDropGuard::new(Endless);
        let mut job = Box::pin(job_of(&registry, guard).run());
        let mut context = Context::from_waker(std::task::Waker::noop());
        assert!(job.as_mut().poll(&mut context).is_pending());
        drop(registry.give_up());
        assert!(job.as_mut().poll(&mut context).is_ready());
        assert_eq!(registry.len(), 0);
    }

    /// Each pending value needs so much in its task, in addition to itself.
    ///
    /// A task of tokio's has some hundred bytes of its own and is rounded up to a multiple of 128, so this is today's number
    /// and not the last one that fits into 256. The span of the feature `tracing` is not counted: a program that wants spans has it.
    #[cfg(target_pointer_width = "64")]
    #[test]
    fn the_future_of_a_job_is_small() {
        let registry = Registry::without_tasks();
        let guard = AsyncDropWith::new(0_u64, async |_| io::Result::Ok(()));
        let job = job_of(&registry, guard).run();
        let size = size_of_val(&job);
        #[cfg(feature = "tracing")]
        let size = size - size_of::<tracing::Span>();
        // The module for tests has a counter around each cleanup.
        let limit = if cfg!(feature = "testing") { 128 } else { 88 };
        assert!(size <= limit, "{size}");
        futures::executor::block_on(job);
    }
}
