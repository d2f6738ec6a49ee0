use std::fmt::{self, Debug};
use std::future::IntoFuture;
use std::mem;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll, Wake, Waker, ready};

use async_trait::async_trait;
use futures_util::future::{FutureExt, Shared};

use crate::arc::AsyncDropArc;
use crate::async_drop::AsyncDrop;
use crate::guard::AsyncDropGuard;
use crate::owner::{Owner, panic_no_new_owner};
use crate::panics::{FirstPanic, contain_panic};
use crate::type_names::shown;

/// Shares the creation of a guarded value: several of your tasks wait for it, it runs once, and each gets an owner.
///
/// The future runs in the task that polls first.
/// If that task is cancelled, another one that waits continues it, so the work is not lost.
///
/// Each owner of the `AsyncDropShared` is a guard, and so is each [`AsyncDropArc`] that you get from [`get`](Self::get).
/// When you have called `async_drop` on all of these, the last call cleans the value up.
/// But if the future never ran, the last owner first runs it to its end,
/// because what it has captured may be guards, and only the future knows what to do with them.
///
/// It is built on [`futures_util::future::Shared`].
///
/// # When not to use it
///
/// - If you can create the value before the other tasks start, give each of them an [`AsyncDropArc`] instead.
/// - If the future needs the shared value itself. When it awaits its own [`get`](Self::get), it never finishes.
///   When it has captured an owner of itself, that is a cycle: as long as you don't call `get`, no owner is the last one,
///   so the future doesn't run and isn't reported either.
///
/// # Errors
///
/// If the cleanup of the value fails, the last owner's `async_drop` returns the error to you.
/// All others return `Ok(())` at once.
///
/// # Panics
///
/// If the future panics, the panic is kept, and the first caller who finds it gets it:
/// a [`get`](Self::get) that waits, which need not be the one that polled the future, or the cleanup of the last owner.
/// Every other `get` panics with a message that only says that the creation has panicked,
/// and every other cleanup has nothing left to do.
///
/// If the future returns a guard that you already cleaned up, then using the value that `get` returns panics.
///
/// # Cancel safety
///
/// If the last owner's cleanup is interrupted, call its `async_drop` again and it resumes where it was,
/// in the middle of the creation or of the cleanup of the value.
///
/// # Examples
///
/// ```
/// use asyncdrop::{AsyncDrop, AsyncDropGuard, AsyncDropShared, async_trait};
/// use std::io;
/// use tokio::{io::AsyncWriteExt, net::{TcpListener, TcpStream}};
///
/// #[derive(Debug)]
/// struct Connection(TcpStream);
///
/// #[async_trait]
/// impl AsyncDrop for Connection {
///     type Error = io::Error;
///
///     async fn async_drop_impl(&mut self) -> io::Result<()> {
///         self.0.shutdown().await
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> io::Result<()> {
/// # let listener = TcpListener::bind("127.0.0.1:0").await?;
/// # let address = listener.local_addr()?;
/// let mut first = AsyncDropShared::new(async move {
///     let stream = TcpStream::connect(address).await.expect("the server listens");
///     AsyncDropGuard::new(Connection(stream))
/// });
/// let mut second = AsyncDropShared::clone(&first);
///
/// // Both wait for the same connection.
/// let (mut one, mut other) = tokio::join!(first.get(), second.get());
/// assert_eq!(one.0.local_addr().ok(), other.0.local_addr().ok());
///
/// // The last of the four closes it, so at most one of them has an error.
/// let (a, b, c, d) =
///     tokio::join!(one.async_drop(), other.async_drop(), first.async_drop(), second.async_drop());
/// a.and(b).and(c).and(d)?;
/// # Ok(())
/// # }
/// ```
pub struct AsyncDropShared<O, Fut>
where
    O: AsyncDrop + Debug + Send + Sync,
    Fut: Future<Output = AsyncDropGuard<O>>,
{
    state: State<O, Fut>,
}

enum State<O, Fut>
where
    O: AsyncDrop + Debug + Send + Sync,
    Fut: Future<Output = AsyncDropGuard<O>>,
{
    /// The last one runs the creation to its end.
    Owner(Owner<Inner<O, Fut>>),
    /// This was the last owner, and it gives up the value.
    CleaningUp(AsyncDropGuard<AsyncDropArc<O>>),
}

struct Inner<O, Fut>
where
    O: AsyncDrop + Debug + Send + Sync,
    Fut: Future<Output = AsyncDropGuard<O>>,
{
    creation: Shared<Creation<O, Fut>>,
    /// The place in which the creation leaves its result.
    /// Kept beside the [`Shared`] and not in it, because no one can take an output out of that.
    outcome: Arc<OnceLock<Outcome<O>>>,
    wakes: Arc<Wakes>,
}

enum Outcome<O: Debug> {
    Created(AsyncDropGuard<AsyncDropArc<O>>),
    /// The panic goes to the first caller who asks for the value, and after that it isn't here any more.
    Panicked(Mutex<FirstPanic>),
}

impl<O, Fut> AsyncDropShared<O, Fut>
where
    O: AsyncDrop + Debug + Send + Sync,
    Fut: Future<Output = AsyncDropGuard<O>> + Send,
{
    /// Makes the first owner of a value that `future` will create. The future isn't polled yet.
    ///
    /// Call `async_drop` on this owner when you are done. That also takes care of what `future` has captured, if no other owner does.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::{AsyncDropShared, AsyncDropWith};
    /// # use std::convert::Infallible;
    /// # struct Pool { size: u32 }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # let open_pool = |size| AsyncDropWith::new(Pool { size }, async |_| Ok::<(), Infallible>(()));
    /// let mut shared = AsyncDropShared::new(async { open_pool(4) });
    /// // You never asked for the pool, so it is created now, to be cleaned up.
    /// shared.async_drop().await.unwrap();
    /// # }
    /// ```
    #[track_caller]
    pub fn new(future: Fut) -> AsyncDropGuard<Self> {
        let created_at = Location::caller();
        let outcome = Arc::new(OnceLock::new());
        let wakes = Arc::new(Wakes::default());
        let creation = Creation {
            future: Some(Box::pin(future)),
            outcome: Arc::clone(&outcome),
            wakes: Arc::clone(&wakes),
            created_at,
        };
        let inner = Inner {
            creation: creation.shared(),
            outcome,
            wakes,
        };
        Self::owner_at(Owner::new(inner), created_at)
    }

    /// Makes one more owner, and you call `async_drop` on it like on the first.
    ///
    /// Call it as `AsyncDropShared::clone(&shared)`, because `shared.clone()` does not compile.
    ///
    /// # Panics
    ///
    /// If you already called `async_drop` on `owner`, even if it was the last one and its cleanup was interrupted.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::{AsyncDropShared, AsyncDropWith};
    /// # use std::convert::Infallible;
    /// # struct Pool { size: u32 }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # let open_pool = |size| AsyncDropWith::new(Pool { size }, async |_| Ok::<(), Infallible>(()));
    /// let mut first = AsyncDropShared::new(async { open_pool(4) });
    /// let mut second = AsyncDropShared::clone(&first);
    /// first.async_drop().await.unwrap();
    ///
    /// let mut pool = second.get().await;
    /// assert_eq!(pool.size, 4);
    /// pool.async_drop().await.unwrap();
    /// second.async_drop().await.unwrap();
    /// # }
    /// ```
    #[track_caller]
    pub fn clone(owner: &AsyncDropGuard<Self>) -> AsyncDropGuard<Self> {
        let owner = Owner::Sharing(Arc::clone(owner.inner()));
        Self::owner_at(owner, Location::caller())
    }

    fn owner_at(
        owner: Owner<Inner<O, Fut>>,
        created_at: &'static Location<'static>,
    ) -> AsyncDropGuard<Self> {
        let state = State::Owner(owner);
        AsyncDropGuard::new_at(Self { state }, created_at)
    }
}

impl<O, Fut> AsyncDropShared<O, Fut>
where
    O: AsyncDrop + Debug + Send + Sync,
    Fut: Future<Output = AsyncDropGuard<O>>,
{
    /// Waits for the value, and makes one more owner of it for you, on which you call `async_drop`.
    ///
    /// `(&*shared).await` does the same.
    ///
    /// # Panics
    ///
    /// - At the call, if you already called `async_drop` on this owner, even if it was the last one and its cleanup was interrupted.
    /// - At the `.await`, if the future that creates the value panicked.
    ///
    /// # Cancel safety
    ///
    /// If you drop the future, nothing is lost, because another task that waits continues the creation.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::{AsyncDropShared, AsyncDropWith};
    /// # use std::convert::Infallible;
    /// # struct Pool { size: u32 }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # let open_pool = |size| AsyncDropWith::new(Pool { size }, async |_| Ok::<(), Infallible>(()));
    /// let mut shared = AsyncDropShared::new(async { open_pool(4) });
    /// let mut pool = shared.get().await;
    /// assert_eq!(pool.size, 4);
    /// pool.async_drop().await.unwrap();
    /// shared.async_drop().await.unwrap();
    /// # }
    /// ```
    #[track_caller]
    pub fn get(&self) -> AsyncDropSharedGet<'_, O, Fut> {
        let inner = self.inner();
        AsyncDropSharedGet {
            creation: inner.creation.clone(),
            outcome: &inner.outcome,
            wakes: &inner.wakes,
            called_from: Location::caller(),
        }
    }

    /// Lets you look at the value, if it was already created and is not cleaned up.
    ///
    /// # Panics
    ///
    /// If you already called `async_drop` on this owner.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::{AsyncDropShared, AsyncDropWith};
    /// # use std::convert::Infallible;
    /// # struct Pool { size: u32 }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # let open_pool = |size| AsyncDropWith::new(Pool { size }, async |_| Ok::<(), Infallible>(()));
    /// let mut shared = AsyncDropShared::new(async { open_pool(4) });
    /// assert!(shared.peek().is_none());
    ///
    /// let mut pool = (&*shared).await;
    /// assert_eq!(shared.peek().map(|pool| pool.size), Some(4));
    ///
    /// pool.async_drop().await.unwrap();
    /// shared.async_drop().await.unwrap();
    /// # }
    /// ```
    #[must_use]
    pub fn peek(&self) -> Option<&O> {
        match &self.state {
            State::Owner(owner) => match owner.get()?.outcome.get()? {
                Outcome::Created(value) => value.peek(),
                Outcome::Panicked(_) => None,
            },
            State::CleaningUp(value) if !value.is_dropped() => value.peek(),
            State::CleaningUp(_) => None,
        }
    }

    #[track_caller]
    fn inner(&self) -> &Arc<Inner<O, Fut>> {
        match &self.state {
            State::Owner(owner) => owner.shared::<Self>(),
            State::CleaningUp(_) => panic_no_new_owner::<Self>(),
        }
    }
}

#[diagnostic::do_not_recommend]
#[async_trait]
impl<O, Fut> AsyncDrop for AsyncDropShared<O, Fut>
where
    O: AsyncDrop + Debug + Send + Sync,
    Fut: Future<Output = AsyncDropGuard<O>> + Send,
{
    type Error = O::Error;

    async fn async_drop_impl(&mut self) -> Result<(), Self::Error> {
        if let State::Owner(owner) = &mut self.state {
            let Some(inner) = owner.let_go() else {
                return Ok(());
            };
            if inner.creation.peek().is_none() {
                (&mut inner.creation).await;
            }
            let inner = mem::replace(owner, Owner::LetGo).into_last();
            match inner.map(Inner::into_outcome) {
                Some(Outcome::Created(value)) => self.state = State::CleaningUp(value),
                Some(Outcome::Panicked(panic)) => take_panic(&panic).resume(),
                None => {}
            }
        }
        match &mut self.state {
            State::CleaningUp(value) => value.async_drop().await,
            State::Owner(_) => Ok(()),
        }
    }
}

impl<O, Fut> Inner<O, Fut>
where
    O: AsyncDrop + Debug + Send + Sync,
    Fut: Future<Output = AsyncDropGuard<O>>,
{
    /// What came of a creation that has ended.
    fn into_outcome(self) -> Outcome<O> {
        // The creation had the only other handle, and a `Shared` drops its future when that is done.
        Arc::into_inner(self.outcome)
            .and_then(OnceLock::into_inner)
            .expect("the creation has ended, and nobody else waits for it")
    }
}

/// The future that creates the value and puts it, or its panic, where all owners find it.
struct Creation<O: Debug, Fut> {
    /// `None` once it is done.
    future: Option<Pin<Box<Fut>>>,
    outcome: Arc<OnceLock<Outcome<O>>>,
    wakes: Arc<Wakes>,
    created_at: &'static Location<'static>,
}

const DONE_IS_NOT_POLLED: &str = "a future that is done is not polled again";

impl<O, Fut> Future for Creation<O, Fut>
where
    O: AsyncDrop + Debug + Send + Sync,
    Fut: Future<Output = AsyncDropGuard<O>>,
{
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.wakes.waiters.get_or_init(|| cx.waker().clone());
        let waker = Waker::from(Arc::clone(&self.wakes));
        let cx = &mut Context::from_waker(&waker);
        // Caught here, because a `Shared` would forget the panic and only say that there was one.
        let polled = catch_unwind(AssertUnwindSafe(|| {
            let future = self.future.as_mut().expect(DONE_IS_NOT_POLLED);
            // Boxed at once, before anything else moves it.
            let value = Box::new(ready!(future.as_mut().poll(cx)));
            // Dropped here with what it has captured, because a panic in that would leave a `Shared` waiting forever.
            self.future = None;
            Poll::Ready(value)
        }));
        let outcome = match polled {
            Ok(polled) => Outcome::Created(AsyncDropArc::new_at(ready!(polled), self.created_at)),
            Err(panic) => {
                // The first panic is the one to pass on. If dropping the future panics too, that panic has printed its own message.
                contain_panic(|| self.future = None);
                let mut first_panic = FirstPanic::default();
                first_panic.keep(panic);
                Outcome::Panicked(Mutex::new(first_panic))
            }
        };
        assert!(self.outcome.set(outcome).is_ok(), "{DONE_IS_NOT_POLLED}");
        Poll::Ready(())
    }
}

/// Passes the wakes of the creation on to all who wait for it, and counts them.
///
/// A `Shared` wakes those who wait when the wake comes.
/// A caller who comes later, but while the poll that the wake came in is still running, is told to wait and is not woken:
/// it relies on the task that polls, which may be cancelled and never poll again.
/// So if there was a wake in a poll, the waiters are woken once more after it.
#[derive(Default)]
struct Wakes {
    /// Written and read in one order with the state of the `Shared`, which is `SeqCst` as well.
    count: AtomicUsize,
    /// Wakes every task that waits for the `Shared`. Set in the first poll.
    waiters: OnceLock<Waker>,
}

impl Wakes {
    fn wake_waiters(&self) {
        if let Some(waiters) = self.waiters.get() {
            waiters.wake_by_ref();
        }
    }
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // Counted first, so that a caller who comes after the wake is sure to be seen by the task that polls.
        self.count.fetch_add(1, Ordering::SeqCst);
        self.wake_waiters();
    }
}

/// Waits for a shared value. You get it from [`AsyncDropShared::get`].
///
/// # Examples
///
/// ```
/// # use asyncdrop::{AsyncDropArc, AsyncDropShared, AsyncDropWith};
/// # use std::convert::Infallible;
/// # struct Pool { size: u32 }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// # let open_pool = |size| AsyncDropWith::new(Pool { size }, async |_| Ok::<(), Infallible>(()));
/// let mut shared = AsyncDropShared::new(async { open_pool(4) });
/// let (mut one, mut other) = tokio::join!(shared.get(), shared.get());
/// assert!(AsyncDropArc::ptr_eq(&one, &other));
/// # one.async_drop().await.unwrap();
/// # other.async_drop().await.unwrap();
/// # shared.async_drop().await.unwrap();
/// # }
/// ```
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct AsyncDropSharedGet<'a, O, Fut>
where
    O: AsyncDrop + Debug + Send + Sync,
    Fut: Future<Output = AsyncDropGuard<O>>,
{
    creation: Shared<Creation<O, Fut>>,
    outcome: &'a OnceLock<Outcome<O>>,
    wakes: &'a Wakes,
    called_from: &'static Location<'static>,
}

impl<O, Fut> Future for AsyncDropSharedGet<'_, O, Fut>
where
    O: AsyncDrop + Debug + Send + Sync,
    Fut: Future<Output = AsyncDropGuard<O>>,
{
    type Output = AsyncDropGuard<AsyncDropArc<O>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let wakes_before = self.wakes.count.load(Ordering::SeqCst);
        if Pin::new(&mut self.creation).poll(cx).is_pending() {
            if self.wakes.count.load(Ordering::SeqCst) != wakes_before {
                self.wakes.wake_waiters();
            }
            return Poll::Pending;
        }
        match self.outcome.get() {
            Some(Outcome::Created(value)) => {
                Poll::Ready(AsyncDropArc::clone_at(value, self.called_from))
            }
            Some(Outcome::Panicked(panic)) => {
                take_panic(panic).resume();
                panic!(
                    "the future that creates a shared {} has panicked",
                    shown::<O>()
                )
            }
            None => unreachable!("the creation leaves an outcome before it ends"),
        }
    }
}

impl<'a, O, Fut> IntoFuture for &'a AsyncDropShared<O, Fut>
where
    O: AsyncDrop + Debug + Send + Sync,
    Fut: Future<Output = AsyncDropGuard<O>>,
{
    type Output = AsyncDropGuard<AsyncDropArc<O>>;
    type IntoFuture = AsyncDropSharedGet<'a, O, Fut>;

    #[track_caller]
    fn into_future(self) -> Self::IntoFuture {
        self.get()
    }
}

fn take_panic(panic: &Mutex<FirstPanic>) -> FirstPanic {
    mem::take(&mut panic.lock().unwrap_or_else(PoisonError::into_inner))
}

impl<O, Fut> Debug for AsyncDropShared<O, Fut>
where
    O: AsyncDrop + Debug + Send + Sync,
    Fut: Future<Output = AsyncDropGuard<O>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut tuple = f.debug_tuple("AsyncDropShared");
        match self.peek() {
            Some(value) => tuple.field(value).finish(),
            None => tuple.field(&format_args!("<not created>")).finish(),
        }
    }
}

impl<O, Fut> Debug for AsyncDropSharedGet<'_, O, Fut>
where
    O: AsyncDrop + Debug + Send + Sync,
    Fut: Future<Output = AsyncDropGuard<O>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncDropSharedGet").finish_non_exhaustive()
    }
}
