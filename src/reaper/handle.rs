//! How you reach a reaper from anywhere.

use std::any::Any;
use std::borrow::Cow;
use std::error::Error;
use std::fmt::{self, Debug};
use std::sync::Arc;

use crate::async_drop::AsyncDrop;
use crate::cleanup_error::CleanupErrors;
use crate::guard::AsyncDropGuard;
use crate::reaper::AsyncDropReaper;
use crate::reaper::job::{Adopted, hand_over};
use crate::reaper::reaped::Reaped;
use crate::reaper::registry::Registry;
use crate::scope::first_error;

/// Your way to reach an [`AsyncDropReaper`], for tasks and structs that create guards. It is cheap to clone.
///
/// The reaper itself derefs to its handle, so you can do all of this on both.
/// But a handle keeps nothing alive: the reaper ends when you end it.
/// After that [`adopt`](Self::adopt) gives you a [`Reaped`] without a reaper, which works in place,
/// but if you drop it before its cleanup, that is an incident.
///
/// # Examples
///
/// ```
/// use asyncdrop::{AsyncDropReaper, AsyncDropWith, ReaperHandle};
/// use std::io;
/// use tokio::io::{AsyncWriteExt, DuplexStream};
///
/// async fn greet(reaper: ReaperHandle, stream: DuplexStream) -> io::Result<()> {
///     let connection = AsyncDropWith::new(stream, async |mut stream| stream.write_all(b"goodbye").await);
///     let mut connection = reaper.adopt(connection);
///     // If this fails, `?` drops the connection, and the reaper says goodbye.
///     connection.write_all(b"hello").await?;
///     connection.async_drop().await
/// }
///
/// # #[cfg(feature = "tokio")]
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> io::Result<()> {
/// # let mut reaper = AsyncDropReaper::new();
/// # let (ours, _theirs) = tokio::io::duplex(64);
/// let greeted = tokio::spawn(greet(reaper.handle(), ours)).await;
/// # reaper.async_drop().await.unwrap();
/// # greeted?
/// # }
/// # #[cfg(not(feature = "tokio"))] fn main() {}
/// ```
#[derive(Clone)]
pub struct ReaperHandle {
    pub(super) registry: Arc<Registry>,
}

impl ReaperHandle {
    /// Takes over your guard, and cleans its value up if you don't.
    ///
    /// The reaper remembers where you created the guard, and names the place if the cleanup fails.
    ///
    /// # Panics
    ///
    /// If you adopt a reaper through a handle of its own, because it would wait for its own end.
    /// If you let two reapers adopt each other, they wait forever, too, but that is not detected.
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
    /// let log_in = |user: &str| AsyncDropWith::new(user.to_owned(), async |_user| io::Result::Ok(()));
    /// let mut ada = reaper.adopt(log_in("ada"));
    /// assert_eq!(ada.as_str(), "ada");
    /// ada.async_drop().await.unwrap();
    ///
    /// let bob = reaper.adopt(log_in("bob"));
    /// // The reaper cleans this one up.
    /// drop(bob);
    /// reaper.async_drop().await.unwrap();
    /// # }
    /// # #[cfg(not(feature = "tokio"))] fn main() {}
    /// ```
    #[track_caller]
    pub fn adopt<T>(&self, guard: AsyncDropGuard<T>) -> Reaped<T>
    where
        T: AsyncDrop<Error: Into<Box<dyn Error + Send + Sync>>> + Debug + Send + 'static,
    {
        self.enter(Adopted::new(guard, None))
    }

    /// Takes over your guard as [`adopt`](Self::adopt) does, and gives its value a name.
    ///
    /// Every message and error about the value calls it by that name,
    /// so of a thousand uploads that were created in one line, you can see which one failed.
    ///
    /// # Panics
    ///
    /// As [`adopt`](Self::adopt).
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::{AsyncDropReaper, AsyncDropWith};
    /// # #[cfg(feature = "tokio")]
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let mut reaper = AsyncDropReaper::new();
    /// for id in 1..=3 {
    ///     let upload = AsyncDropWith::new(id, async |id| if id == 2 { Err("half of it is missing") } else { Ok(()) });
    ///     drop(reaper.adopt_as(format!("upload {id}"), upload));
    /// }
    /// let errors = reaper.async_drop().await.unwrap_err();
    /// let failed: Vec<_> = errors.iter().map(|(origin, _)| origin.name()).collect();
    /// assert_eq!(failed, [Some("upload 2")]);
    /// assert!(errors.to_string().starts_with(r#"1 of 3 cleanups failed: "upload 2" ("#));
    /// # }
    /// # #[cfg(not(feature = "tokio"))] fn main() {}
    /// ```
    #[track_caller]
    pub fn adopt_as<T>(
        &self,
        name: impl Into<Cow<'static, str>>,
        guard: AsyncDropGuard<T>,
    ) -> Reaped<T>
    where
        T: AsyncDrop<Error: Into<Box<dyn Error + Send + Sync>>> + Debug + Send + 'static,
    {
        self.enter(Adopted::new(guard, Some(Arc::new(name.into()))))
    }

    #[track_caller]
    fn enter<T>(&self, adopted: Adopted<T>) -> Reaped<T>
    where
        T: AsyncDrop<Error: Into<Box<dyn Error + Send + Sync>>> + Debug + Send + 'static,
    {
        let adopted = Box::new(adopted);
        if let Some(reaper) =
            (&adopted.guard as &dyn Any).downcast_ref::<AsyncDropGuard<AsyncDropReaper>>()
        {
            assert!(
                reaper.is_dropped() || !Arc::ptr_eq(&reaper.registry, &self.registry),
                "a reaper was adopted by itself, and would wait for its own end",
            );
        }
        let adoption = if adopted.guard.is_dropped() {
            None
        } else {
            self.registry
                .admit(&adopted.unnamed_origin(), adopted.name.as_ref())
        };
        Reaped::new(adopted, adoption, hand_over)
    }

    /// Runs `f` with your guarded value, then cleans the value up, even after a panic and after a cancellation.
    ///
    /// Use it instead of [`with_async_drop`](crate::with_async_drop) for code that can be cancelled.
    /// The guard is adopted by the call itself, so if you drop the future before its first poll, nothing is lost,
    /// and the future borrows nothing, so you can spawn it.
    ///
    /// # Errors
    ///
    /// - The error of `f`, if it failed. If the cleanup fails too, its error is reported as a
    ///   [`Suppressed`](crate::incident::IncidentKind::Suppressed) incident.
    /// - The error of the cleanup, if `f` succeeded. What `f` returned is dropped.
    ///
    /// # Panics
    ///
    /// If `f` panics, you get that panic, and the reaper cleans the value up.
    /// If the cleanup panics, you get that panic, too, but the reaper runs the cleanup again, and lists a second panic as an error.
    ///
    /// If the guard was already cleaned up, awaiting the future panics before `f` runs, because it has no value to run with.
    ///
    /// # Cancel safety
    ///
    /// If you drop the future, the value is handed to the reaper, which runs the cleanup, or runs it again if it was interrupted.
    ///
    /// # Examples
    ///
    /// ```
    /// use asyncdrop::{AsyncDropReaper, AsyncDropWith};
    /// use std::{io, time::Duration};
    /// use tokio::io::{AsyncReadExt, AsyncWriteExt};
    ///
    /// # #[cfg(feature = "tokio")]
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> io::Result<()> {
    /// let mut reaper = AsyncDropReaper::new();
    /// let (ours, mut theirs) = tokio::io::duplex(64);
    /// let connection = AsyncDropWith::new(ours, async |mut stream| stream.write_all(b"goodbye").await);
    ///
    /// let conversation = reaper.scope(connection, async |connection| connection.read_u8().await);
    /// let result = tokio::time::timeout(Duration::from_secs(1), conversation).await;
    /// assert!(result.is_err());
    ///
    /// reaper.async_drop().await.unwrap();
    /// let mut heard = String::new();
    /// theirs.read_to_string(&mut heard).await?;
    /// assert_eq!(heard, "goodbye");
    /// # Ok(())
    /// # }
    /// # #[cfg(not(feature = "tokio"))] fn main() {}
    /// ```
    pub fn scope<T, R, E, F>(
        &self,
        guard: AsyncDropGuard<T>,
        f: F,
    ) -> impl Future<Output = Result<R, E>> + use<T, R, E, F>
    where
        T: AsyncDrop<Error: Into<Box<dyn Error + Send + Sync>>> + Debug + Send + 'static,
        F: AsyncFnOnce(&mut T) -> Result<R, E>,
        E: From<T::Error>,
    {
        let mut value = self.adopt(guard);
        async move {
            let body = f(&mut value).await;
            let cleanup = value.async_drop().await;
            first_error::<T, R, E>(body, cleanup, value.guard().created_at(), E::from)
        }
    }

    /// Tells you how many adopted values are not cleaned up yet: in use, being cleaned up by the reaper, or waiting for that.
    ///
    /// Other threads may change that at any time.
    /// It counts them one by one, so ask now and then, as a gauge does, and not for each request.
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
    /// let mut session = reaper.adopt(AsyncDropWith::new((), async |()| io::Result::Ok(())));
    /// assert_eq!(reaper.pending(), 1);
    /// session.async_drop().await.unwrap();
    /// assert_eq!(reaper.handle().pending(), 0);
    /// # reaper.async_drop().await.unwrap();
    /// # }
    /// # #[cfg(not(feature = "tokio"))] fn main() {}
    /// ```
    #[must_use]
    pub fn pending(&self) -> usize {
        self.registry.len()
    }

    /// Gives you the errors of the reaper's cleanups so far. You get each once, so the next list begins with what fails from now on.
    ///
    /// If your server runs for a year, call this every now and then, and log what you get,
    /// because otherwise the reaper keeps the errors of the whole year for its end.
    /// [`total`](crate::DropErrors::total) counts the cleanups that the reaper has finished since the last list.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::{AsyncDropReaper, AsyncDropWith};
    /// # #[cfg(feature = "tokio")]
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let mut reaper = AsyncDropReaper::new();
    /// drop(reaper.adopt(AsyncDropWith::new((), async |()| Err("the line is dead"))));
    /// # tokio::task::yield_now().await;
    /// // In a task that wakes once a minute:
    /// for (origin, error) in reaper.take_errors().into_iter().flatten() {
    ///     eprintln!("{origin}: {error}");
    /// #   assert_eq!(error.to_string(), "the line is dead");
    /// }
    /// assert!(reaper.take_errors().is_none());
    /// reaper.async_drop().await.unwrap();
    /// # }
    /// # #[cfg(not(feature = "tokio"))] fn main() {}
    /// ```
    #[must_use = "these errors are returned once; what you drop here is lost"]
    pub fn take_errors(&self) -> Option<CleanupErrors> {
        self.registry.take_errors()
    }
}

impl Debug for ReaperHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.registry.show("ReaperHandle", f)
    }
}
