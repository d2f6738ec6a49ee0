use std::fmt::{self, Debug};

use async_trait::async_trait;

/// How a value is cleaned up when that needs an `.await`.
///
/// Implement it with [`#[async_trait]`](macro@crate::async_trait), keep the fields private, and let the constructor
/// return an [`AsyncDropGuard<Self>`](crate::AsyncDropGuard), never a plain `Self`.
/// Callers then use [`AsyncDropGuard::async_drop`](crate::AsyncDropGuard::async_drop), not this trait.
///
/// # What an implementor promises
///
/// - **It can run again.**
///   When the future of a cleanup is dropped half-way, by a timeout or a `select!`, the guard keeps the value,
///   and the next `async_drop` calls [`async_drop_impl`](Self::async_drop_impl) from the start.
///   `Option::take` on what was already handed back makes that safe.
/// - **It cleans up everything, then reports.**
///   A `?` between two cleanups skips the second when the first fails.
///   Run all of them, then return the error.
///   For a type that only ends the guards in its fields, `#[derive(AsyncDrop)]` does that, with the feature `derive`.
/// - **It is [`Send`].**
///   The future of the cleanup must be `Send`, and it borrows the value, so the value must be `Send` as well:
///   the library cannot know which thread will run it. `#[async_trait(?Send)]` is refused by the compiler.
///   What lives on one thread, such as an [`Rc`](std::rc::Rc), can be put into a `SendWrapper` of the crate
///   [`send_wrapper`](https://docs.rs/send_wrapper), which is `Send` and panics on any other thread.
///   If the cleanup awaits a future that is not `Send`, wrap that future, too.
/// - **It leaves the value fit to be dropped.**
///   The value's own [`Drop`], if it has one, runs right after, also when the cleanup returned an error.
///
/// # Guards inside of guards
///
/// A cleanup that awaits the cleanup of another guard needs some stack for each level.
/// On a thread with 2 MiB a debug build has room for thousands of levels, or for some hundred with `#[derive(AsyncDrop)]`.
/// Values in a long row are better owned side by side, in an [`AsyncDropStack`](crate::AsyncDropStack), than each by the one before.
///
/// # Examples
///
/// A task that is told to stop, then awaited:
///
/// ```
/// use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
/// use tokio::{sync::oneshot, task::{JoinError, JoinHandle}};
///
/// #[derive(Debug)]
/// struct Worker {
///     stop: Option<oneshot::Sender<()>>,
///     task: JoinHandle<()>,
/// }
///
/// impl Worker {
///     fn spawn() -> AsyncDropGuard<Self> {
///         let (stop, stopped) = oneshot::channel::<()>();
///         let task = tokio::spawn(async move {
///             let _ = stopped.await;
///         });
///         AsyncDropGuard::new(Self { stop: Some(stop), task })
///     }
/// }
///
/// #[async_trait]
/// impl AsyncDrop for Worker {
///     type Error = JoinError;
///
///     async fn async_drop_impl(&mut self) -> Result<(), JoinError> {
///         // `take` makes a second call harmless: the signal is sent once.
///         if let Some(stop) = self.stop.take() {
///             let _ = stop.send(());
///         }
///         // A `&mut JoinHandle` can be awaited again after an interruption.
///         (&mut self.task).await
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), JoinError> {
/// let mut worker = Worker::spawn();
/// worker.async_drop().await?;
/// # Ok(())
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say how it is cleaned up: it does not implement `AsyncDrop`",
    label = "`AsyncDrop` is not implemented for `{Self}`",
    note = "implement it: `#[async_trait] impl AsyncDrop for {Self} {{ type Error = ...; async fn async_drop_impl(&mut self) -> Result<(), Self::Error> {{ ... }} }}`"
)]
#[async_trait]
pub trait AsyncDrop {
    /// What a failed cleanup returns. [`Infallible`](std::convert::Infallible) where none can fail.
    type Error: Debug;

    /// Cleans the value up.
    ///
    /// Write this, but call [`AsyncDropGuard::async_drop`](crate::AsyncDropGuard::async_drop):
    /// the guard does not notice a direct call, and would run the cleanup again.
    ///
    /// # Errors
    ///
    /// Whatever can go wrong in the cleanup. The value counts as cleaned up all the same.
    ///
    /// # Cancel safety
    ///
    /// The guard calls this again after an interruption, so a second call must finish what the first one began.
    ///
    /// # Examples
    ///
    /// Two files, both flushed even when the first one fails, and both errors in the one that is returned.
    /// An interruption between the two would lose the first error; where that matters, keep it in a field.
    ///
    /// ```
    /// # use asyncdrop::{AsyncDrop, async_trait};
    /// # use std::io;
    /// # use tokio::{fs::File, io::AsyncWriteExt};
    /// #[derive(Debug)]
    /// struct Store {
    ///     data: File,
    ///     index: File,
    /// }
    ///
    /// #[async_trait]
    /// impl AsyncDrop for Store {
    ///     type Error = io::Error;
    ///
    ///     async fn async_drop_impl(&mut self) -> io::Result<()> {
    ///         let data = self.data.flush().await;
    ///         let index = self.index.flush().await;
    ///         match (data, index) {
    ///             (Err(data), Err(index)) => Err(io::Error::other(format!("{data}; {index}"))),
    ///             (data, index) => data.and(index),
    ///         }
    ///     }
    /// }
    /// ```
    async fn async_drop_impl(&mut self) -> Result<(), Self::Error>;
}

/// The content of the box is cleaned up.
///
/// With it a guard can hold trait objects; [`AsyncDropGuard::into_box`](crate::AsyncDropGuard::into_box) shows how.
#[diagnostic::do_not_recommend]
#[async_trait]
impl<T> AsyncDrop for Box<T>
where
    T: AsyncDrop + Send + ?Sized,
{
    type Error = T::Error;

    async fn async_drop_impl(&mut self) -> Result<(), Self::Error> {
        (**self).async_drop_impl().await
    }
}

// A guard holds values with `Debug` only, and a trait object can name no second trait.
// Without these two, `AsyncDropGuard<Box<dyn AsyncDrop<Error = E> + Send>>` would not be a type.
impl<E> Debug for dyn AsyncDrop<Error = E> + Send + '_ {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("dyn AsyncDrop")
    }
}

impl<E> Debug for dyn AsyncDrop<Error = E> + Send + Sync + '_ {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("dyn AsyncDrop")
    }
}
