use std::any::Any;
use std::error::Error;
use std::fmt::{self, Debug, Display};
use std::panic::Location;
use std::time::Duration;
use std::vec;

use crate::incident::{HeldError, contain_panic};

/// Every error of the cleanups that an [`AsyncDropReaper`](crate::AsyncDropReaper) ran.
///
/// It is never empty: where nothing failed there is no error.
///
/// # Examples
///
/// ```
/// # use asyncdrop::{AsyncDrop, AsyncDropGuard, AsyncDropReaper, async_trait};
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
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let mut reaper = AsyncDropReaper::new();
/// drop(reaper.adopt(AsyncDropGuard::new(Upload { complete: true })));
/// drop(reaper.adopt(AsyncDropGuard::new(Upload { complete: false })));
///
/// let errors = reaper.async_drop().await.unwrap_err();
/// // "1 of 2 handed-over cleanups failed: app::Upload, created at src/main.rs:23:19: Kind(UnexpectedEof)"
/// eprintln!("{errors}");
/// assert_eq!((errors.len(), errors.total()), (1, 2));
/// for error in errors {
///     eprintln!("{}, line {}", error.location().file(), error.location().line());
/// }
/// # }
/// ```
#[derive(Debug)]
pub struct ReapErrors {
    /// Never empty.
    errors: Vec<ReapError>,
    total: usize,
}

impl ReapErrors {
    /// What `total` cleanups came to, of which these failed.
    pub(crate) fn check(errors: Vec<HeldError<Cause>>, total: usize) -> Result<(), Self> {
        if errors.is_empty() {
            return Ok(());
        }
        let errors = errors.into_iter().map(ReapError::from).collect();
        Err(Self { errors, total })
    }

    /// The errors, in the order in which the cleanups ended.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::{AsyncDrop, AsyncDropGuard, AsyncDropReaper, async_trait};
    /// # #[derive(Debug)]
    /// # struct Upload;
    /// # #[async_trait]
    /// # impl AsyncDrop for Upload {
    /// #     type Error = String;
    /// #     async fn async_drop_impl(&mut self) -> Result<(), String> { Err("half of it is missing".into()) }
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # let mut reaper = AsyncDropReaper::new();
    /// drop(reaper.adopt(AsyncDropGuard::new(Upload)));
    /// let errors = reaper.async_drop().await.unwrap_err();
    /// for error in errors.iter() {
    ///     println!("{error}");
    /// #   assert!(error.to_string().ends_with(r#": "half of it is missing""#));
    /// }
    /// # }
    /// ```
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &ReapError> {
        self.errors.iter()
    }

    /// How many cleanups failed. At least one.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::{AsyncDrop, AsyncDropGuard, AsyncDropReaper, async_trait};
    /// # #[derive(Debug)]
    /// # struct Upload;
    /// # #[async_trait]
    /// # impl AsyncDrop for Upload {
    /// #     type Error = String;
    /// #     async fn async_drop_impl(&mut self) -> Result<(), String> { Err("half of it is missing".into()) }
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # let mut reaper = AsyncDropReaper::new();
    /// drop(reaper.adopt(AsyncDropGuard::new(Upload)));
    /// let errors = reaper.async_drop().await.unwrap_err();
    /// assert_eq!(errors.len(), 1);
    /// # }
    /// ```
    #[expect(
        clippy::len_without_is_empty,
        reason = "it would always be false, and asking would be a mistake"
    )]
    #[must_use]
    pub fn len(&self) -> usize {
        self.errors.len()
    }

    /// How many cleanups the reaper ran, failed ones and others. Those that ended in place do not count.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::{AsyncDrop, AsyncDropGuard, AsyncDropReaper, async_trait};
    /// # #[derive(Debug)]
    /// # struct Upload;
    /// # #[async_trait]
    /// # impl AsyncDrop for Upload {
    /// #     type Error = String;
    /// #     async fn async_drop_impl(&mut self) -> Result<(), String> { Err("half of it is missing".into()) }
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # let mut reaper = AsyncDropReaper::new();
    /// drop(reaper.adopt(AsyncDropGuard::new(Upload)));
    /// let errors = reaper.async_drop().await.unwrap_err();
    /// assert_eq!(errors.total(), 1);
    /// # }
    /// ```
    #[must_use]
    pub fn total(&self) -> usize {
        self.total
    }
}

impl IntoIterator for ReapErrors {
    type Item = ReapError;
    type IntoIter = vec::IntoIter<ReapError>;

    fn into_iter(self) -> Self::IntoIter {
        self.errors.into_iter()
    }
}

impl Display for ReapErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (failed, total) = (self.len(), self.total);
        write!(f, "{failed} of {total} handed-over cleanups failed: ")?;
        for (index, error) in self.errors.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{error}")?;
        }
        Ok(())
    }
}

/// [`source`](Error::source) is the first of the errors.
impl Error for ReapErrors {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.errors.first().map(|error| error as _)
    }
}

/// One cleanup that an [`AsyncDropReaper`](crate::AsyncDropReaper) ran and that did not succeed.
///
/// It displays as the type of the value, where its guard was created, and the error with its [`Debug`].
///
/// # Examples
///
/// ```
/// # use asyncdrop::{AsyncDrop, AsyncDropGuard, AsyncDropReaper, async_trait};
/// # use std::io;
/// # #[derive(Debug)]
/// # struct Upload;
/// # #[async_trait]
/// # impl AsyncDrop for Upload {
/// #     type Error = io::Error;
/// #     async fn async_drop_impl(&mut self) -> io::Result<()> { Err(io::ErrorKind::UnexpectedEof.into()) }
/// # }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// # let mut reaper = AsyncDropReaper::new();
/// drop(reaper.adopt(AsyncDropGuard::new(Upload)));
/// for error in reaper.async_drop().await.unwrap_err() {
///     match error.downcast_ref::<io::Error>() {
///         Some(error) if error.kind() == io::ErrorKind::UnexpectedEof => println!("send it again"),
///         _ => eprintln!("{error}"),
///     }
/// }
/// # }
/// ```
#[derive(Debug)]
pub struct ReapError {
    value: PendingValue,
    cause: Cause,
}

impl ReapError {
    /// The type of the value, as [`std::any::type_name`] gives it.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::{AsyncDrop, AsyncDropGuard, AsyncDropReaper, async_trait};
    /// # #[derive(Debug)]
    /// # struct Upload;
    /// # #[async_trait]
    /// # impl AsyncDrop for Upload {
    /// #     type Error = String;
    /// #     async fn async_drop_impl(&mut self) -> Result<(), String> { Err("half of it is missing".into()) }
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # let mut reaper = AsyncDropReaper::new();
    /// drop(reaper.adopt(AsyncDropGuard::new(Upload)));
    /// let errors = reaper.async_drop().await.unwrap_err();
    /// assert!(errors.iter().all(|error| error.type_name().ends_with("::Upload")));
    /// # }
    /// ```
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        self.value.type_name
    }

    /// Where the guard of the value was created.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::{AsyncDrop, AsyncDropGuard, AsyncDropReaper, async_trait};
    /// # #[derive(Debug)]
    /// # struct Upload;
    /// # #[async_trait]
    /// # impl AsyncDrop for Upload {
    /// #     type Error = String;
    /// #     async fn async_drop_impl(&mut self) -> Result<(), String> { Err("half of it is missing".into()) }
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # let mut reaper = AsyncDropReaper::new();
    /// let line = line!() + 1;
    /// drop(reaper.adopt(AsyncDropGuard::new(Upload)));
    /// let errors = reaper.async_drop().await.unwrap_err();
    /// assert!(errors.iter().all(|error| error.location().line() == line));
    /// # }
    /// ```
    #[must_use]
    pub fn location(&self) -> &'static Location<'static> {
        self.value.location
    }

    /// What kind of thing went wrong.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::{AsyncDrop, AsyncDropGuard, AsyncDropReaper, ReapErrorKind, async_trait};
    /// # #[derive(Debug)]
    /// # struct Upload;
    /// # #[async_trait]
    /// # impl AsyncDrop for Upload {
    /// #     type Error = String;
    /// #     async fn async_drop_impl(&mut self) -> Result<(), String> { Err("half of it is missing".into()) }
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # let mut reaper = AsyncDropReaper::new();
    /// drop(reaper.adopt(AsyncDropGuard::new(Upload)));
    /// let errors = reaper.async_drop().await.unwrap_err();
    /// let is_a_bug = errors.iter().any(|error| error.kind() == ReapErrorKind::Panicked);
    /// assert!(!is_a_bug);
    /// # }
    /// ```
    #[must_use]
    pub fn kind(&self) -> ReapErrorKind {
        match self.cause {
            Cause::Failed(_) => ReapErrorKind::Failed,
            Cause::Panicked(_) => ReapErrorKind::Panicked,
            Cause::RuntimeEnded => ReapErrorKind::RuntimeEnded,
        }
    }

    /// The error of the cleanup, if it failed with an `E`.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::{AsyncDrop, AsyncDropGuard, AsyncDropReaper, async_trait};
    /// # use std::io;
    /// # #[derive(Debug)]
    /// # struct Upload;
    /// # #[async_trait]
    /// # impl AsyncDrop for Upload {
    /// #     type Error = io::Error;
    /// #     async fn async_drop_impl(&mut self) -> Result<(), io::Error> { Err(io::ErrorKind::StorageFull.into()) }
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # let mut reaper = AsyncDropReaper::new();
    /// drop(reaper.adopt(AsyncDropGuard::new(Upload)));
    /// let errors = reaper.async_drop().await.unwrap_err();
    /// let kinds = errors.iter().filter_map(|error| Some(error.downcast_ref::<io::Error>()?.kind()));
    /// assert_eq!(kinds.collect::<Vec<_>>(), [io::ErrorKind::StorageFull]);
    /// # }
    /// ```
    #[must_use]
    pub fn downcast_ref<E: 'static>(&self) -> Option<&E> {
        match &self.cause {
            // The box is itself a `CleanupError`, so it has to be opened first.
            Cause::Failed(error) => (**error).as_any().downcast_ref(),
            Cause::Panicked(_) | Cause::RuntimeEnded => None,
        }
    }
}

impl From<HeldError<Cause>> for ReapError {
    fn from(error: HeldError<Cause>) -> Self {
        Self {
            value: PendingValue::new(error.type_name(), error.created_at()),
            cause: error.into_inner(),
        }
    }
}

impl Display for ReapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.value)?;
        match &self.cause {
            Cause::Failed(error) => write!(f, "{error:?}"),
            Cause::Panicked(message) => write!(f, "its cleanup panicked: {message}"),
            Cause::RuntimeEnded => write!(f, "its runtime ended before its cleanup"),
        }
    }
}

impl Error for ReapError {}

/// What kind of thing went wrong in a cleanup that a reaper ran.
///
/// # Examples
///
/// ```
/// # use asyncdrop::{AsyncDrop, AsyncDropGuard, AsyncDropReaper, ReapErrorKind, async_trait, incident};
/// # use std::convert::Infallible;
/// # #[derive(Debug)]
/// # struct Upload;
/// # #[async_trait]
/// # impl AsyncDrop for Upload {
/// #     type Error = Infallible;
/// #     async fn async_drop_impl(&mut self) -> Result<(), Infallible> { panic!("no such upload") }
/// # }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// # incident::set_hook(Box::new(|_| {}));
/// # let mut reaper = AsyncDropReaper::new();
/// drop(reaper.adopt(AsyncDropGuard::new(Upload)));
/// let errors = reaper.async_drop().await.unwrap_err();
/// assert_eq!(errors.iter().next().unwrap().kind(), ReapErrorKind::Panicked);
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ReapErrorKind {
    /// The cleanup returned an error.
    Failed,
    /// The cleanup panicked. The value, not cleaned up, was dropped as an incident.
    Panicked,
    /// The runtime ended before the cleanup did. The value, not cleaned up, was dropped as an incident.
    RuntimeEnded,
}

/// Why a cleanup in a reaper did not succeed.
pub(crate) enum Cause {
    Failed(Box<dyn CleanupError>),
    /// With the message of the panic.
    Panicked(String),
    RuntimeEnded,
}

impl Cause {
    pub(crate) fn panicked(payload: Box<dyn Any + Send>) -> Self {
        let message = match payload.downcast_ref::<String>() {
            Some(message) => message.clone(),
            None => match payload.downcast_ref::<&str>() {
                Some(message) => (*message).to_owned(),
                None => "(no message)".to_owned(),
            },
        };
        // The payload can be any value, and its `Drop` could panic.
        contain_panic(|| drop(payload));
        Self::Panicked(message)
    }
}

impl Debug for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(error) => error.fmt(f),
            Self::Panicked(message) => f.debug_tuple("Panicked").field(message).finish(),
            Self::RuntimeEnded => f.write_str("RuntimeEnded"),
        }
    }
}

/// The error of any cleanup: all that is known of such a type.
pub(crate) trait CleanupError: Debug + Send + Sync {
    fn as_any(&self) -> &dyn Any;
}

impl<E: Debug + Send + Sync + 'static> CleanupError for E {
    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// A value that was not cleaned up in time, named by its type and by where its guard was created.
///
/// # Examples
///
/// ```
/// # use asyncdrop::{AsyncDrop, AsyncDropGuard, AsyncDropReaper, PendingValue, async_trait};
/// # use std::{convert::Infallible, time::Duration};
/// # #[derive(Debug)]
/// # struct Session;
/// # #[async_trait]
/// # impl AsyncDrop for Session {
/// #     type Error = Infallible;
/// #     async fn async_drop_impl(&mut self) -> Result<(), Infallible> { Ok(()) }
/// # }
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// let reaper = AsyncDropReaper::new();
/// let mut session = reaper.adopt(AsyncDropGuard::new(Session));
/// let error = AsyncDropReaper::shutdown(reaper, Duration::from_secs(5)).await.unwrap_err();
/// let value: &PendingValue = &error.in_use()[0];
/// // "still there: app::Session, created at src/main.rs:14:32"
/// eprintln!("still there: {value}");
/// # assert!(value.to_string().contains("::Session, created at "));
/// # session.async_drop().await.unwrap();
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PendingValue {
    type_name: &'static str,
    location: &'static Location<'static>,
}

impl PendingValue {
    pub(crate) fn new(type_name: &'static str, location: &'static Location<'static>) -> Self {
        Self {
            type_name,
            location,
        }
    }

    /// The type of the value, as [`std::any::type_name`] gives it.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::{AsyncDrop, AsyncDropGuard, AsyncDropReaper, async_trait};
    /// # use std::{convert::Infallible, time::Duration};
    /// # #[derive(Debug)]
    /// # struct Session;
    /// # #[async_trait]
    /// # impl AsyncDrop for Session {
    /// #     type Error = Infallible;
    /// #     async fn async_drop_impl(&mut self) -> Result<(), Infallible> { Ok(()) }
    /// # }
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// let reaper = AsyncDropReaper::new();
    /// let mut session = reaper.adopt(AsyncDropGuard::new(Session));
    /// let error = AsyncDropReaper::shutdown(reaper, Duration::from_secs(5)).await.unwrap_err();
    /// assert!(error.in_use()[0].type_name().ends_with("::Session"));
    /// # session.async_drop().await.unwrap();
    /// # }
    /// ```
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        self.type_name
    }

    /// Where the guard of the value was created.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::{AsyncDrop, AsyncDropGuard, AsyncDropReaper, async_trait};
    /// # use std::{convert::Infallible, time::Duration};
    /// # #[derive(Debug)]
    /// # struct Session;
    /// # #[async_trait]
    /// # impl AsyncDrop for Session {
    /// #     type Error = Infallible;
    /// #     async fn async_drop_impl(&mut self) -> Result<(), Infallible> { Ok(()) }
    /// # }
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// let reaper = AsyncDropReaper::new();
    /// let line = line!() + 1;
    /// let mut session = reaper.adopt(AsyncDropGuard::new(Session));
    /// let error = AsyncDropReaper::shutdown(reaper, Duration::from_secs(5)).await.unwrap_err();
    /// assert_eq!(error.in_use()[0].location().line(), line);
    /// # session.async_drop().await.unwrap();
    /// # }
    /// ```
    #[must_use]
    pub fn location(&self) -> &'static Location<'static> {
        self.location
    }
}

impl Display for PendingValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, created at {}", self.type_name, self.location)
    }
}

/// Why [`AsyncDropReaper::shutdown`](crate::AsyncDropReaper::shutdown) failed: the deadline, failed cleanups, or both.
///
/// It displays what is left in groups, one for each line of code that created guards.
///
/// # Examples
///
/// ```
/// # use asyncdrop::{AsyncDrop, AsyncDropGuard, AsyncDropReaper, async_trait};
/// # use std::{convert::Infallible, time::Duration};
/// # #[derive(Debug)]
/// # struct Session;
/// # #[async_trait]
/// # impl AsyncDrop for Session {
/// #     type Error = Infallible;
/// #     async fn async_drop_impl(&mut self) -> Result<(), Infallible> { Ok(()) }
/// # }
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// let reaper = AsyncDropReaper::new();
/// let mut session = reaper.adopt(AsyncDropGuard::new(Session));
/// if let Err(error) = AsyncDropReaper::shutdown(reaper, Duration::from_secs(5)).await {
/// #   let text = error.to_string();
/// #   assert!(text.starts_with("not all values were gone after 5s: 1 still in use ("), "{text}");
///     // "not all values were gone after 5s: 1 still in use (app::Session, created at src/main.rs:14:30)"
///     eprintln!("{error}");
/// }
/// session.async_drop().await.unwrap();
/// # }
/// ```
#[derive(Debug)]
pub struct ShutdownError {
    limit: Duration,
    in_use: Vec<PendingValue>,
    being_cleaned_up: Vec<PendingValue>,
    errors: Option<ReapErrors>,
}

impl ShutdownError {
    /// Every value was gone at the deadline, but some cleanups had failed.
    pub(crate) fn in_time(limit: Duration, errors: ReapErrors) -> Self {
        Self {
            limit,
            in_use: Vec::new(),
            being_cleaned_up: Vec::new(),
            errors: Some(errors),
        }
    }

    pub(crate) fn at_deadline(
        limit: Duration,
        in_use: Vec<PendingValue>,
        being_cleaned_up: Vec<PendingValue>,
        errors: Result<(), ReapErrors>,
    ) -> Result<(), Self> {
        if in_use.is_empty() && being_cleaned_up.is_empty() && errors.is_ok() {
            return Ok(());
        }
        Err(Self {
            limit,
            in_use,
            being_cleaned_up,
            errors: errors.err(),
        })
    }

    /// The values that somebody still used at the deadline, in the order of their adoption.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::{AsyncDrop, AsyncDropGuard, AsyncDropReaper, async_trait};
    /// # use std::{convert::Infallible, time::Duration};
    /// # #[derive(Debug)]
    /// # struct Session;
    /// # #[async_trait]
    /// # impl AsyncDrop for Session {
    /// #     type Error = Infallible;
    /// #     async fn async_drop_impl(&mut self) -> Result<(), Infallible> { Ok(()) }
    /// # }
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// let reaper = AsyncDropReaper::new();
    /// let mut session = reaper.adopt(AsyncDropGuard::new(Session));
    /// let error = AsyncDropReaper::shutdown(reaper, Duration::from_secs(5)).await.unwrap_err();
    /// for value in error.in_use() {
    ///     eprintln!("nobody let go of {value}");
    /// }
    /// assert_eq!((error.in_use().len(), error.being_cleaned_up().len()), (1, 0));
    /// // It can still be ended.
    /// session.async_drop().await.unwrap();
    /// # }
    /// ```
    #[must_use]
    pub fn in_use(&self) -> &[PendingValue] {
        &self.in_use
    }

    /// The values whose cleanup in the reaper had not ended at the deadline, in the order of their adoption.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::{AsyncDrop, AsyncDropGuard, AsyncDropReaper, async_trait};
    /// # use std::{convert::Infallible, time::Duration};
    /// # #[derive(Debug)]
    /// # struct Upload;
    /// # #[async_trait]
    /// # impl AsyncDrop for Upload {
    /// #     type Error = Infallible;
    /// #     async fn async_drop_impl(&mut self) -> Result<(), Infallible> { std::future::pending().await }
    /// # }
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// let reaper = AsyncDropReaper::new();
    /// drop(reaper.adopt(AsyncDropGuard::new(Upload)));
    /// let error = AsyncDropReaper::shutdown(reaper, Duration::from_secs(5)).await.unwrap_err();
    /// for value in error.being_cleaned_up() {
    ///     eprintln!("too slow: {value}");
    /// }
    /// assert_eq!((error.being_cleaned_up().len(), error.in_use().len()), (1, 0));
    /// # }
    /// ```
    #[must_use]
    pub fn being_cleaned_up(&self) -> &[PendingValue] {
        &self.being_cleaned_up
    }

    /// The errors of the cleanups that the reaper ran and that ended in time, if there are any.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::{AsyncDrop, AsyncDropGuard, AsyncDropReaper, async_trait};
    /// # use std::time::Duration;
    /// # #[derive(Debug)]
    /// # struct Upload;
    /// # #[async_trait]
    /// # impl AsyncDrop for Upload {
    /// #     type Error = String;
    /// #     async fn async_drop_impl(&mut self) -> Result<(), String> { Err("half of it is missing".into()) }
    /// # }
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// let reaper = AsyncDropReaper::new();
    /// drop(reaper.adopt(AsyncDropGuard::new(Upload)));
    /// let error = AsyncDropReaper::shutdown(reaper, Duration::from_secs(5)).await.unwrap_err();
    /// for error in error.errors().iter().flat_map(|errors| errors.iter()) {
    ///     eprintln!("{error}");
    /// }
    /// assert_eq!(error.errors().map(|errors| errors.len()), Some(1));
    /// # }
    /// ```
    #[must_use]
    pub fn errors(&self) -> Option<&ReapErrors> {
        self.errors.as_ref()
    }
}

impl Display for ShutdownError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        if !self.in_use.is_empty() || !self.being_cleaned_up.is_empty() {
            write!(f, "not all values were gone after {:?}: ", self.limit)?;
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
        if let Some(errors) = &self.errors {
            write!(f, "{separator}{errors}")?;
        }
        Ok(())
    }
}

/// [`source`](Error::source) is the first error of a cleanup.
impl Error for ShutdownError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.errors.as_ref().and_then(Error::source)
    }
}

/// Values that were created in one place, by the thousand, are named once, with their number.
struct Groups<'a>(&'a [PendingValue]);

impl Display for Groups<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut groups: Vec<(PendingValue, usize)> = Vec::new();
        for value in self.0 {
            match groups.iter_mut().find(|(known, _)| known == value) {
                Some((_, count)) => *count += 1,
                None => groups.push((*value, 1)),
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
