//! A reaper that you build with choices of your own.

use std::fmt::{self, Debug};

use crate::guard::AsyncDropGuard;
use crate::reaper::AsyncDropReaper;
use crate::reaper::tasks::{BoxedTask, Spawn, Spawner, Tasks};

/// Makes an [`AsyncDropReaper`] with a runtime of your choice, or with a limit on how much it does at a time.
///
/// You get one from [`AsyncDropReaper::builder`].
///
/// # Examples
///
/// ```
/// # use asyncdrop::{AsyncDropReaper, AsyncDropWith};
/// # use std::io;
/// # #[cfg(feature = "tokio")]
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// // A database that takes no more than four connections to clean up with.
/// let mut reaper = AsyncDropReaper::builder().max_concurrent(4).build();
/// for _ in 0..100 {
///     drop(reaper.adopt(AsyncDropWith::new((), async |()| io::Result::Ok(()))));
/// }
/// reaper.async_drop().await.unwrap();
/// # }
/// # #[cfg(not(feature = "tokio"))] fn main() {}
/// ```
#[must_use = "it makes no reaper until you call `build`"]
#[derive(Default)]
pub struct ReaperBuilder {
    max_concurrent: Option<usize>,
    spawner: Option<Spawn>,
}

impl ReaperBuilder {
    /// Runs no more than `n` at a time of the cleanups that you handed over.
    ///
    /// The rest wait in the order in which you handed them over. They count as pending, and a deadline names them.
    /// If you clean up in place, with [`Reaped::async_drop`](crate::Reaped::async_drop), that is not counted, because the reaper can't make you wait.
    ///
    /// # Panics
    ///
    /// If `n` is 0, because then nothing would ever be cleaned up.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::{AsyncDropReaper, AsyncDropWith};
    /// # use std::{io, time::Duration};
    /// # use tokio::time::{Instant, sleep};
    /// # #[cfg(feature = "tokio")]
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// let mut reaper = AsyncDropReaper::builder().max_concurrent(2).build();
    /// for _ in 0..6 {
    ///     drop(reaper.adopt(AsyncDropWith::new((), async |()| {
    ///         sleep(Duration::from_secs(1)).await;
    ///         io::Result::Ok(())
    ///     })));
    /// }
    /// let start = Instant::now();
    /// reaper.async_drop().await.unwrap();
    /// assert_eq!(start.elapsed().as_secs(), 3);
    /// # }
    /// # #[cfg(not(feature = "tokio"))] fn main() {}
    /// ```
    #[track_caller]
    pub fn max_concurrent(self, n: usize) -> Self {
        assert!(
            n > 0,
            "a reaper with max_concurrent(0) would clean nothing up"
        );
        Self {
            max_concurrent: Some(n),
            ..self
        }
    }

    /// Starts each cleanup with your `spawn`, instead of `tokio::spawn`.
    ///
    /// `spawn` gets a future and must make sure that it is polled to its end, in the background.
    /// If it drops the future, because its runtime has ended, the reaper lists the value as an error and reports an incident.
    /// It is called when a value is dropped, on any thread, so it should not block. If it panics, that panic is caught.
    ///
    /// # Examples
    ///
    /// ```
    /// use asyncdrop::{AsyncDropReaper, AsyncDropWith};
    /// use std::io;
    ///
    /// smol::block_on(async {
    ///     let mut reaper = AsyncDropReaper::builder()
    ///         .spawner(|cleanup| smol::spawn(cleanup).detach())
    ///         .build();
    ///     drop(reaper.adopt(AsyncDropWith::new((), async |()| io::Result::Ok(()))));
    ///     reaper.async_drop().await.unwrap();
    /// });
    /// ```
    pub fn spawner(self, spawn: impl Fn(BoxedTask) + Send + Sync + 'static) -> Self {
        Self {
            spawner: Some(Box::new(spawn)),
            ..self
        }
    }

    /// Makes the reaper. With the feature `tokio`, if you set no spawner, it cleans up in tasks of the tokio runtime that you call this in.
    ///
    /// # Panics
    ///
    /// If you set no [`spawner`](Self::spawner) and, with the feature `tokio`, there is no tokio runtime around the call either.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::AsyncDropReaper;
    /// # #[cfg(feature = "tokio")]
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let mut reaper = AsyncDropReaper::builder().build();
    /// reaper.async_drop().await.unwrap();
    /// # }
    /// # #[cfg(not(feature = "tokio"))] fn main() {}
    /// ```
    #[track_caller]
    pub fn build(self) -> AsyncDropGuard<AsyncDropReaper> {
        let Some(spawner) = Spawner::or_current(self.spawner) else {
            panic!(
                "a reaper was built without a spawner and outside of a tokio runtime, and needs one of them for the tasks in which it cleans up"
            );
        };
        AsyncDropReaper::with_tasks(Tasks::new(spawner, self.max_concurrent))
    }
}

impl Debug for ReaperBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReaperBuilder")
            .field("max_concurrent", &self.max_concurrent)
            .field("spawner", &self.spawner.as_ref().map(|_| ".."))
            .finish()
    }
}
