//! The places that a thread's values have left.
//!
//! The thread's next values come there. Nobody else has to be asked for that, so threads that share a reaper rarely meet.

use std::cell::RefCell;
use std::mem;
use std::sync::{Arc, Weak};

use crate::origin::ValueOrigin;
use crate::reaper::place::Place;
use crate::reaper::registry::Registry;

/// When a thread has so many places, it gives half of them back.
const MANY: usize = 64;

struct OfThread {
    places: Vec<Arc<Place>>,
    /// How many values the thread has adopted.
    adopted: usize,
}

thread_local! {
    static VACANT: RefCell<OfThread> = const {
        RefCell::new(OfThread {
            places: Vec::new(),
            adopted: 0,
        })
    };
}

/// A place for a value of this origin, if the thread has one, and how many values it has adopted before.
#[inline]
pub(super) fn take(registry: &Arc<Registry>, origin: &ValueOrigin) -> (Option<Arc<Place>>, usize) {
    let taken = VACANT.try_with(|of_thread| {
        let mut of_thread = of_thread.borrow_mut();
        let order = of_thread.adopted;
        of_thread.adopted = order.wrapping_add(1);
        let place = match of_thread.places.last() {
            Some(last) if last.is_for(registry, origin) => of_thread.places.pop(),
            _ => of_thread.find(registry, origin),
        };
        (place, order)
    });
    // A thread that is ending may have no such variable any more.
    taken.unwrap_or((None, 0))
}

/// Keeps a place for one of the next values. It must be vacant.
#[inline]
pub(super) fn keep(place: Arc<Place>) {
    let mut place = Some(place);
    let too_many = VACANT.try_with(|of_thread| {
        let places = &mut of_thread.borrow_mut().places;
        places.extend(place.take());
        (places.len() >= MANY).then(|| places.drain(..MANY / 2).collect())
    });
    match too_many {
        Ok(None) => {}
        Ok(Some(places)) => give_back(places),
        Err(_) => give_back(place.into_iter().collect()),
    }
}

/// Gives places back to their reapers.
#[cold]
fn give_back(mut places: Vec<Arc<Place>>) {
    while let Some(place) = places.first() {
        let registry = place.registry().clone();
        let is_of_it = |place: &Arc<Place>| Weak::ptr_eq(place.registry(), &registry);
        let (of_it, others) = places.into_iter().partition(is_of_it);
        places = others;
        if let Some(registry) = registry.upgrade() {
            registry.take_back(of_it);
        }
    }
}

impl OfThread {
    #[cold]
    fn find(&mut self, registry: &Arc<Registry>, origin: &ValueOrigin) -> Option<Arc<Place>> {
        let is_for = |place: &Arc<Place>| place.is_for(registry, origin);
        let index = self.places.iter().rposition(is_for)?;
        Some(self.places.swap_remove(index))
    }
}

impl Drop for OfThread {
    fn drop(&mut self) {
        give_back(mem::take(&mut self.places));
    }
}
