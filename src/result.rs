use std::fmt::Debug;

use async_trait::async_trait;

use crate::async_drop::AsyncDrop;
use crate::guard::AsyncDropGuard;

/// A guarded value, or the error that you got instead of it.
///
/// If it holds an `Ok`, `async_drop` cleans that up, but for an `Err` it has nothing to do.
/// You need it, for example, for a field that holds either a connection or the reason why you couldn't connect.
///
/// # When not to use it
///
/// - If you can return the error, use `?` on the plain `Result<AsyncDropGuard<T>, E>`.
/// - If you have two results and need both, see [`flatten_async_drop`](crate::flatten_async_drop()).
///
/// # Errors
///
/// If the cleanup fails, `async_drop` returns its error to you, once. It never returns the `Err` that came instead of a value.
///
/// # Panics
///
/// If the guard in the result was already cleaned up, its cleanup is passed over.
/// But then you cannot borrow a value, so [`ok`](Self::ok), [`as_ref`](Self::as_ref) and [`as_mut`](Self::as_mut) panic.
///
/// # Cancel safety
///
/// If `async_drop` is interrupted, the value stays in its place, so you can call `async_drop` again.
///
/// # Examples
///
/// ```
/// use asyncdrop::{AsyncDrop, AsyncDropGuard, AsyncDropResult, async_trait};
/// use std::io;
/// use std::path::Path;
/// use tokio::{fs::File, io::AsyncWriteExt};
///
/// #[derive(Debug)]
/// struct Journal(File);
///
/// impl Journal {
///     async fn open(path: &Path) -> io::Result<AsyncDropGuard<Self>> {
///         Ok(AsyncDropGuard::new(Self(File::create_new(path).await?)))
///     }
/// }
///
/// #[async_trait]
/// impl AsyncDrop for Journal {
///     type Error = io::Error;
///
///     async fn async_drop_impl(&mut self) -> io::Result<()> {
///         self.0.flush().await
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> io::Result<()> {
/// # let folder = tempfile::tempdir()?;
/// # let path = &folder.path().join("journal.txt");
/// let mut journal = AsyncDropResult::new(Journal::open(path).await);
/// let written = match journal.as_mut() {
///     Ok(journal) => journal.0.write_all(b"started").await,
///     Err(error) => {
///         eprintln!("running without a journal: {error}");
///         Ok(())
///     }
/// };
/// journal.async_drop().await?;
/// written?;
/// # assert_eq!(std::fs::read(path)?, b"started");
/// # let mut second = AsyncDropResult::new(Journal::open(path).await);
/// # assert_eq!(second.as_mut().unwrap_err().kind(), io::ErrorKind::AlreadyExists);
/// # second.async_drop().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct AsyncDropResult<T: Debug, E> {
    result: Result<AsyncDropGuard<T>, E>,
}

impl<T, E> AsyncDropResult<T, E>
where
    T: AsyncDrop + Debug + Send,
    E: Debug + Send,
{
    /// Takes over the guard in your result, if there is one.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::{AsyncDropResult, AsyncDropWith};
    /// # use std::convert::Infallible;
    /// # struct Lease { seconds: u32 }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # let take_lease = |seconds| AsyncDropWith::new(Lease { seconds }, async |_| Ok::<(), Infallible>(()));
    /// # let answer: Result<_, String> = Ok(take_lease(30));
    /// let mut lease = AsyncDropResult::new(answer);
    /// lease.async_drop().await.unwrap();
    /// # }
    /// ```
    #[track_caller]
    pub fn new(result: Result<AsyncDropGuard<T>, E>) -> AsyncDropGuard<Self> {
        AsyncDropGuard::new(Self { result })
    }

    /// Gives back what you passed to [`new`](Self::new). If it is a guard, you own it now, and cleaning it up is your job.
    ///
    /// # Errors
    ///
    /// The error that you got instead of a value.
    ///
    /// # Panics
    ///
    /// If the value was already cleaned up.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::{AsyncDropResult, AsyncDropWith};
    /// # use std::convert::Infallible;
    /// # struct Lease { seconds: u32 }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), String> {
    /// # let take_lease = |seconds| AsyncDropWith::new(Lease { seconds }, async |_| Ok::<(), Infallible>(()));
    /// # let lease: Result<_, String> = Ok(take_lease(30));
    /// let lease = AsyncDropResult::new(lease);
    /// let mut lease = AsyncDropResult::into_inner(lease)?;
    /// assert_eq!(lease.seconds, 30);
    /// lease.async_drop().await.unwrap();
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    #[must_use = "the value is a guard: bind it and end it with `.async_drop().await`; `let _ = ..` drops it, and that panics"]
    pub fn into_inner(guard: AsyncDropGuard<Self>) -> Result<AsyncDropGuard<T>, E> {
        guard.unsafe_into_inner_dont_drop().result
    }

    /// Lends you the value, if there is one.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::{AsyncDropResult, AsyncDropWith};
    /// # use std::convert::Infallible;
    /// # struct Lease { seconds: u32 }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # let take_lease = |seconds| AsyncDropWith::new(Lease { seconds }, async |_| Ok::<(), Infallible>(()));
    /// # let answer: Result<_, String> = Ok(take_lease(30));
    /// let mut lease = AsyncDropResult::new(answer);
    /// assert_eq!(lease.ok().map(|lease| lease.seconds), Some(30));
    /// # lease.async_drop().await.unwrap();
    /// # }
    /// ```
    #[must_use]
    pub fn ok(&self) -> Option<&T> {
        self.as_ref().ok()
    }

    /// Lends you the error, if there is one.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::{AsyncDropGuard, AsyncDropResult, BoxedAsyncDropWith};
    /// # use std::io;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # type Lease = BoxedAsyncDropWith<u32, io::Error>;
    /// let refused: Result<AsyncDropGuard<Lease>, _> = Err("no address is left");
    /// let mut lease = AsyncDropResult::new(refused);
    /// assert_eq!(lease.err(), Some(&"no address is left"));
    /// # lease.async_drop().await.unwrap();
    /// # }
    /// ```
    #[must_use]
    pub fn err(&self) -> Option<&E> {
        self.result.as_ref().err()
    }

    /// Lends you the value or the error.
    ///
    /// # Errors
    ///
    /// The error that you got instead of a value.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::{AsyncDropResult, AsyncDropWith};
    /// # use std::convert::Infallible;
    /// # struct Lease { seconds: u32 }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # let take_lease = |seconds| AsyncDropWith::new(Lease { seconds }, async |_| Ok::<(), Infallible>(()));
    /// # let answer: Result<_, String> = Ok(take_lease(30));
    /// let mut lease = AsyncDropResult::new(answer);
    /// match lease.as_ref() {
    ///     Ok(lease) => println!("ours for {} seconds", lease.seconds),
    ///     Err(error) => println!("no lease: {error}"),
    /// }
    /// # assert_eq!(lease.as_ref().unwrap().seconds, 30);
    /// # lease.async_drop().await.unwrap();
    /// # }
    /// ```
    pub fn as_ref(&self) -> Result<&T, &E> {
        self.result.as_deref()
    }

    /// Lends you the value or the error, so that you can change it.
    ///
    /// # Errors
    ///
    /// The error that you got instead of a value.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::{AsyncDropResult, AsyncDropWith};
    /// # use std::convert::Infallible;
    /// # struct Lease { seconds: u32 }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # let take_lease = |seconds| AsyncDropWith::new(Lease { seconds }, async |_| Ok::<(), Infallible>(()));
    /// # let answer: Result<_, String> = Ok(take_lease(30));
    /// let mut lease = AsyncDropResult::new(answer);
    /// if let Ok(lease) = lease.as_mut() {
    ///     lease.seconds += 60;
    /// }
    /// assert_eq!(lease.ok().map(|lease| lease.seconds), Some(90));
    /// # lease.async_drop().await.unwrap();
    /// # }
    /// ```
    pub fn as_mut(&mut self) -> Result<&mut T, &mut E> {
        self.result.as_deref_mut()
    }
}

#[diagnostic::do_not_recommend]
#[async_trait]
impl<T, E> AsyncDrop for AsyncDropResult<T, E>
where
    T: AsyncDrop + Debug + Send,
    E: Debug + Send,
{
    type Error = T::Error;

    async fn async_drop_impl(&mut self) -> Result<(), Self::Error> {
        match &mut self.result {
            Ok(guard) => guard.async_drop().await,
            Err(_) => Ok(()),
        }
    }
}
