//! Owners of one thing, which the last of them gets when it is given up.

use std::mem;
use std::sync::Arc;

use crate::type_names::shown;

/// One of several owners.
///
/// `T` moves from the [`Arc`] into the last owner, so it should be small: put a large one into a box.
pub(crate) enum Owner<T> {
    Sharing(Arc<T>),
    /// This was the last owner, and has it to itself.
    Last(T),
    /// This owner was given up while others remained, or it has given the thing away.
    LetGo,
}

impl<T> Owner<T> {
    /// The first owner of `thing`.
    pub(crate) fn new(thing: T) -> Self {
        Self::Sharing(Arc::new(thing))
    }

    /// What new owners are made of, unless this one was given up.
    #[track_caller]
    pub(crate) fn shared<Whose>(&self) -> &Arc<T> {
        match self {
            Self::Sharing(arc) => arc,
            Self::Last(_) | Self::LetGo => panic_no_new_owner::<Whose>(),
        }
    }

    /// The thing, unless this owner was given up.
    pub(crate) fn get(&self) -> Option<&T> {
        match self {
            Self::Sharing(arc) => Some(arc),
            Self::Last(thing) => Some(thing),
            Self::LetGo => None,
        }
    }

    /// Gives this owner up, and returns the thing if it was the last, which keeps it.
    pub(crate) fn let_go(&mut self) -> Option<&mut T> {
        if let Some(thing) = mem::replace(self, Self::LetGo).into_last() {
            *self = Self::Last(thing);
        }
        match self {
            Self::Last(thing) => Some(thing),
            Self::Sharing(_) | Self::LetGo => None,
        }
    }

    /// Gives this owner up, and returns the thing if it was the last.
    pub(crate) fn into_last(self) -> Option<T> {
        match self {
            // `into_inner` returns it to exactly one of several owners that call it at the same time.
            // Looking at the count first and then dropping the `Arc` would not.
            Self::Sharing(arc) => Arc::into_inner(arc),
            Self::Last(thing) => Some(thing),
            Self::LetGo => None,
        }
    }
}

#[cold]
#[track_caller]
pub(crate) fn panic_no_new_owner<Whose>() -> ! {
    panic!(
        "{} gets no new owner: its cleanup has begun",
        shown::<Whose>(),
    )
}
