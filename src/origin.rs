//! Which value it was: the one way in which messages and errors name one.

use std::any::type_name;
use std::borrow::Cow;
use std::fmt::{self, Debug, Display};
use std::panic::Location;
use std::ptr;
use std::sync::Arc;

use crate::type_names::Shown;

/// Tells you which value an error or a report is about: its type, where its guard was created, and its name if it has one.
///
/// It displays as all of that, where an [`AsyncDropWith`](crate::AsyncDropWith) is called by the type of its value alone, and [`Debug`] prints the same, because the lists of errors show you their keys with [`Debug`].
///
/// # Examples
///
/// ```
/// # use asyncdrop::{AsyncDrop, AsyncDropGuard, AsyncDropStack, ValueOrigin, async_trait};
/// # #[derive(Debug)]
/// # struct Upload;
/// # #[async_trait]
/// # impl AsyncDrop for Upload {
/// #     type Error = String;
/// #     async fn async_drop_impl(&mut self) -> Result<(), String> { Err("half of it is missing".into()) }
/// # }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let mut uploads = AsyncDropStack::new();
/// uploads.push(AsyncDropGuard::new(Upload));
/// for (origin, error) in uploads.async_drop().await.unwrap_err() {
///     let origin: ValueOrigin = origin;
///     // "app::Upload, created at src/main.rs:14:14 failed: half of it is missing"
///     eprintln!("{origin} failed: {error}");
/// #   assert!(origin.to_string().contains("::Upload, created at "));
/// }
/// # }
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ValueOrigin {
    type_name: &'static str,
    location: &'static Location<'static>,
    name: Option<Name>,
}

/// One word, and shared: a reaper has one of these for each value that it has adopted, and hardly any of them has a name.
pub(crate) type Name = Arc<Cow<'static, str>>;

/// A `T` without a name, whose guard was created where this is called.
#[cfg(test)]
#[track_caller]
pub(crate) fn origin_of<T>() -> ValueOrigin {
    ValueOrigin::of::<T>(Location::caller())
}

impl ValueOrigin {
    /// A `T` without a name, whose guard was created at `location`.
    pub(crate) fn of<T: ?Sized>(location: &'static Location<'static>) -> Self {
        Self {
            type_name: type_name::<T>(),
            location,
            name: None,
        }
    }

    /// Whether both are of one type and one line, told by the addresses of these. It is quick, and may miss that they are equal.
    #[inline]
    pub(crate) fn is_surely_of(&self, other: &Self) -> bool {
        ptr::eq(self.location, other.location) && ptr::eq(self.type_name, other.type_name)
    }

    /// The same value, under a name.
    pub(crate) fn named(self, name: Name) -> Self {
        Self {
            name: Some(name),
            ..self
        }
    }

    /// The type of the value, as [`std::any::type_name`] gives it.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::{AsyncDrop, AsyncDropGuard, AsyncDropStack, async_trait};
    /// # #[derive(Debug)]
    /// # struct Upload;
    /// # #[async_trait]
    /// # impl AsyncDrop for Upload {
    /// #     type Error = String;
    /// #     async fn async_drop_impl(&mut self) -> Result<(), String> { Err("half of it is missing".into()) }
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # let mut uploads = AsyncDropStack::new();
    /// uploads.push(AsyncDropGuard::new(Upload));
    /// let errors = uploads.async_drop().await.unwrap_err();
    /// assert!(errors.iter().all(|(origin, _)| origin.type_name().ends_with("::Upload")));
    /// # }
    /// ```
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        self.type_name
    }

    /// The place at which you created the guard of the value.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::{AsyncDrop, AsyncDropGuard, AsyncDropStack, async_trait};
    /// # #[derive(Debug)]
    /// # struct Upload;
    /// # #[async_trait]
    /// # impl AsyncDrop for Upload {
    /// #     type Error = String;
    /// #     async fn async_drop_impl(&mut self) -> Result<(), String> { Err("half of it is missing".into()) }
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # let mut uploads = AsyncDropStack::new();
    /// let line = line!() + 1;
    /// uploads.push(AsyncDropGuard::new(Upload));
    /// let errors = uploads.async_drop().await.unwrap_err();
    /// assert!(errors.iter().all(|(origin, _)| origin.location().line() == line));
    /// # }
    /// ```
    #[must_use]
    pub fn location(&self) -> &'static Location<'static> {
        self.location
    }

    /// The name of the value, if you gave it one, or that of its field in a type with `#[derive(AsyncDrop)]`, for example.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::{AsyncDrop, AsyncDropGuard, AsyncDropStack, async_trait};
    /// # #[derive(Debug)]
    /// # struct Upload;
    /// # #[async_trait]
    /// # impl AsyncDrop for Upload {
    /// #     type Error = String;
    /// #     async fn async_drop_impl(&mut self) -> Result<(), String> { Err("half of it is missing".into()) }
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # let mut uploads = AsyncDropStack::new();
    /// uploads.push(AsyncDropGuard::new(Upload));
    /// for (origin, error) in uploads.async_drop().await.unwrap_err() {
    ///     eprintln!("{} failed: {error}", origin.name().unwrap_or("an upload"));
    /// #   assert_eq!(origin.name(), None);
    /// }
    /// # }
    /// ```
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_ref().map(|name| &***name)
    }
}

impl Display for ValueOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            type_name,
            location,
            name,
        } = self;
        let type_name = Shown(type_name);
        match name {
            Some(name) => write!(f, "{name:?} ({type_name}), created at {location}"),
            None => write!(f, "{type_name}, created at {location}"),
        }
    }
}

impl Debug for ValueOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Display::fmt(self, f)
    }
}
