//! What a shutdown with a deadline left behind.

use std::error::Error;
use std::fmt::{self, Display};
use std::time::Duration;

use crate::cleanup_error::CleanupErrors;
use crate::origin::ValueOrigin;

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
    in_use: Vec<ValueOrigin>,
    being_cleaned_up: Vec<ValueOrigin>,
    errors: Option<CleanupErrors>,
}

impl ShutdownError {
    /// Every value was gone at the deadline, but some cleanups had failed.
    pub(crate) fn in_time(limit: Duration, errors: CleanupErrors) -> Self {
        Self {
            limit,
            in_use: Vec::new(),
            being_cleaned_up: Vec::new(),
            errors: Some(errors),
        }
    }

    pub(crate) fn at_deadline(
        limit: Duration,
        in_use: Vec<ValueOrigin>,
        being_cleaned_up: Vec<ValueOrigin>,
        errors: Result<(), CleanupErrors>,
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
    pub fn in_use(&self) -> &[ValueOrigin] {
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
    pub fn being_cleaned_up(&self) -> &[ValueOrigin] {
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
    /// for (value, error) in error.errors().into_iter().flatten() {
    ///     eprintln!("{value}: {error}");
    /// }
    /// assert_eq!(error.errors().map(|errors| errors.len()), Some(1));
    /// # }
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

/// It ends with the errors of the cleanups, so [`source`](Error::source) is what is theirs.
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
