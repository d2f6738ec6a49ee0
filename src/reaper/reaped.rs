//! What you hold of an adopted value.

use std::fmt::{self, Debug};
use std::ops::{Deref, DerefMut};

use crate::async_drop::AsyncDrop;
use crate::guard::AsyncDropGuard;
use crate::no_clone::no_clone;
use crate::panics::contain_panic;
use crate::reaper::adoption::Adoption;
use crate::reaper::job::Adopted;
use crate::type_names::shown;

/// A guarded value that an [`AsyncDropReaper`](crate::AsyncDropReaper) has adopted. It derefs to the value.
///
/// Clean it up with [`async_drop`](Self::async_drop), as you would a guard.
/// If you drop it without that, or in the middle of it, it hands the value to the reaper, which runs the cleanup from the start.
/// That never panics and never blocks, on any thread, with or without a runtime, even during a panic.
/// If the reaper has ended and cannot take the value, the value is dropped and that is an [incident](crate::incident).
/// If the hook panics, that panic is caught.
///
/// The value lives in a box from its adoption on, and a large one stays there when you hand it over, so that costs no stack.
///
/// Like a guard it cannot be cloned.
/// If you need several owners, let the reaper adopt each [`AsyncDropArc`](crate::AsyncDropArc) of the value:
///
/// ```compile_fail,E0277
/// # use asyncdrop::{AsyncDropWith, BoxedAsyncDropWith, Reaped};
/// fn copy(session: Reaped<BoxedAsyncDropWith<String, std::io::Error>>) {
///     let copy = session.clone();
/// }
/// ```
///
/// # Panics
///
/// If you use the value after [`async_drop`](Self::async_drop) returned, that panics and names the type, and the name if it has one.
///
/// # Examples
///
/// ```
/// # use asyncdrop::{AsyncDropReaper, AsyncDropWith};
/// # #[cfg(feature = "tokio")]
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let mut reaper = AsyncDropReaper::new();
/// let session = AsyncDropWith::new(String::from("ada"), async |user| Err(format!("{user} is still logged in")));
/// let mut session = reaper.adopt(session);
/// session.make_ascii_uppercase();
/// drop(session);
///
/// let errors = reaper.async_drop().await.unwrap_err();
/// assert!(errors.to_string().ends_with(": ADA is still logged in"), "{errors}");
/// # }
/// # #[cfg(not(feature = "tokio"))] fn main() {}
/// ```
#[must_use = "dropped at once, its value is handed to the reaper and cleaned up at once; bind it to a name"]
pub struct Reaped<T: Debug> {
    /// `None` only at the end: in `drop` and in `into_guard`.
    adopted: Option<Box<Adopted<T>>>,
    /// `None` once the value was cleaned up, and if the reaper had ended before the adoption.
    adoption: Option<Adoption>,
    /// Chosen at the adoption, where it is known that the value can be cleaned up in a task.
    /// So a struct with a `Reaped<T>` in it needs no bounds of its own for that.
    hand_over: fn(Adoption, Box<Adopted<T>>),
}

impl<T: Debug> Reaped<T> {
    pub(super) fn new(
        adopted: Box<Adopted<T>>,
        adoption: Option<Adoption>,
        hand_over: fn(Adoption, Box<Adopted<T>>),
    ) -> Self {
        Self {
            adopted: Some(adopted),
            adoption,
            hand_over,
        }
    }

    /// Cleans the value up, right here, then drops it, so the reaper has nothing more to do with it.
    ///
    /// It does what [`AsyncDropGuard::async_drop`] does. If you call it again, it returns `Ok(())`.
    ///
    /// # Errors
    ///
    /// The error of the cleanup. You get it once, here, and the reaper does not list it.
    ///
    /// # Panics
    ///
    /// If the cleanup panics, you get that panic. The value is still there, so the reaper gets it when you drop this.
    ///
    /// # Cancel safety
    ///
    /// If you drop the future before its first poll, nothing has changed.
    /// If you drop it later, the value is still in its place: either call `async_drop` again, which starts the cleanup again,
    /// or drop the [`Reaped`] and let the reaper do so.
    ///
    /// # Examples
    ///
    /// If a cleanup takes too long, you can leave it to the reaper:
    ///
    /// ```
    /// # use asyncdrop::{AsyncDropReaper, AsyncDropWith};
    /// # use std::{io, time::Duration};
    /// # #[cfg(feature = "tokio")]
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// # let mut reaper = AsyncDropReaper::new();
    /// let upload = AsyncDropWith::new((), async |()| {
    ///     tokio::time::sleep(Duration::from_millis(20)).await;
    ///     io::Result::Ok(())
    /// });
    /// let mut upload = reaper.adopt(upload);
    /// let limit = Duration::from_millis(5);
    /// if tokio::time::timeout(limit, upload.async_drop()).await.is_err() {
    ///     drop(upload);
    /// }
    /// assert_eq!(reaper.pending(), 1);
    /// reaper.async_drop().await.unwrap();
    /// # }
    /// # #[cfg(not(feature = "tokio"))] fn main() {}
    /// ```
    #[must_use = "without `.await` nothing is cleaned up here, and the reaper does it when the value is dropped; with it, the `Result` has the error of the cleanup"]
    pub async fn async_drop(&mut self) -> Result<(), T::Error>
    where
        T: AsyncDrop,
    {
        let result = self.adopted_mut().guard.async_drop().await;
        if let Some(adoption) = self.adoption.take() {
            adoption.end_in_place();
        }
        result
    }

    /// Gives the guard back to you. The reaper gives up the value, so cleaning it up is your job again.
    ///
    /// You need it to call a method that consumes the guard or the value, such as a commit,
    /// or to hand the value to code that doesn't know about the reaper.
    /// The guard's state is the same: if it was cleaned up it is done, and if its cleanup was interrupted it is interrupted.
    /// But if you gave the value a name at its adoption, the guard doesn't have it.
    /// The guard leaves the box, so this moves the value, and it is the one operation that moves a large one.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::{AsyncDropReaper, AsyncDropWith, Reaped};
    /// # use std::io;
    /// # #[cfg(feature = "tokio")]
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> io::Result<()> {
    /// # let mut reaper = AsyncDropReaper::new();
    /// let upload = AsyncDropWith::new(vec![1, 2, 3], async |_parts| io::Result::Ok(()));
    /// let upload = reaper.adopt(upload);
    /// // All parts are there, so there is nothing to abort any more.
    /// let parts = AsyncDropWith::into_inner(Reaped::into_guard(upload));
    /// assert_eq!(parts, [1, 2, 3]);
    /// assert_eq!(reaper.pending(), 0);
    /// # reaper.async_drop().await.unwrap();
    /// # Ok(())
    /// # }
    /// # #[cfg(not(feature = "tokio"))] fn main() {}
    /// ```
    pub fn into_guard(mut reaped: Self) -> AsyncDropGuard<T> {
        if let Some(adoption) = reaped.adoption.take() {
            adoption.end_in_place();
        }
        let adopted = reaped.adopted.take().expect("only the end takes it out");
        adopted.guard
    }

    fn adopted(&self) -> &Adopted<T> {
        self.adopted.as_ref().expect("only the end takes it out")
    }

    fn adopted_mut(&mut self) -> &mut Adopted<T> {
        self.adopted.as_mut().expect("only the end takes it out")
    }

    /// A value that has a name is called by it. The guard does not know the name.
    #[track_caller]
    fn assert_not_dropped(&self) {
        let Adopted { guard, name, .. } = self.adopted();
        match name {
            Some(name) if guard.is_dropped() => panic!(
                "{name:?} (AsyncDropGuard<{}>) was used after async_drop, created at {}",
                shown::<T>(),
                guard.created_at(),
            ),
            _ => {}
        }
    }

    /// The guard inside, for what needs its place.
    pub(super) fn guard(&self) -> &AsyncDropGuard<T> {
        &self.adopted().guard
    }
}

no_clone! {
    #[diagnostic::on_unimplemented(
        message = "a `Reaped` cannot be cloned: the copy of its value would have nobody to clean it up",
        label = "this value was adopted once",
        note = "to share the value, wrap its guard, `let shared = AsyncDropArc::new(guard)`, and adopt each owner, `reaper.adopt(AsyncDropArc::clone(&shared))`"
    )]
    pub trait AdoptedOnce;

    impl[T: Debug] Reaped<T> where [T: AdoptedOnce]: clone, to_owned;
}

impl<T: Debug> Drop for Reaped<T> {
    fn drop(&mut self) {
        // `into_guard` has taken it out.
        let Some(mut adopted) = self.adopted.take() else {
            return;
        };
        match self.adoption.take() {
            Some(adoption) if adopted.guard.is_dropped() => adoption.end_in_place(),
            Some(adoption) => (self.hand_over)(adoption, adopted),
            None => {
                adopted.report();
                // asyncdrop: allow(dropped-inside): the guard was reported just now, so its drop has nothing to say
                contain_panic(|| drop(adopted));
            }
        }
    }
}

impl<T: Debug> Deref for Reaped<T> {
    type Target = T;

    #[track_caller]
    fn deref(&self) -> &T {
        self.assert_not_dropped();
        &self.adopted().guard
    }
}

impl<T: Debug> DerefMut for Reaped<T> {
    #[track_caller]
    fn deref_mut(&mut self) -> &mut T {
        self.assert_not_dropped();
        &mut self.adopted_mut().guard
    }
}

impl<T: Debug> Debug for Reaped<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Reaped").field(self.guard()).finish()
    }
}
