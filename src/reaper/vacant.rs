//! The places that a thread's values have left.
//!
//! The thread's next values come there, and that concerns no other thread, so threads that share a reaper rarely meet.

use std::cell::RefCell;
use std::mem;
use std::sync::{Arc, Weak};

use crate::origin::ValueOrigin;
use crate::panics::contain_panic;
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
            // It may be the last that has the spawner, and at the end of a thread a panic would abort the program.
            contain_panic(move || registry.take_back(of_it));
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

#[cfg(test)]
mod tests {
    use super::*;

    use crate::origin::origin_of;
    use crate::reaper::in_new_thread;
    use crate::reaper::place::Kind;

    fn kept() -> usize {
        VACANT.with_borrow(|of_thread| of_thread.places.len())
    }

    fn numbered(number: usize, origin: &ValueOrigin, registry: &Arc<Registry>) -> Arc<Place> {
        let kind = Kind::new(origin, registry);
        Arc::new(Place::new(number, Arc::new(kind)))
    }

    #[test]
    fn a_thread_counts_what_it_adopts_whether_it_has_a_place_or_not() {
        in_new_thread(|| {
            let registry = Registry::without_tasks();
            let origin = origin_of::<u8>();
            let (place, order) = take(&registry, &origin);
            assert_eq!((place.is_some(), order), (false, 0));
            keep(numbered(0, &origin, &registry));
            let (place, order) = take(&registry, &origin);
            assert_eq!((place.is_some(), order), (true, 1));
            let (place, order) = take(&registry, &origin);
            assert_eq!((place.is_some(), order), (false, 2));
        });
    }

    #[test]
    fn a_place_is_found_by_its_reaper_and_its_kind_wherever_it_lies() {
        in_new_thread(|| {
            let [one, other] = [(); 2].map(|()| Registry::without_tasks());
            let [first, second] = [(); 2].map(|()| origin_of::<u8>());
            let third = origin_of::<u16>();
            for (number, registry, origin) in [
                (0, &one, &first),
                (1, &other, &first),
                (2, &one, &third),
                (3, &other, &third),
            ] {
                keep(numbered(number, origin, registry));
            }
            let take = |registry, origin| take(registry, origin).0.map(|place| place.number());
            // The two of `first` are the same line and the same type.
            assert_eq!(take(&one, &second), Some(0));
            assert_eq!(take(&one, &second), None);
            assert_eq!(take(&one, &third), Some(2));
            assert_eq!(take(&other, &third), Some(3));
            assert_eq!(take(&other, &third), None);
            assert_eq!(take(&other, &first), Some(1));
            assert_eq!(kept(), 0);
        });
    }

    #[test]
    fn a_thread_that_has_many_places_keeps_the_half_that_it_left_last() {
        in_new_thread(|| {
            let registry = Registry::without_tasks();
            let origin = origin_of::<u8>();
            let adopt = || registry.admit(&origin, None).unwrap();
            let adopted: Vec<_> = (0..MANY).map(|_| adopt()).collect();
            let mut adopted = adopted.into_iter();
            for adoption in adopted.by_ref().take(MANY - 1) {
                adoption.end_in_place();
            }
            assert_eq!(kept(), MANY - 1);
            adopted.for_each(|adoption| adoption.end_in_place());
            assert_eq!(kept(), MANY / 2);
            let (place, _) = take(&registry, &origin);
            assert_eq!(place.unwrap().number(), MANY - 1);
        });
    }

    #[test]
    fn places_of_reapers_that_have_gone_make_room_too() {
        in_new_thread(|| {
            let origin = origin_of::<u8>();
            for number in 0..10 * MANY {
                keep(numbered(number, &origin, &Registry::without_tasks()));
                assert!(kept() < MANY);
            }
        });
    }
}
