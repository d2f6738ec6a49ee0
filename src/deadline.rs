use std::error::Error;
use std::fmt::{self, Debug, Display};
use std::pin::pin;
use std::time::Duration;

use tokio::time::timeout;

use crate::async_drop::AsyncDrop;
use crate::guard::AsyncDropGuard;
use crate::origin::ValueOrigin;
use crate::panics::contain_panic;
use crate::type_names::Shown;

impl<T: Debug> AsyncDropGuard<T> {
    /// Cleans the value up as [`async_drop`](Self::async_drop) does, but gives up after the `limit` that you set.
    ///
    /// At the deadline the cleanup is abandoned where it stands, and the value is dropped.
    /// The error tells you so, and that is the report: the guard counts as dropped, so neither a panic nor an incident follows.
    /// But guards that the value or its cleanup owned themselves report what became of theirs,
    /// and errors that they had gathered are [`Suppressed`](crate::incident::IncidentKind::Suppressed) incidents.
    /// If the hook or the value's own [`Drop`] panics, that panic is caught.
    ///
    /// If you pass a `limit` of zero, the cleanup runs until it first has to wait.
    ///
    /// If you want to resume a slow cleanup instead of abandoning it, put [`tokio::time::timeout`] around
    /// [`async_drop`](Self::async_drop).
    ///
    /// # Errors
    ///
    /// - [`DeadlineError::Passed`] if the cleanup had not finished in time.
    /// - [`DeadlineError::Cleanup`] with the error of a cleanup that finished in time.
    ///
    /// # Panics
    ///
    /// If you await it without a tokio runtime around it, or if the clock of the runtime is not enabled.
    /// If the cleanup panics before the deadline, you get that panic.
    ///
    /// # Cancel safety
    ///
    /// If you drop the future before the deadline, the value stays in the guard, as it does for
    /// [`async_drop`](Self::async_drop). You can call this again, and then it has the whole of its limit again.
    ///
    /// # Examples
    ///
    /// ```
    /// use asyncdrop::{AsyncDrop, AsyncDropGuard, DeadlineError, async_trait};
    /// use std::{io, time::Duration};
    /// use tokio::io::{AsyncWriteExt, DuplexStream};
    ///
    /// /// A stream, and what is still to be said on it.
    /// #[derive(Debug)]
    /// struct Connection(DuplexStream, &'static [u8]);
    ///
    /// #[async_trait]
    /// impl AsyncDrop for Connection {
    ///     type Error = io::Error;
    ///
    ///     async fn async_drop_impl(&mut self) -> io::Result<()> {
    ///         self.0.write_all_buf(&mut self.1).await
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// // The other side reads nothing, and there is room for four bytes.
    /// let (ours, _theirs) = tokio::io::duplex(4);
    /// let mut connection = AsyncDropGuard::new(Connection(ours, b"goodbye"));
    ///
    /// let error = connection.async_drop_within(Duration::from_secs(2)).await.unwrap_err();
    /// assert!(matches!(error, DeadlineError::Passed { .. }));
    /// assert!(connection.is_dropped());
    /// # }
    /// ```
    #[must_use = "without `.await` nothing is cleaned up, and the guard panics when it is dropped; with it, the `Result` says whether the cleanup was abandoned"]
    pub async fn async_drop_within(
        &mut self,
        limit: Duration,
    ) -> Result<(), DeadlineError<T::Error>>
    where
        T: AsyncDrop,
    {
        {
            let mut cleanup = pin!(Some(self.async_drop()));
            let running = cleanup.as_mut().as_pin_mut();
            if let Ok(result) = timeout(limit, running.expect("it is put there above")).await {
                return result.map_err(DeadlineError::Cleanup);
            }
            // The cleanup, and then the value, may own guards of their own, which panic on drop.
            contain_panic(|| cleanup.set(None));
        }
        contain_panic(|| self.end_in_place());
        Err(DeadlineError::Passed {
            limit,
            origin: ValueOrigin::of::<T>(self.created_at()),
        })
    }
}

/// Tells you why [`AsyncDropGuard::async_drop_within`] failed.
///
/// # Examples
///
/// ```
/// # use asyncdrop::{AsyncDrop, AsyncDropGuard, DeadlineError, async_trait};
/// # use std::{io, time::Duration};
/// # #[derive(Debug)]
/// # struct Upload;
/// # #[async_trait]
/// # impl AsyncDrop for Upload {
/// #     type Error = io::Error;
/// #     async fn async_drop_impl(&mut self) -> io::Result<()> {
/// #         std::future::pending().await
/// #     }
/// # }
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// let mut upload = AsyncDropGuard::new(Upload);
/// match upload.async_drop_within(Duration::from_secs(5)).await {
///     Ok(()) => println!("sent"),
///     Err(DeadlineError::Cleanup(error)) => eprintln!("the upload failed: {error}"),
///     Err(late) => {
/// #         let text = late.to_string();
/// #         assert!(text.contains("Upload did not finish within 5s, created at "), "{text}");
///         // "async_drop on Upload did not finish within 5s, created at src/main.rs:20:22"
///         eprintln!("{late}");
///     }
/// }
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeadlineError<E> {
    /// The cleanup had not finished at the deadline, so it was abandoned, and the value dropped.
    #[non_exhaustive]
    Passed {
        /// How much time you gave the cleanup.
        limit: Duration,
        /// Which value it was.
        origin: ValueOrigin,
    },
    /// The cleanup finished in time, but with this error.
    Cleanup(E),
}

impl<E: Display> Display for DeadlineError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passed { limit, origin } => {
                let (type_name, location) = (Shown(origin.type_name()), origin.location());
                write!(
                    f,
                    "async_drop on {type_name} did not finish within {limit:?}, created at {location}"
                )
            }
            Self::Cleanup(error) => write!(f, "the cleanup failed: {error}"),
        }
    }
}

/// The text has the error of the cleanup, so [`source`](Error::source) is the source of that.
impl<E: Error> Error for DeadlineError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Passed { .. } => None,
            Self::Cleanup(error) => error.source(),
        }
    }
}
