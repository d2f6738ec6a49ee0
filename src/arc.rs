use std::fmt::{self, Debug};
use std::ops::Deref;
use std::panic::Location;
use std::pin::Pin;
use std::sync::{Arc, Weak};

use crate::async_drop::AsyncDrop;
use crate::guard::AsyncDropGuard;
use crate::owner::Owner;
use crate::type_names::shown;

/// Shares one guarded value between several owners, and cleans it up when the last of them is cleaned up.
///
/// Each owner is an [`AsyncDropGuard`] of its own, so you call `async_drop` on each.
/// The last of them cleans the value up, once, and gets its error; the others get `Ok(())` at once.
/// That holds even if you clean up several owners at the same time on different threads.
///
/// An owner derefs to the value. If you want to change it through several owners, put an
/// `AsyncDropTokioMutex` (feature `tokio`) inside.
///
/// # When not to use it
///
/// - If one owner can lend `&T` to the others, do that instead, because then one place decides when the cleanup runs, and sees its error.
/// - If owners form a cycle, none of them is the last, so the value is never cleaned up. Break the cycle with an [`AsyncDropWeak`].
///
/// # Panics
///
/// If you drop an owner without `async_drop`, it panics like any guard, even if it is not the last.
///
/// If you use the value through an owner that you already cleaned up, that panics.
/// It also panics if the guard that you gave to [`new`](Self::new) had already been cleaned up:
/// then there isn't a value, and the last owner has nothing to clean up.
///
/// # Cancel safety
///
/// If the last owner's cleanup is interrupted, that owner is the only one left, so finishing the cleanup is up to it:
/// call its `async_drop` again, and it resumes.
/// Until then you can still read the value, but you cannot make further owners.
///
/// # Examples
///
/// ```
/// use asyncdrop::{AsyncDrop, AsyncDropArc, AsyncDropGuard, async_trait};
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
/// let stream = TcpStream::connect(address).await?;
/// let mut ours = AsyncDropArc::new(AsyncDropGuard::new(Connection(stream)));
///
/// let mut theirs = AsyncDropArc::clone(&ours);
/// let task = tokio::spawn(async move {
///     let peer = theirs.0.peer_addr();
///     theirs.async_drop().await?;
///     peer
/// });
///
/// ours.async_drop().await?;
/// assert_eq!(task.await??, address);
/// # Ok(())
/// # }
/// ```
pub struct AsyncDropArc<T: Debug> {
    /// Boxed, so that the last owner gets the value without moving it, and cleans it up where it is.
    owner: Owner<Box<AsyncDropGuard<T>>>,
}

impl<T> AsyncDropArc<T>
where
    T: AsyncDrop + Debug + Send + Sync,
{
    /// Makes the first owner of the value in `guard`, which it takes from you.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::{AsyncDropArc, AsyncDropWith};
    /// # use std::convert::Infallible;
    /// # struct Pool { size: u32 }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # let open_pool = |size| AsyncDropWith::new(Pool { size }, async |_| Ok::<(), Infallible>(()));
    /// let mut pool = AsyncDropArc::new(open_pool(4));
    /// assert_eq!(pool.size, 4);
    /// pool.async_drop().await.unwrap();
    /// # }
    /// ```
    #[track_caller]
    pub fn new(guard: AsyncDropGuard<T>) -> AsyncDropGuard<Self> {
        Self::new_at(Box::new(guard), Location::caller())
    }

    pub(crate) fn new_at(
        guard: Box<AsyncDropGuard<T>>,
        created_at: &'static Location<'static>,
    ) -> AsyncDropGuard<Self> {
        Self::owner_at(Owner::new(guard), created_at)
    }

    /// Makes one more owner, and you call `async_drop` on it like on the first.
    ///
    /// Call it as `AsyncDropArc::clone(&shared)`, because `shared.clone()` does not compile.
    ///
    /// # Panics
    ///
    /// If you already called `async_drop` on `owner`,
    /// even if it was the last one and its cleanup of the value was interrupted.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::{AsyncDropArc, AsyncDropWith};
    /// # use std::convert::Infallible;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # let open_pool = || AsyncDropWith::new((), async |()| Ok::<(), Infallible>(()));
    /// let mut first = AsyncDropArc::new(open_pool());
    /// let mut second = AsyncDropArc::clone(&first);
    /// assert_eq!(AsyncDropArc::strong_count(&first), 2);
    /// assert!(AsyncDropArc::ptr_eq(&first, &second));
    ///
    /// first.async_drop().await.unwrap();
    /// assert_eq!(AsyncDropArc::strong_count(&second), 1);
    /// second.async_drop().await.unwrap();
    /// # }
    /// ```
    #[track_caller]
    pub fn clone(owner: &AsyncDropGuard<Self>) -> AsyncDropGuard<Self> {
        Self::clone_at(owner, Location::caller())
    }

    #[track_caller]
    pub(crate) fn clone_at(
        owner: &AsyncDropGuard<Self>,
        created_at: &'static Location<'static>,
    ) -> AsyncDropGuard<Self> {
        let arc = owner.owner.shared::<Self>();
        Self::owner_at(Owner::Sharing(Arc::clone(arc)), created_at)
    }

    fn owner_at(
        owner: Owner<Box<AsyncDropGuard<T>>>,
        created_at: &'static Location<'static>,
    ) -> AsyncDropGuard<Self> {
        AsyncDropGuard::new_at(Self { owner }, created_at)
    }

    /// Makes a reference that does not keep the value from being cleaned up. You need not call `async_drop` on it.
    ///
    /// # Panics
    ///
    /// If you already called `async_drop` on `owner`,
    /// even if it was the last one and its cleanup of the value was interrupted.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::{AsyncDropArc, AsyncDropWith};
    /// # use std::convert::Infallible;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # let open_pool = || AsyncDropWith::new((), async |()| Ok::<(), Infallible>(()));
    /// let mut pool = AsyncDropArc::new(open_pool());
    /// let cached = AsyncDropArc::downgrade(&pool);
    /// pool.async_drop().await.unwrap();
    /// assert!(cached.upgrade().is_none());
    /// # }
    /// ```
    #[track_caller]
    #[must_use]
    pub fn downgrade(owner: &AsyncDropGuard<Self>) -> AsyncDropWeak<T> {
        AsyncDropWeak {
            weak: Arc::downgrade(owner.owner.shared::<Self>()),
        }
    }

    /// Tells you how many owners there are now. Other threads may change that at any time.
    ///
    /// # Panics
    ///
    /// If you already called `async_drop` on `owner`.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::{AsyncDropArc, AsyncDropWith};
    /// # use std::convert::Infallible;
    /// # struct Pool { size: u32 }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # let open_pool = |size| AsyncDropWith::new(Pool { size }, async |_| Ok::<(), Infallible>(()));
    /// let mut first = AsyncDropArc::new(open_pool(4));
    /// assert_eq!(AsyncDropArc::strong_count(&first), 1);
    /// let mut second = AsyncDropArc::clone(&first);
    /// assert_eq!(AsyncDropArc::strong_count(&first), 2);
    /// # first.async_drop().await.unwrap();
    /// # second.async_drop().await.unwrap();
    /// # }
    /// ```
    #[track_caller]
    #[must_use]
    pub fn strong_count(owner: &AsyncDropGuard<Self>) -> usize {
        match &owner.owner {
            Owner::Sharing(arc) => Arc::strong_count(arc),
            Owner::Last(_) => 1,
            Owner::LetGo => 0,
        }
    }

    /// Tells you whether two owners share one value.
    ///
    /// # Panics
    ///
    /// If you already called `async_drop` on one of them.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::{AsyncDropArc, AsyncDropWith};
    /// # use std::convert::Infallible;
    /// # struct Pool { size: u32 }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # let open_pool = |size| AsyncDropWith::new(Pool { size }, async |_| Ok::<(), Infallible>(()));
    /// let mut first = AsyncDropArc::new(open_pool(4));
    /// let mut second = AsyncDropArc::clone(&first);
    /// let mut stranger = AsyncDropArc::new(open_pool(4));
    /// assert!(AsyncDropArc::ptr_eq(&first, &second));
    /// assert!(!AsyncDropArc::ptr_eq(&first, &stranger));
    /// # first.async_drop().await.unwrap();
    /// # second.async_drop().await.unwrap();
    /// # stranger.async_drop().await.unwrap();
    /// # }
    /// ```
    #[track_caller]
    #[must_use]
    pub fn ptr_eq(one: &AsyncDropGuard<Self>, other: &AsyncDropGuard<Self>) -> bool {
        match (&one.owner, &other.owner) {
            (Owner::Sharing(one), Owner::Sharing(other)) => Arc::ptr_eq(one, other),
            // There is no owner besides the last one, so they are one and the same or don't belong together.
            _ => std::ptr::eq(one, other),
        }
    }

    /// Gives this owner up without a cleanup, and returns the guard of the value to you if it was the last.
    ///
    /// If you call this on several owners at the same time, exactly one call gets the guard, and cleaning it up is that caller's job.
    ///
    /// # Panics
    ///
    /// If you already called `async_drop` on this owner.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::{AsyncDropArc, AsyncDropWith};
    /// # use std::convert::Infallible;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # let open_pool = || AsyncDropWith::new((), async |()| Ok::<(), Infallible>(()));
    /// let first = AsyncDropArc::new(open_pool());
    /// let second = AsyncDropArc::clone(&first);
    /// assert!(AsyncDropArc::into_inner(first).is_none());
    ///
    /// let mut pool = AsyncDropArc::into_inner(second).expect("the other owner is gone");
    /// pool.async_drop().await.unwrap();
    /// # }
    /// ```
    #[track_caller]
    #[must_use = "the last owner gets the guard of the value: bind it and end it with `.async_drop().await`; `let _ = ..` drops it, and that panics"]
    pub fn into_inner(owner: AsyncDropGuard<Self>) -> Option<AsyncDropGuard<T>> {
        let owner = owner.unsafe_into_inner_dont_drop().owner;
        owner.into_last().map(|guard| *guard)
    }
}

#[diagnostic::do_not_recommend]
impl<T> AsyncDrop for AsyncDropArc<T>
where
    T: AsyncDrop + Debug + Send + Sync,
{
    type Error = T::Error;

    // What `#[async_trait]` would write, but without the box, because an owner that is not the last one needs no room for a cleanup.
    fn async_drop_impl<'a, 'async_trait>(
        &'a mut self,
    ) -> Pin<Box<dyn Future<Output = Result<(), T::Error>> + Send + 'async_trait>>
    where
        'a: 'async_trait,
        Self: 'async_trait,
    {
        match self.owner.let_go() {
            Some(guard) => Box::pin(guard.async_drop()),
            None => Box::pin(async { Ok(()) }),
        }
    }
}

impl<T: Debug> AsyncDropArc<T> {
    /// The value, unless this owner can no longer reach it.
    pub(crate) fn peek(&self) -> Option<&T> {
        let guard = self.owner.get()?;
        // The guard is empty if it was so from the start, or if the value's own `Drop` panicked after the cleanup.
        (!guard.is_dropped()).then(|| &***guard)
    }
}

impl<T: Debug> Deref for AsyncDropArc<T> {
    type Target = T;

    #[track_caller]
    fn deref(&self) -> &T {
        match self.owner.get() {
            Some(guard) => guard,
            None => panic!("{} was used after async_drop", shown::<Self>()),
        }
    }
}

impl<T: Debug> Debug for AsyncDropArc<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.owner {
            Owner::Sharing(arc) if !arc.is_dropped() => {
                f.debug_tuple("AsyncDropArc").field(&****arc).finish()
            }
            Owner::Sharing(arc) => f.debug_tuple("AsyncDropArc").field(arc).finish(),
            Owner::Last(guard) => f.debug_tuple("AsyncDropArc").field(guard).finish(),
            Owner::LetGo => f.write_str("AsyncDropArc(<let go>)"),
        }
    }
}

/// A reference to a shared value that does not keep the value from being cleaned up.
///
/// You get it from [`AsyncDropArc::downgrade`]. It owns nothing, so you need not call `async_drop` on it.
///
/// # Examples
///
/// ```
/// # use asyncdrop::{AsyncDropArc, AsyncDropWeak, AsyncDropWith};
/// # use std::convert::Infallible;
/// # struct Pool { size: u32 }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// # let open_pool = |size| AsyncDropWith::new(Pool { size }, async |_| Ok::<(), Infallible>(()));
/// let mut pool = AsyncDropArc::new(open_pool(4));
/// let metrics: AsyncDropWeak<_> = AsyncDropArc::downgrade(&pool);
///
/// // You need not call `async_drop` on the metrics' reference.
/// pool.async_drop().await.unwrap();
/// assert!(metrics.upgrade().is_none());
/// # }
/// ```
pub struct AsyncDropWeak<T: Debug> {
    weak: Weak<Box<AsyncDropGuard<T>>>,
}

impl<T> AsyncDropWeak<T>
where
    T: AsyncDrop + Debug + Send + Sync,
{
    /// Makes one more owner for you, unless the last one was already given up or its cleanup has begun.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::{AsyncDropArc, AsyncDropWith};
    /// # use std::convert::Infallible;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # let open_pool = || AsyncDropWith::new((), async |()| Ok::<(), Infallible>(()));
    /// let mut pool = AsyncDropArc::new(open_pool());
    /// let cached = AsyncDropArc::downgrade(&pool);
    ///
    /// if let Some(mut pool) = cached.upgrade() {
    ///     pool.async_drop().await.unwrap();
    /// }
    /// pool.async_drop().await.unwrap();
    /// # }
    /// ```
    #[track_caller]
    #[must_use = "the new owner is a guard: bind it and end it with `.async_drop().await`; `let _ = ..` drops it, and that panics"]
    pub fn upgrade(&self) -> Option<AsyncDropGuard<AsyncDropArc<T>>> {
        let created_at = Location::caller();
        let arc = self.weak.upgrade()?;
        Some(AsyncDropArc::owner_at(Owner::Sharing(arc), created_at))
    }

    /// Tells you how many owners there are now. Other threads may change that at any time.
    ///
    /// It is 0 as soon as the last owner is given up or its cleanup begins, even while that cleanup runs and after an interruption.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::{AsyncDropArc, AsyncDropWith};
    /// # use std::convert::Infallible;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # #[derive(Debug)]
    /// # struct Pool;
    /// let mut pool = AsyncDropArc::new(AsyncDropWith::new(Pool, async |_| Ok::<_, Infallible>(())));
    /// let cached = AsyncDropArc::downgrade(&pool);
    /// assert_eq!(cached.strong_count(), 1);
    /// pool.async_drop().await.unwrap();
    /// assert_eq!(cached.strong_count(), 0);
    /// # }
    /// ```
    #[must_use]
    pub fn strong_count(&self) -> usize {
        self.weak.strong_count()
    }
}

impl<T: Debug> Clone for AsyncDropWeak<T> {
    fn clone(&self) -> Self {
        Self {
            weak: Weak::clone(&self.weak),
        }
    }
}

impl<T: Debug> Debug for AsyncDropWeak<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AsyncDropWeak")
    }
}
