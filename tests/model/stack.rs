//! A stack: in which order it cleans up, how far it comes, and which keys reach a value.

use super::*;

use asyncdrop::{AsyncDropStack, StackKey};

#[derive(Debug, Clone)]
enum Op {
    Push(Plan),
    PushBoxed(Plan),
    /// The number stands for one of the keys that were ever given out, counted round.
    Take(usize, Option<usize>),
    LookAtAll,
    CleanUp(Option<usize>),
    LetGo,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => plan().prop_map(Op::Push),
        2 => plan().prop_map(Op::PushBoxed),
        2 => (0..100_usize, cut()).prop_map(|(key, cut)| Op::Take(key, cut)),
        2 => Just(Op::LookAtAll),
        5 => long_cut().prop_map(Op::CleanUp),
        1 => Just(Op::LetGo),
    ]
}

/// One value waits for the other, so a cleanup takes more polls than that of a map.
fn long_cut() -> impl Strategy<Value = Option<usize>> {
    proptest::option::of(0..8_usize)
}

/// Values of two types.
#[derive(Clone, Copy)]
enum Key {
    Plain(StackKey<Value>),
    Boxed(StackKey<Box<Value>>),
}

struct Pair<'a> {
    record: &'a Record,
    stack: Guard<AsyncDropStack>,
    /// What was pushed and not taken, in that order.
    entries: Vec<Id>,
    /// All keys of this stack and of those before it.
    keys: Vec<(Id, Key)>,
    has_panicked: bool,
}

impl<'a> Pair<'a> {
    fn new(record: &'a Record) -> Self {
        Self {
            record,
            stack: AsyncDropStack::new(),
            entries: Vec::new(),
            keys: Vec::new(),
            has_panicked: false,
        }
    }

    fn apply(&mut self, op: Op) {
        match op {
            Op::Push(plan) => {
                let (id, value) = self.record.new_value(plan);
                self.entries.push(id);
                self.keys.push((id, Key::Plain(self.stack.push(value))));
            }
            Op::PushBoxed(plan) => {
                let (id, value) = self.record.new_value(plan);
                self.entries.push(id);
                let key = Key::Boxed(self.stack.push(value.into_box()));
                self.keys.push((id, key));
            }
            Op::Take(key, cut) => {
                if let Some(index) = key.checked_rem(self.keys.len()) {
                    self.take(index, cut);
                }
            }
            Op::LookAtAll => self.look_at_all(),
            Op::CleanUp(cut) => self.clean_up(cut),
            Op::LetGo => self.start_afresh(),
        }
    }

    /// Whether the stack has this value, and it is not cleaned up yet.
    fn shows(&self, id: Id) -> bool {
        self.entries.contains(&id) && self.record.of(id).done == 0
    }

    fn left(&self) -> Vec<Id> {
        let ids = self.entries.iter().copied();
        ids.filter(|id| self.shows(*id)).collect()
    }

    fn take(&mut self, index: usize, cut: Option<usize>) {
        let (id, key) = self.keys[index];
        let taken = match key {
            Key::Plain(key) => self.stack.take(key),
            Key::Boxed(key) => {
                let boxed = self.stack.take(key);
                boxed.map(|guard| guard.map_unsafe(|value| *value))
            }
        };
        assert_eq!(taken.as_ref().map(|it| it.id), self.shows(id).then_some(id));
        if let Some(value) = taken {
            self.entries.retain(|it| *it != id);
            end_value(self.record, value, cut);
        }
    }

    fn look_at_all(&mut self) {
        let left = self.left().len();
        assert_eq!(self.stack.len(), left);
        assert_eq!(self.stack.is_empty(), left == 0);
        for (id, key) in self.keys.clone() {
            let expected = self.shows(id).then_some(id);
            let (got, got_mut, indexed) = match key {
                Key::Plain(key) => (
                    self.stack.get(key).map(|it| it.id),
                    self.stack.get_mut(key).map(|it| it.id),
                    quietly(|| self.stack[key].id),
                ),
                Key::Boxed(key) => (
                    self.stack.get(key).map(|it| it.id),
                    self.stack.get_mut(key).map(|it| it.id),
                    quietly(|| self.stack[key].id),
                ),
            };
            assert_eq!([got, got_mut, indexed], [expected; 3]);
        }
    }

    fn clean_up(&mut self, cut: Option<usize>) {
        let mut expected = Vec::new();
        // The first poll begins, and each that returns `Pending` uses one up.
        let mut polls = cut.unwrap_or(usize::MAX);
        let mut is_cut = polls == 0;
        for id in self.left().into_iter().rev() {
            let Fate { plan, panicked, .. } = self.record.of(id);
            if polls <= plan.waits {
                is_cut = true;
                break;
            }
            polls -= plan.waits;
            expected.push(id);
            self.has_panicked |= match plan.ending {
                Ending::Panics => panicked == 0,
                Ending::PanicsInDrop => true,
                Ending::Succeeds | Ending::Fails => false,
            };
        }
        self.record.take_ended();
        let outcome = attempt(self.stack.async_drop(), cut);
        assert_eq!(self.record.take_ended(), expected);
        match outcome {
            Outcome::Cancelled => assert!(is_cut),
            Outcome::Panicked => {
                assert!(!is_cut && std::mem::take(&mut self.has_panicked));
            }
            Outcome::Returned(result) => {
                assert!(!is_cut && !self.has_panicked && self.stack.is_dropped());
                self.check_errors(result);
                let again = attempt(self.stack.async_drop(), None);
                assert!(matches!(again, Outcome::Returned(Ok(()))));
                self.start_afresh();
            }
        }
    }

    fn check_errors(&self, result: Result<(), asyncdrop::CleanupErrors>) {
        let fails = |id: &Id| self.record.of(*id).plan.ending == Ending::Fails;
        let expected: Vec<_> = self.entries.iter().copied().rev().filter(fails).collect();
        let mut returned = Vec::new();
        if let Err(errors) = result {
            assert_eq!(errors.total(), self.entries.len());
            for (_, error) in errors {
                let Failure(id) = error.downcast().expect("it is the error of a value");
                self.record.change(id, |fate| fate.error_returned += 1);
                returned.push(id);
            }
        }
        assert_eq!(returned, expected);
    }

    /// The keys of the stack are kept: to the next one they are those of another.
    fn start_afresh(&mut self) {
        let keys = std::mem::take(&mut self.keys);
        let before = std::mem::replace(self, Self::new(self.record));
        self.keys = keys;
        let_go(self.record, before.stack);
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_stack_does_what_its_model_does(ops in proptest::collection::vec(op(), 1..25)) {
        play(|record| {
            let mut pair = Pair::new(record);
            for op in ops {
                pair.apply(op);
                if !pair.stack.is_dropped() {
                    pair.look_at_all();
                }
            }
            let_go(record, pair.stack);
        });
    }
}
