use std::error::Error;
use std::fmt::{self, Debug, Display};
use std::panic::Location;

use crate::async_drop::AsyncDrop;
use crate::guard::AsyncDropGuard;
use crate::held_error::HeldError;
use crate::panics::DroppedSafely;

/// Runs `f` with your guarded value, then cleans the value up, whether `f` succeeded or failed.
///
/// This is the function form of [`with_async_drop_2!`](crate::with_async_drop_2!), if you want to pass a closure on.
/// The scope owns the guard, and the value is cleaned up and dropped when it returns.
///
/// # Values that borrow
///
/// A value with a lifetime, such as a `Transaction<'c>` that borrows its connection, works here as long as you await the future
/// in place. But if you spawn a future around it, the compiler says that the `implementation of AsyncFnOnce is not general enough`:
/// it cannot prove for every lifetime that the future of the closure is `Send`.
/// The macro [`with_async_drop_2!`](crate::with_async_drop_2!) has no closure, so you can use it with such values in spawned futures, too.
///
/// # Errors
///
/// - The error of `f`, if it failed. If the cleanup fails too, its error is reported as a
///   [`Suppressed`](crate::incident::IncidentKind::Suppressed) incident.
/// - The error of the cleanup, if `f` succeeded. What `f` returned is dropped,
///   so if the cleanup can fail, don't let `f` return a guard: it would be dropped, panic, and make the error an incident.
///
/// # Panics
///
/// - If the value was already cleaned up.
/// - If `f` panics, you get that panic, and the cleanup is skipped. The guard reports that as an incident.
/// - If the cleanup panics, you get that panic, and what `f` returned is dropped, even if that is an error.
///
/// # Cancel safety
///
/// If you drop the future, it drops the guard, armed or interrupted, and that is an incident.
/// If `f` had finished by then, what it returned is dropped, even if that is an error.
/// If you want to continue after a timeout, keep the guard and call [`AsyncDropGuard::async_drop`] yourself.
///
/// # Examples
///
/// ```
/// use asyncdrop::{AsyncDropWith, with_async_drop};
/// use std::io;
/// use tokio::io::{AsyncReadExt, AsyncWriteExt};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> io::Result<()> {
/// let (ours, mut theirs) = tokio::io::duplex(64);
/// let connection = AsyncDropWith::new(ours, async |mut stream| stream.write_all(b"goodbye").await);
/// let sent = with_async_drop(connection, async |connection| {
///     connection.write_all(b"hello, ").await?;
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
#[expect(
    clippy::manual_async_fn,
    reason = "the future of an `async fn` would have room for the guard twice, as an argument and as a variable"
)]
pub fn with_async_drop<T, R, E>(
    mut guard: AsyncDropGuard<T>,
    f: impl AsyncFnOnce(&mut T) -> Result<R, E>,
) -> impl Future<Output = Result<R, E>>
where
    T: AsyncDrop + Debug,
    E: From<T::Error>,
{
    async move {
        let body = DroppedSafely::new(f(&mut guard).await);
        let cleanup = guard.async_drop().await;
        first_error::<T, R, E>(body.into_inner(), cleanup, guard.created_at(), E::from)
    }
}

/// Runs `f` with your guarded value, then cleans the value up, and returns both errors to you if both fail.
///
/// Use it instead of [`with_async_drop`] when you must tell the error of the body from that of the cleanup.
///
/// As there, a value that borrows does not work in a future that you spawn.
/// Use [`with_async_drop_2!`](crate::with_async_drop_2!) for it, or call `async_drop` yourself and keep both results.
///
/// # Errors
///
/// A [`ScopeError`] that tells you which of the two failed, with the errors in their own types. Neither is reported elsewhere.
/// If only the cleanup failed, what `f` returned is dropped.
///
/// # Panics
///
/// - If the value was already cleaned up.
/// - If `f` panics, you get that panic, and the cleanup is skipped. The guard reports that as an incident.
/// - If the cleanup panics, you get that panic, and what `f` returned is dropped, even if that is an error.
///
/// # Cancel safety
///
/// If you drop the future, it drops the guard, armed or interrupted, and that is an incident.
/// If `f` had finished by then, what it returned is dropped, even if that is an error.
///
/// # Examples
///
/// ```
/// use asyncdrop::{AsyncDropWith, ScopeError, with_async_drop_both_errors};
/// use std::{io, num::ParseIntError};
/// use tokio::io::{AsyncReadExt, AsyncWriteExt};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> io::Result<()> {
/// let (ours, mut theirs) = tokio::io::duplex(64);
/// // The other side sends something that is not a number, and hangs up.
/// theirs.write_all(b"seven").await?;
/// drop(theirs);
///
/// let connection = AsyncDropWith::new(ours, async |mut stream| stream.write_all(b"goodbye").await);
/// let error = with_async_drop_both_errors(connection, async |connection| {
///     let mut line = String::new();
///     connection.read_to_string(&mut line).await.expect("the line is UTF-8");
///     line.parse::<u32>()
/// })
/// .await
/// .unwrap_err();
///
/// let ScopeError::Both { body, cleanup } = error else { panic!("both have failed") };
/// let _: ParseIntError = body;
/// assert_eq!(cleanup.kind(), io::ErrorKind::BrokenPipe);
/// # Ok(())
/// # }
/// ```
#[expect(
    clippy::manual_async_fn,
    reason = "the future of an `async fn` would have room for the guard twice, as an argument and as a variable"
)]
pub fn with_async_drop_both_errors<T, R, B>(
    mut guard: AsyncDropGuard<T>,
    f: impl AsyncFnOnce(&mut T) -> Result<R, B>,
) -> impl Future<Output = Result<R, ScopeError<B, T::Error>>>
where
    T: AsyncDrop + Debug,
{
    async move {
        let body = DroppedSafely::new(f(&mut guard).await);
        let cleanup = guard.async_drop().await;
        match (body.into_inner(), cleanup) {
            (Ok(value), Ok(())) => Ok(value),
            (Err(body), Ok(())) => Err(ScopeError::Body(body)),
            (Ok(value), Err(cleanup)) => {
                let cleanup = drop_before::<T, R>(value, cleanup, guard.created_at());
                Err(ScopeError::Cleanup(cleanup))
            }
            (Err(body), Err(cleanup)) => Err(ScopeError::Both { body, cleanup }),
        }
    }
}

/// Tells you what failed in a scope: its body, with `B`, the cleanup after it, with `C`, or both.
///
/// # Examples
///
/// ```
/// use asyncdrop::ScopeError;
///
/// let error: ScopeError<&str, &str> = ScopeError::Both {
///     body: "no answer",
///     cleanup: "broken pipe",
/// };
/// assert_eq!(
///     error.to_string(),
///     "the body failed: no answer; then the cleanup failed: broken pipe"
/// );
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScopeError<B, C> {
    /// The body failed, but the cleanup succeeded.
    Body(B),
    /// The body succeeded, but the cleanup failed.
    Cleanup(C),
    /// Both failed, first the body and then the cleanup.
    Both {
        /// The error of the body.
        body: B,
        /// The error of the cleanup.
        cleanup: C,
    },
}

impl<B, C> ScopeError<B, C> {
    /// The error of the body, if it failed.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::ScopeError;
    /// let error: ScopeError<&str, &str> = ScopeError::Both { body: "no answer", cleanup: "broken pipe" };
    /// assert_eq!(error.body(), Some(&"no answer"));
    /// ```
    #[must_use]
    pub fn body(&self) -> Option<&B> {
        match self {
            Self::Body(body) | Self::Both { body, .. } => Some(body),
            Self::Cleanup(_) => None,
        }
    }

    /// The error of the cleanup, if it failed.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::ScopeError;
    /// let error: ScopeError<&str, &str> = ScopeError::Body("no answer");
    /// assert_eq!(error.cleanup(), None);
    /// ```
    #[must_use]
    pub fn cleanup(&self) -> Option<&C> {
        match self {
            Self::Cleanup(cleanup) | Self::Both { cleanup, .. } => Some(cleanup),
            Self::Body(_) => None,
        }
    }
}

impl<B: Display, C: Display> Display for ScopeError<B, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Body(body) => write!(f, "the body failed: {body}"),
            Self::Cleanup(cleanup) => write!(f, "the cleanup failed: {cleanup}"),
            Self::Both { body, cleanup } => write!(
                f,
                "the body failed: {body}; then the cleanup failed: {cleanup}"
            ),
        }
    }
}

/// The text ends with one of the errors, so you get the [`source`](Error::source) of that one:
/// of the cleanup's error, or of the body's if the cleanup succeeded.
impl<B: Error, C: Error> Error for ScopeError<B, C> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Body(body) => body.source(),
            Self::Cleanup(cleanup) | Self::Both { cleanup, .. } => cleanup.source(),
        }
    }
}

/// Runs `f` with your guarded value, but cleans the value up only if `f` failed.
///
/// Use it for the steps between creating a value and returning it: log in, select a database, send a greeting.
/// If all went well you get the guard back, still armed, and cleaning it up is your job.
///
/// # Values that borrow
///
/// A value with a lifetime, such as a `Transaction<'c>` that borrows its connection, works here as long as you await the future
/// in place. But if you spawn a future around it, the compiler says that the `implementation of AsyncFnOnce is not general enough`:
/// it cannot prove for every lifetime that the future of the closure is `Send`.
/// The macro [`async_drop_on_err!`](crate::async_drop_on_err!) has no closure, so you can use it with such values in spawned futures, too.
///
/// # Errors
///
/// The error of `f`. If the cleanup fails too, its error is reported as a
/// [`Suppressed`](crate::incident::IncidentKind::Suppressed) incident.
///
/// # Panics
///
/// - If the value was already cleaned up.
/// - If `f` panics, you get that panic, and the cleanup is skipped. The guard reports that as an incident.
/// - If the cleanup panics, you get that panic, and what `f` returned is dropped, even if that is an error.
///
/// # Cancel safety
///
/// If you drop the future, it drops the guard, armed or interrupted, and that is an incident.
/// If `f` had finished by then, what it returned is dropped, even if that is an error.
///
/// # Examples
///
/// ```
/// use asyncdrop::{AsyncDrop, AsyncDropGuard, async_drop_on_err, async_trait};
/// use std::io;
/// use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
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
/// /// Returns a connection whose server has agreed to version 1.
/// async fn open(stream: DuplexStream) -> io::Result<AsyncDropGuard<Connection>> {
///     let connection = AsyncDropGuard::new(Connection(stream, b"goodbye"));
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
#[expect(
    clippy::manual_async_fn,
    reason = "the future of an `async fn` would have room for the guard twice, as an argument and as a variable"
)]
pub fn async_drop_on_err<T, R, E>(
    mut guard: AsyncDropGuard<T>,
    f: impl AsyncFnOnce(&mut T) -> Result<R, E>,
) -> impl Future<Output = Result<(AsyncDropGuard<T>, R), E>>
where
    T: AsyncDrop + Debug,
{
    async move {
        match f(&mut guard).await {
            Ok(value) => Ok((guard, value)),
            Err(error) => {
                let error = DroppedSafely::new(error);
                clean_up_after_error(&mut guard).await;
                Err(error.into_inner())
            }
        }
    }
}

/// Cleans up when an earlier error is already on its way to the caller, and reports an error of the cleanup.
pub(crate) async fn clean_up_after_error<T>(guard: &mut AsyncDropGuard<T>)
where
    T: AsyncDrop + Debug,
{
    if let Err(cleanup) = guard.async_drop().await {
        drop(HeldError::from_cleanup_of::<T>(cleanup, guard.created_at()));
    }
}

/// Decides which error the caller of a scope gets.
///
/// The body's error wins, because it came first and the failing cleanup is often its consequence.
pub(crate) fn first_error<T, R, E>(
    body: Result<R, E>,
    cleanup: Result<(), T::Error>,
    created_at: &'static Location<'static>,
    map_error: impl FnOnce(T::Error) -> E,
) -> Result<R, E>
where
    T: AsyncDrop,
{
    match (body, cleanup) {
        (Ok(body), Ok(())) => Ok(body),
        (Ok(body), Err(cleanup)) => Err(map_error(drop_before::<T, R>(body, cleanup, created_at))),
        (Err(error), Ok(())) => Err(error),
        (Err(error), Err(cleanup)) => {
            // If the drop of one panics, that of the other must not abort the process.
            let error = DroppedSafely::new(error);
            drop(HeldError::from_cleanup_of::<T>(cleanup, created_at));
            Err(error.into_inner())
        }
    }
}

/// Drops what a body has returned, before the error of the cleanup is returned instead.
///
/// It may be a guard, whose drop panics, but the error must not be lost then.
fn drop_before<T, R>(body: R, cleanup: T::Error, created_at: &'static Location<'static>) -> T::Error
where
    T: AsyncDrop,
{
    let cleanup = HeldError::from_cleanup_of::<T>(cleanup, created_at);
    drop(body);
    cleanup.into_inner()
}

/// What the macros expand to. It is not part of the public interface.
#[doc(hidden)]
pub mod __private {
    use super::{
        AsyncDrop, AsyncDropGuard, Debug, DroppedSafely, clean_up_after_error, first_error,
    };
    use std::convert::Infallible;

    pub use std::convert::From;

    /// The last step of `with_async_drop_2!`.
    pub async fn end<T, R, E>(
        body: Result<R, E>,
        guard: &mut AsyncDropGuard<T>,
        map_error: impl FnOnce(T::Error) -> E,
    ) -> Result<R, E>
    where
        T: AsyncDrop + Debug,
    {
        // A panic of the cleanup drops it, and its own `Drop` may panic as well.
        let body = DroppedSafely::new(body);
        let cleanup = guard.async_drop().await;
        first_error::<T, R, E>(body.into_inner(), cleanup, guard.created_at(), map_error)
    }

    /// Cleans up for `async_drop_on_err!`, if the block has failed.
    pub async fn end_on_err<T, R, E>(
        body: Result<R, E>,
        guard: &mut AsyncDropGuard<T>,
    ) -> Result<R, E>
    where
        T: AsyncDrop + Debug,
    {
        let body = DroppedSafely::new(body);
        if body.get().is_err() {
            clean_up_after_error(guard).await;
        }
        body.into_inner()
    }

    /// What `async_drop_on_err!` returns: the guard leaves the scope if the block succeeded.
    pub fn hand_out<T, R, E>(
        body: Result<R, E>,
        guard: AsyncDropGuard<T>,
    ) -> Result<(AsyncDropGuard<T>, R), E>
    where
        T: AsyncDrop + Debug,
    {
        body.map(|value| (guard, value))
    }

    /// Proves to [`end_infallible`] that the cleanup of this guard cannot fail.
    ///
    /// A bound on the async function itself would be reported three times, for the call, the future and the `.await`.
    pub fn cannot_fail<T>(_: &AsyncDropGuard<T>) -> fn(T::Error) -> !
    where
        T: AsyncDrop + Debug,
        T::Error: CannotFail,
    {
        CannotFail::never
    }

    /// The last step of `with_async_drop_2_infallible!`.
    pub async fn end_infallible<T, R>(
        body: R,
        never: fn(T::Error) -> !,
        guard: &mut AsyncDropGuard<T>,
    ) -> R
    where
        T: AsyncDrop + Debug,
    {
        let body = DroppedSafely::new(body);
        match guard.async_drop().await {
            Ok(()) => body.into_inner(),
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
