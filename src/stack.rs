//! Values of any types, which you want cleaned up in the reverse order of their arrival.

use std::any::Any;
use std::fmt::{self, Debug};
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::ops::{Index, IndexMut};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;

use crate::async_drop::AsyncDrop;
use crate::cleanup_error::{CleanupError, CleanupErrors};
use crate::guard::AsyncDropGuard;
use crate::held_error::HeldError;
use crate::many::{Order, Run};
use crate::panics::FirstPanic;
use crate::type_names::{Shown, shown};
use crate::unshared::Unshared;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Holds your guarded values of any types, and cleans them up one after the other, the last pushed first.
///
/// Use it for the resources of a function or a program that you open one by one and that build on each other:
/// the pool that a server uses is closed after the server.
/// You reach a value by the [`StackKey`] that you get from [`push`](Self::push).
///
/// If you let an `AsyncDropReaper` adopt the stack, it keeps its order, even after a cancellation or a panic,
/// while values that you let it adopt one by one would be cleaned up all at once.
///
/// # Errors
///
/// Every error of the cleanups, with the type and the place of its value, in the order of the cleanups.
/// If a cleanup fails, the others still run.
///
/// # Panics
///
/// If a cleanup panics, you get that panic once the other values are cleaned up, and if several panicked, you get the first of them.
/// The values that panicked stay in the stack, so if you call `async_drop` again, it runs their cleanups again.
///
/// # Cancel safety
///
/// If the cleanup is interrupted and you call it again, it continues with the value that it was at,
/// and if one had panicked before, you get that panic once the others are done.
/// You still get the errors of those that are done, or if you don't call it again, they are reported as
/// [`Suppressed`](crate::incident::IncidentKind::Suppressed) incidents.
///
/// # When not to use it
///
/// - For values of one type whose order doesn't matter to you, an [`AsyncDropHashMap`](crate::AsyncDropHashMap)
///   or [`async_drop_all`](crate::async_drop_all) cleans all of them up at the same time.
/// - For the fields of your own type, `#[derive(AsyncDrop)]` with `#[async_drop(reverse)]` needs no keys.
///
/// # Examples
///
/// ```
/// use asyncdrop::{AsyncDrop, AsyncDropGuard, AsyncDropStack, async_trait};
/// use std::io;
/// use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
///
/// /// A stream, and what is still to be said on it.
/// #[derive(Debug)]
/// struct Database(DuplexStream, &'static [u8]);
///
/// #[async_trait]
/// impl AsyncDrop for Database {
///     type Error = io::Error;
///
///     async fn async_drop_impl(&mut self) -> io::Result<()> {
///         self.0.write_all_buf(&mut self.1).await
///     }
/// }
///
/// # #[derive(Debug)]
/// # struct Server;
/// # #[async_trait]
/// # impl AsyncDrop for Server {
/// #     type Error = std::convert::Infallible;
/// #     async fn async_drop_impl(&mut self) -> Result<(), std::convert::Infallible> { Ok(()) }
/// # }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> io::Result<()> {
/// # let (stream, mut theirs) = tokio::io::duplex(64);
/// let mut stack = AsyncDropStack::new();
/// let database = stack.push(AsyncDropGuard::new(Database(stream, b"goodbye")));
/// stack.push(AsyncDropGuard::new(Server));
///
/// let sent = stack[database].0.write_all(b"hello, ").await;
///
/// // First the server, then the database.
/// stack.async_drop().await.map_err(io::Error::other)?;
/// sent?;
/// # let mut heard = String::new();
/// # theirs.read_to_string(&mut heard).await?;
/// # assert_eq!(heard, "hello, goodbye");
/// # Ok(())
/// # }
/// ```
pub struct AsyncDropStack {
    id: u64,
    entries: Vec<Entry>,
    next_key: u64,
    /// How many of the entries are done: those of an interrupted cleanup, and guards that were done when they came.
    done: usize,
    /// Of a cleanup, or of the `Drop` of a value that is done and cannot panic again.
    first_panic: Unshared<FirstPanic>,
}

/// It stays until all of the stack is cleaned up, and keeps the error of its value until then.
struct Entry {
    key: u64,
    guard: Box<dyn ErasedGuard>,
}

/// Your way to a value in an [`AsyncDropStack`], which you get from [`AsyncDropStack::push`]. It is `Copy`.
///
/// # Examples
///
/// ```
/// # use asyncdrop::{AsyncDrop, AsyncDropGuard, AsyncDropStack, async_trait};
/// # use std::convert::Infallible;
/// # #[derive(Debug)]
/// # struct Pool { connections: u32 }
/// # #[async_trait]
/// # impl AsyncDrop for Pool {
/// #     type Error = Infallible;
/// #     async fn async_drop_impl(&mut self) -> Result<(), Infallible> { Ok(()) }
/// # }
/// use asyncdrop::StackKey;
///
/// struct App {
///     stack: AsyncDropGuard<AsyncDropStack>,
///     pool: StackKey<Pool>,
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let mut stack = AsyncDropStack::new();
/// let pool = stack.push(AsyncDropGuard::new(Pool { connections: 4 }));
/// let mut app = App { stack, pool };
/// assert_eq!(app.stack[app.pool].connections, 4);
/// app.stack.async_drop().await.unwrap();
/// # }
/// ```
pub struct StackKey<T> {
    stack: u64,
    key: u64,
    /// It holds no `T`, and so it is `Send` and `Sync` whatever `T` is.
    value: PhantomData<fn() -> T>,
}

impl AsyncDropStack {
    /// Makes an empty stack. Call `async_drop` on it when you are done.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::AsyncDropStack;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let mut stack = AsyncDropStack::new();
    /// assert!(stack.is_empty());
    /// stack.async_drop().await.unwrap();
    /// # }
    /// ```
    #[track_caller]
    pub fn new() -> AsyncDropGuard<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        AsyncDropGuard::new(Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            entries: Vec::new(),
            next_key: 0,
            done: 0,
            first_panic: Unshared::default(),
        })
    }

    /// Puts your guard on top of the stack, which owns it from now on.
    ///
    /// You may push a guard that is already cleaned up, but its key gives you `None`.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::{AsyncDrop, AsyncDropGuard, AsyncDropStack, async_trait};
    /// # use std::convert::Infallible;
    /// # #[derive(Debug)]
    /// # struct Pool { connections: u32 }
    /// # #[async_trait]
    /// # impl AsyncDrop for Pool {
    /// #     type Error = Infallible;
    /// #     async fn async_drop_impl(&mut self) -> Result<(), Infallible> { Ok(()) }
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let mut stack = AsyncDropStack::new();
    /// let pool = stack.push(AsyncDropGuard::new(Pool { connections: 4 }));
    /// assert_eq!(stack[pool].connections, 4);
    /// stack.async_drop().await.unwrap();
    /// # }
    /// ```
    pub fn push<T>(&mut self, guard: AsyncDropGuard<T>) -> StackKey<T>
    where
        T: AsyncDrop<Error: Into<BoxError>> + Debug + Send + 'static,
    {
        let key = self.next_key;
        self.next_key += 1;
        self.done += usize::from(guard.is_dropped());
        let guard = Box::new(guard);
        self.entries.push(Entry { key, guard });
        StackKey {
            stack: self.id,
            key,
            value: PhantomData,
        }
    }

    /// Lends you the value of the key, unless it was taken or cleaned up, or the key is that of another stack.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::{AsyncDrop, AsyncDropGuard, AsyncDropStack, async_trait};
    /// # use std::convert::Infallible;
    /// # #[derive(Debug)]
    /// # struct Pool { connections: u32 }
    /// # #[async_trait]
    /// # impl AsyncDrop for Pool {
    /// #     type Error = Infallible;
    /// #     async fn async_drop_impl(&mut self) -> Result<(), Infallible> { Ok(()) }
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let mut stack = AsyncDropStack::new();
    /// let key = stack.push(AsyncDropGuard::new(Pool { connections: 4 }));
    /// assert_eq!(stack.get(key).map(|pool| pool.connections), Some(4));
    ///
    /// let mut pool = stack.take(key).unwrap();
    /// assert!(stack.get(key).is_none());
    /// # pool.async_drop().await.unwrap();
    /// # stack.async_drop().await.unwrap();
    /// # }
    /// ```
    #[must_use]
    pub fn get<T>(&self, key: StackKey<T>) -> Option<&T>
    where
        T: Debug + 'static,
    {
        let entry = &self.entries[self.position(key)?];
        let guard: &AsyncDropGuard<T> = entry.guard.as_any().downcast_ref()?;
        (!guard.is_dropped()).then(|| &**guard)
    }

    /// Like [`get`](Self::get), but you can change the value.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::{AsyncDrop, AsyncDropGuard, AsyncDropStack, async_trait};
    /// # use std::convert::Infallible;
    /// # #[derive(Debug)]
    /// # struct Pool { connections: u32 }
    /// # #[async_trait]
    /// # impl AsyncDrop for Pool {
    /// #     type Error = Infallible;
    /// #     async fn async_drop_impl(&mut self) -> Result<(), Infallible> { Ok(()) }
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let mut stack = AsyncDropStack::new();
    /// let pool = stack.push(AsyncDropGuard::new(Pool { connections: 4 }));
    /// if let Some(pool) = stack.get_mut(pool) {
    ///     pool.connections += 1;
    /// }
    /// assert_eq!(stack[pool].connections, 5);
    /// stack.async_drop().await.unwrap();
    /// # }
    /// ```
    #[must_use]
    pub fn get_mut<T>(&mut self, key: StackKey<T>) -> Option<&mut T>
    where
        T: Debug + 'static,
    {
        let position = self.position(key)?;
        let entry = &mut self.entries[position];
        let guard: &mut AsyncDropGuard<T> = entry.guard.as_any_mut().downcast_mut()?;
        (!guard.is_dropped()).then(|| &mut **guard)
    }

    /// Takes the value of the key out of the stack, in its guard, which you own from now on.
    ///
    /// You get `None` if [`get`](Self::get) would give you `None`.
    ///
    /// # Examples
    ///
    /// You can clean a value up before its turn:
    ///
    /// ```
    /// # use asyncdrop::{AsyncDrop, AsyncDropGuard, AsyncDropStack, async_trait};
    /// # use std::convert::Infallible;
    /// # #[derive(Debug)]
    /// # struct Pool;
    /// # #[async_trait]
    /// # impl AsyncDrop for Pool {
    /// #     type Error = Infallible;
    /// #     async fn async_drop_impl(&mut self) -> Result<(), Infallible> { Ok(()) }
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let mut stack = AsyncDropStack::new();
    /// let key = stack.push(AsyncDropGuard::new(Pool));
    /// if let Some(mut pool) = stack.take(key) {
    ///     pool.async_drop().await.unwrap();
    /// }
    /// assert!(stack.is_empty());
    /// stack.async_drop().await.unwrap();
    /// # }
    /// ```
    #[must_use = "the value that was taken out is a guard: bind it and end it with `.async_drop().await`; `let _ = ..` drops it, and that panics"]
    pub fn take<T>(&mut self, key: StackKey<T>) -> Option<AsyncDropGuard<T>>
    where
        T: Debug + 'static,
    {
        self.get(key)?;
        let position = self.position(key)?;
        let guard = self.entries.remove(position).guard.into_any();
        let guard = guard.downcast().expect("`get` has found it as this type");
        Some(*guard)
    }

    /// Tells you how many values are in the stack.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::{AsyncDrop, AsyncDropGuard, AsyncDropStack, async_trait};
    /// # use std::convert::Infallible;
    /// # #[derive(Debug)]
    /// # struct Pool;
    /// # #[async_trait]
    /// # impl AsyncDrop for Pool {
    /// #     type Error = Infallible;
    /// #     async fn async_drop_impl(&mut self) -> Result<(), Infallible> { Ok(()) }
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let mut stack = AsyncDropStack::new();
    /// stack.push(AsyncDropGuard::new(Pool));
    /// assert_eq!(stack.len(), 1);
    /// stack.async_drop().await.unwrap();
    /// # }
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len() - self.done
    }

    /// Tells you whether the stack is empty.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::AsyncDropStack;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let mut stack = AsyncDropStack::new();
    /// assert!(stack.is_empty());
    /// stack.async_drop().await.unwrap();
    /// # }
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The entries whose value is not cleaned up yet.
    fn left(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|it| !it.guard.is_done())
    }

    /// Keys grow from the bottom to the top.
    fn position<T>(&self, key: StackKey<T>) -> Option<usize> {
        if key.stack != self.id {
            return None;
        }
        let position = self.entries.binary_search_by_key(&key.key, |it| it.key);
        position.ok()
    }
}

#[diagnostic::do_not_recommend]
#[async_trait]
impl AsyncDrop for AsyncDropStack {
    type Error = CleanupErrors;

    async fn async_drop_impl(&mut self) -> Result<(), CleanupErrors> {
        let first_panic = self.first_panic.get_mut();
        let left = self.entries.iter_mut().rev();
        for entry in left.filter(|it| !it.guard.is_done()) {
            // A run of its own for each, since the next line looks at what it has borrowed.
            let mut run = Run::new(Order::OneByOne, &mut *first_panic);
            run.add(entry.guard.clean_up()).await;
            drop(run);
            self.done += usize::from(entry.guard.is_done());
        }
        // After a panic the errors stay in their guards, for a caller who catches it and calls again.
        self.first_panic.get_mut().resume();
        let total = self.entries.len();
        self.done = 0;
        let entries = self.entries.drain(..).rev();
        let errors = entries.filter_map(|mut it| it.guard.take_error());
        CleanupErrors::check_held(errors.collect(), total)
    }
}

/// # Panics
///
/// If the stack has no value of this key, so that [`AsyncDropStack::get`] would give you `None`.
impl<T: Debug + 'static> Index<StackKey<T>> for AsyncDropStack {
    type Output = T;

    #[track_caller]
    fn index(&self, key: StackKey<T>) -> &T {
        match self.get(key) {
            Some(value) => value,
            None => no_such_value::<T>(),
        }
    }
}

/// # Panics
///
/// If the stack has no value of this key, so that [`AsyncDropStack::get_mut`] would give you `None`.
impl<T: Debug + 'static> IndexMut<StackKey<T>> for AsyncDropStack {
    #[track_caller]
    fn index_mut(&mut self, key: StackKey<T>) -> &mut T {
        match self.get_mut(key) {
            Some(value) => value,
            None => no_such_value::<T>(),
        }
    }
}

#[cold]
#[track_caller]
fn no_such_value<T>() -> ! {
    panic!(
        "no {} for this key: it was taken out of the stack or cleaned up, or the key is of another stack",
        shown::<T>(),
    )
}

/// The types of the values, and nothing of what is in them.
impl Debug for AsyncDropStack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AsyncDropStack")?;
        let types = self.left().map(|it| Shown(it.guard.type_name()));
        f.debug_list()
            .entries(types.map(|it| Verbatim(it.to_string())))
            .finish()
    }
}

struct Verbatim(String);

impl Debug for Verbatim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A guard of any type.
trait ErasedGuard: Send {
    /// Cleans it up. An error stays with it.
    fn clean_up(&mut self) -> Cleanup<'_>;
    fn take_error(&mut self) -> Option<HeldError<CleanupError>>;
    fn is_done(&self) -> bool;
    fn type_name(&self) -> &'static str;
    fn as_any(&self) -> &dyn Any;
    fn as_any_mut(&mut self) -> &mut dyn Any;
    fn into_any(self: Box<Self>) -> Box<dyn Any>;
}

type Cleanup<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

impl<T> ErasedGuard for AsyncDropGuard<T>
where
    T: AsyncDrop<Error: Into<BoxError>> + Debug + Send + 'static,
{
    fn clean_up(&mut self) -> Cleanup<'_> {
        Box::pin(self.async_drop_and_keep_error(CleanupError::failed))
    }

    fn take_error(&mut self) -> Option<HeldError<CleanupError>> {
        self.take_kept_error()
    }

    fn is_done(&self) -> bool {
        self.is_dropped()
    }

    fn type_name(&self) -> &'static str {
        std::any::type_name::<T>()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

impl<T> Clone for StackKey<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for StackKey<T> {}

impl<T> PartialEq for StackKey<T> {
    fn eq(&self, other: &Self) -> bool {
        (self.stack, self.key) == (other.stack, other.key)
    }
}

impl<T> Eq for StackKey<T> {}

impl<T> Hash for StackKey<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.stack, self.key).hash(state);
    }
}

impl<T> Debug for StackKey<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StackKey<{}>({})", shown::<T>(), self.key)
    }
}
