use std::fmt::{self, Debug};

use async_trait::async_trait;
use tokio::sync::{MappedMutexGuard, Mutex, MutexGuard, TryLockError};

use crate::async_drop::AsyncDrop;
use crate::guard::AsyncDropGuard;

/// An async mutex around a guarded value: while you hold the lock, you reach the value directly.
///
/// When you are done, `async_drop` cleans up the value.
/// You need the mutex to yourself for that, so the borrow checker makes sure that the lock is not held meanwhile.
/// If a task panics while it holds the lock, that does not poison it.
///
/// Put it into an [`AsyncDropArc`](crate::AsyncDropArc) if you want to change one value from several tasks.
///
/// # When not to use it
///
/// - If you have one owner and one task, call methods on the guard itself.
/// - If you never hold the lock across an `.await`, a [`std::sync::Mutex`] inside your own type is cheaper.
///
/// # Errors
///
/// If the value's cleanup fails, `async_drop` returns the error to you, once.
///
/// # Panics
///
/// If the guard that you gave to [`new`](Self::new) had already been cleaned up, its cleanup is passed over.
/// But then you cannot reach a value, so [`lock`](Self::lock), [`try_lock`](Self::try_lock) and [`get_mut`](Self::get_mut) panic.
///
/// # Cancel safety
///
/// If `async_drop` is interrupted, the value stays in its place, so you can lock it, or call `async_drop` again.
///
/// # Examples
///
/// ```
/// use asyncdrop::{
///     AsyncDrop, AsyncDropArc, AsyncDropGuard, AsyncDropTokioMutex, async_trait, with_async_drop_2,
/// };
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
/// type Shared = AsyncDropGuard<AsyncDropArc<AsyncDropTokioMutex<Connection>>>;
///
/// async fn say(text: &str, connection: Shared) -> io::Result<()> {
///     with_async_drop_2!(connection, {
///         connection.lock().await.0.write_all(text.as_bytes()).await
///     })
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> io::Result<()> {
/// let (ours, mut theirs) = tokio::io::duplex(64);
/// let connection = AsyncDropGuard::new(Connection(ours, b"goodbye"));
/// let first = AsyncDropArc::new(AsyncDropTokioMutex::new(connection));
/// let second = AsyncDropArc::clone(&first);
///
/// let (one, other) = tokio::join!(say("hello, ", first), say("hello again, ", second));
/// for said in [one, other] {
///     if let Err(error) = said {
///         eprintln!("not said: {error}");
///     }
/// }
///
/// let mut heard = String::new();
/// theirs.read_to_string(&mut heard).await?;
/// assert_eq!(heard, "hello, hello again, goodbye");
/// # Ok(())
/// # }
/// ```
pub struct AsyncDropTokioMutex<T: Debug> {
    mutex: Mutex<AsyncDropGuard<T>>,
}

impl<T> AsyncDropTokioMutex<T>
where
    T: AsyncDrop + Debug + Send,
{
    /// Puts the value of `guard` into a mutex. From now on you call `async_drop` on the guard of the mutex instead.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::{AsyncDropTokioMutex, AsyncDropWith};
    /// # use std::convert::Infallible;
    /// # struct Journal { lines: u32 }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # let open_journal = |lines| AsyncDropWith::new(Journal { lines }, async |_| Ok::<(), Infallible>(()));
    /// let mut journal = AsyncDropTokioMutex::new(open_journal(0));
    /// journal.async_drop().await.unwrap();
    /// # }
    /// ```
    #[track_caller]
    pub fn new(guard: AsyncDropGuard<T>) -> AsyncDropGuard<Self> {
        AsyncDropGuard::new(Self {
            mutex: Mutex::new(guard),
        })
    }

    /// Takes the value, still guarded, out of the mutex. You own its guard now, and cleaning it up is your job.
    ///
    /// # Panics
    ///
    /// If the value was already cleaned up.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::{AsyncDropTokioMutex, AsyncDropWith};
    /// # use std::convert::Infallible;
    /// # struct Journal { lines: u32 }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # let open_journal = |lines| AsyncDropWith::new(Journal { lines }, async |_| Ok::<(), Infallible>(()));
    /// let journal = AsyncDropTokioMutex::new(open_journal(0));
    /// journal.lock().await.lines += 1;
    ///
    /// let mut journal = AsyncDropTokioMutex::into_inner(journal);
    /// assert_eq!(journal.lines, 1);
    /// journal.async_drop().await.unwrap();
    /// # }
    /// ```
    #[track_caller]
    pub fn into_inner(guard: AsyncDropGuard<Self>) -> AsyncDropGuard<T> {
        guard.unsafe_into_inner_dont_drop().mutex.into_inner()
    }

    /// Waits for the lock, and takes it. If several tasks wait, they get it in the order in which they came.
    ///
    /// # Cancel safety
    ///
    /// If you drop the future, you lose the place in the queue, but nothing else.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::{AsyncDropTokioMutex, AsyncDropWith};
    /// # use std::convert::Infallible;
    /// # struct Journal { lines: u32 }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # let open_journal = |lines| AsyncDropWith::new(Journal { lines }, async |_| Ok::<(), Infallible>(()));
    /// let mut journal = AsyncDropTokioMutex::new(open_journal(0));
    /// journal.lock().await.lines += 1;
    /// assert_eq!(journal.lock().await.lines, 1);
    /// journal.async_drop().await.unwrap();
    /// # }
    /// ```
    pub async fn lock(&self) -> MappedMutexGuard<'_, T> {
        reach_value(self.mutex.lock().await)
    }

    /// Takes the lock if it is free.
    ///
    /// # Errors
    ///
    /// If the lock is held now.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::{AsyncDropTokioMutex, AsyncDropWith};
    /// # use std::convert::Infallible;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # let open_journal = || AsyncDropWith::new((), async |()| Ok::<(), Infallible>(()));
    /// let mut journal = AsyncDropTokioMutex::new(open_journal());
    /// let held = journal.lock().await;
    /// assert!(journal.try_lock().is_err());
    /// drop(held);
    /// assert!(journal.try_lock().is_ok());
    /// journal.async_drop().await.unwrap();
    /// # }
    /// ```
    pub fn try_lock(&self) -> Result<MappedMutexGuard<'_, T>, TryLockError> {
        self.mutex.try_lock().map(reach_value)
    }

    /// Lends you the value without locking, because `&mut self` proves that no one else can reach it.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::{AsyncDropTokioMutex, AsyncDropWith};
    /// # use std::convert::Infallible;
    /// # struct Journal { lines: u32 }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # let open_journal = |lines| AsyncDropWith::new(Journal { lines }, async |_| Ok::<(), Infallible>(()));
    /// let mut journal = AsyncDropTokioMutex::new(open_journal(0));
    /// journal.get_mut().lines = 7;
    /// assert_eq!(journal.lock().await.lines, 7);
    /// journal.async_drop().await.unwrap();
    /// # }
    /// ```
    pub fn get_mut(&mut self) -> &mut T {
        self.mutex.get_mut()
    }
}

fn reach_value<T: Debug>(lock: MutexGuard<'_, AsyncDropGuard<T>>) -> MappedMutexGuard<'_, T> {
    MutexGuard::map(lock, |guard| &mut **guard)
}

#[diagnostic::do_not_recommend]
#[async_trait]
impl<T> AsyncDrop for AsyncDropTokioMutex<T>
where
    T: AsyncDrop + Debug + Send,
{
    type Error = T::Error;

    async fn async_drop_impl(&mut self) -> Result<(), Self::Error> {
        self.mutex.get_mut().async_drop().await
    }
}

impl<T: Debug> Debug for AsyncDropTokioMutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut tuple = f.debug_tuple("AsyncDropTokioMutex");
        match self.mutex.try_lock() {
            Ok(guard) => tuple.field(&*guard).finish(),
            Err(_) => tuple.field(&format_args!("<locked>")).finish(),
        }
    }
}
