use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::{self, Debug};
use std::future::poll_fn;
use std::mem;
use std::ops::{Deref, DerefMut};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt;
use tokio::runtime::Handle;
use tokio::task::AbortHandle;
use tokio::time::timeout;

use crate::async_drop::AsyncDrop;
use crate::cleanup_error::{CleanupError, CleanupErrors};
use crate::guard::AsyncDropGuard;
use crate::held_error::HeldError;
use crate::origin::ValueOrigin;
use crate::panics::contain_panic;
use crate::reap_errors::ShutdownError;
use crate::scope::first_error;

/// Cleans up what was dropped before its cleanup had ended, in tasks of its own, and waits for all of it at the end.
///
/// A future can be dropped at every `.await`: by `select!`, by a timeout, by `abort`, by a connection that closes.
/// A guard inside is dropped with it, and can do nothing but panic.
/// A guard that a reaper has [adopted](Self::adopt) becomes a [`Reaped`], which hands its value to the reaper instead.
///
/// Make one reaper at the top of `main`, give its [`handle`](Self::handle) to whoever creates guards,
/// and end it last, with [`shutdown`](Self::shutdown) or `async_drop`.
///
/// | | what happens to an adopted value |
/// |---|---|
/// | [`Reaped::async_drop`] ran to its end | it is cleaned up, and the caller has the result |
/// | the [`Reaped`] is dropped before that | the reaper cleans it up in a task, and keeps the error |
/// | the same after the end of the reaper, or of its runtime | it is dropped, and that is an [incident](crate::incident) |
///
/// # When not to use it
///
/// - Where nobody cancels: a scope such as [`with_async_drop`](crate::with_async_drop) needs no task.
/// - Where the cleanup must have happened before the next line runs: only `async_drop` in place promises that.
///
/// # Errors
///
/// `async_drop` waits until every adopted value is gone, and returns every error of the cleanups that were handed over,
/// also of those that never ran because the runtime had ended, as [`CleanupErrors`]. It waits without a limit, also for values that are still in use:
/// do not await it while you hold a [`Reaped`] yourself.
///
/// # Panics in a cleanup
///
/// A cleanup that panics in the reaper stops no other one, and is not tried again.
/// The reaper lists it as an error, and its value is dropped, which is an incident.
///
/// # Cancel safety
///
/// An interrupted `async_drop` loses nothing: what is adopted stays adopted, and the errors stay until a call returns them.
/// A reaper that is dropped instead is an incident, as with every guard, and so is every error that it still has.
/// Cleanups that it had begun go on.
///
/// # Examples
///
/// The conversation is cancelled, and still the other side hears a goodbye:
///
/// ```
/// use asyncdrop::{AsyncDrop, AsyncDropGuard, AsyncDropReaper, async_trait};
/// use std::{io, time::Duration};
/// use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
/// use tokio::time::timeout;
///
/// #[derive(Debug)]
/// struct Connection(DuplexStream);
///
/// #[async_trait]
/// impl AsyncDrop for Connection {
///     type Error = io::Error;
///
///     async fn async_drop_impl(&mut self) -> io::Result<()> {
///         self.0.write_all(b"goodbye").await?;
///         self.0.shutdown().await
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> io::Result<()> {
/// let reaper = AsyncDropReaper::new();
/// let (ours, mut theirs) = tokio::io::duplex(64);
///
/// let mut connection = reaper.adopt(AsyncDropGuard::new(Connection(ours)));
/// let conversation = async {
///     let answer = connection.0.read_u8().await;
///     connection.async_drop().await?;
///     answer
/// };
/// // Nobody answers. The conversation is dropped here, and then the connection.
/// assert!(timeout(Duration::from_secs(1), conversation).await.is_err());
/// drop(connection);
///
/// AsyncDropReaper::shutdown(reaper, Duration::from_secs(5)).await.unwrap();
/// let mut heard = String::new();
/// theirs.read_to_string(&mut heard).await?;
/// assert_eq!(heard, "goodbye");
/// # Ok(())
/// # }
/// ```
pub struct AsyncDropReaper {
    handle: ReaperHandle,
}

/// How long `shutdown` waits, after its deadline, for the next of the aborted tasks to drop its value.
///
/// The runtime does that when it next turns to them. A cleanup that blocks its thread can make it wait for longer.
const TIME_TO_ABORT: Duration = Duration::from_millis(100);

/// How long `shutdown` waits, after its deadline, for all of them together.
const TIME_TO_ABORT_ALL: Duration = Duration::from_secs(10);

impl AsyncDropReaper {
    /// Makes a reaper that cleans up in tasks of the tokio runtime that this is called in.
    ///
    /// # Panics
    ///
    /// When it is called outside of a tokio runtime.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::AsyncDropReaper;
    /// #[tokio::main]
    /// async fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     let mut reaper = AsyncDropReaper::new();
    ///     // Everything else that the program does.
    ///     reaper.async_drop().await?;
    ///     Ok(())
    /// }
    /// ```
    #[track_caller]
    pub fn new() -> AsyncDropGuard<Self> {
        let Ok(runtime) = Handle::try_current() else {
            panic!(
                "AsyncDropReaper::new was called outside of a tokio runtime, and needs one for the tasks in which it cleans up"
            );
        };
        let registry = Arc::new(Registry {
            runtime,
            state: Mutex::default(),
        });
        let handle = ReaperHandle { registry };
        AsyncDropGuard::new(Self { handle })
    }

    /// Another way to reach this reaper, for tasks and structs that create guards. It is cheap to clone.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::{AsyncDrop, AsyncDropGuard, AsyncDropReaper, async_trait};
    /// # use std::convert::Infallible;
    /// # #[derive(Debug)]
    /// # struct Session;
    /// # #[async_trait]
    /// # impl AsyncDrop for Session {
    /// #     type Error = Infallible;
    /// #     async fn async_drop_impl(&mut self) -> Result<(), Infallible> { Ok(()) }
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let mut reaper = AsyncDropReaper::new();
    /// let handle = reaper.handle();
    /// let task = tokio::spawn(async move {
    ///     let _session = handle.adopt(AsyncDropGuard::new(Session));
    ///     std::future::pending::<()>().await;
    /// });
    /// # tokio::task::yield_now().await;
    /// task.abort();
    /// reaper.async_drop().await.unwrap();
    /// # }
    /// ```
    #[must_use]
    pub fn handle(&self) -> ReaperHandle {
        self.handle.clone()
    }

    /// Takes over a guard, and cleans its value up should that not happen otherwise.
    ///
    /// The place where the guard was created is remembered, and named should its cleanup fail.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::{AsyncDrop, AsyncDropGuard, AsyncDropReaper, async_trait};
    /// # use std::convert::Infallible;
    /// # #[derive(Debug)]
    /// # struct Session { user: &'static str }
    /// # #[async_trait]
    /// # impl AsyncDrop for Session {
    /// #     type Error = Infallible;
    /// #     async fn async_drop_impl(&mut self) -> Result<(), Infallible> { Ok(()) }
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let mut reaper = AsyncDropReaper::new();
    /// let mut ada = reaper.adopt(AsyncDropGuard::new(Session { user: "ada" }));
    /// assert_eq!(ada.user, "ada");
    /// ada.async_drop().await.unwrap();
    ///
    /// let bob = reaper.adopt(AsyncDropGuard::new(Session { user: "bob" }));
    /// // The reaper cleans this one up.
    /// drop(bob);
    /// reaper.async_drop().await.unwrap();
    /// # }
    /// ```
    pub fn adopt<T>(&self, guard: AsyncDropGuard<T>) -> Reaped<T>
    where
        T: AsyncDrop<Error: Into<Box<dyn Error + Send + Sync>>> + Debug + Send + 'static,
    {
        self.handle.adopt(guard)
    }

    /// Runs `f` with the guarded value, then cleans the value up, even after a panic and after a cancellation.
    ///
    /// It is [`with_async_drop`](crate::with_async_drop) with the reaper behind it.
    /// The guard is adopted by the call itself: a future that is dropped before its first poll loses nothing.
    ///
    /// # Errors
    ///
    /// - The error of `f`, if it failed. Should the cleanup fail too, its error is reported as a
    ///   [`Suppressed`](crate::incident::IncidentKind::Suppressed) incident.
    /// - The error of the cleanup, if `f` succeeded. What `f` returned is dropped.
    ///
    /// # Panics
    ///
    /// A panic in `f` goes on, and the reaper cleans the value up.
    /// So does a panic in the cleanup: the reaper runs the cleanup again, and lists a second panic as an error.
    ///
    /// When the guard was already cleaned up, awaiting the future panics before `f` runs: there is no value to run it with.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future hands the value to the reaper, which runs the cleanup, or runs it again if it was interrupted.
    ///
    /// # Examples
    ///
    /// ```
    /// use asyncdrop::{AsyncDrop, AsyncDropGuard, AsyncDropReaper, async_trait};
    /// use std::{io, time::Duration};
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
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> io::Result<()> {
    /// let mut reaper = AsyncDropReaper::new();
    /// let (ours, mut theirs) = tokio::io::duplex(64);
    /// let guard = AsyncDropGuard::new(Connection(ours));
    ///
    /// let conversation = reaper.scope(guard, async |connection| connection.0.read_u8().await);
    /// let result = tokio::time::timeout(Duration::from_secs(1), conversation).await;
    /// assert!(result.is_err());
    ///
    /// reaper.async_drop().await.unwrap();
    /// let mut heard = String::new();
    /// theirs.read_to_string(&mut heard).await?;
    /// assert_eq!(heard, "goodbye");
    /// # Ok(())
    /// # }
    /// ```
    pub fn scope<T, R, E, F>(
        &self,
        guard: AsyncDropGuard<T>,
        f: F,
    ) -> impl Future<Output = Result<R, E>> + use<T, R, E, F>
    where
        T: AsyncDrop<Error: Into<Box<dyn Error + Send + Sync>>> + Debug + Send + 'static,
        F: AsyncFnOnce(&mut T) -> Result<R, E>,
        E: From<T::Error>,
    {
        self.handle.scope(guard, f)
    }

    /// How many adopted values are not cleaned up yet: in use, or being cleaned up by the reaper.
    ///
    /// Other threads may change that at any time.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::{AsyncDrop, AsyncDropGuard, AsyncDropReaper, async_trait};
    /// # use std::convert::Infallible;
    /// # #[derive(Debug)]
    /// # struct Session;
    /// # #[async_trait]
    /// # impl AsyncDrop for Session {
    /// #     type Error = Infallible;
    /// #     async fn async_drop_impl(&mut self) -> Result<(), Infallible> { Ok(()) }
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let mut reaper = AsyncDropReaper::new();
    /// let mut session = reaper.adopt(AsyncDropGuard::new(Session));
    /// assert_eq!(reaper.pending(), 1);
    /// session.async_drop().await.unwrap();
    /// assert_eq!(reaper.pending(), 0);
    /// # reaper.async_drop().await.unwrap();
    /// # }
    /// ```
    #[must_use]
    pub fn pending(&self) -> usize {
        self.handle.pending()
    }

    /// Ends the reaper as `async_drop` does, but waits no longer than `limit`.
    ///
    /// At the deadline the reaper ends, whatever is left:
    ///
    /// - A value that it is cleaning up is abandoned: the task is aborted, and the value dropped.
    ///   The error names it, and no incident follows for it.
    ///   What it holds is reported all the same, where it is a map or a type with `#[derive(AsyncDrop)]`, for example:
    ///   a guard in it that is not done yet is an incident, and an error that it had gathered is a
    ///   [`Suppressed`](crate::incident::IncidentKind::Suppressed) one.
    /// - A value that is in use stays with its owner, and the error names it.
    ///   The owner can still end it with [`Reaped::async_drop`]. Dropped without, it is an incident.
    ///
    /// What was abandoned has been dropped when this returns.
    /// Only a cleanup that blocks its thread, instead of returning to be polled again, cannot be stopped;
    /// for such a one it waits 100 ms longer, then returns.
    ///
    /// `async_drop_within` would end the reaper in time, too, but name none of its values.
    ///
    /// # Errors
    ///
    /// A [`ShutdownError`] when the deadline passed, when a cleanup in the reaper failed, or both.
    ///
    /// # Panics
    ///
    /// When it is awaited outside of a tokio runtime, or in one whose clock is not enabled.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the reaper, and that is an incident.
    /// To be able to go on, keep the reaper and put a [`tokio::time::timeout`] around its `async_drop`.
    ///
    /// # Examples
    ///
    /// ```
    /// use asyncdrop::{AsyncDrop, AsyncDropGuard, AsyncDropReaper, async_trait};
    /// use std::{io, time::Duration};
    /// use tokio::io::{AsyncWriteExt, DuplexStream};
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
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// let reaper = AsyncDropReaper::new();
    /// // The other side reads nothing, and there is room for four bytes.
    /// let (ours, _theirs) = tokio::io::duplex(4);
    /// drop(reaper.adopt(AsyncDropGuard::new(Connection(ours))));
    ///
    /// let error = AsyncDropReaper::shutdown(reaper, Duration::from_secs(5)).await.unwrap_err();
    /// assert!(error.in_use().is_empty());
    /// assert!(error.being_cleaned_up()[0].type_name().ends_with("Connection"));
    /// # }
    /// ```
    pub async fn shutdown(
        mut reaper: AsyncDropGuard<Self>,
        limit: Duration,
    ) -> Result<(), ShutdownError> {
        match timeout(limit, reaper.async_drop()).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(errors)) => return Err(ShutdownError::in_time(limit, errors)),
            Err(_) => {}
        }
        let created_at = reaper.created_at();
        // From here on the error is the report, and the guard has nothing to say.
        let reaper = reaper.unsafe_into_inner_dont_drop();
        let registry = &reaper.handle.registry;
        let Err(error) = registry.give_up(limit) else {
            // The last value went away just now.
            return Ok(());
        };
        let error = HeldError::from_cleanup_of::<Self>(error, created_at);
        let all_gone = async {
            let mut left = registry.len();
            // As long as some of them go, the runtime is at work, and the others will follow.
            loop {
                let gone = poll_fn(|context| registry.poll_empty(context).map(drop));
                if timeout(TIME_TO_ABORT, gone).await.is_ok() {
                    return;
                }
                let before = mem::replace(&mut left, registry.len());
                if left >= before {
                    return;
                }
            }
        };
        let _ = timeout(TIME_TO_ABORT_ALL, all_gone).await;
        Err(error.into_inner())
    }
}

#[diagnostic::do_not_recommend]
#[async_trait]
impl AsyncDrop for AsyncDropReaper {
    type Error = CleanupErrors;

    async fn async_drop_impl(&mut self) -> Result<(), CleanupErrors> {
        poll_fn(|context| self.handle.registry.poll_end(context)).await
    }
}

impl Drop for AsyncDropReaper {
    fn drop(&mut self) {
        self.handle.registry.close();
    }
}

impl Debug for AsyncDropReaper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.handle.registry.show("AsyncDropReaper", f)
    }
}

/// A way to reach an [`AsyncDropReaper`], for tasks and structs that create guards. It is cheap to clone.
///
/// It keeps nothing alive: the reaper ends when its owner ends it.
/// From then on [`adopt`](Self::adopt) gives a [`Reaped`] with nobody behind it.
///
/// # Examples
///
/// ```
/// use asyncdrop::{AsyncDrop, AsyncDropGuard, AsyncDropReaper, ReaperHandle, async_trait};
/// use std::io;
/// use tokio::io::{AsyncWriteExt, DuplexStream};
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
/// async fn greet(reaper: ReaperHandle, stream: DuplexStream) -> io::Result<()> {
///     let mut connection = reaper.adopt(AsyncDropGuard::new(Connection(stream)));
///     // When this fails, `?` drops the connection, and the reaper says goodbye.
///     connection.0.write_all(b"hello").await?;
///     connection.async_drop().await
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> io::Result<()> {
/// # let mut reaper = AsyncDropReaper::new();
/// # let (ours, _theirs) = tokio::io::duplex(64);
/// tokio::spawn(greet(reaper.handle(), ours)).await??;
/// # reaper.async_drop().await.unwrap();
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct ReaperHandle {
    registry: Arc<Registry>,
}

impl ReaperHandle {
    /// Takes over a guard, and cleans its value up should that not happen otherwise.
    ///
    /// It does what [`AsyncDropReaper::adopt`] does.
    /// After the end of the reaper the [`Reaped`] still works in place, but dropping it armed is an incident.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::{AsyncDrop, AsyncDropGuard, AsyncDropReaper, async_trait};
    /// # use std::convert::Infallible;
    /// # #[derive(Debug)]
    /// # struct Session;
    /// # #[async_trait]
    /// # impl AsyncDrop for Session {
    /// #     type Error = Infallible;
    /// #     async fn async_drop_impl(&mut self) -> Result<(), Infallible> { Ok(()) }
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let mut reaper = AsyncDropReaper::new();
    /// let handle = reaper.handle();
    /// drop(handle.adopt(AsyncDropGuard::new(Session)));
    /// reaper.async_drop().await.unwrap();
    ///
    /// let mut late = handle.adopt(AsyncDropGuard::new(Session));
    /// late.async_drop().await.unwrap();
    /// # }
    /// ```
    pub fn adopt<T>(&self, guard: AsyncDropGuard<T>) -> Reaped<T>
    where
        T: AsyncDrop<Error: Into<Box<dyn Error + Send + Sync>>> + Debug + Send + 'static,
    {
        let ward = self.registry.admit(&guard);
        Reaped { guard, ward }
    }

    /// Runs `f` with the guarded value, then cleans the value up, even after a panic and after a cancellation.
    ///
    /// It does what [`AsyncDropReaper::scope`] does, and its future borrows nothing, so that it can be spawned.
    ///
    /// # Errors
    ///
    /// - The error of `f`, if it failed. Should the cleanup fail too, its error is reported as a
    ///   [`Suppressed`](crate::incident::IncidentKind::Suppressed) incident.
    /// - The error of the cleanup, if `f` succeeded. What `f` returned is dropped.
    ///
    /// # Panics
    ///
    /// A panic in `f` goes on, and the reaper cleans the value up.
    /// So does a panic in the cleanup: the reaper runs the cleanup again, and lists a second panic as an error.
    ///
    /// When the guard was already cleaned up, awaiting the future panics before `f` runs: there is no value to run it with.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future hands the value to the reaper, which runs the cleanup, or runs it again if it was interrupted.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::{AsyncDrop, AsyncDropGuard, AsyncDropReaper, async_trait};
    /// # use std::io;
    /// # #[derive(Debug)]
    /// # struct Session { requests: u32 }
    /// # #[async_trait]
    /// # impl AsyncDrop for Session {
    /// #     type Error = io::Error;
    /// #     async fn async_drop_impl(&mut self) -> io::Result<()> { Ok(()) }
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let mut reaper = AsyncDropReaper::new();
    /// let session = AsyncDropGuard::new(Session { requests: 0 });
    /// let task = tokio::spawn(reaper.handle().scope(session, async |session| {
    ///     session.requests += 1;
    ///     io::Result::Ok(session.requests)
    /// }));
    /// assert_eq!(task.await.unwrap().unwrap(), 1);
    /// # reaper.async_drop().await.unwrap();
    /// # }
    /// ```
    pub fn scope<T, R, E, F>(
        &self,
        guard: AsyncDropGuard<T>,
        f: F,
    ) -> impl Future<Output = Result<R, E>> + use<T, R, E, F>
    where
        T: AsyncDrop<Error: Into<Box<dyn Error + Send + Sync>>> + Debug + Send + 'static,
        F: AsyncFnOnce(&mut T) -> Result<R, E>,
        E: From<T::Error>,
    {
        let mut value = self.adopt(guard);
        async move {
            let body = f(&mut value).await;
            let cleanup = value.async_drop().await;
            first_error::<T, R, E>(body, cleanup, value.guard.created_at(), E::from)
        }
    }

    /// How many adopted values are not cleaned up yet: in use, or being cleaned up by the reaper.
    ///
    /// Other threads may change that at any time.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::AsyncDropReaper;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let mut reaper = AsyncDropReaper::new();
    /// assert_eq!(reaper.handle().pending(), 0);
    /// # reaper.async_drop().await.unwrap();
    /// # }
    /// ```
    #[must_use]
    pub fn pending(&self) -> usize {
        self.registry.len()
    }
}

impl Debug for ReaperHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.registry.show("ReaperHandle", f)
    }
}

/// A guarded value that an [`AsyncDropReaper`] has adopted. It derefs to the value.
///
/// End it with [`async_drop`](Self::async_drop), as you would end the guard.
/// Dropped without that, or in the middle of it, it hands the value to the reaper, which runs the cleanup from the start.
/// That never panics and never blocks, on any thread, in a runtime or outside of one, during a panic or not.
/// Where there is no reaper left that could take the value, the value is dropped and that is an
/// [incident](crate::incident); a panic of the hook goes no further.
///
/// Like a guard it cannot be cloned.
/// For several owners let the reaper adopt each [`AsyncDropArc`](crate::AsyncDropArc) of the value:
///
/// ```compile_fail,E0277
/// # use asyncdrop::{AsyncDrop, Reaped, async_trait};
/// # #[derive(Debug, Clone)]
/// # struct Session;
/// # #[async_trait]
/// # impl AsyncDrop for Session {
/// #     type Error = std::convert::Infallible;
/// #     async fn async_drop_impl(&mut self) -> Result<(), Self::Error> { Ok(()) }
/// # }
/// fn copy(session: Reaped<Session>) {
///     let copy = session.clone();
/// }
/// ```
///
/// # Panics
///
/// Using the value after [`async_drop`](Self::async_drop) returned panics and names the type.
///
/// # Examples
///
/// ```
/// # use asyncdrop::{AsyncDrop, AsyncDropGuard, AsyncDropReaper, async_trait};
/// # #[derive(Debug)]
/// # struct Session { user: &'static str }
/// # #[async_trait]
/// # impl AsyncDrop for Session {
/// #     type Error = String;
/// #     async fn async_drop_impl(&mut self) -> Result<(), String> { Err("the line is dead".into()) }
/// # }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let mut reaper = AsyncDropReaper::new();
/// let mut session = reaper.adopt(AsyncDropGuard::new(Session { user: "ada" }));
/// session.user = "grace";
/// drop(session);
///
/// let errors = reaper.async_drop().await.unwrap_err();
/// assert!(errors.to_string().ends_with(": the line is dead"), "{errors}");
/// # }
/// ```
#[must_use = "dropped at once, its value is handed to the reaper and cleaned up at once; bind it to a name"]
pub struct Reaped<T>
where
    T: AsyncDrop<Error: Into<Box<dyn Error + Send + Sync>>> + Debug + Send + 'static,
{
    guard: AsyncDropGuard<T>,
    /// `None` once the value was cleaned up, and where the reaper had ended before the adoption.
    ward: Option<Ward>,
}

impl<T> Reaped<T>
where
    T: AsyncDrop<Error: Into<Box<dyn Error + Send + Sync>>> + Debug + Send + 'static,
{
    /// Cleans the value up, right here, then drops it. The reaper has nothing more to do with it.
    ///
    /// It does what [`AsyncDropGuard::async_drop`] does. A second call returns `Ok(())`.
    ///
    /// # Errors
    ///
    /// The error of the cleanup. It is returned once, here, and the reaper does not list it.
    ///
    /// # Panics
    ///
    /// A panic of the cleanup goes on. The value is still there: the reaper gets it when `self` is dropped.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future before its first poll changes nothing.
    /// Dropping it later leaves the value in its place: call `async_drop` again, which starts the cleanup again,
    /// or drop the [`Reaped`] and let the reaper do so.
    ///
    /// # Examples
    ///
    /// A cleanup that takes too long is left to the reaper:
    ///
    /// ```
    /// # use asyncdrop::{AsyncDrop, AsyncDropGuard, AsyncDropReaper, async_trait};
    /// # use std::{convert::Infallible, time::Duration};
    /// # #[derive(Debug)]
    /// # struct Upload;
    /// # #[async_trait]
    /// # impl AsyncDrop for Upload {
    /// #     type Error = Infallible;
    /// #     async fn async_drop_impl(&mut self) -> Result<(), Infallible> {
    /// #         tokio::time::sleep(Duration::from_millis(20)).await;
    /// #         Ok(())
    /// #     }
    /// # }
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// # let mut reaper = AsyncDropReaper::new();
    /// let mut upload = reaper.adopt(AsyncDropGuard::new(Upload));
    /// let limit = Duration::from_millis(5);
    /// if tokio::time::timeout(limit, upload.async_drop()).await.is_err() {
    ///     drop(upload);
    /// }
    /// assert_eq!(reaper.pending(), 1);
    /// reaper.async_drop().await.unwrap();
    /// # }
    /// ```
    #[must_use = "without `.await` nothing is cleaned up here, and the reaper does it when the value is dropped; with it, the `Result` has the error of the cleanup"]
    pub async fn async_drop(&mut self) -> Result<(), T::Error> {
        let result = self.guard.async_drop().await;
        if let Some(ward) = self.ward.take() {
            ward.end(None);
        }
        result
    }

    /// Never callable: it takes the place of a `clone` that would be found on `T` through [`Deref`],
    /// and would make a copy of the value that nobody cleans up.
    #[doc(hidden)]
    #[expect(
        clippy::should_implement_trait,
        reason = "a `Reaped` must not be `Clone`; this makes the compiler say why"
    )]
    pub fn clone(&self) -> Self
    where
        T: AdoptedOnce,
    {
        // No type implements the trait, so nobody can get here.
        unreachable!("a `Reaped` cannot be cloned")
    }

    /// Never callable, for the same reason: `to_owned` is `clone` under another name.
    #[doc(hidden)]
    pub fn to_owned(&self) -> Self
    where
        T: AdoptedOnce,
    {
        unreachable!("a `Reaped` cannot be cloned")
    }
}

/// Implemented by nothing. It exists for the error message of [`Reaped::clone`].
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "a `Reaped` cannot be cloned: the copy of its value would have nobody to clean it up",
    label = "this value was adopted once",
    note = "to share the value, wrap its guard, `let shared = AsyncDropArc::new(guard)`, and adopt each owner, `reaper.adopt(AsyncDropArc::clone(&shared))`"
)]
pub trait AdoptedOnce {}

impl<T> Drop for Reaped<T>
where
    T: AsyncDrop<Error: Into<Box<dyn Error + Send + Sync>>> + Debug + Send + 'static,
{
    fn drop(&mut self) {
        let guard = self.guard.take();
        match self.ward.take() {
            Some(ward) if guard.is_dropped() => ward.end(None),
            Some(ward) => hand_over(ward, guard),
            None => report_as_incident(guard),
        }
    }
}

impl<T> Deref for Reaped<T>
where
    T: AsyncDrop<Error: Into<Box<dyn Error + Send + Sync>>> + Debug + Send + 'static,
{
    type Target = T;

    #[track_caller]
    fn deref(&self) -> &T {
        &self.guard
    }
}

impl<T> DerefMut for Reaped<T>
where
    T: AsyncDrop<Error: Into<Box<dyn Error + Send + Sync>>> + Debug + Send + 'static,
{
    #[track_caller]
    fn deref_mut(&mut self) -> &mut T {
        &mut self.guard
    }
}

impl<T> Debug for Reaped<T>
where
    T: AsyncDrop<Error: Into<Box<dyn Error + Send + Sync>>> + Debug + Send + 'static,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Reaped").field(&self.guard).finish()
    }
}

/// Starts the task that cleans up a value which its owner has dropped.
fn hand_over<T>(ward: Ward, guard: AsyncDropGuard<T>)
where
    T: AsyncDrop<Error: Into<Box<dyn Error + Send + Sync>>> + Debug + Send + 'static,
{
    if !ward.begin_cleanup() {
        report_as_incident(guard);
        return;
    }
    let Ward { registry, id } = &ward;
    let (registry, id) = (Arc::clone(registry), *id);
    let job = Job {
        guard,
        ward,
        error: None,
    };
    // A runtime that has ended drops the job at once, and the job reports it.
    let task = contain_panic(|| registry.runtime.spawn(job.run()).abort_handle());
    if let Some(task) = task {
        registry.remember_task(id, task);
    }
}

/// Drops a guard whose value nobody will clean up, in a place that must not panic.
fn report_as_incident<T: Debug>(guard: AsyncDropGuard<T>) {
    contain_panic(|| drop(guard));
}

/// The cleanup of one value, in its task.
struct Job<T>
where
    T: AsyncDrop<Error: Into<Box<dyn Error + Send + Sync>>> + Debug + Send + 'static,
{
    guard: AsyncDropGuard<T>,
    ward: Ward,
    error: Option<HeldError<CleanupError>>,
}

impl<T> Job<T>
where
    T: AsyncDrop<Error: Into<Box<dyn Error + Send + Sync>>> + Debug + Send + 'static,
{
    #[expect(
        clippy::manual_async_fn,
        reason = "an `async fn` keeps room for the job twice, for its argument and for its variable"
    )]
    fn run(mut self) -> impl Future<Output = ()> + Send {
        async move {
            // After a panic nobody looks at the value again: it is only reported.
            let cause = match AssertUnwindSafe(self.guard.async_drop())
                .catch_unwind()
                .await
            {
                Ok(Ok(())) => return,
                Ok(Err(error)) => CleanupError::failed(error),
                Err(panic) => CleanupError::panicked(panic),
            };
            self.fail(cause);
        }
    }

    fn fail(&mut self, cause: CleanupError) {
        let created_at = self.guard.created_at();
        self.error = Some(HeldError::from_cleanup_of::<T>(cause, created_at));
    }
}

/// Every end of a job leads here: its own, the end of the runtime, and the deadline of a shutdown.
impl<T> Drop for Job<T>
where
    T: AsyncDrop<Error: Into<Box<dyn Error + Send + Sync>>> + Debug + Send + 'static,
{
    fn drop(&mut self) {
        let guard = self.guard.take();
        if !guard.is_dropped() {
            if self.error.is_none() && self.ward.is_given_up() {
                // The error of `shutdown` has reported it.
                contain_panic(|| drop(guard.unsafe_into_inner_dont_drop()));
            } else {
                report_as_incident(guard);
                if self.error.is_none() {
                    self.fail(CleanupError::RuntimeEnded);
                }
            }
        }
        self.ward.end(self.error.take());
    }
}

/// The place of one value in the registry of its reaper.
struct Ward {
    registry: Arc<Registry>,
    id: u64,
}

impl Ward {
    /// Whether the reaper will clean the value up. From now on it does.
    fn begin_cleanup(&self) -> bool {
        let mut state = self.registry.lock();
        let state = &mut *state;
        match state.entries.get_mut(&self.id) {
            Some(entry) => {
                entry.stage = Stage::CleaningUp(None);
                state.handed_over += 1;
                true
            }
            // The reaper has ended.
            None => false,
        }
    }

    fn is_given_up(&self) -> bool {
        let state = self.registry.lock();
        let entry = state.entries.get(&self.id);
        entry.is_some_and(|entry| matches!(entry.stage, Stage::GivenUp))
    }

    /// Takes the value off the registry, and wakes the reaper if it was the last one.
    fn end(&self, error: Option<HeldError<CleanupError>>) {
        let mut state = self.registry.lock();
        let entry = state.entries.remove(&self.id);
        let late = if state.ended {
            error
        } else {
            state.errors.extend(error);
            None
        };
        let waiter = if state.entries.is_empty() {
            state.waiter.take()
        } else {
            None
        };
        drop(state);
        // What is dropped here may run code of others, so the lock is let go before.
        drop(entry);
        // Nobody will ask for the errors of an ended reaper: it becomes an incident.
        contain_panic(|| drop(late));
        if let Some(waiter) = waiter {
            waiter.wake();
        }
    }
}

/// What a reaper and its handles share.
struct Registry {
    runtime: Handle,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The values that are not cleaned up yet, in the order of their adoption.
    entries: BTreeMap<u64, Entry>,
    next_id: u64,
    /// No value is adopted any more, and none is taken over. Only cleanups that had begun are left in `entries`.
    ended: bool,
    /// How many cleanups the reaper has begun.
    handed_over: usize,
    errors: Vec<HeldError<CleanupError>>,
    /// Who waits until there are no entries. There is one at most: it has `&mut` to the reaper.
    waiter: Option<Waker>,
}

struct Entry {
    value: ValueOrigin,
    stage: Stage,
}

enum Stage {
    InUse,
    /// `None` for the moment until the task was started.
    CleaningUp(Option<AbortHandle>),
    /// A shutdown did not wait for the end of the cleanup, and has named the value in its error.
    GivenUp,
}

impl Registry {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many values there are.
    fn len(&self) -> usize {
        self.lock().entries.len()
    }

    /// Counts under the lock and writes after it: the writer is code of others, which may wait, or use the reaper itself.
    fn show(&self, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock();
        let is_in_use = |entry: &&Entry| matches!(entry.stage, Stage::InUse);
        let in_use = state.entries.values().filter(is_in_use).count();
        let being_cleaned_up = state.entries.len() - in_use;
        let errors = state.errors.len();
        drop(state);
        f.debug_struct(name)
            .field("in_use", &in_use)
            .field("being_cleaned_up", &being_cleaned_up)
            .field("errors", &errors)
            .finish()
    }

    /// Enters a value, unless it is cleaned up already or the reaper has ended.
    fn admit<T: Debug>(self: &Arc<Self>, guard: &AsyncDropGuard<T>) -> Option<Ward> {
        let mut state = self.lock();
        if state.ended || guard.is_dropped() {
            return None;
        }
        let id = state.next_id;
        state.next_id += 1;
        let entry = Entry {
            value: ValueOrigin::of::<T>(guard.created_at()),
            stage: Stage::InUse,
        };
        state.entries.insert(id, entry);
        Some(Ward {
            registry: Arc::clone(self),
            id,
        })
    }

    /// Remembers how to stop a task that was just started.
    fn remember_task(&self, id: u64, task: AbortHandle) {
        let mut state = self.lock();
        match state.entries.get_mut(&id).map(|entry| &mut entry.stage) {
            Some(Stage::CleaningUp(slot)) => *slot = Some(task),
            Some(Stage::GivenUp) => {
                drop(state);
                task.abort();
            }
            // It has ended already.
            Some(Stage::InUse) | None => {}
        }
    }

    fn poll_empty(&self, context: &mut Context<'_>) -> Poll<MutexGuard<'_, State>> {
        // Cloned before the lock is taken, because a waker is code of others.
        let waker = context.waker().clone();
        let mut state = self.lock();
        if state.entries.is_empty() {
            return Poll::Ready(state);
        }
        let before = state.waiter.replace(waker);
        drop(state);
        // The last waker of a task may drop the task, and what that owns.
        drop(before);
        Poll::Pending
    }

    /// Ends the reaper once every value is gone.
    fn poll_end(&self, context: &mut Context<'_>) -> Poll<Result<(), CleanupErrors>> {
        let mut state = ready!(self.poll_empty(context));
        state.ended = true;
        Poll::Ready(state.take_errors())
    }

    /// Ends the reaper, and says what it leaves behind.
    fn give_up(&self, limit: Duration) -> Result<(), ShutdownError> {
        let (mut in_use, mut being_cleaned_up, mut tasks) = (Vec::new(), Vec::new(), Vec::new());
        let mut state = self.lock();
        state.ended = true;
        state.entries.retain(
            |_, entry| match mem::replace(&mut entry.stage, Stage::GivenUp) {
                Stage::InUse => {
                    in_use.push(entry.value.clone());
                    false
                }
                Stage::CleaningUp(task) => {
                    being_cleaned_up.push(entry.value.clone());
                    tasks.extend(task);
                    true
                }
                Stage::GivenUp => true,
            },
        );
        let errors = state.take_errors();
        drop(state);
        for task in tasks {
            task.abort();
        }
        ShutdownError::at_deadline(limit, in_use, being_cleaned_up, errors)
    }

    /// Ends the reaper without asking it for anything. Cleanups that had begun go on.
    fn close(&self) {
        let mut state = self.lock();
        state.ended = true;
        let in_use = |entry: &Entry| matches!(entry.stage, Stage::InUse);
        state.entries.retain(|_, entry| !in_use(entry));
        let errors = mem::take(&mut state.errors);
        let waiter = state.waiter.take();
        drop(state);
        drop(waiter);
        // Each that is left becomes an incident.
        drop(errors);
    }
}

impl State {
    fn take_errors(&mut self) -> Result<(), CleanupErrors> {
        CleanupErrors::check_held(mem::take(&mut self.errors), self.handed_over)
    }
}
