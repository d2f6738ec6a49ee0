//! The errors of several cleanups.

use std::error::Error;
use std::fmt::{self, Debug, Display};
use std::iter::Map;
use std::{mem, slice, thread, vec};

use crate::panics::FirstPanic;

/// Every error of several cleanups, so that you lose none, each with the key of the value that it came from.
///
/// It is never empty, because you get it only if something failed.
///
/// # Examples
///
/// ```
/// use asyncdrop::{AsyncDropWith, async_drop_all};
/// use std::io;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let upload = |complete| {
///     AsyncDropWith::new(complete, async |complete| match complete {
///         true => Ok(()),
///         false => Err(io::Error::other("half of it is missing")),
///     })
/// };
/// let uploads = [("photo.jpg", upload(true)), ("film.mp4", upload(false))];
/// let errors = async_drop_all(uploads).await.unwrap_err();
///
/// assert_eq!(errors.to_string(), r#"1 of 2 cleanups failed: "film.mp4": half of it is missing"#);
/// assert_eq!((errors.len(), errors.total()), (1, 2));
/// for (name, error) in errors {
///     eprintln!("{name} must be sent again: {error}");
/// }
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DropErrors<K, E> {
    /// Never empty.
    errors: Vec<(K, E)>,
    total: usize,
}

impl<K, E> DropErrors<K, E> {
    /// What `total` cleanups came to, of which these failed.
    pub(crate) fn check(errors: Vec<(K, E)>, total: usize) -> Result<(), Self> {
        if errors.is_empty() {
            Ok(())
        } else {
            Err(Self { errors, total })
        }
    }

    /// The errors with their keys, in the order of the cleanups. You can look at them without taking them.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::{AsyncDropWith, async_drop_all};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # let upload = |result| AsyncDropWith::new((), async move |()| result);
    /// # let [photo, film] = [Ok(()), Err("half of it is missing")].map(upload);
    /// let errors = async_drop_all([("photo.jpg", photo), ("film.mp4", film)]).await.unwrap_err();
    /// for (name, error) in errors.iter() {
    ///     println!("{name}: {error}");
    /// }
    /// # assert_eq!(errors.iter().next(), Some((&"film.mp4", &"half of it is missing")));
    /// # }
    /// ```
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&K, &E)> {
        self.errors.iter().map(|(key, error)| (key, error))
    }

    /// Tells you how many cleanups failed, which is at least one.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::{AsyncDropWith, async_drop_all};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # let upload = |result| AsyncDropWith::new((), async move |()| result);
    /// # let [photo, film] = [Ok(()), Err("half of it is missing")].map(upload);
    /// let errors = async_drop_all([("photo.jpg", photo), ("film.mp4", film)]).await.unwrap_err();
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

    /// Tells you how many cleanups there were, failed ones and others.
    ///
    /// If you can ask for errors more than once, as with a reaper, this counts the cleanups since the last list.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::{AsyncDropWith, async_drop_all};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # let upload = |result| AsyncDropWith::new((), async move |()| result);
    /// # let [photo, film] = [Ok(()), Err("half of it is missing")].map(upload);
    /// let errors = async_drop_all([("photo.jpg", photo), ("film.mp4", film)]).await.unwrap_err();
    /// assert_eq!(errors.total(), 2);
    /// # }
    /// ```
    #[must_use]
    pub fn total(&self) -> usize {
        self.total
    }
}

impl<K, E> IntoIterator for DropErrors<K, E> {
    type Item = (K, E);
    type IntoIter = vec::IntoIter<(K, E)>;

    fn into_iter(mut self) -> Self::IntoIter {
        mem::take(&mut self.errors).into_iter()
    }
}

/// Drops each key and each error. A `Vec` would abort the process if two of them panicked.
impl<K, E> Drop for DropErrors<K, E> {
    fn drop(&mut self) {
        let mut panic = FirstPanic::default();
        for (key, error) in mem::take(&mut self.errors) {
            panic.keep_from(|| drop(key));
            panic.keep_from(|| drop(error));
        }
        if !thread::panicking() {
            panic.resume();
        }
    }
}

impl<'a, K, E> IntoIterator for &'a DropErrors<K, E> {
    type Item = (&'a K, &'a E);
    type IntoIter = Map<slice::Iter<'a, (K, E)>, fn(&'a (K, E)) -> (&'a K, &'a E)>;

    fn into_iter(self) -> Self::IntoIter {
        self.errors.iter().map(|(key, error)| (key, error))
    }
}

impl<K: Debug, E: Display> Display for DropErrors<K, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} cleanups failed: ", self.len(), self.total)?;
        for (index, (key, error)) in self.errors.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{key:?}: {error}")?;
        }
        Ok(())
    }
}

/// The text ends with the last of the errors, so [`source`](Error::source) is the source of that one,
/// and if your report continues with the sources, it reads as one sentence.
impl<K: Debug, E: Error> Error for DropErrors<K, E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.errors.last().and_then(|(_, error)| error.source())
    }
}
