//! A shared creation: it runs once, whoever polls it, and its output goes to the last of its owners.

use super::*;

use std::pin::Pin;

use asyncdrop::{AsyncDropArc, AsyncDropShared};

/// Numbers stand for owners of the creation, or of its output, that exist, counted round.
#[derive(Debug, Clone)]
enum Op {
    Clone(usize),
    /// The waiter is dropped after so many polls.
    Get(usize, Option<usize>),
    Peek(usize),
    LetGo(usize, Option<usize>),
    Forget(usize),
    LetGoOfOutput(usize, Option<usize>),
}

fn op() -> impl Strategy<Value = Op> {
    let any = 0..100_usize;
    prop_oneof![
        3 => any.clone().prop_map(Op::Clone),
        5 => (any.clone(), cut()).prop_map(|(owner, cut)| Op::Get(owner, cut)),
        2 => any.clone().prop_map(Op::Peek),
        6 => (any.clone(), cut()).prop_map(|(owner, cut)| Op::LetGo(owner, cut)),
        1 => any.clone().prop_map(Op::Forget),
        5 => (any, cut()).prop_map(|(owner, cut)| Op::LetGoOfOutput(owner, cut)),
    ]
}

type Creation = Pin<Box<dyn Future<Output = Guard<Value>> + Send>>;

/// The one value that a case creates.
const ID: Id = 0;

struct Owner {
    guard: Guard<AsyncDropShared<Value, Creation>>,
    /// It was the last one, and its cleanup has begun.
    ending: bool,
}

struct World<'a> {
    record: &'a Record,
    owners: Vec<Owner>,
    outputs: Vec<Guard<AsyncDropArc<Value>>>,
    /// How many polls of the creation return `Pending` before its output is there. `None` once it is.
    waits_left: Option<usize>,
}

impl<'a> World<'a> {
    fn new(record: &'a Record, plan: Plan, waits: usize) -> Self {
        let id = record.new_fate(plan);
        let value = Value {
            id,
            record: record.clone(),
        };
        let creation: Creation = Box::pin(async move {
            wait(waits).await;
            Guard::new(value)
        });
        let guard = AsyncDropShared::new(creation);
        Self {
            record,
            owners: vec![Owner {
                guard,
                ending: false,
            }],
            outputs: Vec::new(),
            waits_left: Some(waits),
        }
    }

    fn apply(&mut self, op: Op) {
        match op {
            Op::Clone(owner) => {
                if let Some(owner) = self.pick(owner) {
                    let Owner { guard, ending } = &self.owners[owner];
                    let clone = quietly(|| AsyncDropShared::clone(guard));
                    assert_eq!(clone.is_none(), *ending);
                    self.owners.extend(clone.map(|guard| Owner {
                        guard,
                        ending: false,
                    }));
                }
            }
            Op::Get(owner, cut) => {
                if let Some(owner) = self.pick(owner) {
                    self.get(owner, cut);
                }
            }
            Op::Peek(owner) => {
                if let Some(owner) = self.pick(owner) {
                    self.peek(owner);
                }
            }
            Op::LetGo(owner, cut) => {
                if let Some(owner) = self.pick(owner) {
                    self.let_go(owner, cut);
                }
            }
            Op::Forget(owner) => {
                if let Some(owner) = self.pick(owner) {
                    let last_of_all = self.owners.len() == 1 && self.outputs.is_empty();
                    let open = self.is_open();
                    let_go(self.record, self.owners.swap_remove(owner).guard);
                    let missed = self.record.of(ID).missed;
                    assert_eq!(missed, usize::from(last_of_all && open));
                }
            }
            Op::LetGoOfOutput(output, cut) => {
                if let Some(output) = output.checked_rem(self.outputs.len()) {
                    self.let_go_of_output(output, cut);
                }
            }
        }
    }

    fn pick(&self, number: usize) -> Option<usize> {
        number.checked_rem(self.owners.len())
    }

    fn is_created(&self) -> bool {
        self.waits_left.is_none()
    }

    /// Whether the value is there, and not cleaned up.
    fn is_open(&self) -> bool {
        self.is_created() && self.record.of(ID).done == 0
    }

    /// Notes so many polls of the creation. Returns how many of them it left over, if it is done.
    fn poll_creation(&mut self, polls: usize) -> Option<usize> {
        let waits = self.waits_left.unwrap_or(0);
        if polls <= waits {
            // One that is done stays so, even if it is not polled.
            self.waits_left = self.waits_left.map(|waits| waits - polls);
            return None;
        }
        self.waits_left = None;
        Some(polls - waits)
    }

    fn get(&mut self, owner: usize, cut: Option<usize>) {
        if self.owners[owner].ending {
            let guard = &self.owners[owner].guard;
            assert!(quietly(|| drop(guard.get())).is_none());
            return;
        }
        let is_done = self.poll_creation(cut.unwrap_or(usize::MAX)).is_some();
        match attempt(self.owners[owner].guard.get(), cut) {
            Outcome::Returned(guard) => {
                assert!(is_done && guard.id == ID);
                self.outputs.push(guard);
            }
            Outcome::Cancelled => assert!(!is_done),
            Outcome::Panicked => panic!("neither the creation nor a waiter panics"),
        }
    }

    fn peek(&self, owner: usize) {
        let Owner { guard, ending } = &self.owners[owner];
        let shown = guard.peek().map(|value| value.id);
        if *ending {
            // It has the value to itself, or had it.
            assert!(shown.is_none() || self.is_open());
        } else {
            assert_eq!(shown, self.is_created().then_some(ID));
        }
    }

    fn let_go(&mut self, owner: usize, cut: Option<usize>) {
        let polls = cut.unwrap_or(usize::MAX);
        let is_last = self.owners.len() == 1;
        let expected = if polls == 0 {
            Outcome::Cancelled
        } else if !is_last {
            Outcome::Returned(Ok(()))
        } else {
            self.owners[owner].ending = true;
            match self.poll_creation(polls) {
                None => Outcome::Cancelled,
                // The others who have the output clean it up.
                Some(_) if !self.outputs.is_empty() => Outcome::Returned(Ok(())),
                Some(left) => {
                    // The last poll of the creation is the first of the cleanup.
                    let cut = cut.map(|_| left);
                    expected(self.record.of(ID), ID, cut)
                }
            }
        };
        let outcome = attempt(self.owners[owner].guard.async_drop(), cut);
        assert_eq!(outcome, expected);
        note_error(self.record, &outcome);
        if let Outcome::Returned(_) = outcome {
            let mut owner = self.owners.swap_remove(owner);
            let again = attempt(owner.guard.async_drop(), None);
            assert_eq!(again, Outcome::Returned(Ok(())));
        }
    }

    fn let_go_of_output(&mut self, output: usize, cut: Option<usize>) {
        let is_last = self.owners.is_empty() && self.outputs.len() == 1;
        let expected = match cut {
            _ if is_last => expected(self.record.of(ID), ID, cut),
            Some(0) => Outcome::Cancelled,
            _ => Outcome::Returned(Ok(())),
        };
        let outcome = attempt(self.outputs[output].async_drop(), cut);
        assert_eq!(outcome, expected);
        note_error(self.record, &outcome);
        if let Outcome::Returned(_) = outcome {
            drop(self.outputs.swap_remove(output));
        }
    }

    fn end(self) {
        let is_created = self.is_created();
        for owner in self.owners {
            let_go(self.record, owner.guard);
        }
        for output in self.outputs {
            let_go(self.record, output);
        }
        if !is_created {
            // The value was dropped with the creation that had captured it, and never had a guard.
            assert_eq!(self.record.of(ID).dropped, 1);
            self.record.all().clear();
        }
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_shared_creation_does_what_its_model_does(
        plan in plan(),
        waits in 0..3_usize,
        ops in proptest::collection::vec(op(), 1..30),
    ) {
        play(|record| {
            let mut world = World::new(record, plan, waits);
            for op in ops {
                world.apply(op);
            }
            world.end();
        });
    }
}
