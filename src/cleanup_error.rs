//! The error of one cleanup among others, whatever its type was.

use std::error::Error;
use std::fmt::{self, Debug, Display};

use crate::errors::DropErrors;
use crate::held_error::HeldError;
use crate::origin::ValueOrigin;
use crate::panics::{Panic, discard, message};

/// Every error of the cleanups of values of different types, so that you lose none, each with the value that it came from.
///
/// You get it from an [`AsyncDropStack`](crate::AsyncDropStack), from an `AsyncDropReaper`,
/// and from a type with `#[derive(AsyncDrop)]`.
///
/// # Examples
///
/// ```
/// # use asyncdrop::{AsyncDrop, AsyncDropGuard, AsyncDropStack, async_trait};
/// # use std::io;
/// # #[derive(Debug)]
/// # struct Upload { complete: bool }
/// # #[async_trait]
/// # impl AsyncDrop for Upload {
/// #     type Error = io::Error;
/// #     async fn async_drop_impl(&mut self) -> io::Result<()> {
/// #         if self.complete { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
/// #     }
/// # }
/// use asyncdrop::CleanupErrors;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let mut uploads = AsyncDropStack::new();
/// uploads.push(AsyncDropGuard::new(Upload { complete: true }));
/// uploads.push(AsyncDropGuard::new(Upload { complete: false }));
///
/// let errors: CleanupErrors = uploads.async_drop().await.unwrap_err();
/// // "1 of 2 cleanups failed: app::Upload, created at src/main.rs:21:14: unexpected end of file"
/// eprintln!("{errors}");
/// assert_eq!((errors.len(), errors.total()), (1, 2));
/// # }
/// ```
pub type CleanupErrors = DropErrors<ValueOrigin, CleanupError>;

impl CleanupErrors {
    /// What `total` cleanups came to, of which these failed.
    pub(crate) fn check_held(
        errors: Vec<HeldError<CleanupError>>,
        total: usize,
    ) -> Result<(), Self> {
        Self::check(
            errors.into_iter().map(HeldError::into_parts).collect(),
            total,
        )
    }
}

/// Tells you why one cleanup among others did not succeed.
///
/// It displays as the error of the cleanup with all its [sources](Error::source), so it has no source of its own.
/// [`Debug`] prints the same, so your log has what the error says of itself.
///
/// # Examples
///
/// ```
/// # use asyncdrop::{AsyncDrop, AsyncDropGuard, AsyncDropStack, async_trait};
/// # use std::io;
/// # #[derive(Debug)]
/// # struct Journal;
/// # #[async_trait]
/// # impl AsyncDrop for Journal {
/// #     type Error = io::Error;
/// #     async fn async_drop_impl(&mut self) -> io::Result<()> { Err(io::ErrorKind::StorageFull.into()) }
/// # }
/// use asyncdrop::CleanupError;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// # let mut stack = AsyncDropStack::new();
/// stack.push(AsyncDropGuard::new(Journal));
/// for (origin, error) in stack.async_drop().await.unwrap_err() {
///     match error {
///         CleanupError::Failed(error) => eprintln!("{origin}: {error}"),
///         CleanupError::Panicked(message) => eprintln!("{origin} has a bug: {message}"),
///         other => eprintln!("{origin}: {other}"),
///     }
/// }
/// # }
/// ```
#[non_exhaustive]
pub enum CleanupError {
    /// The cleanup returned this error.
    Failed(Box<dyn Error + Send + Sync>),
    /// The cleanup panicked, with this message. The value was not cleaned up, so its drop was an incident.
    Panicked(String),
    /// The runtime ended before the cleanup did. The value was not cleaned up, so its drop was an incident.
    RuntimeEnded,
}

impl CleanupError {
    pub(crate) fn failed(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Failed(error.into())
    }

    pub(crate) fn panicked(panic: Panic) -> Self {
        let message = message(&panic).to_owned();
        discard(panic);
        Self::Panicked(message)
    }

    /// Lends you the error of the cleanup, if it failed with an `E`.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::{AsyncDrop, AsyncDropGuard, AsyncDropStack, async_trait};
    /// # use std::io;
    /// # #[derive(Debug)]
    /// # struct Journal;
    /// # #[async_trait]
    /// # impl AsyncDrop for Journal {
    /// #     type Error = io::Error;
    /// #     async fn async_drop_impl(&mut self) -> io::Result<()> { Err(io::ErrorKind::StorageFull.into()) }
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # let mut stack = AsyncDropStack::new();
    /// stack.push(AsyncDropGuard::new(Journal));
    /// let errors = stack.async_drop().await.unwrap_err();
    /// let kinds = errors.iter().filter_map(|(_, error)| Some(error.downcast_ref::<io::Error>()?.kind()));
    /// assert_eq!(kinds.collect::<Vec<_>>(), [io::ErrorKind::StorageFull]);
    /// # }
    /// ```
    #[must_use]
    pub fn downcast_ref<E: Error + 'static>(&self) -> Option<&E> {
        match self {
            Self::Failed(error) => error.downcast_ref(),
            Self::Panicked(_) | Self::RuntimeEnded => None,
        }
    }

    /// Gives you the error of the cleanup by value, if it failed with an `E`.
    ///
    /// # Errors
    ///
    /// You get this error itself back, if the one inside is of another type, or if there is none.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::{AsyncDrop, AsyncDropGuard, AsyncDropStack, async_trait};
    /// # use std::{fmt, io};
    /// # #[derive(Debug)]
    /// # struct Journal;
    /// # #[async_trait]
    /// # impl AsyncDrop for Journal {
    /// #     type Error = io::Error;
    /// #     async fn async_drop_impl(&mut self) -> io::Result<()> { Err(io::ErrorKind::StorageFull.into()) }
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # let mut stack = AsyncDropStack::new();
    /// stack.push(AsyncDropGuard::new(Journal));
    /// let errors = stack.async_drop().await.unwrap_err();
    /// let (_, error) = errors.into_iter().next().unwrap();
    ///
    /// // Of another type, it comes back.
    /// let error = error.downcast::<fmt::Error>().unwrap_err();
    /// let error = error.downcast::<io::Error>().unwrap();
    /// assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    /// # }
    /// ```
    pub fn downcast<E: Error + 'static>(self) -> Result<E, Self> {
        match self {
            Self::Failed(error) => match error.downcast() {
                Ok(error) => Ok(*error),
                Err(other) => Err(Self::Failed(other)),
            },
            other => Err(other),
        }
    }
}

impl Display for CleanupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(error) => f.write_str(&with_sources(&**error)),
            Self::Panicked(message) => write!(f, "its cleanup panicked: {message}"),
            Self::RuntimeEnded => write!(f, "its runtime ended before its cleanup"),
        }
    }
}

/// What an error says, and then what each of its sources says, unless the text ends with that already.
fn with_sources(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let said = error.to_string();
        if !text.ends_with(&said) {
            text = format!("{text}: {said}");
        }
        source = error.source();
    }
    text
}

impl Debug for CleanupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Display::fmt(self, f)
    }
}

/// It has no [`source`](Error::source), because its text has all of them.
impl Error for CleanupError {}
