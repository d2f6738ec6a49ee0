use std::fmt::{self, Debug};
use std::mem;
use std::ops::{Deref, DerefMut};
use std::pin::pin;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use crate::async_drop::AsyncDrop;
use crate::guard::AsyncDropGuard;
use crate::held_error::HeldError;
use crate::incident::DebugText;
use crate::no_clone::no_clone;
use crate::panics::{DroppedSafely, contain_panic};
use crate::type_names::shown;

/// For your tests: cleans a value up in its [`Drop`], by blocking the thread until the cleanup is done.
///
/// So you don't have to write an `async_drop` before every return of a test, and a failed assertion is covered, too.
/// You use it like the value, because it derefs to it.
///
/// # When not to use it
///
/// Don't use it in anything but tests. If you block a thread of an async runtime, you hold up whatever else it should run,
/// and if the cleanup waits for just that, it never finishes.
///
/// # With tokio
///
/// | dropped | the cleanup may wait for |
/// |---|---|
/// | not in a runtime | other threads, but not a timer, socket or task of tokio |
/// | on a current-thread runtime | other threads only |
/// | on a multi-threaded runtime, in the task of the test | timers, sockets and tasks, for about 128 operations |
/// | on a multi-threaded runtime, inside `tokio::task::block_in_place` | timers, sockets and tasks |
///
/// Tokio grants that many operations on its channels, sockets and timers to one poll of a task.
/// After that, each of them waits until the task has returned to the runtime, but a blocked thread does not do that.
/// If you spawned the task, there is a second problem: what it spawns or wakes is queued for its own thread, the blocked one.
/// You solve both with `block_in_place`, because it tells the runtime about the blocking:
///
/// ```
/// # use asyncdrop::{AsyncDrop, AsyncDropGuard, SyncDrop, async_trait};
/// # #[derive(Debug)]
/// # struct Server;
/// # impl Server {
/// #     fn start() -> AsyncDropGuard<Self> { AsyncDropGuard::new(Self) }
/// # }
/// # #[async_trait]
/// # impl AsyncDrop for Server {
/// #     type Error = tokio::task::JoinError;
/// #     async fn async_drop_impl(&mut self) -> Result<(), Self::Error> {
/// #         tokio::spawn(async {}).await
/// #     }
/// # }
/// # #[tokio::main(flavor = "multi_thread", worker_threads = 2)]
/// # async fn main() {
/// # tokio::spawn(async {
/// let server = SyncDrop::new(Server::start());
/// tokio::task::block_in_place(|| drop(server));
/// # }).await.unwrap();
/// # }
/// ```
///
/// # Panics
///
/// Its `Drop` panics
///
/// - if the cleanup fails,
/// - if the cleanup has not finished within the time limit, 10 seconds unless you choose another one
///   with [`with_time_limit`](Self::with_time_limit).
///   The usual reason is a deadlock: your test runs on a current-thread runtime,
///   but the cleanup waits for a timer, a socket or a task that only the blocked thread could drive.
///   The table above tells you what is possible where,
/// - if the cleanup panics.
///
/// But while the thread is already unwinding it does not panic, and the failure is an [incident](crate::incident) instead.
///
/// If a cleanup itself blocks the thread, instead of returning to be polled again, the limit cannot stop it.
///
/// # Examples
///
/// ```
/// use asyncdrop::{AsyncDrop, AsyncDropGuard, SyncDrop, async_trait};
/// use std::{io, path::PathBuf};
///
/// #[derive(Debug)]
/// struct TestFolder(PathBuf);
///
/// #[async_trait]
/// impl AsyncDrop for TestFolder {
///     type Error = io::Error;
///
///     async fn async_drop_impl(&mut self) -> io::Result<()> {
///         match tokio::fs::remove_dir_all(&self.0).await {
///             // An interrupted run has removed it.
///             Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
///             removed => removed,
///         }
///     }
/// }
///
/// # #[tokio::main(flavor = "multi_thread", worker_threads = 2)]
/// # async fn main() -> io::Result<()> {
/// # let outer = tempfile::tempdir()?;
/// let path = outer.path().join("test");
/// tokio::fs::create_dir(&path).await?;
/// {
///     let folder = SyncDrop::new(AsyncDropGuard::new(TestFolder(path.clone())));
///     assert!(folder.0.exists());
/// }
/// assert!(!path.exists());
/// # Ok(())
/// # }
/// ```
pub struct SyncDrop<T: AsyncDrop + Debug> {
    /// `None` once it was taken out.
    guard: Option<AsyncDropGuard<T>>,
    time_limit: Duration,
}

impl<T: AsyncDrop + Debug> SyncDrop<T> {
    /// Takes over your guard, and cleans its value up when you drop this, within 10 seconds.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::{AsyncDrop, AsyncDropGuard, SyncDrop, async_trait};
    /// # use std::convert::Infallible;
    /// # #[derive(Debug)]
    /// # struct Database { name: &'static str }
    /// # #[async_trait]
    /// # impl AsyncDrop for Database {
    /// #     type Error = Infallible;
    /// #     async fn async_drop_impl(&mut self) -> Result<(), Infallible> { Ok(()) }
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let database = SyncDrop::new(AsyncDropGuard::new(Database { name: "test" }));
    /// assert_eq!(database.name, "test");
    /// // The cleanup runs here.
    /// # }
    /// ```
    pub fn new(guard: AsyncDropGuard<T>) -> Self {
        Self::with_time_limit(guard, Duration::from_secs(10))
    }

    /// Takes over your guard, and cleans its value up when you drop this, within `time_limit`.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::{AsyncDrop, AsyncDropGuard, SyncDrop, async_trait};
    /// # use std::{convert::Infallible, time::Duration};
    /// # #[derive(Debug)]
    /// # struct Database;
    /// # #[async_trait]
    /// # impl AsyncDrop for Database {
    /// #     type Error = Infallible;
    /// #     async fn async_drop_impl(&mut self) -> Result<(), Infallible> { Ok(()) }
    /// # }
    /// let guard = AsyncDropGuard::new(Database);
    /// let _database = SyncDrop::with_time_limit(guard, Duration::from_secs(60));
    /// ```
    pub fn with_time_limit(guard: AsyncDropGuard<T>, time_limit: Duration) -> Self {
        Self {
            guard: Some(guard),
            time_limit,
        }
    }

    /// Gives the guard back to you. You own it now, and cleaning it up is your job.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::{AsyncDrop, AsyncDropGuard, SyncDrop, async_trait};
    /// # use std::convert::Infallible;
    /// # #[derive(Debug)]
    /// # struct Database;
    /// # #[async_trait]
    /// # impl AsyncDrop for Database {
    /// #     type Error = Infallible;
    /// #     async fn async_drop_impl(&mut self) -> Result<(), Infallible> { Ok(()) }
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let database = SyncDrop::new(AsyncDropGuard::new(Database));
    /// let mut database = database.into_inner_dont_drop();
    /// database.async_drop().await.unwrap();
    /// # }
    /// ```
    pub fn into_inner_dont_drop(mut self) -> AsyncDropGuard<T> {
        self.guard.take().expect(ONLY_TAKEN_AT_THE_END)
    }
}

const ONLY_TAKEN_AT_THE_END: &str = "the guard is taken only by `into_inner_dont_drop` and `drop`";

impl<T: AsyncDrop + Debug> Drop for SyncDrop<T> {
    fn drop(&mut self) {
        // It stays where it is: a large value must not be moved onto the stack.
        let Some(guard) = &mut self.guard else {
            return;
        };
        let created_at = guard.created_at();
        if thread::panicking() {
            // A second panic would abort the process. If a cleanup is not done, its guard reports that.
            let outcome = contain_panic(|| block_on_within(self.time_limit, guard.async_drop()));
            if let Some(Ok(Err(error))) = outcome {
                drop(HeldError::from_cleanup_of::<T>(error, created_at));
            }
            return;
        }
        // Each message is complete before the panic begins.
        // A `Debug` of the error that panics while the message of a panic is formatted aborts the process.
        let (message, _error) = match block_on_within(self.time_limit, guard.async_drop()) {
            Ok(Ok(())) => return,
            Ok(Err(error)) => {
                let error = DroppedSafely::new(error);
                let text = DebugText::of(error.get());
                let message = format!(
                    "async_drop on {} failed in SyncDrop: {text:?}, created at {created_at}",
                    shown::<T>(),
                );
                // It is dropped after the panic has begun, so if its `Drop` panics, the message has already been printed.
                (message, Some(error))
            }
            Err(unfinished) => {
                let message = format!(
                    "async_drop on {} did not finish within {:?} in SyncDrop, which blocks this thread: {}. \
                     Call async_drop().await instead, or on a multi-threaded runtime drop it inside \
                     tokio::task::block_in_place. Created at {created_at}",
                    shown::<T>(),
                    self.time_limit,
                    unfinished.reason(),
                );
                (message, None)
            }
        };
        panic!("{message}");
    }
}

no_clone! {
    #[diagnostic::on_unimplemented(
        message = "a `SyncDrop` cannot be cloned: the copy of its value would not be cleaned up",
        label = "this value is cleaned up once",
        note = "to share the value, wrap its guard, `let shared = AsyncDropArc::new(guard)`, and give each owner a `SyncDrop` of its own, `SyncDrop::new(AsyncDropArc::clone(&shared))`"
    )]
    pub trait BlockedOnOnce;
    impl[T: AsyncDrop + Debug] SyncDrop<T> where [T: BlockedOnOnce]: clone, to_owned;
}

impl<T: AsyncDrop + Debug> Deref for SyncDrop<T> {
    type Target = T;

    #[track_caller]
    fn deref(&self) -> &T {
        self.guard.as_ref().expect(ONLY_TAKEN_AT_THE_END)
    }
}

impl<T: AsyncDrop + Debug> DerefMut for SyncDrop<T> {
    #[track_caller]
    fn deref_mut(&mut self) -> &mut T {
        self.guard.as_mut().expect(ONLY_TAKEN_AT_THE_END)
    }
}

impl<T: AsyncDrop + Debug> Debug for SyncDrop<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SyncDrop").field(&self.guard).finish()
    }
}

/// Why a cleanup did not end in time.
enum Unfinished {
    /// It has not been woken since its last poll.
    Waiting,
    /// It was woken, and wanted to be polled once more.
    Running,
}

impl Unfinished {
    fn reason(&self) -> &'static str {
        match self {
            Self::Waiting => {
                "if the cleanup waits for something that only this thread can drive, it is a deadlock"
            }
            Self::Running => {
                "the cleanup was still running, and needs more time, or more operations than tokio grants \
                 to one poll of a task"
            }
        }
    }
}

/// Runs a future on this thread, and gives up after `time_limit`.
///
/// The `block_on` of an executor has no limit, but this must not wait forever.
fn block_on_within<F: Future>(time_limit: Duration, future: F) -> Result<F::Output, Unfinished> {
    let start = Instant::now();
    let mut future = pin!(Some(future));
    let alarm = Arc::new(Alarm::default());
    let waker = Waker::from(Arc::clone(&alarm));
    let mut context = Context::from_waker(&waker);
    let unfinished = loop {
        let running = future.as_mut().as_pin_mut().expect("it is put there above");
        if let Poll::Ready(output) = running.poll(&mut context) {
            return Ok(output);
        }
        let left = time_limit.saturating_sub(start.elapsed());
        let woken = alarm.wait(left);
        if !woken {
            break Unfinished::Waiting;
        }
        if left.is_zero() {
            break Unfinished::Running;
        }
    };
    // The future may own guards, which panic on drop, but the caller is the one to report the reason.
    contain_panic(|| future.set(None));
    Err(unfinished)
}

/// It does not park the thread: that would use up an `unpark` meant for the executor further up the stack.
#[derive(Default)]
struct Alarm {
    rung: Mutex<bool>,
    bell: Condvar,
}

impl Alarm {
    /// Waits until it rings, and returns whether it did within `time_limit`.
    fn wait(&self, time_limit: Duration) -> bool {
        let rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut rung, _) = self
            .bell
            .wait_timeout_while(rung, time_limit, |rung| !*rung)
            .unwrap_or_else(PoisonError::into_inner);
        mem::take(&mut rung)
    }
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        *self.rung.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.bell.notify_one();
    }
}
