//! A value of any type, with a close of its own that you write.

use std::fmt::{self, Debug};
use std::future::poll_fn;
use std::ops::{Deref, DerefMut};
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use async_trait::async_trait;

use crate::async_drop::AsyncDrop;
use crate::guard::AsyncDropGuard;
use crate::type_names::shown;
use crate::unshared::Unshared;

/// What the compiler's name of every [`AsyncDropWith`] begins with.
pub(crate) const BEGIN_OF_NAME: &str = concat!(module_path!(), "::AsyncDropWith<");

/// A value with a close of its own: any type, any `async` function that takes it, and no trait to implement.
///
/// Use it for a value whose type is not yours, so that you cannot implement [`AsyncDrop`] for it;
/// for a close that consumes the value, such as `Client::close(self)`;
/// and for a cleanup that you need in one place only.
/// The type of your value needs neither `AsyncDrop` nor [`Debug`], and the guard derefs to it through this wrapper.
///
/// You can write the close as one ordinary async function, and need not think of interruptions,
/// because its future is kept. So if a timeout interrupts [`async_drop`](AsyncDropGuard::async_drop),
/// your next call continues where the last one stopped, and nothing that was done is done again.
///
/// [`Debug`] prints the name of the value's type but nothing of the value, so messages cannot contain a secret of it.
///
/// # Values that borrow
///
/// Your value may borrow, as a cursor borrows its connection, and so may your close. You can still spawn the future that cleans it up.
/// But if you give it to a reaper or a stack, or put it into a [`BoxedAsyncDropWith`], it must own all that it holds, or borrow it for `'static`,
/// so there let the value keep an `Arc` of its connection instead of a reference.
///
/// # When not to use it
///
/// - If the type is your own and always needs the same cleanup, implement [`AsyncDrop`], because then its constructor can return the guard.
/// - If the value is very large, put it into a box first, because the close takes its argument by value, which moves it over the stack.
/// - If you have to write the type down, for example in the field of a struct, use [`BoxedAsyncDropWith`].
///
/// # Panics
///
/// The value belongs to your close as soon as that begins, which is at the first poll of `async_drop`.
/// If you use the value after that, it panics and names its type.
///
/// # Examples
///
/// A connection that is closed by a method that consumes it:
///
/// ```
/// use asyncdrop::{AsyncDropWith, with_async_drop_2};
/// use std::io;
/// use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
///
/// struct Client {
///     stream: DuplexStream,
/// }
///
/// impl Client {
///     async fn close(mut self) -> io::Result<()> {
///         self.stream.write_all(b"bye\n").await?;
///         self.stream.shutdown().await
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> io::Result<()> {
/// let (stream, mut server) = tokio::io::duplex(64);
/// let client = AsyncDropWith::new(Client { stream }, Client::close);
/// with_async_drop_2!(client, {
///     client.stream.write_all(b"hello\n").await
/// })?;
///
/// let mut heard = String::new();
/// server.read_to_string(&mut heard).await?;
/// assert_eq!(heard, "hello\nbye\n");
/// # Ok(())
/// # }
/// ```
pub struct AsyncDropWith<T, F, Fut> {
    /// `None` once the close has begun.
    open: Option<Open<T, F, Fut>>,
    /// `None` before the close has begun, while it is being polled, and after it has panicked.
    closing: Option<Unshared<Pin<Box<Fut>>>>,
    closed: bool,
}

/// A value whose close has not begun.
struct Open<T, F, Fut> {
    value: T,
    close: Unshared<F>,
    /// Calls `close`. It is chosen where the value is guarded, so that a cleanup need not know that `F` takes a `T`:
    /// in a future that is spawned, rustc forgets which lifetime is which, and if `T` has one, it can no longer prove that.
    begin: fn(F, T) -> Fut,
}

/// An [`AsyncDropWith`] whose type you can write down, for the field of a struct or a collection of different closes.
///
/// You make one with [`AsyncDropWith::boxed`].
/// The close and its future are trait objects, so they must be `Send` and borrow nothing.
///
/// # Examples
///
/// ```
/// use asyncdrop::{AsyncDropGuard, AsyncDropWith, BoxedAsyncDropWith};
/// use std::io;
/// use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
///
/// struct Service {
///     upstream: AsyncDropGuard<BoxedAsyncDropWith<DuplexStream, io::Error>>,
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> io::Result<()> {
/// let (stream, mut server) = tokio::io::duplex(64);
/// let mut service = Service {
///     upstream: AsyncDropWith::boxed(stream, async |mut stream| stream.write_all(b"bye\n").await),
/// };
/// let sent = service.upstream.write_all(b"hello\n").await;
/// service.upstream.async_drop().await?;
/// sent?;
///
/// let mut heard = String::new();
/// server.read_to_string(&mut heard).await?;
/// assert_eq!(heard, "hello\nbye\n");
/// # Ok(())
/// # }
/// ```
pub type BoxedAsyncDropWith<T, E> =
    AsyncDropWith<T, Box<dyn FnOnce(T) -> BoxedClosing<E> + Send>, BoxedClosing<E>>;

/// The future of a close in a box.
///
/// A type of its own, and not the box itself: in a future that is `Send`, rustc no longer knows that the trait object
/// is `'static`, and refuses to clean up a field of this type there ("one type is more general than the other").
pub struct BoxedClosing<E>(Pin<Box<dyn Future<Output = Result<(), E>> + Send>>);

impl<E> Future for BoxedClosing<E> {
    type Output = Result<(), E>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(context)
    }
}

impl<E> Debug for BoxedClosing<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BoxedClosing(..)")
    }
}

impl<T, F, Fut, E> AsyncDropWith<T, F, Fut>
where
    T: Send,
    F: FnOnce(T) -> Fut + Send,
    Fut: Future<Output = Result<(), E>> + Send,
    E: Debug,
{
    /// Guards your `value`, to be cleaned up by `close`. The guard owns both.
    ///
    /// Your `close` is called once, with the value, at the first poll of [`async_drop`](AsyncDropGuard::async_drop).
    /// It can be an async closure, the path of a method such as `Client::close`, or a closure that returns a future.
    /// If you have a cleanup without a value, pass `()`.
    ///
    /// The guard remembers where you called this, and names the place if the cleanup is missed.
    ///
    /// # Examples
    ///
    /// A cleanup without a value:
    ///
    /// ```
    /// use asyncdrop::AsyncDropWith;
    /// use std::io;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> io::Result<()> {
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("server.pid");
    /// tokio::fs::write(&path, "4711").await?;
    /// let mut pid_file = AsyncDropWith::new((), async |()| tokio::fs::remove_file(&path).await);
    /// // .. serve ..
    /// pid_file.async_drop().await?;
    /// assert!(!path.exists());
    /// # drop(pid_file);
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn new(value: T, close: F) -> AsyncDropGuard<Self> {
        let open = Open {
            value,
            close: Unshared::new(close),
            begin: |close, value| close(value),
        };
        let this = Self {
            open: Some(open),
            closing: None,
            closed: false,
        };
        AsyncDropGuard::new_at(this, Location::caller())
    }

    /// Takes the value out of its guard, and drops the close without calling it. You own the value now, and cleaning it up is your job.
    ///
    /// # Panics
    ///
    /// If the close has begun. If it was interrupted, that is then reported as an incident.
    ///
    /// # Examples
    ///
    /// A file that is removed unless the work succeeds:
    ///
    /// ```
    /// use asyncdrop::AsyncDropWith;
    /// use std::io;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> io::Result<()> {
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("report.part");
    /// tokio::fs::write(&path, "half of it").await?;
    /// let part = AsyncDropWith::new(path, tokio::fs::remove_file);
    /// // All of it was written, so the file is to stay.
    /// let path = AsyncDropWith::into_inner(part);
    /// assert!(path.exists());
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn into_inner(guard: AsyncDropGuard<Self>) -> T {
        // Looked at before it leaves the guard, which would otherwise not report a close that was interrupted.
        let _: &T = &guard;
        match guard.unsafe_into_inner_dont_drop().open {
            Some(open) => open.value,
            None => Self::panic_used_after_close(),
        }
    }
}

impl<T, E> BoxedAsyncDropWith<T, E>
where
    T: Send + 'static,
    E: Debug + 'static,
{
    /// Guards your `value` as [`new`](Self::new) does, with a type that you can write down: [`BoxedAsyncDropWith`].
    ///
    /// # Examples
    ///
    /// Guards with different closes have one type, so they go into one collection:
    ///
    /// ```
    /// use asyncdrop::{AsyncDropWith, async_drop_all};
    /// use std::io;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let metrics = AsyncDropWith::boxed((), async |()| Ok(()));
    /// let traces = AsyncDropWith::boxed((), async |()| Err(io::Error::other("no collector")));
    ///
    /// let errors = async_drop_all([("metrics", metrics), ("traces", traces)]).await.unwrap_err();
    /// assert_eq!(errors.len(), 1);
    /// # }
    /// ```
    #[track_caller]
    pub fn boxed<F, Fut>(value: T, close: F) -> AsyncDropGuard<Self>
    where
        F: FnOnce(T) -> Fut + Send + 'static,
        Fut: Future<Output = Result<(), E>> + Send + 'static,
    {
        Self::new(
            value,
            Box::new(|value| BoxedClosing(Box::pin(close(value)))),
        )
    }
}

impl<T, F, Fut, E> AsyncDropWith<T, F, Fut>
where
    Fut: Future<Output = Result<(), E>>,
{
    /// Continues the close, and begins it first if need be.
    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), E>> {
        if self.closed {
            return Poll::Ready(Ok(()));
        }
        // Taken out for the time of the poll: a future that has panicked must not be polled again.
        let mut closing = match self.closing.take() {
            Some(closing) => closing.into_inner(),
            None => self.begin_close(),
        };
        let polled = closing.as_mut().poll(cx);
        // Kept after its end, too: its drop may panic, and the guard sees to it that no error is lost by that.
        self.closing = Some(Unshared::new(closing));
        self.closed = polled.is_ready();
        polled
    }

    /// Gives the value to the close. Only here it is moved, and only then must the stack have room for it.
    fn begin_close(&mut self) -> Pin<Box<Fut>> {
        match self.open.take() {
            Some(open) => Box::pin((open.begin)(open.close.into_inner(), open.value)),
            None => panic!("the close of {self:?} panicked, so it cannot go on"),
        }
    }
}

impl<T, F, Fut> AsyncDropWith<T, F, Fut> {
    #[cold]
    #[track_caller]
    fn panic_used_after_close() -> ! {
        panic!(
            "AsyncDropWith<{}> was used after its close had begun",
            shown::<T>()
        )
    }
}

/// The close is called once, so if you call this again, it continues with its future.
///
/// # Panics
///
/// If the close panics, you get that panic. If you call this again after that, it panics and names the type.
#[diagnostic::do_not_recommend]
#[async_trait]
impl<T, F, Fut, E> AsyncDrop for AsyncDropWith<T, F, Fut>
where
    T: Send,
    F: Send,
    Fut: Future<Output = Result<(), E>> + Send,
    E: Debug,
{
    type Error = E;

    async fn async_drop_impl(&mut self) -> Result<(), E> {
        poll_fn(|cx| self.poll_close(cx)).await
    }
}

impl<T, F, Fut> Deref for AsyncDropWith<T, F, Fut> {
    type Target = T;

    #[track_caller]
    fn deref(&self) -> &T {
        match &self.open {
            Some(open) => &open.value,
            None => Self::panic_used_after_close(),
        }
    }
}

impl<T, F, Fut> DerefMut for AsyncDropWith<T, F, Fut> {
    #[track_caller]
    fn deref_mut(&mut self) -> &mut T {
        match &mut self.open {
            Some(open) => &mut open.value,
            None => Self::panic_used_after_close(),
        }
    }
}

/// The name of the value's type, and nothing of the value.
impl<T, F, Fut> Debug for AsyncDropWith<T, F, Fut> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AsyncDropWith<{}>", shown::<T>())
    }
}
