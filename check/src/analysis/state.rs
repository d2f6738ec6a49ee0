//! What is known at one point of one path.

use std::collections::{BTreeMap, BTreeSet};

use crate::types::{Owns, Types, is_future};

use super::Given;
use super::key::{is_within, joined, wholes};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Condition {
    Armed,
    /// A cleanup was begun, and may not have come to its end.
    Interrupted,
    Clean,
}

/// A guard, or something that holds guards.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Owner {
    pub condition: Condition,
    /// The block of the call that returned it.
    pub origin: Option<u32>,
    pub written_type: String,
    /// The parts that were cleaned up or moved out of it.
    pub without: BTreeSet<String>,
    /// The container out of which it was taken, if that is empty where nothing came out.
    pub taken_from: Option<String>,
    /// How a closure or a coroutine got it, if it did not make it itself.
    pub given: Option<Given>,
}

impl Owner {
    pub(super) fn new(condition: Condition, origin: Option<u32>, written_type: &str) -> Self {
        Self {
            condition,
            origin,
            written_type: written_type.to_owned(),
            without: BTreeSet::new(),
            taken_from: None,
            given: None,
        }
    }
}

/// The places of guards, each with the branch of a `select!` in which it is cleaned up.
///
/// It is a set, because a loop may add the same ones again in each turn.
pub(super) type Branches = BTreeSet<(String, u128)>;

/// How the cleanups in a future come to their end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Ending {
    /// All have ended when the future has.
    All,
    /// They have ended if the future returns `Ok`.
    IfOk,
    /// Those of one branch have ended, according to the variant that the future returns.
    Branch,
    /// Nothing is said.
    Unknown,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Cleanups {
    /// The guards, each with the branch of a `select!` in which it is.
    pub of: Branches,
    pub ending: Ending,
}

/// What is known of a place that owns no guard.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Known {
    Reference(String),
    /// A box that was copied on the way to its content, which is in the place of the box.
    Box(String),
    /// A reference, or an iterator of references, to what is in a container.
    Element(String),
    Future(Cleanups),
    Polled(Cleanups),
    /// What the future returned, which says how its cleanups ended.
    Ended(Cleanups),
    /// The discriminant of a place of this type.
    Discriminant(String, String),
    Flag(bool),
    /// The variant of an enum that was just built.
    Variant(u128),
    /// Nothing is left to clean up in the place where this value is the one given.
    CleanIf(String, bool),
    /// The future has returned, or has returned `Ok`, where this value is the one given.
    OkIf(Cleanups, bool),
    /// What the caller gave in this position, which may be a closure to be called.
    Parameter(usize),
}

#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct State {
    pub owners: BTreeMap<String, Owner>,
    pub known: BTreeMap<String, Known>,
    /// The block of the last call that a reader of the source would name.
    pub last: u32,
    /// The call whose error is on its way out.
    pub failed: Option<u32>,
    /// The findings of the path that are not confirmed yet.
    pub dropped: BTreeSet<u32>,
    /// The parameters that were called.
    pub called: BTreeSet<usize>,
}

/// Whether what is done with a guard in it is not seen once it was lent.
fn may_be_released(written: &str, types: &Types) -> bool {
    let may_hide = is_future(written) || written.contains("{async ");
    types.shares(written) || may_hide && types.owns(written) == Owns::Nothing
}

#[derive(Clone, Debug)]
pub(super) enum Entry {
    Owner(Owner),
    Known(Known),
}

impl State {
    /// Forgets what was in a place, and in its parts.
    pub(super) fn forget(&mut self, key: &str) {
        self.owners.retain(|other, _| !is_within(other, key));
        self.known.retain(|other, _| !is_within(other, key));
    }

    /// Forgets the locals that nothing reads any more.
    pub(super) fn keep(&mut self, live: &BTreeSet<u32>) {
        let is_live = |key: &String| {
            let digits = key
                .trim_start_matches('_')
                .split(['.', '/', '*', '['])
                .next();
            match digits.and_then(|digits| digits.parse().ok()) {
                Some(local) => live.contains(&local),
                None => true,
            }
        };
        self.owners.retain(|key, _| is_live(key));
        self.known.retain(|key, _| is_live(key));
    }

    /// Takes everything out of a place, with the way from it to each part.
    pub(super) fn take(&mut self, key: &str) -> Vec<(String, Entry)> {
        let taken = self.copy(key);
        self.forget(key);
        taken
    }

    pub(super) fn copy(&self, key: &str) -> Vec<(String, Entry)> {
        let part = |other: &String| other[key.len()..].to_owned();
        let owners = self
            .owners
            .iter()
            .filter(|(other, _)| is_within(other, key))
            .map(|(other, owner)| (part(other), Entry::Owner(owner.clone())));
        let known = self
            .known
            .iter()
            .filter(|(other, _)| is_within(other, key))
            .map(|(other, known)| (part(other), Entry::Known(known.clone())));
        owners.chain(known).collect()
    }

    pub(super) fn put(&mut self, key: &str, entries: Vec<(String, Entry)>) {
        for (part, entry) in entries {
            let key = joined(key, &part);
            match entry {
                Entry::Owner(owner) => {
                    self.owners.insert(key, owner);
                }
                Entry::Known(known) => {
                    self.known.insert(key, known);
                }
            }
        }
    }

    /// The owners in a place: itself, or its parts.
    pub(super) fn owners_within(&self, key: &str) -> Vec<String> {
        let owners = self.owners.keys().filter(|other| is_within(other, key));
        owners.cloned().collect()
    }

    /// The owner of which `key` is a part.
    pub(super) fn whole_of(&self, key: &str) -> Option<String> {
        wholes(key)
            .find(|whole| self.owners.contains_key(*whole))
            .map(str::to_owned)
    }

    /// Forgets that futures in a place, or shared owners, hold guards: something else has them in its hands now.
    pub(super) fn release(&mut self, key: &str, types: &Types) {
        self.owners.retain(|other, owner| {
            let related = is_within(other, key) || is_within(key, other);
            !(related && may_be_released(&owner.written_type, types))
        });
    }

    /// Whether a place holds guards of which its type says nothing.
    pub(super) fn hides_owners(&self, key: &str, types: &Types) -> bool {
        let mut owners = self.owners.iter();
        owners.any(|(other, owner)| {
            is_within(other, key) && may_be_released(&owner.written_type, types)
        })
    }

    /// The condition of a place, which may be a part of an owner, or have parts that are owners.
    pub(super) fn condition(&self, key: &str) -> Option<Condition> {
        let within = self.owners_within(key);
        if !within.is_empty() {
            let conditions = within.iter().map(|owner| self.owners[owner].condition);
            return conditions.min();
        }
        let whole = self.whole_of(key)?;
        let owner = &self.owners[&whole];
        let part = &key[whole.len()..];
        if owner.without.iter().any(|gone| is_within(part, gone)) {
            return Some(Condition::Clean);
        }
        Some(owner.condition)
    }

    /// Notes the condition of a place.
    pub(super) fn set(&mut self, key: &str, condition: Condition) {
        let within = self.owners_within(key);
        if within.is_empty() {
            if let Some(whole) = self.whole_of(key) {
                let part = key[whole.len()..].to_owned();
                if let Some(owner) = self.owners.get_mut(&whole) {
                    match condition {
                        Condition::Clean => {
                            owner.without.insert(part);
                        }
                        other => owner.condition = owner.condition.max(other),
                    }
                }
            } else {
                let owner = Owner::new(condition, None, "");
                self.owners.insert(key.to_owned(), owner);
            }
        }
        for owner in within {
            if let Some(owner) = self.owners.get_mut(&owner) {
                owner.condition = condition;
                owner.without.clear();
            }
        }
    }
}
