/// Runs a block, then cleans up a guard, whether the block succeeded or failed.
///
/// The first argument names a variable of yours that holds an [`AsyncDropGuard`](crate::AsyncDropGuard), or makes one:
/// if you write `name = expression`, the scope evaluates the expression, once, and calls the guard `name`.
/// A `?` or an `.await` in that expression belongs to the function around the scope, because the scope begins after it.
/// The macro takes the guard over: inside the block you use it, mutable, under its name; after the block the value is cleaned up and dropped.
/// The macro awaits by itself and its value is a `Result`, so in async code you use it without a further `.await`.
///
/// Your block must end with a `Result<R, E>`.
/// Both `?` and `return` leave the block, not the function around it.
///
/// The value may borrow, and so may the block. If all of it is `Send`, you can spawn the future around the macro.
///
/// # Errors
///
/// - The error of the block, if it failed. If the cleanup fails too, its error is reported as a
///   [`Suppressed`](crate::incident::IncidentKind::Suppressed) incident.
/// - The error of the cleanup, if the block succeeded.
///   It is converted with `E::from`, or with the function that you give as third argument.
///
/// # Panics
///
/// - If the block panics, you get that panic, and the cleanup is skipped. The guard reports that as an incident.
/// - If the cleanup panics, you get that panic, and the value of the block is dropped, even if that is an error.
///
/// # Cancel safety
///
/// If you drop the future around the macro, it drops the guard, armed or interrupted, and that is an incident.
/// If the block had finished by then, its value is dropped, even if that is an error.
///
/// # Examples
///
/// ```
/// use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait, with_async_drop_2};
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
/// assert_eq!(greet(AsyncDropGuard::new(Connection(ours, b"goodbye"))).await?, 7);
///
/// let mut heard = String::new();
/// theirs.read_to_string(&mut heard).await?;
/// assert_eq!(heard, "hello, goodbye");
/// # Ok(())
/// # }
/// ```
///
/// You can let the scope make the variable, from what a function returns:
///
/// ```
/// use asyncdrop::{AsyncDropGuard, BoxedAsyncDropWith, AsyncDropWith, with_async_drop_2};
/// use std::{io, path::Path};
/// use tokio::{fs::File, io::AsyncWriteExt};
///
/// /// A file that is written to the disk before it is closed.
/// async fn open(path: &Path) -> io::Result<AsyncDropGuard<BoxedAsyncDropWith<File, io::Error>>> {
///     let file = File::create(path).await?;
///     Ok(AsyncDropWith::boxed(file, async |file| file.sync_all().await))
/// }
///
/// async fn save(path: &Path, report: &str) -> io::Result<()> {
///     with_async_drop_2!(file = open(path).await?, { file.write_all(report.as_bytes()).await })
/// }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> io::Result<()> {
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("report");
/// # save(&path, "all is well").await?;
/// # assert_eq!(tokio::fs::read_to_string(path).await?, "all is well");
/// # Ok(())
/// # }
/// ```
///
/// You can pass a function that turns the error of the cleanup into that of the block:
///
/// ```
/// use asyncdrop::{AsyncDropWith, with_async_drop_2};
/// use std::io;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let journal = AsyncDropWith::new((), async |()| Err(io::Error::other("the disk is full")));
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
    (self $($rest:tt)*) => {
        $crate::__not_a_scope!("with_async_drop_2!", name)
    };
    ($guard:ident, $block:block $(,)?) => {
        $crate::with_async_drop_2!($guard = $guard, $block)
    };
    ($guard:ident, $block:block, $map_error:expr $(,)?) => {
        $crate::with_async_drop_2!($guard = $guard, $block, $map_error)
    };
    ($name:ident = $guard:expr, $block:block $(,)?) => {
        $crate::with_async_drop_2!($name = $guard, $block, $crate::__private::From::from)
    };
    ($name:ident = $guard:expr, $block:block, $map_error:expr $(,)?) => {{
        // There is no other variable: a `static` of the user's with the name of it would be an error.
        let mut $name: $crate::AsyncDropGuard<_> = $guard;
        // The block of its own keeps `?` and `return` from leaving before the cleanup.
        // The guard is lent, so that the future holds its value once, and the `mut` is never unused.
        $crate::__private::end(async $block.await, &mut $name, $map_error).await
    }};
    ($name:ident $(= $guard:expr)?, $($rest:tt)*) => {
        $crate::__not_a_scope!("with_async_drop_2!", block)
    };
    ($($rest:tt)*) => {
        $crate::__not_a_scope!("with_async_drop_2!", name)
    };
}

/// Runs a block, then cleans up a guard whose cleanup cannot fail.
///
/// It is like [`with_async_drop_2!`](crate::with_async_drop_2!), but for values whose
/// [`AsyncDrop::Error`](crate::AsyncDrop::Error) is [`Infallible`](std::convert::Infallible).
/// Its value is whatever your block ends with: a number, a `Result` of any kind, nothing at all.
/// The first argument is the name of a variable, or `name = expression`, as there.
///
/// # Panics
///
/// - If the block panics, you get that panic, and the cleanup is skipped. The guard reports that as an incident.
/// - If the cleanup panics, you get that panic, and the value of the block is dropped, even if that is an error.
///
/// # Cancel safety
///
/// If you drop the future around the macro, it drops the guard, armed or interrupted, and that is an incident.
/// If the block had finished by then, its value is dropped, even if that is an error.
///
/// # Examples
///
/// ```
/// use asyncdrop::{AsyncDropWith, with_async_drop_2_infallible};
/// use std::{collections::BTreeSet, convert::Infallible};
/// use tokio::sync::Mutex;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let running = Mutex::new(BTreeSet::from(["backup"]));
/// let job = AsyncDropWith::new("backup", async |name| {
///     running.lock().await.remove(name);
///     Ok::<(), Infallible>(())
/// });
/// let files: u32 = with_async_drop_2_infallible!(job, {
///     println!("{} begins", **job);
///     // .. back up ..
///     7
/// });
/// assert_eq!(files, 7);
/// assert!(running.lock().await.is_empty());
/// # }
/// ```
#[macro_export]
macro_rules! with_async_drop_2_infallible {
    (self $($rest:tt)*) => {
        $crate::__not_a_scope!("with_async_drop_2_infallible!", name)
    };
    ($guard:ident, $block:block $(,)?) => {
        $crate::with_async_drop_2_infallible!($guard = $guard, $block)
    };
    ($name:ident = $guard:expr, $block:block $(,)?) => {{
        let mut $name: $crate::AsyncDropGuard<_> = $guard;
        $crate::__private::end_infallible(
            async $block.await,
            $crate::__private::cannot_fail(&$name),
            &mut $name,
        )
        .await
    }};
    ($name:ident $(= $guard:expr)?, $($rest:tt)*) => {
        $crate::__not_a_scope!("with_async_drop_2_infallible!", block)
    };
    ($($rest:tt)*) => {
        $crate::__not_a_scope!("with_async_drop_2_infallible!", name)
    };
}

/// Runs a block, but cleans up only if it failed. If it succeeded, you get the guard back beside the block's value.
///
/// Use it for the steps between making a value and returning it: log in, agree on a version, begin a transaction.
/// It does what the function [`async_drop_on_err`](fn@crate::async_drop_on_err) does, but with a block instead of a closure.
/// So you can use it for what the function cannot do: a value that borrows, such as a transaction that holds a `&mut` to its connection,
/// works in a future that you spawn.
///
/// You write the arguments as for [`with_async_drop_2!`](crate::with_async_drop_2!): the name of a variable that holds the guard,
/// or `name = expression`, then the block, which ends with a `Result<R, E>`.
/// The macro awaits by itself, and its value is a `Result<(AsyncDropGuard<T>, R), E>`.
/// The guard in it is armed, and cleaning it up is now your job.
///
/// # Errors
///
/// The error of the block, after the cleanup. If the cleanup fails too, its error is reported as a
/// [`Suppressed`](crate::incident::IncidentKind::Suppressed) incident.
///
/// # Panics
///
/// - If the block panics, you get that panic, and the cleanup is skipped. The guard reports that as an incident.
/// - If the cleanup panics, you get that panic, and the error of the block is dropped.
///
/// # Cancel safety
///
/// If you drop the future around the macro, it drops the guard, armed or interrupted, and that is an incident.
/// If the block had finished by then, its value is dropped, even if that is an error.
///
/// # Examples
///
/// ```
/// use asyncdrop::{AsyncDrop, AsyncDropGuard, async_drop_on_err, async_trait};
/// use std::io;
/// use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
///
/// /// A transaction borrows its connection, and is rolled back by its cleanup.
/// #[derive(Debug)]
/// struct Transaction<'c>(&'c mut DuplexStream);
///
/// #[async_trait]
/// impl AsyncDrop for Transaction<'_> {
///     type Error = io::Error;
///
///     async fn async_drop_impl(&mut self) -> io::Result<()> {
///         self.0.write_all(b"R").await
///     }
/// }
///
/// async fn begin(stream: &mut DuplexStream) -> io::Result<AsyncDropGuard<Transaction<'_>>> {
///     let transaction = AsyncDropGuard::new(Transaction(stream));
///     let (transaction, ()) = async_drop_on_err!(transaction, {
///         transaction.0.write_all(b"B").await?;
///         match transaction.0.read_u8().await? {
///             b'B' => Ok(()),
///             _ => Err(io::Error::other("the server is read-only")),
///         }
///     })?;
///     Ok(transaction)
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> io::Result<()> {
/// let (mut ours, mut theirs) = tokio::io::duplex(64);
/// theirs.write_all(b"E").await?;
/// // The transaction borrows, and its future is spawned.
/// let task = tokio::spawn(async move { begin(&mut ours).await.map(drop) });
/// assert_eq!(task.await?.unwrap_err().to_string(), "the server is read-only");
///
/// let mut heard = String::new();
/// theirs.read_to_string(&mut heard).await?;
/// assert_eq!(heard, "BR");
/// # Ok(())
/// # }
/// ```
#[macro_export]
macro_rules! async_drop_on_err {
    (self $($rest:tt)*) => {
        $crate::__not_a_scope!("async_drop_on_err!", name)
    };
    ($guard:ident, $block:block $(,)?) => {
        $crate::async_drop_on_err!($guard = $guard, $block)
    };
    ($name:ident = $guard:expr, $block:block $(,)?) => {{
        let mut $name: $crate::AsyncDropGuard<_> = $guard;
        $crate::__private::hand_out(
            $crate::__private::end_on_err(async $block.await, &mut $name).await,
            $name,
        )
    }};
    ($name:ident $(= $guard:expr)?, $($rest:tt)*) => {
        $crate::__not_a_scope!("async_drop_on_err!", block)
    };
    ($($rest:tt)*) => {
        $crate::__not_a_scope!("async_drop_on_err!", name)
    };
}

/// What the scopes say about arguments that they cannot use.
#[doc(hidden)]
#[macro_export]
macro_rules! __not_a_scope {
    ($scope:literal, name) => {
        ::core::compile_error!(::core::concat!(
            "`",
            $scope,
            "` wants a name for the guard first, then a block: `",
            $scope,
            "(guard, { .. })` with a variable that holds the guard, or `",
            $scope,
            "(guard = expression, { .. })`, which makes the variable"
        ))
    };
    ($scope:literal, block) => {
        ::core::compile_error!(::core::concat!(
            "`",
            $scope,
            "` wants a block after the guard, in braces and without `async`: `",
            $scope,
            "(guard, { .. })`"
        ))
    };
}
