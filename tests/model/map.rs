//! A map: what it shows, and what it has begun to clean up.

use super::*;

use asyncdrop::AsyncDropHashMap;

type Key = u8;

#[derive(Debug, Clone)]
enum Op {
    Insert(Key, Plan, Option<usize>),
    TryInsert(Key, Plan, Option<usize>),
    Remove(Key, Option<usize>),
    LookAtAll,
    Drain(Option<usize>),
    /// So many are taken out of it, then it is dropped.
    DrainAndDrop(usize, Option<usize>),
    CleanUp(Option<usize>),
    LetGo,
}

fn op() -> impl Strategy<Value = Op> {
    let key = 0..5_u8;
    prop_oneof![
        6 => (key.clone(), plan(), cut()).prop_map(|(key, plan, cut)| Op::Insert(key, plan, cut)),
        3 => (key.clone(), plan(), cut()).prop_map(|(key, plan, cut)| Op::TryInsert(key, plan, cut)),
        2 => (key, cut()).prop_map(|(key, cut)| Op::Remove(key, cut)),
        2 => Just(Op::LookAtAll),
        1 => cut().prop_map(Op::Drain),
        1 => (0..4_usize, cut()).prop_map(|(taken, cut)| Op::DrainAndDrop(taken, cut)),
        4 => cut().prop_map(Op::CleanUp),
        1 => Just(Op::LetGo),
    ]
}

struct Pair<'a> {
    record: &'a Record,
    map: Guard<AsyncDropHashMap<Key, Value>>,
    /// What the map shows.
    shown: BTreeMap<Key, Id>,
    /// What it has begun to clean up. One key can be in it more than once.
    ending: Vec<(Key, Id)>,
    /// A value has panicked, and that has not gone on yet.
    has_panicked: bool,
}

impl<'a> Pair<'a> {
    fn new(record: &'a Record) -> Self {
        Self {
            record,
            map: AsyncDropHashMap::new(),
            shown: BTreeMap::new(),
            ending: Vec::new(),
            has_panicked: false,
        }
    }

    fn apply(&mut self, op: Op) {
        match op {
            Op::Insert(key, plan, cut) => {
                let (id, value) = self.record.new_value(plan);
                let pushed_out = self.map.insert(key, value);
                let expected = self.shown.insert(key, id);
                assert_eq!(pushed_out.as_ref().map(|value| value.id), expected);
                if let Some(value) = pushed_out {
                    end_value(self.record, value, cut);
                }
            }
            Op::TryInsert(key, plan, cut) => {
                let (id, value) = self.record.new_value(plan);
                match self.map.try_insert(key, value) {
                    Ok(value) => {
                        assert_eq!(value.id, id);
                        assert_eq!(self.shown.insert(key, id), None);
                    }
                    Err(error) => {
                        assert!(self.shown.contains_key(&key));
                        assert_eq!((error.key, error.value.id), (key, id));
                        end_value(self.record, error.value, cut);
                    }
                }
            }
            Op::Remove(key, cut) => {
                let removed = self.map.remove(&key);
                let expected = self.shown.remove(&key);
                assert_eq!(removed.as_ref().map(|value| value.id), expected);
                if let Some(value) = removed {
                    end_value(self.record, value, cut);
                }
            }
            Op::LookAtAll => self.look_at_all(),
            Op::Drain(cut) => {
                let drained: Vec<_> = self.map.drain().collect();
                assert_eq!(ids(&drained), self.shown);
                self.shown.clear();
                for (_, value) in drained {
                    end_value(self.record, value, cut);
                }
            }
            Op::DrainAndDrop(taken, cut) => self.drain_and_drop(taken, cut),
            Op::CleanUp(cut) => self.clean_up(cut),
            Op::LetGo => self.start_afresh(),
        }
    }

    /// Values that nobody takes out of a drain are reported, and nothing is left in the map.
    fn drain_and_drop(&mut self, taken: usize, cut: Option<usize>) {
        let mut drain = self.map.drain();
        assert_eq!(drain.len(), self.shown.len());
        let taken: Vec<_> = drain.by_ref().take(taken).collect();
        let_go(self.record, drain);
        for (key, value) in taken {
            assert_eq!(self.shown.remove(&key), Some(value.id));
            end_value(self.record, value, cut);
        }
        for id in std::mem::take(&mut self.shown).into_values() {
            assert_eq!(self.record.of(id).missed, 1);
        }
        assert!(self.map.is_empty());
    }

    fn start_afresh(&mut self) {
        let before = std::mem::replace(self, Self::new(self.record));
        let_go(self.record, before.map);
    }

    fn look_at_all(&mut self) {
        assert_eq!(self.map.len(), self.shown.len());
        assert_eq!(self.map.is_empty(), self.shown.is_empty());
        let of_iter = self.map.iter().map(|(key, value)| (*key, value.id));
        assert_eq!(of_iter.collect::<BTreeMap<_, _>>(), self.shown);
        let of_iter_mut = self.map.iter_mut().map(|(key, value)| (*key, value.id));
        assert_eq!(of_iter_mut.collect::<BTreeMap<_, _>>(), self.shown);
        let of_both = self.map.keys().copied().zip(self.map.values());
        let of_both = of_both.map(|(key, value)| (key, value.id));
        assert_eq!(of_both.collect::<BTreeMap<_, _>>(), self.shown);
        for key in 0..5 {
            let expected = self.shown.get(&key).copied();
            assert_eq!(self.map.contains_key(&key), expected.is_some());
            assert_eq!(self.map.get(&key).map(|value| value.id), expected);
            assert_eq!(self.map.get_mut(&key).map(|value| value.id), expected);
        }
    }

    /// How many of its values have panicked, in their cleanups or when they were dropped after that.
    fn panics(&self) -> usize {
        let of = |(_, id): &(Key, Id)| {
            let fate = self.record.of(*id);
            fate.panicked + usize::from(fate.plan.ending == Ending::PanicsInDrop) * fate.done
        };
        self.ending.iter().map(of).sum()
    }

    fn clean_up(&mut self, cut: Option<usize>) {
        if cut != Some(0) {
            self.ending.extend(std::mem::take(&mut self.shown));
        }
        let ids = self.ending.iter().map(|(_, id)| (*id, self.record.of(*id)));
        let open_before: Vec<_> = ids.filter(|(_, fate)| fate.done == 0).collect();
        let panics_before = self.panics();
        let outcome = attempt(self.map.async_drop(), cut);
        self.has_panicked |= self.panics() > panics_before;
        match outcome {
            Outcome::Cancelled => {
                assert!(cut.is_some());
                assert!(!self.map.is_dropped());
            }
            Outcome::Panicked => {
                assert!(!self.map.is_dropped());
                assert!(std::mem::take(&mut self.has_panicked));
                // Everything else was done before the panic went on.
                for (id, before) in open_before {
                    let fate = self.record.of(id);
                    assert!(fate.done == 1 || fate.panicked > before.panicked);
                }
            }
            Outcome::Returned(result) => {
                assert!(self.map.is_dropped());
                let fails = |(_, id): &&(Key, Id)| self.record.of(*id).plan.ending == Ending::Fails;
                let mut expected: Vec<_> = self.ending.iter().filter(fails).copied().collect();
                let mut errors = Vec::new();
                if let Err(failed) = result {
                    assert_eq!(failed.total(), self.ending.len());
                    assert_eq!(failed.len(), expected.len());
                    for (key, Failure(id)) in failed {
                        self.record.change(id, |fate| fate.error_returned += 1);
                        errors.push((key, id));
                    }
                }
                expected.sort_unstable();
                errors.sort_unstable();
                assert_eq!(errors, expected);
                for (_, id) in &self.ending {
                    assert_eq!(self.record.of(*id).done, 1);
                }
                assert!(!self.has_panicked, "the panic goes on");
                let again = attempt(self.map.async_drop(), None);
                assert!(matches!(again, Outcome::Returned(Ok(()))));
                self.start_afresh();
            }
        }
    }
}

fn ids(values: &[(Key, Guard<Value>)]) -> BTreeMap<Key, Id> {
    values.iter().map(|(key, value)| (*key, value.id)).collect()
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_map_does_what_its_model_does(ops in proptest::collection::vec(op(), 1..25)) {
        play(|record| {
            let mut pair = Pair::new(record);
            for op in ops {
                pair.apply(op);
            }
            let_go(record, pair.map);
        });
    }
}
