/// Runs a block, then cleans up a guard, however the block ended.
///
/// The first argument names a variable that holds an [`AsyncDropGuard`](crate::AsyncDropGuard).
/// The macro takes it over: inside the block the name is the guard, mutable; after the block the value is cleaned up and gone.
/// The macro awaits by itself and its value is a `Result`, so use it in async code without a further `.await`.
///
/// The block must end with a `Result<R, E>`.
/// `?` and `return` leave the block, not the function around it.
///
/// # Errors
///
/// - The error of the block, if it failed. Should the cleanup fail too, its error is reported as a
///   [`Suppressed`](crate::incident::IncidentKind::Suppressed) incident.
/// - The error of the cleanup, if the block succeeded.
///   It is converted with `E::from`, or with the function given as third argument.
///
/// # Panics
///
/// - A panic in the block goes on, and the cleanup is skipped. The guard reports it as an incident.
/// - A panic in the cleanup goes on, and what the block ended with is dropped, its error too.
///
/// # Cancel safety
///
/// Dropping the future around the macro drops the guard, armed or interrupted, and that is an incident.
/// If the block had ended by then, what it ended with is dropped, its error too.
///
/// # Examples
///
/// ```
/// use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait, with_async_drop_2};
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
/// async fn greet(connection: AsyncDropGuard<Connection>) -> io::Result<usize> {
///     with_async_drop_2!(connection, {
///         connection.0.write_all(b"hello, ").await?;
///         Ok(7)
///     })
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> io::Result<()> {
/// let (ours, mut theirs) = tokio::io::duplex(64);
/// assert_eq!(greet(AsyncDropGuard::new(Connection(ours))).await?, 7);
///
/// let mut heard = String::new();
/// theirs.read_to_string(&mut heard).await?;
/// assert_eq!(heard, "hello, goodbye");
/// # Ok(())
/// # }
/// ```
///
/// With a function that turns the error of the cleanup into that of the block:
///
/// ```
/// # use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait, with_async_drop_2};
/// # use std::io;
/// # #[derive(Debug)]
/// # struct Journal;
/// # #[async_trait]
/// # impl AsyncDrop for Journal {
/// #     type Error = io::Error;
/// #     async fn async_drop_impl(&mut self) -> io::Result<()> {
/// #         Err(io::Error::other("the disk is full"))
/// #     }
/// # }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let journal = AsyncDropGuard::new(Journal);
/// let result: Result<(), String> = with_async_drop_2!(
///     journal,
///     { Ok(()) },
///     |error| format!("closing the journal: {error}")
/// );
/// assert_eq!(result.unwrap_err(), "closing the journal: the disk is full");
/// # }
/// ```
#[macro_export]
macro_rules! with_async_drop_2 {
    ($guard:ident, $block:block $(,)?) => {
        $crate::with_async_drop_2!($guard, $block, $crate::__private::From::from)
    };
    ($guard:ident, $block:block, $map_error:expr $(,)?) => {{
        #[allow(unused_mut)]
        let mut $guard = $guard;
        // The block of its own keeps `?` and `return` from leaving before the cleanup.
        let body = async $block.await;
        $crate::__private::end($guard, body, $map_error).await
    }};
}

/// Runs a block, then cleans up a guard whose cleanup cannot fail.
///
/// Like [`with_async_drop_2!`](crate::with_async_drop_2!), for values whose
/// [`AsyncDrop::Error`](crate::AsyncDrop::Error) is [`Infallible`](std::convert::Infallible).
/// Its value is whatever the block ends with: a number, a `Result` of any kind, nothing at all.
///
/// # Panics
///
/// - A panic in the block goes on, and the cleanup is skipped. The guard reports it as an incident.
/// - A panic in the cleanup goes on, and what the block ended with is dropped, its error too.
///
/// # Cancel safety
///
/// Dropping the future around the macro drops the guard, armed or interrupted, and that is an incident.
/// If the block had ended by then, what it ended with is dropped, its error too.
///
/// # Examples
///
/// ```
/// use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait, with_async_drop_2_infallible};
/// use std::convert::Infallible;
///
/// #[derive(Debug)]
/// struct Buffer(Vec<u8>);
///
/// #[async_trait]
/// impl AsyncDrop for Buffer {
///     type Error = Infallible;
///
///     async fn async_drop_impl(&mut self) -> Result<(), Infallible> {
///         self.0.fill(0);
///         Ok(())
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let buffer = AsyncDropGuard::new(Buffer(vec![1, 2, 3]));
/// let sum: u8 = with_async_drop_2_infallible!(buffer, { buffer.0.iter().sum() });
/// assert_eq!(sum, 6);
/// # }
/// ```
#[macro_export]
macro_rules! with_async_drop_2_infallible {
    ($guard:ident, $block:block $(,)?) => {{
        #[allow(unused_mut)]
        let mut $guard = $guard;
        let never = $crate::__private::cannot_fail(&$guard);
        let body = async $block.await;
        $crate::__private::end_infallible($guard, body, never).await
    }};
}
