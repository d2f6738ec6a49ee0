//! What the crate reports instead of losing it, and the hook that it reports to.
//!
//! Some things go wrong when no `Result` can tell you: a guard goes out of scope without its cleanup,
//! or a cleanup fails while an earlier error is on its way to the caller, or a cancellation keeps its error from the caller.
//! Each is an [`Incident`], and each is passed to the hook of the process, which works like the one of [`std::panic`](mod@std::panic).
//!
//! If a cleanup was missed on a thread that is not already unwinding, the default hook panics.
//! Everything else it writes to standard error, one line each.
//! If you set a hook of your own, it replaces all of that: nothing is printed and nothing panics unless your hook does it.
//!
//! # Examples
//!
//! In production you can log instead of panicking:
//!
//! ```
//! use asyncdrop::incident::{self, IncidentKind};
//!
//! incident::set_hook(Box::new(|incident| match incident.kind() {
//!     IncidentKind::Suppressed => tracing::warn!(at = %incident.location(), "{incident}"),
//!     _ => tracing::error!(at = %incident.location(), "{incident}"),
//! }));
//! ```

use std::fmt::{self, Debug, Display};
use std::io::Write;
use std::mem;
use std::panic::Location;
use std::sync::{Arc, PoisonError, RwLock};
use std::thread;

use crate::origin::ValueOrigin;
use crate::panics::{contain_panic, without_a_second_panic};
use crate::type_names::Shown;

/// Tells you what kind of thing went wrong.
///
/// # Examples
///
/// ```
/// # use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
/// # use std::convert::Infallible;
/// use asyncdrop::incident::{self, IncidentKind};
/// # #[derive(Debug)]
/// # struct Lease;
/// # #[async_trait]
/// # impl AsyncDrop for Lease {
/// #     type Error = Infallible;
/// #     async fn async_drop_impl(&mut self) -> Result<(), Infallible> { Ok(()) }
/// # }
///
/// incident::set_hook(Box::new(|incident| match incident.kind() {
///     IncidentKind::Forgotten | IncidentKind::Interrupted => std::process::abort(),
///     _ => eprintln!("{incident}"),
/// }));
/// # let _ = incident::take_hook();
/// # incident::set_hook(Box::new(|_| {}));
/// # drop(AsyncDropGuard::new(Lease));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum IncidentKind {
    /// A guard was dropped, and its cleanup had never begun.
    Forgotten,
    /// A guard was dropped after its cleanup had begun but before it had finished.
    Interrupted,
    /// A cleanup failed, but its error could not be returned,
    /// because an earlier error was, or because a cancellation or a panic kept it from the caller.
    Suppressed,
}

/// One thing that went wrong when no `Result` could tell you.
///
/// It displays as one message that tells you what happened, to which value, and where its guard was created.
///
/// # Examples
///
/// ```
/// # use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
/// # use std::convert::Infallible;
/// use asyncdrop::incident;
/// # #[derive(Debug)]
/// # struct Lease;
/// # #[async_trait]
/// # impl AsyncDrop for Lease {
/// #     type Error = Infallible;
/// #     async fn async_drop_impl(&mut self) -> Result<(), Infallible> { Ok(()) }
/// # }
///
/// incident::set_hook(Box::new(|incident| {
///     // "Forgot to call async_drop on Lease, created at src/main.rs:12:17"
///     eprintln!("{incident}");
/// #     assert!(incident.to_string().starts_with("Forgot to call async_drop on Lease, created at "));
/// }));
/// # drop(AsyncDropGuard::new(Lease));
/// ```
pub struct Incident<'a> {
    kind: IncidentKind,
    origin: &'a ValueOrigin,
    /// The value of a missed cleanup, or the error that was suppressed.
    subject: &'a dyn Debug,
}

impl<'a> Incident<'a> {
    pub(crate) fn missed_cleanup(
        kind: IncidentKind,
        value: &'a dyn Debug,
        origin: &'a ValueOrigin,
    ) -> Self {
        Self {
            kind,
            origin,
            subject: value,
        }
    }

    pub(crate) fn suppressed(error: &'a dyn Debug, origin: &'a ValueOrigin) -> Self {
        Self {
            kind: IncidentKind::Suppressed,
            origin,
            subject: error,
        }
    }

    /// Tells you what kind of thing went wrong.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
    /// # use std::convert::Infallible;
    /// use asyncdrop::incident::{self, IncidentKind};
    /// # #[derive(Debug)]
    /// # struct Lease;
    /// # #[async_trait]
    /// # impl AsyncDrop for Lease {
    /// #     type Error = Infallible;
    /// #     async fn async_drop_impl(&mut self) -> Result<(), Infallible> { Ok(()) }
    /// # }
    ///
    /// incident::set_hook(Box::new(|incident| {
    ///     if incident.kind() != IncidentKind::Suppressed {
    ///         eprintln!("a cleanup is missing: {incident}");
    ///     }
    /// #     assert_eq!(incident.kind(), IncidentKind::Forgotten);
    /// }));
    /// # drop(AsyncDropGuard::new(Lease));
    /// ```
    #[must_use]
    pub fn kind(&self) -> IncidentKind {
        self.kind
    }

    /// The type of the value whose cleanup was missed or failed, as [`std::any::type_name`] gives it.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
    /// # use std::convert::Infallible;
    /// use asyncdrop::incident;
    /// # #[derive(Debug)]
    /// # struct Lease;
    /// # #[async_trait]
    /// # impl AsyncDrop for Lease {
    /// #     type Error = Infallible;
    /// #     async fn async_drop_impl(&mut self) -> Result<(), Infallible> { Ok(()) }
    /// # }
    ///
    /// incident::set_hook(Box::new(|incident| {
    ///     eprintln!("a {} was not cleaned up", incident.type_name());
    /// #     assert!(incident.type_name().ends_with("Lease"));
    /// }));
    /// # drop(AsyncDropGuard::new(Lease));
    /// ```
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        self.origin.type_name()
    }

    /// The place at which you created the guard of the value.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
    /// # use std::convert::Infallible;
    /// use asyncdrop::incident;
    /// # #[derive(Debug)]
    /// # struct Lease;
    /// # #[async_trait]
    /// # impl AsyncDrop for Lease {
    /// #     type Error = Infallible;
    /// #     async fn async_drop_impl(&mut self) -> Result<(), Infallible> { Ok(()) }
    /// # }
    ///
    /// incident::set_hook(Box::new(|incident| {
    ///     let location = incident.location();
    ///     eprintln!("{}, line {}", location.file(), location.line());
    /// #     assert!(location.line() > 0);
    /// }));
    /// # drop(AsyncDropGuard::new(Lease));
    /// ```
    #[must_use]
    pub fn location(&self) -> &'static Location<'static> {
        self.origin.location()
    }
}

impl Display for Incident<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            kind,
            origin,
            subject,
        } = self;
        let named = origin.name().map(|name| format!("{name:?} ({subject:?})"));
        let value = named.unwrap_or_else(|| format!("{subject:?}"));
        let location = origin.location();
        match kind {
            IncidentKind::Forgotten => {
                write!(
                    f,
                    "Forgot to call async_drop on {value}, created at {location}"
                )
            }
            IncidentKind::Interrupted => write!(
                f,
                "async_drop on {value} was interrupted before it finished, created at {location}"
            ),
            IncidentKind::Suppressed => {
                let type_name = Shown(origin.type_name()).to_string();
                let named = origin.name().map(|name| format!("{name:?} ({type_name})"));
                let value = named.unwrap_or(type_name);
                write!(
                    f,
                    "Suppressed an error of {value}: {subject:?}, created at {location}"
                )
            }
        }
    }
}

impl Debug for Incident<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Incident")
            .field("kind", &self.kind)
            .field("type_name", &self.origin.type_name())
            .field("location", &self.origin.location())
            .field("message", &self.to_string())
            .finish()
    }
}

/// The `Debug` output of a value, or the fact that its `Debug` panicked.
///
/// If an incident cannot describe its value, the rest of the message must still come through.
pub(crate) struct DebugText(Option<String>);

impl DebugText {
    pub(crate) fn of(value: &dyn Debug) -> Self {
        Self(contain_panic(|| format!("{value:?}")))
    }
}

impl Debug for DebugText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(text) => f.write_str(text),
            None => f.write_str("<a value whose Debug panicked>"),
        }
    }
}

pub(crate) type Hook = dyn Fn(&Incident<'_>) + Send + Sync;

/// `None` stands for [`default_hook`].
static HOOK: RwLock<Option<Arc<Hook>>> = RwLock::new(None);

/// Replaces the hook to which every incident of this process is reported.
///
/// Your hook is called on the thread, and in the place, where the incident happened: often in a `Drop`, sometimes during a panic.
/// So it must not block for long.
/// If it panics, it does so in that place; but while the thread is already unwinding, its panic is caught.
/// If it forgets a guard itself, it is called for that one too, and so on without end, so keep guards out of it.
///
/// # Examples
///
/// You can count what a test leaves unfinished:
///
/// ```
/// # use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait, incident};
/// # use std::convert::Infallible;
/// # use std::sync::atomic::{AtomicUsize, Ordering};
/// # #[derive(Debug)]
/// # struct Lease;
/// # #[async_trait]
/// # impl AsyncDrop for Lease {
/// #     type Error = Infallible;
/// #     async fn async_drop_impl(&mut self) -> Result<(), Infallible> { Ok(()) }
/// # }
/// static MISSED: AtomicUsize = AtomicUsize::new(0);
///
/// incident::set_hook(Box::new(|_| {
///     MISSED.fetch_add(1, Ordering::Relaxed);
/// }));
/// drop(AsyncDropGuard::new(Lease));
/// assert_eq!(MISSED.load(Ordering::Relaxed), 1);
/// ```
pub fn set_hook(hook: Box<dyn Fn(&Incident<'_>) + Send + Sync>) {
    let old = replace_hook(Some(Arc::from(hook)));
    // What the old hook owned is dropped here, after the lock, because it may itself report an incident.
    drop(old);
}

/// Takes the current hook out, gives it to you, and puts the default one back.
///
/// If you have set no hook, you get the default one.
///
/// # Examples
///
/// Your hook can do something first and then call the one before it:
///
/// ```
/// use asyncdrop::incident;
///
/// let before = incident::take_hook();
/// incident::set_hook(Box::new(move |incident| {
///     tracing::error!("{incident}");
///     before(incident);
/// }));
/// ```
#[must_use = "the hook is removed; use `let _ = take_hook()` if that is all you want"]
pub fn take_hook() -> Box<dyn Fn(&Incident<'_>) + Send + Sync> {
    match replace_hook(None) {
        Some(hook) => Box::new(move |incident| hook(incident)),
        None => Box::new(default_hook),
    }
}

/// `None` is the default hook.
pub(crate) fn replace_hook(hook: Option<Arc<Hook>>) -> Option<Arc<Hook>> {
    let mut current = HOOK.write().unwrap_or_else(PoisonError::into_inner);
    mem::replace(&mut *current, hook)
}

/// Passes an incident to the hook, in such a way that the process outlives it.
pub(crate) fn report(incident: &Incident<'_>) {
    // The value is printed here, before a hook can panic with the message,
    // because a `Debug` that panics while the message of a panic is formatted aborts the process.
    let subject = DebugText::of(incident.subject);
    let incident = &Incident {
        subject: &subject,
        ..*incident
    };
    // The lock is released before the call, so that a hook may itself change the hook.
    let hook = HOOK.read().unwrap_or_else(PoisonError::into_inner).clone();
    // It is dropped in there, too: after a change on another thread this is its last owner.
    without_a_second_panic(move || call_hook(hook.as_deref(), incident));
}

/// `None` is the default hook.
pub(crate) fn call_hook(hook: Option<&Hook>, incident: &Incident<'_>) {
    match hook {
        Some(hook) => hook(incident),
        None => default_hook(incident),
    }
}

fn default_hook(incident: &Incident<'_>) {
    let missed = matches!(
        incident.kind,
        IncidentKind::Forgotten | IncidentKind::Interrupted
    );
    if missed && !thread::panicking() {
        panic!("{incident}");
    }
    // One write of one line, so that the lines of two threads do not mix.
    // It isn't an `eprintln!`, because that panics if standard error is a closed pipe.
    let line = format!("{incident}").replace('\n', " ") + "\n";
    let _ = std::io::stderr().write_all(line.as_bytes());
}
