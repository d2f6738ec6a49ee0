use std::fmt::Debug;

use crate::async_drop::AsyncDrop;
use crate::errors::DropErrors;
use crate::guard::AsyncDropGuard;
use crate::held_error::HeldError;
use crate::many::{Order, Run};
use crate::panics::{DroppedSafely, FirstPanic};
use crate::unshared::Unshared;

/// Cleans up many values concurrently, and returns every error to you with the key of its value.
///
/// All cleanups run in the task that calls this, and while one waits, the others continue.
/// If one fails or panics, the others still run.
/// This function owns the guards that you pass, and the values are cleaned up and dropped when it returns.
///
/// You can think of it as a `join!` for cleanups of one type,
/// but `a?; b?; c?` after a `join!` would return the first error and lose the others.
///
/// # Errors
///
/// All errors of the cleanups, in the order of your values, if any failed.
///
/// # Panics
///
/// If a cleanup or a value's own [`Drop`] panics, you get that panic once all others are done,
/// and if several panicked, you get the first of them.
/// A value whose cleanup panicked is an [incident](crate::incident) as well, and so are the errors.
///
/// # Cancel safety
///
/// If you drop the future, it drops the guards that are not done yet, and each is an incident.
/// An error that a finished cleanup had already left is reported as
/// [`Suppressed`](crate::incident::IncidentKind::Suppressed).
/// If you want to continue after a timeout, put the guards into an [`AsyncDropHashMap`](crate::AsyncDropHashMap) instead.
///
/// # Examples
///
/// ```
/// use asyncdrop::{AsyncDrop, AsyncDropGuard, async_drop_all, async_trait};
/// use std::io;
/// use tokio::io::{AsyncWriteExt, DuplexStream};
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
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let (primary, _listening) = tokio::io::duplex(64);
/// let (replica, gone) = tokio::io::duplex(64);
/// drop(gone);
///
/// let errors = async_drop_all([
///     ("primary", AsyncDropGuard::new(Connection(primary, b"goodbye"))),
///     ("replica", AsyncDropGuard::new(Connection(replica, b"goodbye"))),
/// ])
/// .await
/// .unwrap_err();
/// assert_eq!(errors.to_string(), r#"1 of 2 cleanups failed: "replica": broken pipe"#);
/// # }
/// ```
// Not an `async fn`, whose future would have room for the guards beside the boxes that they are moved into.
pub fn async_drop_all<K, T>(
    guards: impl IntoIterator<Item = (K, AsyncDropGuard<T>)>,
) -> impl Future<Output = Result<(), DropErrors<K, T::Error>>>
where
    T: AsyncDrop + Debug,
{
    let mut cleanups = Cleanups::default();
    cleanups.extend(
        guards
            .into_iter()
            .map(|(key, guard)| (key, Box::new(guard))),
    );
    async move { cleanups.run().await }
}

/// Values that are being cleaned up concurrently, and what came of those that are done.
///
/// Each value stays in its slot until all are done, with its error beside it, and so does the first panic.
/// So an interrupted run can be resumed: what is done is passed over, and what is not is run.
pub(crate) struct Cleanups<K, T: AsyncDrop + Debug> {
    slots: Vec<Slot<K, T>>,
    /// Of a cleanup, or of the `Drop` of a value that is done and cannot panic again.
    first_panic: Unshared<FirstPanic>,
}

struct Slot<K, T: AsyncDrop + Debug> {
    /// The `Drop` of two keys may panic.
    key: DroppedSafely<K>,
    /// Boxed, so that a large value does not move with its slot.
    guard: Box<AsyncDropGuard<T>>,
    /// Boxed, or each slot would have room for an error that hardly any of them has.
    error: Option<Box<HeldError<T::Error>>>,
}

impl<K, T: AsyncDrop + Debug> Cleanups<K, T> {
    pub(crate) async fn run(&mut self) -> Result<(), DropErrors<K, T::Error>> {
        // After a panic the slots stay, with their errors, for a caller who catches it and calls again.
        self.clean_up_all().await;
        self.first_panic.get_mut().resume();
        let total = self.slots.len();
        // The other keys are dropped here, and one may panic. The errors must not be lost on the way.
        let errors: Vec<_> = self
            .slots
            .drain(..)
            .filter_map(|slot| Some((slot.key, slot.error?)))
            .collect();
        let errors = errors.into_iter();
        DropErrors::check(
            errors
                .map(|(key, error)| (key.into_inner(), error.into_inner()))
                .collect(),
            total,
        )
    }

    /// Leaves each error in its slot, and the first panic beside them.
    async fn clean_up_all(&mut self) {
        // One alone has none to run beside, and so needs no box of its own.
        let order = match self.slots.len() {
            1 => Order::OneByOne,
            _ => Order::Concurrent,
        };
        let mut running = Run::new(order, self.first_panic.get_mut());
        for slot in &mut self.slots {
            if !slot.guard.is_dropped() {
                running.add(slot.clean_up()).await;
            }
        }
        running.finish().await;
    }

    /// The values that are not cleaned up yet.
    pub(crate) fn unfinished(&self) -> impl Iterator<Item = (&K, &AsyncDropGuard<T>)> {
        self.slots
            .iter()
            .filter(|slot| !slot.guard.is_dropped())
            .map(|slot| (slot.key.get(), &*slot.guard))
    }
}

impl<K, T: AsyncDrop + Debug> Slot<K, T> {
    async fn clean_up(&mut self) {
        if let Err(error) = self.guard.async_drop().await {
            let created_at = self.guard.created_at();
            let error = HeldError::from_cleanup_of::<T>(error, created_at);
            self.error = Some(Box::new(error));
        }
    }
}

impl<K, T: AsyncDrop + Debug> Extend<(K, Box<AsyncDropGuard<T>>)> for Cleanups<K, T> {
    fn extend<I: IntoIterator<Item = (K, Box<AsyncDropGuard<T>>)>>(&mut self, guards: I) {
        self.slots
            .extend(guards.into_iter().map(|(key, guard)| Slot {
                key: DroppedSafely::new(key),
                guard,
                error: None,
            }));
    }
}

impl<K, T: AsyncDrop + Debug> Default for Cleanups<K, T> {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            first_panic: Unshared::default(),
        }
    }
}
