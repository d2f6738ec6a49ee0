//! The list of the values that one shard has adopted.
//!
//! It is a slab: a value is found by the number of its place, and a place that has become vacant is used again.
//! It is not the crate of that name, because that moves an entry as a whole, in and out.
//! An entry is written in parts, and a processor that reads it in larger pieces right after that has to wait for them,
//! which was a tenth of what an adoption cost.

use std::mem;
use std::task::Waker;

use crate::origin::ValueOrigin;

#[derive(Default)]
pub(super) struct Entries {
    places: Vec<Entry>,
    /// The first of the vacant places, each of which knows the next.
    vacant: Option<usize>,
    len: usize,
    /// How many values were ever entered. It says in which order.
    entered: u64,
}

/// One cache line, since a reaper that ends comes to every one of perhaps very many.
#[repr(align(64))]
pub(super) struct Entry {
    pub(super) order: u64,
    pub(super) origin: ValueOrigin,
    pub(super) stage: Stage,
}

pub(super) enum Stage {
    InUse,
    /// Its job was made. If that waits for something, this wakes it.
    CleaningUp(Option<Waker>),
    /// Its job was dropped in the middle and is about to say so itself.
    Ending,
    /// A shutdown did not wait for the end of the cleanup, and has named the value in its error.
    GivenUp,
    /// No value is here. What stands beside it is left over from the last one.
    Vacant {
        next: Option<usize>,
    },
}

impl Entry {
    fn is_vacant(&self) -> bool {
        matches!(self.stage, Stage::Vacant { .. })
    }
}

impl Entries {
    /// Enters a value that is in use, and returns the number of its place.
    pub(super) fn enter(&mut self, origin: ValueOrigin) -> usize {
        let order = self.entered;
        self.entered += 1;
        self.len += 1;
        let Some(key) = self.vacant else {
            self.places.push(Entry {
                order,
                origin,
                stage: Stage::InUse,
            });
            return self.places.len() - 1;
        };
        let place = &mut self.places[key];
        if let Stage::Vacant { next } = place.stage {
            self.vacant = next;
        }
        place.order = order;
        place.origin = origin;
        place.stage = Stage::InUse;
        key
    }

    pub(super) fn get_mut(&mut self, key: usize) -> Option<&mut Entry> {
        self.places.get_mut(key).filter(|entry| !entry.is_vacant())
    }

    /// Makes a place vacant, and returns the stage of what was there.
    pub(super) fn remove(&mut self, key: usize) -> Option<Stage> {
        let next = self.vacant;
        let entry = self.get_mut(key)?;
        // A name may be long, and this place vacant for ever.
        entry.origin.forget_name();
        let stage = mem::replace(&mut entry.stage, Stage::Vacant { next });
        self.vacant = Some(key);
        self.len -= 1;
        Some(stage)
    }

    /// Makes each place vacant whose value `keep` does not keep.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(&mut Entry) -> bool) {
        for key in 0..self.places.len() {
            if self.get_mut(key).is_some_and(|entry| !keep(entry)) {
                self.remove(key);
            }
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.places.iter().filter(|entry| !entry.is_vacant())
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }
}

#[cfg(test)]
mod tests {
    use std::panic::Location;

    use super::*;

    fn origin() -> ValueOrigin {
        ValueOrigin::of::<u8>(Location::caller())
    }

    #[test]
    fn an_entry_is_one_line_of_a_cache() {
        assert_eq!(size_of::<Entry>(), 64);
    }

    #[test]
    fn a_vacant_place_is_used_again_and_nothing_is_found_in_it_before_that() {
        let mut entries = Entries::default();
        let keys: Vec<_> = (0..3).map(|_| entries.enter(origin())).collect();
        assert_eq!(keys, [0, 1, 2]);
        assert!(matches!(entries.remove(0), Some(Stage::InUse)));
        assert!(entries.remove(0).is_none());
        assert!(entries.get_mut(0).is_none());
        assert!(matches!(entries.remove(2), Some(Stage::InUse)));
        assert_eq!(entries.len(), 1);
        let again: Vec<_> = (0..3).map(|_| entries.enter(origin())).collect();
        assert_eq!(again, [2, 0, 3]);
        assert_eq!(entries.len(), 4);
        assert!(entries.get_mut(4).is_none());
    }

    #[test]
    fn the_order_of_the_entries_outlives_their_places() {
        let mut entries = Entries::default();
        let first = entries.enter(origin());
        entries.enter(origin());
        entries.remove(first);
        entries.enter(origin());
        let orders: Vec<_> = entries.iter().map(|entry| entry.order).collect();
        assert_eq!(orders, [2, 1]);
    }

    #[test]
    fn what_is_not_retained_leaves_its_place() {
        let mut entries = Entries::default();
        for _ in 0..4 {
            entries.enter(origin());
        }
        entries.remove(1);
        let mut seen = Vec::new();
        entries.retain(|entry| {
            seen.push(entry.order);
            entry.order == 2
        });
        assert_eq!(seen, [0, 2, 3]);
        assert_eq!(
            entries.iter().map(|entry| entry.order).collect::<Vec<_>>(),
            [2]
        );
        assert_eq!(entries.len(), 1);
        entries.retain(|_| false);
        assert!(entries.is_empty());
    }
}
