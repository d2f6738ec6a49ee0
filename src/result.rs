use std::fmt::Debug;

use async_trait::async_trait;

use crate::{AsyncDrop, AsyncDropGuard};

/// A guarded value, or the error that came instead of it.
///
/// `async_drop` cleans up an `Ok`, and has nothing to do for an `Err`.
/// A field that may hold a connection or the reason why there is none is such a value.
///
/// # When not to use it
///
/// - Where the error can be returned, use `?` on the plain `Result<AsyncDropGuard<T>, E>`.
/// - For two results of which both are needed, see [`flatten_async_drop`](crate::flatten_async_drop()).
///
/// # Cancel safety
///
/// An interrupted `async_drop` leaves the value in its place: call `async_drop` again.
///
/// # Examples
///
/// ```
/// use asyncdrop::{AsyncDrop, AsyncDropGuard, AsyncDropResult, async_trait};
/// use std::io;
/// use tokio::{fs::File, io::AsyncWriteExt};
///
/// #[derive(Debug)]
/// struct Journal(File);
///
/// impl Journal {
///     async fn open(path: &str) -> io::Result<AsyncDropGuard<Self>> {
///         Ok(AsyncDropGuard::new(Self(File::options().append(true).open(path).await?)))
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
/// let mut journal = AsyncDropResult::new(Journal::open("/no/such/journal").await);
/// if let Some(error) = journal.err() {
///     eprintln!("running without a journal: {error}");
/// }
/// journal.async_drop().await?;
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
    /// Takes over the guard in the result, if there is one.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::{AsyncDrop, AsyncDropGuard, AsyncDropResult, async_trait};
    /// # use std::convert::Infallible;
    /// # #[derive(Debug)]
    /// # struct Lease { seconds: u32 }
    /// # #[async_trait]
    /// # impl AsyncDrop for Lease {
    /// #     type Error = Infallible;
    /// #     async fn async_drop_impl(&mut self) -> Result<(), Infallible> { Ok(()) }
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # let answer: Result<_, String> = Ok(AsyncDropGuard::new(Lease { seconds: 30 }));
    /// let mut lease = AsyncDropResult::new(answer);
    /// lease.async_drop().await.unwrap();
    /// # }
    /// ```
    #[track_caller]
    pub fn new(result: Result<AsyncDropGuard<T>, E>) -> AsyncDropGuard<Self> {
        AsyncDropGuard::new(Self { result })
    }

    /// Gives back what [`new`](Self::new) took. The caller owns the guard, and must end it.
    ///
    /// # Errors
    ///
    /// The error that was there instead of a value.
    ///
    /// # Panics
    ///
    /// When the value was already cleaned up.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::{AsyncDrop, AsyncDropGuard, AsyncDropResult, async_trait};
    /// # use std::convert::Infallible;
    /// # #[derive(Debug)]
    /// # struct Lease { seconds: u32 }
    /// # #[async_trait]
    /// # impl AsyncDrop for Lease {
    /// #     type Error = Infallible;
    /// #     async fn async_drop_impl(&mut self) -> Result<(), Infallible> { Ok(()) }
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), String> {
    /// # let lease: Result<_, String> = Ok(AsyncDropGuard::new(Lease { seconds: 30 }));
    /// let lease = AsyncDropResult::new(lease);
    /// let mut lease = AsyncDropResult::into_inner(lease)?;
    /// assert_eq!(lease.seconds, 30);
    /// lease.async_drop().await.unwrap();
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn into_inner(guard: AsyncDropGuard<Self>) -> Result<AsyncDropGuard<T>, E> {
        guard.unsafe_into_inner_dont_drop().result
    }

    /// The value, if there is one.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::{AsyncDrop, AsyncDropGuard, AsyncDropResult, async_trait};
    /// # use std::convert::Infallible;
    /// # #[derive(Debug)]
    /// # struct Lease { seconds: u32 }
    /// # #[async_trait]
    /// # impl AsyncDrop for Lease {
    /// #     type Error = Infallible;
    /// #     async fn async_drop_impl(&mut self) -> Result<(), Infallible> { Ok(()) }
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # let answer: Result<_, String> = Ok(AsyncDropGuard::new(Lease { seconds: 30 }));
    /// let mut lease = AsyncDropResult::new(answer);
    /// assert_eq!(lease.ok().map(|lease| lease.seconds), Some(30));
    /// # lease.async_drop().await.unwrap();
    /// # }
    /// ```
    #[must_use]
    pub fn ok(&self) -> Option<&T> {
        self.as_ref().ok()
    }

    /// The error, if there is one.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::{AsyncDrop, AsyncDropGuard, AsyncDropResult, async_trait};
    /// # use std::convert::Infallible;
    /// # #[derive(Debug)]
    /// # struct Lease { seconds: u32 }
    /// # #[async_trait]
    /// # impl AsyncDrop for Lease {
    /// #     type Error = Infallible;
    /// #     async fn async_drop_impl(&mut self) -> Result<(), Infallible> { Ok(()) }
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let refused: Result<AsyncDropGuard<Lease>, _> = Err("no address is left");
    /// let mut lease = AsyncDropResult::new(refused);
    /// assert_eq!(lease.err(), Some(&"no address is left"));
    /// # lease.async_drop().await.unwrap();
    /// # }
    /// ```
    #[must_use]
    pub fn err(&self) -> Option<&E> {
        self.as_ref().err()
    }

    /// The value or the error, borrowed.
    ///
    /// # Errors
    ///
    /// The error that was there instead of a value.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::{AsyncDrop, AsyncDropGuard, AsyncDropResult, async_trait};
    /// # use std::convert::Infallible;
    /// # #[derive(Debug)]
    /// # struct Lease { seconds: u32 }
    /// # #[async_trait]
    /// # impl AsyncDrop for Lease {
    /// #     type Error = Infallible;
    /// #     async fn async_drop_impl(&mut self) -> Result<(), Infallible> { Ok(()) }
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # let answer: Result<_, String> = Ok(AsyncDropGuard::new(Lease { seconds: 30 }));
    /// let mut lease = AsyncDropResult::new(answer);
    /// match lease.as_ref() {
    ///     Ok(lease) => println!("ours for {} seconds", lease.seconds),
    ///     Err(error) => println!("no lease: {error}"),
    /// }
    /// # lease.async_drop().await.unwrap();
    /// # }
    /// ```
    pub fn as_ref(&self) -> Result<&T, &E> {
        self.result.as_deref()
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
