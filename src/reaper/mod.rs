//! The reaper: it cleans up what was dropped before its cleanup had finished.

mod adoption;
mod builder;
#[cfg(feature = "tokio")]
mod burst;
mod handle;
mod job;
mod place;
mod reaped;
mod registry;
mod shutdown;
mod tasks;
mod vacant;

use std::fmt::{self, Debug};
use std::future::poll_fn;
use std::ops::Deref;
use std::sync::Arc;
#[cfg(feature = "tokio")]
use std::time::Duration;

use async_trait::async_trait;

use crate::async_drop::AsyncDrop;
use crate::cleanup_error::CleanupErrors;
use crate::guard::AsyncDropGuard;
use crate::reaper::registry::Registry;
#[cfg(feature = "tokio")]
use crate::reaper::tasks::Spawner;
use crate::reaper::tasks::Tasks;

pub use crate::reaper::builder::ReaperBuilder;
pub use crate::reaper::handle::ReaperHandle;
pub use crate::reaper::reaped::Reaped;
pub use crate::reaper::shutdown::ShutdownError;

/// Cleans up what you dropped before its cleanup had finished, in tasks of its own, and waits for all of it at the end.
///
/// Your future can be dropped at every `.await`: by `select!`, by a timeout, by `abort`, by a connection that closes.
/// A guard inside is dropped with it, but all it can do then is panic.
/// So let a reaper [adopt](ReaperHandle::adopt) it: then you have a [`Reaped`], which hands its value to the reaper instead.
///
/// Make one reaper at the top of `main`, give its [`handle`](Self::handle) to the code that creates guards,
/// and when everything else is done, end it with `shutdown`, [`shutdown_by`](Self::shutdown_by) or `async_drop`.
/// The reaper derefs to its handle, so you can call `adopt`, `scope` and the other methods of [`ReaperHandle`] on both.
///
/// | what you do | what happens to an adopted value |
/// |---|---|
/// | you run [`Reaped::async_drop`] to its end | it is cleaned up, and you have the result |
/// | you drop the [`Reaped`] before that | the reaper cleans it up in a task, and keeps the error |
/// | you do the same after the end of the reaper, or of its runtime | it is dropped, and that is an [incident](crate::incident) |
///
/// # When not to use it
///
/// - If nothing can cancel your code, because a scope such as [`with_async_drop`](crate::with_async_drop) needs no task.
/// - If the cleanup must have happened before your next line runs, because only `async_drop` in place promises that.
///
/// # Errors
///
/// `async_drop` waits until every adopted value is cleaned up, and returns to you every error of the cleanups that were handed over,
/// even of those that never ran because the runtime had ended, as [`CleanupErrors`].
/// It waits without a limit, even for values that are still in use,
/// so don't await it while you hold a [`Reaped`] yourself.
///
/// # Panics in a cleanup
///
/// If a cleanup panics in the reaper, the others still run, but it is not tried again.
/// The reaper lists it as an error, and its value is dropped, which is an incident.
///
/// # Cancel safety
///
/// If `async_drop` is interrupted, you lose nothing: what is adopted stays adopted, and the errors stay until a call returns them.
/// If you drop the reaper instead, that is an incident, as with every guard, and so is every error that it still has.
/// Cleanups that it had begun continue.
///
/// # Examples
///
/// The conversation is cancelled, but the other side still hears a goodbye:
///
/// ```
/// use asyncdrop::{AsyncDropReaper, AsyncDropWith};
/// use std::{io, time::Duration};
/// use tokio::io::{AsyncReadExt, AsyncWriteExt};
/// use tokio::time::timeout;
///
/// # #[cfg(feature = "tokio")]
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> io::Result<()> {
/// let reaper = AsyncDropReaper::new();
/// let (ours, mut theirs) = tokio::io::duplex(64);
///
/// let connection = AsyncDropWith::new(ours, async |mut stream| stream.write_all(b"goodbye").await);
/// let mut connection = reaper.adopt(connection);
/// let conversation = async {
///     let answer = connection.read_u8().await;
///     connection.async_drop().await?;
///     answer
/// };
/// // No one answers. The conversation is dropped here, and then the connection.
/// assert!(timeout(Duration::from_secs(1), conversation).await.is_err());
/// drop(connection);
///
/// AsyncDropReaper::shutdown(reaper, Duration::from_secs(5)).await.unwrap();
/// let mut heard = String::new();
/// theirs.read_to_string(&mut heard).await?;
/// assert_eq!(heard, "goodbye");
/// # Ok(())
/// # }
/// # #[cfg(not(feature = "tokio"))] fn main() {}
/// ```
pub struct AsyncDropReaper {
    handle: ReaperHandle,
}

impl AsyncDropReaper {
    /// Makes a reaper that cleans up in tasks of the tokio runtime that you call this in.
    ///
    /// If you have another runtime, use the [`builder`](Self::builder).
    ///
    /// # Panics
    ///
    /// If you call it without a tokio runtime around it.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::AsyncDropReaper;
    /// # #[cfg(feature = "tokio")]
    /// #[tokio::main]
    /// async fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     let mut reaper = AsyncDropReaper::new();
    ///     // Everything else that the program does.
    ///     reaper.async_drop().await?;
    ///     Ok(())
    /// }
    /// # #[cfg(not(feature = "tokio"))] fn main() {}
    /// ```
    #[cfg(feature = "tokio")]
    #[cfg_attr(docsrs, doc(cfg(feature = "tokio")))]
    #[track_caller]
    pub fn new() -> AsyncDropGuard<Self> {
        let Some(spawner) = Spawner::or_current(None) else {
            panic!(
                "AsyncDropReaper::new was called outside of a tokio runtime, and needs one for the tasks in which it cleans up"
            );
        };
        Self::with_tasks(Tasks::new(spawner, None))
    }

    /// Lets you make a reaper for another runtime than tokio, or one that cleans up only so many values at a time.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::AsyncDropReaper;
    /// # smol::block_on(async {
    /// let mut reaper = AsyncDropReaper::builder()
    ///     .spawner(|cleanup| smol::spawn(cleanup).detach())
    ///     .max_concurrent(16)
    ///     .build();
    /// // Everything else that the program does.
    /// reaper.async_drop().await.unwrap();
    /// # });
    /// ```
    pub fn builder() -> ReaperBuilder {
        ReaperBuilder::default()
    }

    #[track_caller]
    fn with_tasks(tasks: Tasks) -> AsyncDropGuard<Self> {
        let registry = Arc::new(Registry::new(tasks));
        let handle = ReaperHandle { registry };
        AsyncDropGuard::new(Self { handle })
    }

    /// Gives you another way to reach this reaper, for tasks and structs that create guards. It is cheap to clone.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::{AsyncDropReaper, AsyncDropWith};
    /// # use std::io;
    /// # #[cfg(feature = "tokio")]
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let mut reaper = AsyncDropReaper::new();
    /// let handle = reaper.handle();
    /// let task = tokio::spawn(async move {
    ///     let _session = handle.adopt(AsyncDropWith::new((), async |()| io::Result::Ok(())));
    ///     std::future::pending::<()>().await;
    /// });
    /// # tokio::task::yield_now().await;
    /// task.abort();
    /// reaper.async_drop().await.unwrap();
    /// # }
    /// # #[cfg(not(feature = "tokio"))] fn main() {}
    /// ```
    #[must_use]
    pub fn handle(&self) -> ReaperHandle {
        self.handle.clone()
    }

    /// Ends the reaper as `async_drop` does, but waits no longer than the `limit` that you set.
    ///
    /// It is [`shutdown_by`](Self::shutdown_by) with tokio's clock.
    ///
    /// # Errors
    ///
    /// A [`ShutdownError`] if the limit passed, if a cleanup in the reaper failed, or both.
    ///
    /// # Panics
    ///
    /// If you await it without a tokio runtime around it, or if the clock of the runtime is not enabled.
    ///
    /// # Cancel safety
    ///
    /// If you drop the future, it drops the reaper, and that is an incident.
    /// If you want to be able to continue, keep the reaper and put a [`tokio::time::timeout`] around its `async_drop`.
    ///
    /// # Examples
    ///
    /// ```
    /// use asyncdrop::{AsyncDropReaper, AsyncDropWith};
    /// use std::{io, time::Duration};
    /// use tokio::io::AsyncWriteExt;
    ///
    /// # #[cfg(feature = "tokio")]
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// let reaper = AsyncDropReaper::new();
    /// // The other side reads nothing, and there is room for four bytes.
    /// let (ours, _theirs) = tokio::io::duplex(4);
    /// let connection = AsyncDropWith::new(ours, async |mut stream| stream.write_all(b"goodbye").await);
    /// drop(reaper.adopt_as("the connection", connection));
    ///
    /// let error = AsyncDropReaper::shutdown(reaper, Duration::from_secs(5)).await.unwrap_err();
    /// assert!(error.in_use().is_empty());
    /// assert_eq!(error.being_cleaned_up()[0].name(), Some("the connection"));
    /// # }
    /// # #[cfg(not(feature = "tokio"))] fn main() {}
    /// ```
    #[cfg(feature = "tokio")]
    #[cfg_attr(docsrs, doc(cfg(feature = "tokio")))]
    pub async fn shutdown(
        reaper: AsyncDropGuard<Self>,
        limit: Duration,
    ) -> Result<(), ShutdownError> {
        shutdown::shutdown(reaper, tokio::time::sleep(limit), Some(limit)).await
    }

    /// Ends the reaper as `async_drop` does, but waits no longer than `deadline` does.
    ///
    /// Your deadline is any future: a timer of your runtime, or the second signal that a user sends.
    /// When it is ready, the reaper ends, whatever is left:
    ///
    /// - A value that it is cleaning up, or that waits for that, is abandoned: the cleanup is stopped and the value dropped.
    ///   The error names it, and no incident follows for it.
    ///   What it holds is still reported, if it is a map or a type with `#[derive(AsyncDrop)]`, for example:
    ///   a guard in it that is not done yet is an incident, and an error that it had gathered is a
    ///   [`Suppressed`](crate::incident::IncidentKind::Suppressed) one.
    /// - A value that is in use stays with its owner, and the error names it.
    ///   You can still clean it up with [`Reaped::async_drop`], but if you drop it instead, that is an incident.
    ///
    /// Then it waits until what was abandoned is dropped, as long as that makes progress:
    /// it returns when 1 s has passed in which no value was dropped, and after 10 s in any case.
    /// So values can still be there if a cleanup blocks its thread instead of returning to be polled again,
    /// and [`ShutdownError::left`] tells you how many.
    /// A thread measures these times, so you need no clock of the runtime.
    ///
    /// You could also end the reaper in time with `async_drop_within`, but that names none of its values.
    ///
    /// # Errors
    ///
    /// A [`ShutdownError`] if the deadline passed, if a cleanup in the reaper failed, or both.
    ///
    /// # Cancel safety
    ///
    /// If you drop the future, it drops the reaper, and that is an incident.
    ///
    /// # Examples
    ///
    /// ```
    /// use asyncdrop::{AsyncDropReaper, AsyncDropWith};
    /// use std::{io, time::Duration};
    /// use smol::Timer;
    ///
    /// smol::block_on(async {
    ///     let reaper = AsyncDropReaper::builder()
    ///         .spawner(|cleanup| smol::spawn(cleanup).detach())
    ///         .build();
    ///     let slow = AsyncDropWith::new((), async |()| {
    ///         Timer::after(Duration::from_secs(60)).await;
    ///         io::Result::Ok(())
    ///     });
    ///     drop(reaper.adopt(slow));
    ///
    ///     let deadline = async { drop(Timer::after(Duration::from_millis(10)).await) };
    ///     let error = AsyncDropReaper::shutdown_by(reaper, deadline).await.unwrap_err();
    ///     assert_eq!((error.being_cleaned_up().len(), error.left()), (1, 0));
    /// });
    /// ```
    pub async fn shutdown_by(
        reaper: AsyncDropGuard<Self>,
        deadline: impl Future<Output = ()>,
    ) -> Result<(), ShutdownError> {
        shutdown::shutdown(reaper, deadline, None).await
    }
}

#[diagnostic::do_not_recommend]
#[async_trait]
impl AsyncDrop for AsyncDropReaper {
    type Error = CleanupErrors;

    async fn async_drop_impl(&mut self) -> Result<(), CleanupErrors> {
        poll_fn(|context| self.registry.poll_end(context)).await
    }
}

/// You can do everything with a reaper's handle that you can do with the reaper, except end it.
impl Deref for AsyncDropReaper {
    type Target = ReaperHandle;

    fn deref(&self) -> &ReaperHandle {
        &self.handle
    }
}

impl Drop for AsyncDropReaper {
    fn drop(&mut self) {
        self.registry.close();
    }
}

impl Debug for AsyncDropReaper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.registry.show("AsyncDropReaper", f)
    }
}

/// Runs a test in a thread of its own, because what a thread keeps depends on what it has kept before.
#[cfg(test)]
fn in_new_thread(test: fn()) {
    std::thread::spawn(test).join().unwrap();
}
