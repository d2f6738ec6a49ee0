use std::fmt::{self, Debug};

use async_trait::async_trait;

/// Says how your value is cleaned up when that needs an `.await`.
///
/// Implement it with [`#[async_trait]`](macro@crate::async_trait), keep the fields private, and let the constructor
/// return an [`AsyncDropGuard<Self>`](crate::AsyncDropGuard), never a plain `Self`.
/// Callers then use [`AsyncDropGuard::async_drop`](crate::AsyncDropGuard::async_drop), not this trait.
///
/// # What an implementor promises
///
/// - **It can run again.**
///   If the future of your cleanup is dropped half-way, by a timeout or a `select!`, the guard keeps the value,
///   and the next `async_drop` calls [`async_drop_impl`](Self::async_drop_impl) from the start.
///   You make that safe with `Option::take` on what was already handed back.
/// - **It cleans up everything, then reports.**
///   If you write a `?` between two cleanups, it skips the second when the first fails.
///   So run all of them, then return the error.
///   If your type only cleans up the guards in its fields, `#[derive(AsyncDrop)]` does that for you, with the feature `derive`.
/// - **It is [`Send`].**
///   The future of the cleanup must be `Send`, and it borrows the value, so the value must be `Send` as well:
///   the library cannot know which thread will run it. `#[async_trait(?Send)]` is refused by the compiler.
///   If you have a value that lives on one thread, such as an [`Rc`](std::rc::Rc), put it into a `SendWrapper` of the crate
///   [`send_wrapper`](https://docs.rs/send_wrapper), which is `Send` but panics on any other thread.
///   If your cleanup awaits a future that is not `Send`, wrap that future, too.
/// - **It leaves the value fit to be dropped.**
///   The value's own [`Drop`], if it has one, runs right after, even if the cleanup returned an error.
///
/// # Guards inside of guards
///
/// If your cleanup awaits the cleanup of another guard, that needs some stack for each level.
/// On a thread with 2 MiB a debug build has room for thousands of levels, or for some hundred with `#[derive(AsyncDrop)]`.
/// So if you have a long row of values, own them side by side, in an [`AsyncDropStack`](crate::AsyncDropStack), instead of each by the one before.
///
/// # Examples
///
/// Here is a task that is told to stop, then awaited:
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
    /// What your cleanup returns if it fails. Use [`Infallible`](std::convert::Infallible) if it cannot fail.
    type Error: Debug;

    /// Cleans the value up.
    ///
    /// You write this, but you call [`AsyncDropGuard::async_drop`](crate::AsyncDropGuard::async_drop),
    /// because the guard does not notice a direct call, so it would run the cleanup again.
    ///
    /// # Errors
    ///
    /// Whatever can go wrong in your cleanup. Even then the value counts as cleaned up.
    ///
    /// # Cancel safety
    ///
    /// The guard calls this again after an interruption, so the second call must finish what the first one began.
    ///
    /// # Examples
    ///
    /// Here are two files, both flushed even if the first one fails, and both errors in the one that you get.
    /// An interruption between the two would lose the first error, so if that matters to you, keep it in a field.
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
/// So you can let a guard hold trait objects; [`AsyncDropGuard::into_box`](crate::AsyncDropGuard::into_box) shows how.
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
