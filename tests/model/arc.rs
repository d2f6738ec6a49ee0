//! Owners of shared values, and weak references to them.

use super::*;

use asyncdrop::{AsyncDropArc, AsyncDropWeak};

/// Numbers stand for owners or weak references that exist, counted round.
#[derive(Debug, Clone)]
enum Op {
    New(Plan),
    Clone(usize),
    Downgrade(usize),
    Upgrade(usize),
    LetGo(usize, Option<usize>),
    IntoInner(usize, Option<usize>),
    Forget(usize),
    Compare(usize, usize),
}

fn op() -> impl Strategy<Value = Op> {
    let any = 0..100_usize;
    prop_oneof![
        2 => plan().prop_map(Op::New),
        4 => any.clone().prop_map(Op::Clone),
        2 => any.clone().prop_map(Op::Downgrade),
        3 => any.clone().prop_map(Op::Upgrade),
        8 => (any.clone(), cut()).prop_map(|(owner, cut)| Op::LetGo(owner, cut)),
        1 => (any.clone(), cut()).prop_map(|(owner, cut)| Op::IntoInner(owner, cut)),
        1 => any.clone().prop_map(Op::Forget),
        2 => (any.clone(), any).prop_map(|(one, other)| Op::Compare(one, other)),
    ]
}

struct Owner {
    of: Id,
    guard: Guard<AsyncDropArc<Value>>,
    /// It was the last one, and its cleanup has begun.
    ending: bool,
}

#[derive(Default)]
struct World {
    owners: Vec<Owner>,
    weaks: Vec<(Id, AsyncDropWeak<Value>)>,
}

impl World {
    fn apply(&mut self, record: &Record, op: Op) {
        match op {
            Op::New(plan) => {
                let (of, value) = record.new_value(plan);
                self.add_owner(of, AsyncDropArc::new(value));
            }
            Op::Clone(owner) => {
                if let Some(owner) = self.pick(owner) {
                    let Owner { of, guard, ending } = &self.owners[owner];
                    let clone = quietly(|| AsyncDropArc::clone(guard));
                    assert_eq!(
                        clone.is_none(),
                        *ending,
                        "no owner once the cleanup has begun"
                    );
                    if let Some(clone) = clone {
                        self.add_owner(*of, clone);
                    }
                }
            }
            Op::Downgrade(owner) => {
                if let Some(owner) = self.pick(owner) {
                    let Owner { of, guard, ending } = &self.owners[owner];
                    let weak = quietly(|| AsyncDropArc::downgrade(guard));
                    assert_eq!(weak.is_none(), *ending);
                    self.weaks.extend(weak.map(|weak| (*of, weak)));
                }
            }
            Op::Upgrade(weak) if !self.weaks.is_empty() => {
                let (of, weak) = &self.weaks[weak % self.weaks.len()];
                let (of, count, upgraded) = (*of, weak.strong_count(), weak.upgrade());
                let open = |owner: &Owner| owner.of == of && !owner.ending;
                let is_open = self.owners.iter().any(open);
                assert_eq!(upgraded.is_some(), is_open);
                assert_eq!(count, if is_open { self.count(of) } else { 0 });
                if let Some(guard) = upgraded {
                    self.add_owner(of, guard);
                }
            }
            Op::Upgrade(_) => {}
            Op::LetGo(owner, cut) => {
                if let Some(owner) = self.pick(owner) {
                    self.let_go(record, owner, cut);
                }
            }
            Op::IntoInner(owner, cut) => {
                if let Some(owner) = self.pick(owner) {
                    let last = self.count(self.owners[owner].of) == 1;
                    let Owner { of, guard, .. } = self.owners.swap_remove(owner);
                    let inner = AsyncDropArc::into_inner(guard);
                    assert_eq!(inner.is_some(), last);
                    if let Some(value) = inner {
                        assert!(value.is_dropped() || value.id == of);
                        end_value_with_id(record, value, of, cut);
                    }
                }
            }
            // The value is reported if this was the last owner, and `check_end` wants it to be.
            Op::Forget(owner) => {
                if let Some(owner) = self.pick(owner) {
                    let last = self.count(self.owners[owner].of) == 1;
                    let Owner { of, guard, .. } = self.owners.swap_remove(owner);
                    let open = record.of(of).done == 0;
                    let_go(record, guard);
                    assert_eq!(record.of(of).missed, usize::from(last && open));
                }
            }
            Op::Compare(one, other) => {
                if let (Some(one), Some(other)) = (self.pick(one), self.pick(other)) {
                    let (one, other) = (&self.owners[one], &self.owners[other]);
                    let same = AsyncDropArc::ptr_eq(&one.guard, &other.guard);
                    assert_eq!(same, one.of == other.of);
                    if record.of(one.of).done == 0 {
                        assert_eq!(one.guard.id, one.of);
                    }
                    assert_eq!(AsyncDropArc::strong_count(&one.guard), self.count(one.of));
                }
            }
        }
    }

    fn let_go(&mut self, record: &Record, index: usize, cut: Option<usize>) {
        let last = self.count(self.owners[index].of) == 1;
        let owner = &mut self.owners[index];
        let expected = match cut {
            _ if last => expected(record.of(owner.of), owner.of, cut),
            Some(0) => Outcome::Cancelled,
            // The others need not wait for anything.
            _ => Outcome::Returned(Ok(())),
        };
        let outcome = attempt(owner.guard.async_drop(), cut);
        assert_eq!(outcome, expected);
        note_error(record, &outcome);
        match outcome {
            Outcome::Returned(_) => {
                let mut owner = self.owners.swap_remove(index);
                let again = attempt(owner.guard.async_drop(), None);
                assert_eq!(again, Outcome::Returned(Ok(())));
            }
            Outcome::Panicked => owner.ending = true,
            Outcome::Cancelled => owner.ending |= cut != Some(0),
        }
    }

    fn add_owner(&mut self, of: Id, guard: Guard<AsyncDropArc<Value>>) {
        let ending = false;
        self.owners.push(Owner { of, guard, ending });
    }

    fn pick(&self, number: usize) -> Option<usize> {
        number.checked_rem(self.owners.len())
    }

    fn count(&self, of: Id) -> usize {
        self.owners.iter().filter(|owner| owner.of == of).count()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn owners_do_what_their_model_does(ops in proptest::collection::vec(op(), 1..40)) {
        play(|record| {
            let mut world = World::default();
            for op in ops {
                world.apply(record, op);
            }
            for owner in world.owners {
                let_go(record, owner.guard);
            }
        });
    }
}
