use std::fmt::{self, Debug};
use std::mem::{self, ManuallyDrop};
use std::ops::{Deref, DerefMut};
use std::panic::Location;
use std::thread;

use crate::async_drop::AsyncDrop;
use crate::held_error::HeldError;
use crate::incident::{self, Incident, IncidentKind};
use crate::kept_error::KeptError;
use crate::no_clone::no_clone;
use crate::origin::{Name, ValueOrigin};
use crate::panics::contain_panic;
use crate::type_names::shown;

/// Holds a value that must be cleaned up with an `.await`, and tells you if that was forgotten.
///
/// The guard derefs to the value, so you use it like the value. When you are done, clean up with [`async_drop`](Self::async_drop):
///
/// ```
/// # use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
/// # use tokio::{fs::File, io::AsyncWriteExt};
/// #[derive(Debug)]
/// struct Report(File);
///
/// #[async_trait]
/// impl AsyncDrop for Report {
///     type Error = std::io::Error;
///
///     async fn async_drop_impl(&mut self) -> Result<(), Self::Error> {
///         self.0.flush().await?;
///         self.0.sync_all().await
///     }
/// }
///
/// # #[tokio::main]
/// # async fn main() -> std::io::Result<()> {
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("report.txt");
/// let mut report = AsyncDropGuard::new(Report(File::create(path).await?));
/// let written = report.0.write_all(b"all is well").await;
/// report.async_drop().await?;
/// written?;
/// # Ok(())
/// # }
/// ```
///
/// # The states of a guard
///
/// | state | entered by | dropping the guard |
/// |---|---|---|
/// | armed | [`new`](Self::new) | panics: `Forgot to call async_drop on ..` |
/// | interrupted | dropping the future of [`async_drop`](Self::async_drop) after its first poll, or a panic in the cleanup | panics: `async_drop on .. was interrupted before it finished` |
/// | done | [`async_drop`](Self::async_drop) that returned, with `Ok` or `Err` | does nothing |
///
/// Both panics print the value with [`Debug`] and say where the guard was created.
/// So leave secrets out of that `Debug`, because the message ends up in your logs.
/// If you want something other than a panic, set it with [`incident::set_hook`].
/// On a thread that is already unwinding the guard never panics, since that would abort the process.
/// Keep your guards out of `thread_local!`, because Rust aborts the process when such a value panics at the end of its thread.
///
/// # Large values
///
/// While your value is in a guard or in a helper, the library doesn't move it: it is cleaned up, reported and dropped where it is.
/// So the stack needs no room for it, except in a debug build, where finishing a cleanup needs its size once.
/// It is moved only by what returns a guard or a value to you by value, such as [`map_unsafe`](Self::map_unsafe).
///
/// # When not to use it
///
/// - If a synchronous [`Drop`] can do the work, write a `Drop`.
/// - If you need more than one owner, put the guard into an [`AsyncDropArc`](crate::AsyncDropArc), because a guard cannot be cloned.
///
/// # Panics
///
/// If you use the value after [`async_drop`](Self::async_drop) returned, that panics and names the type.
#[must_use = "a guard panics when it is dropped without `.async_drop().await`; `let _ = ..` drops it at once, so bind it to a name"]
pub struct AsyncDropGuard<T: Debug> {
    state: State<T>,
    created_at: &'static Location<'static>,
}

/// The byte of `interrupted` also says which state it is, so a guard is hardly larger than its value.
enum State<T> {
    /// The value is there, armed or interrupted.
    Alive {
        value: T,
        /// Set when a cleanup begins.
        interrupted: bool,
    },
    /// The value was cleaned up, or moved out by a method that consumes the guard.
    Done,
    /// The value was cleaned up, and has left an error for a caller who has more guards to clean up before it can return one.
    ///
    /// The guard's own `Drop` drops it. A state that is dropped by itself costs 2 ns at the end of every guard, where all
    /// that a cleanup by hand costs is 12 ns.
    Failed(ManuallyDrop<Option<KeptError>>),
}

impl<T: Debug> AsyncDropGuard<T> {
    /// Arms a guard around `value`, which the guard owns from now on. You reach it through the guard.
    ///
    /// The guard remembers where you called this, and names the place if the cleanup is missed.
    /// If you pass this function on as a path, the call is in the function that gets it: a guard from
    /// `option.map(AsyncDropGuard::new)` names a line of the standard library, one from
    /// `option.map(|value| AsyncDropGuard::new(value))` yours.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
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
    /// let mut session = AsyncDropGuard::new(Session { user: "ada" });
    /// assert_eq!(session.user, "ada");
    /// session.async_drop().await.unwrap();
    /// # }
    /// ```
    #[track_caller]
    pub fn new(value: T) -> Self
    where
        T: AsyncDrop,
    {
        Self::new_at(value, Location::caller())
    }

    /// [`new`](Self::new) on behalf of a caller further up, who called from `created_at`.
    pub(crate) fn new_at(value: T, created_at: &'static Location<'static>) -> Self
    where
        T: AsyncDrop,
    {
        let state = State::Alive {
            value,
            interrupted: false,
        };
        Self { state, created_at }
    }

    /// Cleans the value up, then drops it.
    ///
    /// This runs [`AsyncDrop::async_drop_impl`] to its end, and then the value's own [`Drop`].
    /// After that the guard is empty, whether or not the cleanup succeeded, so if you call this again it returns `Ok(())`.
    ///
    /// # Errors
    ///
    /// The error of the cleanup. You get it once, because the guard doesn't keep it.
    ///
    /// # Panics
    ///
    /// - If the cleanup panics, you get that panic. The value stays in the guard, which counts as interrupted.
    /// - If the value's own [`Drop`] panics, you get that panic, too. By then the guard is done, so an error of the cleanup
    ///   is reported as a [`Suppressed`](IncidentKind::Suppressed) incident.
    ///
    /// # Cancel safety
    ///
    /// If you drop the future before its first poll, nothing has changed.
    /// If you drop it later, the value is still in the guard: either call `async_drop` again, which starts the cleanup again,
    /// or drop the guard and have the interruption reported.
    ///
    /// # Examples
    ///
    /// A cleanup that took too long is resumed here:
    ///
    /// ```
    /// # use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
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
    /// let mut upload = AsyncDropGuard::new(Upload);
    /// let limit = Duration::from_millis(5);
    /// if tokio::time::timeout(limit, upload.async_drop()).await.is_err() {
    ///     eprintln!("the upload needs more than 5 ms to end");
    ///     upload.async_drop().await.unwrap();
    /// }
    /// assert!(upload.is_dropped());
    /// # }
    /// ```
    #[must_use = "without `.await` nothing is cleaned up, and the guard panics when it is dropped, which `let _ = ..` does not change; with it, the `Result` has the error of the cleanup"]
    #[expect(
        clippy::manual_async_fn,
        reason = "the future of an `async fn` keeps `self` twice, and a program may hold thousands of them"
    )]
    pub fn async_drop(&mut self) -> impl Future<Output = Result<(), T::Error>>
    where
        T: AsyncDrop,
    {
        async move {
            let State::Alive { value, interrupted } = &mut self.state else {
                return Ok(());
            };
            #[cfg(feature = "testing")]
            let begun_before = *interrupted;
            *interrupted = true;
            #[cfg(not(feature = "testing"))]
            let result = value.async_drop_impl().await;
            // A test may ask for every cleanup to be interrupted.
            #[cfg(feature = "testing")]
            let result = match crate::interruption::plan(value, self.created_at, begun_before) {
                Some(plan) => Box::pin(plan.clean_up(value)).await,
                None => value.async_drop_impl().await,
            };
            // Where there is nothing to drop, nothing can panic, and the error needs nobody to hold it.
            if mem::needs_drop::<T>() {
                return self.drop_value(result);
            }
            self.end_in_place();
            result
        }
    }

    /// Drops the value after its cleanup, which its own [`Drop`] may interrupt with a panic.
    ///
    /// Kept out of the future above, which is then small enough to become a part of the future that awaits it.
    #[inline(never)]
    fn drop_value(&mut self, result: Result<(), T::Error>) -> Result<(), T::Error>
    where
        T: AsyncDrop,
    {
        // The error must not be lost on the way.
        let result =
            result.map_err(|error| HeldError::from_cleanup_of::<T>(error, self.created_at));
        self.end_in_place();
        result.map_err(HeldError::into_inner)
    }

    /// Drops the value where it is, because moving a large one out first would need its size again on the stack.
    ///
    /// A function of its own, because a debug build makes room for the new state, which is as large as the old one,
    /// in every function that has this line.
    #[inline]
    pub(crate) fn end_in_place(&mut self) {
        self.state = State::Done;
    }

    /// Tells you whether [`async_drop`](Self::async_drop) has run to its end, with or without success.
    ///
    /// An interrupted cleanup does not count, because the value is still there.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
    /// # use std::convert::Infallible;
    /// # #[derive(Debug)]
    /// # struct Lease;
    /// # #[async_trait]
    /// # impl AsyncDrop for Lease {
    /// #     type Error = Infallible;
    /// #     async fn async_drop_impl(&mut self) -> Result<(), Infallible> { Ok(()) }
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let mut lease = AsyncDropGuard::new(Lease);
    /// assert!(!lease.is_dropped());
    /// lease.async_drop().await.unwrap();
    /// assert!(lease.is_dropped());
    /// # }
    /// ```
    #[must_use]
    pub fn is_dropped(&self) -> bool {
        !matches!(self.state, State::Alive { .. })
    }

    /// Cleans up as [`async_drop`](Self::async_drop) does, but leaves an error with the guard, as what `keep` makes of it.
    ///
    /// There it outlives an interruption of the caller, and becomes an incident if no one takes it.
    pub(crate) async fn async_drop_and_keep_error<E>(&mut self, keep: fn(T::Error) -> E)
    where
        T: AsyncDrop,
        E: Debug + Send + 'static,
    {
        if let Err(error) = self.async_drop().await {
            let error = HeldError::from_cleanup_of::<T>(error, self.created_at).map(keep);
            self.fail(KeptError::new(error));
        }
    }

    /// A function of its own for the reason that [`end_in_place`](Self::end_in_place) is one.
    fn fail(&mut self, error: KeptError) {
        self.state = State::Failed(ManuallyDrop::new(Some(error)));
    }

    /// The error that [`async_drop_and_keep_error`](Self::async_drop_and_keep_error) has left as an `E`.
    pub(crate) fn take_kept_error<E>(&mut self) -> Option<HeldError<E>>
    where
        E: Debug + 'static,
    {
        match &mut self.state {
            State::Failed(kept) => kept.take().map(KeptError::into_inner),
            State::Alive { .. } | State::Done => None,
        }
    }

    /// Takes the value out of its guard, so its cleanup is no longer watched.
    ///
    /// You own the value now, and cleaning it up is your job.
    /// This isn't an `unsafe fn`; the name warns you that the guarantee of this type stops here.
    /// It belongs in the type's own methods, where a value takes itself apart.
    ///
    /// # Panics
    ///
    /// If the value was already cleaned up.
    ///
    /// # Examples
    ///
    /// A method that consumes the guarded value, but still closes what is inside:
    ///
    /// ```
    /// # use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
    /// # use std::io;
    /// # use tokio::io::{AsyncWriteExt, BufWriter};
    /// #[derive(Debug)]
    /// struct Log {
    ///     out: BufWriter<Vec<u8>>,
    /// }
    ///
    /// #[async_trait]
    /// impl AsyncDrop for Log {
    ///     type Error = io::Error;
    ///
    ///     async fn async_drop_impl(&mut self) -> io::Result<()> {
    ///         self.out.flush().await
    ///     }
    /// }
    ///
    /// impl Log {
    ///     async fn finish(this: AsyncDropGuard<Self>) -> io::Result<Vec<u8>> {
    ///         let mut this = this.unsafe_into_inner_dont_drop();
    ///         this.out.flush().await?;
    ///         Ok(this.out.into_inner())
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> io::Result<()> {
    /// let mut log = AsyncDropGuard::new(Log { out: BufWriter::new(Vec::new()) });
    /// let started = log.out.write_all(b"started").await;
    /// started.expect("it stays in the buffer");
    /// assert_eq!(Log::finish(log).await?, b"started");
    /// # Ok(())
    /// # }
    /// ```
    // asyncdrop: allow(dropped-armed): `take_value` leaves a guard behind whose drop has nothing to say
    #[track_caller]
    pub fn unsafe_into_inner_dont_drop(mut self) -> T {
        match self.take_value() {
            Some((value, _)) => value,
            None => self.panic_used_after_async_drop(),
        }
    }

    /// Changes the value inside the guard into another one, which the guard owns from now on.
    ///
    /// Your new value must clean up whatever the old one would have, because the library cannot check that `f` keeps it.
    /// The guard still remembers where you first created it, and an interrupted cleanup stays interrupted.
    ///
    /// # Panics
    ///
    /// If the value was already cleaned up, or if `f` panics. By then `f` owns the value, so it drops it.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
    /// # use std::convert::Infallible;
    /// # #[derive(Debug)]
    /// # struct Socket;
    /// # #[async_trait]
    /// # impl AsyncDrop for Socket {
    /// #     type Error = Infallible;
    /// #     async fn async_drop_impl(&mut self) -> Result<(), Infallible> { Ok(()) }
    /// # }
    /// #[derive(Debug)]
    /// struct LoggedIn {
    ///     socket: Socket,
    ///     user: String,
    /// }
    ///
    /// #[async_trait]
    /// impl AsyncDrop for LoggedIn {
    ///     type Error = Infallible;
    ///
    ///     async fn async_drop_impl(&mut self) -> Result<(), Infallible> {
    ///         self.socket.async_drop_impl().await
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let socket = AsyncDropGuard::new(Socket);
    /// let mut session = socket.map_unsafe(|socket| LoggedIn { socket, user: "ada".into() });
    /// assert_eq!(session.user, "ada");
    /// session.async_drop().await.unwrap();
    /// # }
    /// ```
    // asyncdrop: allow(dropped-armed): `take_value` leaves a guard behind whose drop has nothing to say
    #[track_caller]
    pub fn map_unsafe<U: Debug>(mut self, f: impl FnOnce(T) -> U) -> AsyncDropGuard<U> {
        match self.take_value() {
            Some((value, interrupted)) => AsyncDropGuard {
                state: State::Alive {
                    value: f(value),
                    interrupted,
                },
                created_at: self.created_at,
            },
            None => self.panic_used_after_async_drop(),
        }
    }

    /// Moves the value into a box, so that you can treat guards of different types as guards of one trait object.
    ///
    /// # Panics
    ///
    /// If the value was already cleaned up.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
    /// # use std::{convert::Infallible, fmt::Debug};
    /// # #[derive(Debug)]
    /// # struct TcpTransport;
    /// # #[async_trait]
    /// # impl AsyncDrop for TcpTransport {
    /// #     type Error = Infallible;
    /// #     async fn async_drop_impl(&mut self) -> Result<(), Infallible> { Ok(()) }
    /// # }
    /// trait Transport: AsyncDrop<Error = Infallible> + Debug + Send {
    ///     fn name(&self) -> &str;
    /// }
    ///
    /// impl Transport for TcpTransport {
    ///     fn name(&self) -> &str {
    ///         "tcp"
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let mut transport: AsyncDropGuard<Box<dyn Transport>> =
    ///     AsyncDropGuard::new(TcpTransport).into_box().map_unsafe(|transport| transport as _);
    /// assert_eq!(transport.name(), "tcp");
    /// transport.async_drop().await.unwrap();
    /// # }
    /// ```
    #[track_caller]
    pub fn into_box(self) -> AsyncDropGuard<Box<T>> {
        self.map_unsafe(Box::new)
    }

    /// The value, and whether its cleanup was interrupted.
    fn take_value(&mut self) -> Option<(T, bool)> {
        match mem::replace(&mut self.state, State::Done) {
            State::Alive { value, interrupted } => Some((value, interrupted)),
            done => {
                self.state = done;
                None
            }
        }
    }

    /// The place at which the guard was created.
    pub(crate) fn created_at(&self) -> &'static Location<'static> {
        self.created_at
    }

    #[cold]
    #[track_caller]
    fn panic_used_after_async_drop(&self) -> ! {
        panic!(
            "AsyncDropGuard<{}> was used after async_drop, created at {}",
            shown::<T>(),
            self.created_at,
        )
    }

    /// Reports that the cleanup was missed, of a value under this name, and drops the value. Then the guard is done.
    pub(crate) fn miss_cleanup(&mut self, name: Option<Name>) {
        if !self.is_dropped() {
            self.report_missed_cleanup(name);
            self.end_in_place();
        }
    }

    /// What happens if a guard goes out of scope with a value that is not cleaned up: the whole policy.
    #[cold]
    fn report_missed_cleanup(&mut self, name: Option<Name>) {
        let guard = EndedInPlace(self);
        let State::Alive { value, interrupted } = &guard.0.state else {
            return;
        };
        let kind = if *interrupted {
            IncidentKind::Interrupted
        } else {
            IncidentKind::Forgotten
        };
        let origin = ValueOrigin::of::<T>(guard.0.created_at);
        let origin = match name {
            Some(name) => origin.named(name),
            None => origin,
        };
        incident::report(&Incident::missed_cleanup(kind, value, &origin));
    }
}

impl<T> State<T> {
    /// Assigned as a constant, it needs no room on the stack, even in a debug build, but its size in the program.
    ///
    /// The value that is dropped for it may own guards, which own guards, and each does the same within the one before.
    const DONE: Self = Self::Done;
}

/// Drops the value of a guard whose report may have ended in a panic.
struct EndedInPlace<'a, T: Debug>(&'a mut AsyncDropGuard<T>);

impl<T: Debug> Drop for EndedInPlace<'_, T> {
    fn drop(&mut self) {
        // Otherwise the value is dropped with its guard, and a panic of its `Drop` is passed on.
        if thread::panicking() {
            contain_panic(|| self.0.state = State::DONE);
        }
    }
}

no_clone! {
    #[diagnostic::on_unimplemented(
        message = "an `AsyncDropGuard` cannot be cloned: two guards would clean up one value twice",
        label = "this guard has one owner",
        note = "to share the value, wrap the guard once, `let shared = AsyncDropArc::new(guard)`, and call `AsyncDropArc::clone(&shared)` for each further owner",
        note = "a guard that is an `AsyncDropArc` or an `AsyncDropShared` is wrapped already: call `AsyncDropArc::clone(&guard)` or `AsyncDropShared::clone(&guard)`"
    )]
    pub trait SharedByClone;
    impl[T: Debug] AsyncDropGuard<T> where [T: SharedByClone]: clone, to_owned;
}

impl<T: Debug> Drop for AsyncDropGuard<T> {
    fn drop(&mut self) {
        match &mut self.state {
            State::Done => {}
            State::Alive { .. } => self.report_missed_cleanup(None),
            State::Failed(kept) => drop(kept.take()),
        }
    }
}

impl<T: Debug> Deref for AsyncDropGuard<T> {
    type Target = T;

    #[track_caller]
    fn deref(&self) -> &T {
        match &self.state {
            State::Alive { value, .. } => value,
            State::Done | State::Failed(_) => self.panic_used_after_async_drop(),
        }
    }
}

impl<T: Debug> DerefMut for AsyncDropGuard<T> {
    #[track_caller]
    fn deref_mut(&mut self) -> &mut T {
        // `ref mut` borrows in this arm alone; matching on `&mut self.state` would borrow in both.
        match self.state {
            State::Alive { ref mut value, .. } => value,
            State::Done | State::Failed(_) => self.panic_used_after_async_drop(),
        }
    }
}

impl<T: Debug> Debug for AsyncDropGuard<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.state {
            State::Alive { value, .. } => f.debug_tuple("AsyncDropGuard").field(value).finish(),
            State::Done | State::Failed(_) => f.write_str("AsyncDropGuard(<dropped>)"),
        }
    }
}
