//! The end of a reaper with a deadline, and what that left behind.

use std::error::Error;
use std::fmt::{self, Display};
use std::future::poll_fn;
use std::mem;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

use futures_util::future::{Either, select};

use crate::cleanup_error::CleanupErrors;
use crate::guard::AsyncDropGuard;
use crate::held_error::HeldError;
use crate::origin::ValueOrigin;
use crate::reaper::AsyncDropReaper;
use crate::reaper::registry::Registry;

/// How long `shutdown` waits, after its deadline, for the next of the abandoned values to be dropped.
///
/// The runtime does that when it next turns to their tasks. A cleanup that blocks its thread can make it wait for longer.
const TIME_TO_ABORT: Duration = Duration::from_secs(1);

/// How long `shutdown` waits, after its deadline, for all of them together.
const TIME_TO_ABORT_ALL: Duration = Duration::from_secs(10);

/// Ends a reaper, no later than `deadline`. `limit` is only said in the error.
pub(super) async fn shutdown(
    mut reaper: AsyncDropGuard<AsyncDropReaper>,
    deadline: impl Future<Output = ()>,
    limit: Option<Duration>,
) -> Result<(), ShutdownError> {
    let in_time = match select(pin!(reaper.async_drop()), pin!(deadline)).await {
        Either::Left((result, _)) => Some(result),
        Either::Right(_) => None,
    };
    if let Some(result) = in_time {
        return result.map_err(|errors| ShutdownError::in_time(limit, errors));
    }
    let created_at = reaper.created_at();
    // From here on the error is the report, and the guard has nothing to say.
    let reaper = reaper.unsafe_into_inner_dont_drop();
    let registry = &reaper.registry;
    let Some(error) = registry.give_up().into_error(limit) else {
        // The last value was cleaned up just now.
        return Ok(());
    };
    let error = HeldError::from_cleanup_of::<AsyncDropReaper>(error, created_at);
    abandoned_values_are_dropped(registry).await;
    let left = registry.len();
    Err(ShutdownError {
        left,
        ..error.into_inner()
    })
}

/// Waits for the values that were abandoned, as long as some of them are being dropped.
async fn abandoned_values_are_dropped(registry: &Arc<Registry>) {
    let mut patience: Option<Patience> = None;
    poll_fn(|context| {
        if registry.poll_empty(context).is_ready() {
            return Poll::Ready(());
        }
        let patience = patience.get_or_insert_with(|| Patience::start(registry));
        if patience.is_over.load(Ordering::Acquire) {
            return Poll::Ready(());
        }
        Poll::Pending
    })
    .await;
}

/// A thread that watches how many values are left, and says when to wait no longer. It ends with its drop.
///
/// Not a timer, because not every runtime has the same, and some have none.
/// As long as some values are dropped, the runtime is at work, so the others will follow.
struct Patience {
    is_over: Arc<AtomicBool>,
    _thread_ends_with_this: Sender<()>,
}

impl Patience {
    fn start(registry: &Arc<Registry>) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let (sender, ended) = mpsc::channel();
        let watch = {
            let (registry, is_over) = (Arc::clone(registry), Arc::clone(&is_over));
            move || {
                let start = Instant::now();
                let mut left = registry.len();
                while ended.recv_timeout(TIME_TO_ABORT) == Err(RecvTimeoutError::Timeout) {
                    let before = mem::replace(&mut left, registry.len());
                    if left >= before || start.elapsed() >= TIME_TO_ABORT_ALL {
                        is_over.store(true, Ordering::Release);
                        registry.wake();
                        return;
                    }
                }
            }
        };
        if thread::Builder::new().spawn(watch).is_err() {
            // If no thread can be started, nothing can say that it takes too long.
            is_over.store(true, Ordering::Release);
        }
        Self {
            is_over,
            _thread_ends_with_this: sender,
        }
    }
}

/// Tells you why [`AsyncDropReaper::shutdown_by`] or `shutdown` failed: the deadline, failed cleanups, or both.
///
/// It displays what is left in groups, one for each line of your code that created guards.
///
/// # Examples
///
/// ```
/// # use asyncdrop::{AsyncDropReaper, AsyncDropWith};
/// # use std::{io, time::Duration};
/// # #[cfg(feature = "tokio")]
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// let reaper = AsyncDropReaper::new();
/// let session = AsyncDropWith::new((), async |()| io::Result::Ok(()));
/// let mut session = reaper.adopt_as("ada's session", session);
/// if let Err(error) = AsyncDropReaper::shutdown(reaper, Duration::from_secs(5)).await {
/// #   let text = error.to_string();
/// #   let start = r#"not all values were gone after 5s: 1 still in use ("ada's session" ("#;
/// #   assert!(text.starts_with(start), "{text}");
///     // not all values were gone after 5s: 1 still in use ("ada's session" (app::Session), created at src/main.rs:14:30)
///     eprintln!("{error}");
/// }
/// session.async_drop().await.unwrap();
/// # }
/// # #[cfg(not(feature = "tokio"))] fn main() {}
/// ```
#[derive(Debug)]
pub struct ShutdownError {
    /// `None` if the deadline was not a length of time.
    limit: Option<Duration>,
    in_use: Vec<ValueOrigin>,
    being_cleaned_up: Vec<ValueOrigin>,
    errors: Option<CleanupErrors>,
    left: usize,
}

impl ShutdownError {
    /// Every value was cleaned up by the deadline, but some cleanups had failed.
    fn in_time(limit: Option<Duration>, errors: CleanupErrors) -> Self {
        Self {
            limit,
            in_use: Vec::new(),
            being_cleaned_up: Vec::new(),
            left: 0,
            errors: Some(errors),
        }
    }

    /// `None` if there is nothing to say.
    pub(super) fn at_deadline(
        limit: Option<Duration>,
        in_use: Vec<ValueOrigin>,
        being_cleaned_up: Vec<ValueOrigin>,
        errors: Option<CleanupErrors>,
    ) -> Option<Self> {
        if in_use.is_empty() && being_cleaned_up.is_empty() && errors.is_none() {
            return None;
        }
        Some(Self {
            limit,
            in_use,
            being_cleaned_up,
            left: 0,
            errors,
        })
    }

    /// Lends you the values that were still in use at the deadline, those of one thread in the order of their adoption.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::{AsyncDropReaper, AsyncDropWith};
    /// # use std::{io, time::Duration};
    /// # #[cfg(feature = "tokio")]
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// let reaper = AsyncDropReaper::new();
    /// let mut session = reaper.adopt(AsyncDropWith::new((), async |()| io::Result::Ok(())));
    /// let error = AsyncDropReaper::shutdown(reaper, Duration::from_secs(5)).await.unwrap_err();
    /// for value in error.in_use() {
    ///     eprintln!("still in use: {value}");
    /// }
    /// assert_eq!((error.in_use().len(), error.being_cleaned_up().len()), (1, 0));
    /// // It can still be cleaned up.
    /// session.async_drop().await.unwrap();
    /// # }
    /// # #[cfg(not(feature = "tokio"))] fn main() {}
    /// ```
    #[must_use]
    pub fn in_use(&self) -> &[ValueOrigin] {
        &self.in_use
    }

    /// Lends you the values whose cleanup in the reaper had not finished at the deadline, those of one thread in the order of their adoption.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::{AsyncDropReaper, AsyncDropWith};
    /// # use std::{future::pending, io, time::Duration};
    /// # #[cfg(feature = "tokio")]
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// let reaper = AsyncDropReaper::new();
    /// let upload = AsyncDropWith::new((), async |()| pending::<io::Result<()>>().await);
    /// drop(reaper.adopt_as("film.mp4", upload));
    /// let error = AsyncDropReaper::shutdown(reaper, Duration::from_secs(5)).await.unwrap_err();
    /// for value in error.being_cleaned_up() {
    ///     eprintln!("too slow: {value}");
    /// #   assert_eq!(value.name(), Some("film.mp4"));
    /// }
    /// assert_eq!((error.being_cleaned_up().len(), error.in_use().len()), (1, 0));
    /// # }
    /// # #[cfg(not(feature = "tokio"))] fn main() {}
    /// ```
    #[must_use]
    pub fn being_cleaned_up(&self) -> &[ValueOrigin] {
        &self.being_cleaned_up
    }

    /// Tells you how many of the values that were [being cleaned up](Self::being_cleaned_up) had not been dropped when the shutdown returned.
    ///
    /// It is 0 unless a cleanup blocks its thread, or the runtime was too busy to turn to its tasks.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::{AsyncDropReaper, AsyncDropWith};
    /// # use std::{future::pending, io, time::Duration};
    /// # #[cfg(feature = "tokio")]
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// # let reaper = AsyncDropReaper::new();
    /// # drop(reaper.adopt(AsyncDropWith::new((), async |()| pending::<io::Result<()>>().await)));
    /// let error = AsyncDropReaper::shutdown(reaper, Duration::from_secs(5)).await.unwrap_err();
    /// if error.left() > 0 {
    ///     eprintln!("{} cleanups block their threads", error.left());
    /// }
    /// # assert_eq!(error.left(), 0);
    /// # }
    /// # #[cfg(not(feature = "tokio"))] fn main() {}
    /// ```
    #[must_use]
    pub fn left(&self) -> usize {
        self.left
    }

    /// Lends you the errors of the cleanups that the reaper ran and that finished in time, if there are any.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::{AsyncDropReaper, AsyncDropWith};
    /// # use std::time::Duration;
    /// # #[cfg(feature = "tokio")]
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// let reaper = AsyncDropReaper::new();
    /// drop(reaper.adopt(AsyncDropWith::new((), async |()| Err("half of it is missing"))));
    /// let error = AsyncDropReaper::shutdown(reaper, Duration::from_secs(5)).await.unwrap_err();
    /// for (value, error) in error.errors().into_iter().flatten() {
    ///     eprintln!("{value}: {error}");
    /// }
    /// assert_eq!(error.errors().map(|errors| errors.len()), Some(1));
    /// # }
    /// # #[cfg(not(feature = "tokio"))] fn main() {}
    /// ```
    #[must_use]
    pub fn errors(&self) -> Option<&CleanupErrors> {
        self.errors.as_ref()
    }
}

impl Display for ShutdownError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        if !self.in_use.is_empty() || !self.being_cleaned_up.is_empty() {
            match self.limit {
                Some(limit) => write!(f, "not all values were gone after {limit:?}: ")?,
                None => write!(f, "not all values were gone at the deadline: ")?,
            }
        }
        for (values, state) in [
            (&self.in_use, "still in use"),
            (&self.being_cleaned_up, "still being cleaned up"),
        ] {
            if !values.is_empty() {
                let groups = Groups(values);
                write!(f, "{separator}{} {state} ({groups})", values.len())?;
                separator = "; ";
            }
        }
        if self.left > 0 {
            write!(f, "{separator}{} not dropped yet", self.left)?;
            separator = "; ";
        }
        if let Some(errors) = &self.errors {
            write!(f, "{separator}{errors}")?;
        }
        Ok(())
    }
}

/// It ends with the errors of the cleanups, so its [`source`](Error::source) is theirs.
impl Error for ShutdownError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.errors.as_ref().and_then(Error::source)
    }
}

/// Values that were created in one place, by the thousand, are named once, with their number.
struct Groups<'a>(&'a [ValueOrigin]);

impl Display for Groups<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut groups: Vec<(&ValueOrigin, usize)> = Vec::new();
        for value in self.0 {
            match groups.iter_mut().find(|(known, _)| *known == value) {
                Some((_, count)) => *count += 1,
                None => groups.push((value, 1)),
            }
        }
        for (index, (value, count)) in groups.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{value}")?;
            if *count > 1 {
                write!(f, ", {count} times")?;
            }
        }
        Ok(())
    }
}
