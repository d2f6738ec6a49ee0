use crate::incident::HeldError;
use crate::{AsyncDrop, AsyncDropGuard};
use std::fmt::Debug;

/// Runs `f` with the guarded value, then cleans the value up, however `f` ended.
///
/// This is the function behind [`with_async_drop_2!`](crate::with_async_drop_2!), for those who want to pass a closure on.
/// The guard is owned by the scope, and the value is gone when it returns.
///
/// # Errors
///
/// - The error of `f`, if it failed. Should the cleanup fail too, its error is reported as a
///   [`Suppressed`](crate::incident::IncidentKind::Suppressed) incident.
/// - The error of the cleanup, if `f` succeeded. What `f` returned is dropped.
///
/// # Panics
///
/// A panic in `f` goes on, and the cleanup is skipped. The guard reports it as an incident.
///
/// # Cancel safety
///
/// Dropping the future drops the guard, armed or interrupted, and that is an incident.
/// To be able to go on after a timeout, keep the guard and call [`AsyncDropGuard::async_drop`] yourself.
///
/// # Examples
///
/// ```
/// use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait, with_async_drop};
/// use std::io;
/// use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
///
/// #[derive(Debug)]
/// struct Connection(DuplexStream);
///
/// #[async_trait]
/// impl AsyncDrop for Connection {
///     type Error = io::Error;
///
///     async fn async_drop_impl(&mut self) -> io::Result<()> {
///         self.0.write_all(b"goodbye").await
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> io::Result<()> {
/// let (ours, mut theirs) = tokio::io::duplex(64);
/// let sent = with_async_drop(AsyncDropGuard::new(Connection(ours)), async |connection| {
///     connection.0.write_all(b"hello, ").await?;
///     io::Result::Ok(7)
/// })
/// .await?;
/// assert_eq!(sent, 7);
///
/// let mut heard = String::new();
/// theirs.read_to_string(&mut heard).await?;
/// assert_eq!(heard, "hello, goodbye");
/// # Ok(())
/// # }
/// ```
pub async fn with_async_drop<T, R, E>(
    mut guard: AsyncDropGuard<T>,
    f: impl AsyncFnOnce(&mut T) -> Result<R, E>,
) -> Result<R, E>
where
    T: AsyncDrop + Debug,
    E: From<T::Error>,
{
    let body = f(&mut guard).await;
    end_scope(guard, body, E::from).await
}

/// Runs `f` with the guarded value, and cleans the value up only if `f` failed.
///
/// It is for the steps between creating a value and handing it out: log in, select a database, send a greeting.
/// When all went well the caller gets the guard back, still armed, and owns it.
///
/// # Errors
///
/// The error of `f`. Should the cleanup fail too, its error is reported as a
/// [`Suppressed`](crate::incident::IncidentKind::Suppressed) incident.
///
/// # Panics
///
/// A panic in `f` goes on, and the cleanup is skipped. The guard reports it as an incident.
///
/// # Cancel safety
///
/// Dropping the future drops the guard, armed or interrupted, and that is an incident.
///
/// # Examples
///
/// ```
/// use asyncdrop::{AsyncDrop, AsyncDropGuard, async_drop_on_err, async_trait};
/// use std::io;
/// use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
///
/// #[derive(Debug)]
/// struct Connection(DuplexStream);
///
/// #[async_trait]
/// impl AsyncDrop for Connection {
///     type Error = io::Error;
///
///     async fn async_drop_impl(&mut self) -> io::Result<()> {
///         self.0.write_all(b"goodbye").await
///     }
/// }
///
/// /// Returns a connection whose server has agreed to version 1.
/// async fn open(stream: DuplexStream) -> io::Result<AsyncDropGuard<Connection>> {
///     let connection = AsyncDropGuard::new(Connection(stream));
///     let (connection, ()) = async_drop_on_err(connection, async |connection| {
///         match connection.0.read_u8().await? {
///             1 => Ok(()),
///             other => Err(io::Error::other(format!("the server speaks version {other}"))),
///         }
///     })
///     .await?;
///     Ok(connection)
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> io::Result<()> {
/// let (ours, mut theirs) = tokio::io::duplex(64);
/// theirs.write_u8(2).await?;
/// let error = open(ours).await.unwrap_err();
/// assert_eq!(error.to_string(), "the server speaks version 2");
///
/// let mut heard = String::new();
/// theirs.read_to_string(&mut heard).await?;
/// assert_eq!(heard, "goodbye");
/// # Ok(())
/// # }
/// ```
pub async fn async_drop_on_err<T, R, E>(
    mut guard: AsyncDropGuard<T>,
    f: impl AsyncFnOnce(&mut T) -> Result<R, E>,
) -> Result<(AsyncDropGuard<T>, R), E>
where
    T: AsyncDrop + Debug,
{
    match f(&mut guard).await {
        Ok(value) => Ok((guard, value)),
        Err(error) => {
            clean_up_after_error(guard).await;
            Err(error)
        }
    }
}

/// Cleans up where an earlier error is already on its way to the caller, and reports an error of the cleanup.
pub(crate) async fn clean_up_after_error<T>(mut guard: AsyncDropGuard<T>)
where
    T: AsyncDrop + Debug,
{
    if let Err(cleanup) = guard.async_drop().await {
        drop(HeldError::from_cleanup_of::<T>(cleanup, guard.created_at()));
    }
}

/// Cleans up after a body has ended, and decides which error the caller gets.
///
/// The body's error comes first: it was there first, and the failing cleanup is often its consequence.
async fn end_scope<T, R, E>(
    mut guard: AsyncDropGuard<T>,
    body: Result<R, E>,
    map_error: impl FnOnce(T::Error) -> E,
) -> Result<R, E>
where
    T: AsyncDrop + Debug,
{
    match body {
        Ok(value) => match guard.async_drop().await {
            Ok(()) => Ok(value),
            Err(cleanup) => Err(map_error(cleanup)),
        },
        Err(error) => {
            clean_up_after_error(guard).await;
            Err(error)
        }
    }
}

/// What the macros expand to. It is not part of the public interface.
#[doc(hidden)]
pub mod __private {
    use super::{AsyncDrop, AsyncDropGuard, Debug, end_scope};
    use std::convert::Infallible;

    pub use std::convert::From;

    /// Ends the scope of `with_async_drop_2!`.
    pub async fn end<T, R, E>(
        guard: AsyncDropGuard<T>,
        body: Result<R, E>,
        map_error: impl FnOnce(T::Error) -> E,
    ) -> Result<R, E>
    where
        T: AsyncDrop + Debug,
    {
        end_scope(guard, body, map_error).await
    }

    /// Proves to [`end_infallible`] that the cleanup of this guard cannot fail.
    ///
    /// A bound on the async function itself would be refused three times over, for the call, the future and the `.await`.
    pub fn cannot_fail<T>(_: &AsyncDropGuard<T>) -> fn(T::Error) -> !
    where
        T: AsyncDrop + Debug,
        T::Error: CannotFail,
    {
        CannotFail::never
    }

    /// Ends the scope of `with_async_drop_2_infallible!`.
    pub async fn end_infallible<T, R>(
        mut guard: AsyncDropGuard<T>,
        body: R,
        never: fn(T::Error) -> !,
    ) -> R
    where
        T: AsyncDrop + Debug,
    {
        match guard.async_drop().await {
            Ok(()) => body,
            Err(error) => never(error),
        }
    }

    /// An error type without values.
    ///
    /// A bound `AsyncDrop<Error = Infallible>` would do the same, but its compiler message could not say what to do.
    #[diagnostic::on_unimplemented(
        message = "this cleanup can fail with `{Self}`, and `with_async_drop_2_infallible!` has nowhere to return that",
        label = "the `AsyncDrop::Error` of the value is `{Self}`, not `Infallible`",
        note = "use `with_async_drop_2!`, which returns the error of the cleanup"
    )]
    pub trait CannotFail {
        fn never(self) -> !;
    }

    impl CannotFail for Infallible {
        fn never(self) -> ! {
            match self {}
        }
    }
}
