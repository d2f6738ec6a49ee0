//! Random sequences of operations on the map, the arc, the mutex and the result, beside a model of each that is
//! nothing but plain collections and counters.
//!
//! A failure prints the shortest sequence that shows it. The seed is fixed: each run is the same, unless
//! `PROPTEST_RNG_SEED` chooses another one, and `PROPTEST_CASES` a number of cases.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt::{self, Debug};
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, Once};
use std::task::{Context, Poll, Waker};
use std::thread;

#[cfg(feature = "tokio")]
use asyncdrop::AsyncDropTokioMutex;
use asyncdrop::incident::{self, IncidentKind};
use asyncdrop::{
    AsyncDrop, AsyncDropArc, AsyncDropGuard, AsyncDropHashMap, AsyncDropResult, AsyncDropWeak,
    async_trait,
};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

type Guard<T> = AsyncDropGuard<T>;

/// Which cleanup a value has.
#[derive(Debug, Clone, Copy)]
struct Plan {
    ending: Ending,
    /// How many polls of the cleanup return `Pending`.
    waits: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    Succeeds,
    Fails,
    /// The first time. The second cleanup succeeds.
    Panics,
    /// The cleanup succeeds, and then the value's own `Drop` panics. It does so wherever the value is dropped.
    PanicsInDrop,
}

fn plan() -> impl Strategy<Value = Plan> {
    let ending = prop_oneof![
        3 => Just(Ending::Succeeds),
        2 => Just(Ending::Fails),
        1 => Just(Ending::Panics),
        1 => Just(Ending::PanicsInDrop)
    ];
    (ending, 0..3_usize).prop_map(|(ending, waits)| Plan { ending, waits })
}

/// After how many polls a cleanup is dropped, if it is.
fn cut() -> impl Strategy<Value = Option<usize>> {
    proptest::option::of(0..4_usize)
}

type Id = usize;

/// What happened to each value. The values write into it, and the hook of the incidents does.
#[derive(Clone, Default)]
struct Record(Arc<Mutex<BTreeMap<Id, Fate>>>);

#[derive(Debug, Clone, Copy)]
struct Fate {
    plan: Plan,
    done: usize,
    panicked: usize,
    dropped: usize,
    /// Its own guard was dropped without a cleanup.
    missed: usize,
    error_returned: usize,
    error_suppressed: usize,
}

impl Record {
    #[track_caller]
    fn new_value(&self, plan: Plan) -> (Id, Guard<Value>) {
        let id = self.all().len();
        let fate = Fate {
            plan,
            done: 0,
            panicked: 0,
            dropped: 0,
            missed: 0,
            error_returned: 0,
            error_suppressed: 0,
        };
        self.all().insert(id, fate);
        let record = self.clone();
        (id, Guard::new(Value { id, record }))
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<Id, Fate>> {
        self.0.lock().unwrap()
    }

    fn of(&self, id: Id) -> Fate {
        self.all()[&id]
    }

    fn change(&self, id: Id, change: impl FnOnce(&mut Fate)) {
        change(self.all().get_mut(&id).unwrap());
    }

    /// How many values were dropped whose own `Drop` panics.
    fn panics_in_drop(&self) -> usize {
        let panics = |fate: &&Fate| fate.plan.ending == Ending::PanicsInDrop;
        self.all()
            .values()
            .filter(panics)
            .map(|fate| fate.dropped)
            .sum()
    }

    /// At the end, when nothing is left of all values.
    fn check_end(&self) {
        for (id, fate) in &*self.all() {
            assert_eq!(fate.done + fate.missed, 1, "value {id}: {fate:?}");
            assert_eq!(fate.dropped, 1, "value {id}: {fate:?}");
            let errors = match fate.plan.ending {
                Ending::Fails => fate.done,
                Ending::Succeeds | Ending::Panics | Ending::PanicsInDrop => 0,
            };
            let known = fate.error_returned + fate.error_suppressed;
            assert_eq!(known, errors, "value {id}: {fate:?}");
        }
    }
}

struct Value {
    id: Id,
    record: Record,
}

impl Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "value {}.", self.id)
    }
}

/// The error of the value with this id.
#[derive(PartialEq, Eq)]
struct Failure(Id);

impl Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error {}.", self.0)
    }
}

#[async_trait]
impl AsyncDrop for Value {
    type Error = Failure;

    async fn async_drop_impl(&mut self) -> Result<(), Failure> {
        let fate = self.record.of(self.id);
        for _ in 0..fate.plan.waits {
            yield_once().await;
        }
        if fate.plan.ending == Ending::Panics && fate.panicked == 0 {
            self.record.change(self.id, |fate| fate.panicked += 1);
            panic!("the cleanup panics");
        }
        self.record.change(self.id, |fate| fate.done += 1);
        match fate.plan.ending {
            Ending::Fails => Err(Failure(self.id)),
            Ending::Succeeds | Ending::Panics | Ending::PanicsInDrop => Ok(()),
        }
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        self.record.change(self.id, |fate| fate.dropped += 1);
        // A second panic in the middle of the first one would be a fault of this value, and end the process.
        if self.record.of(self.id).plan.ending == Ending::PanicsInDrop && !thread::panicking() {
            panic!("the value's own Drop panics");
        }
    }
}

async fn yield_once() {
    let mut yielded = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

#[derive(Debug, PartialEq, Eq)]
enum Outcome<R> {
    Returned(R),
    Cancelled,
    Panicked,
}

/// Polls a cleanup to its end, or drops it after so many polls.
fn attempt<R>(future: impl Future<Output = R>, cut: Option<usize>) -> Outcome<R> {
    let mut future = Box::pin(future);
    let mut context = Context::from_waker(Waker::noop());
    for polls in 0..1000 {
        if cut == Some(polls) {
            return Outcome::Cancelled;
        }
        match quietly(|| future.as_mut().poll(&mut context)) {
            Some(Poll::Ready(result)) => return Outcome::Returned(result),
            Some(Poll::Pending) => {}
            None => return Outcome::Panicked,
        }
    }
    panic!("the cleanup never ends")
}

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
    static RECORD: RefCell<Option<Record>> = const { RefCell::new(None) };
}

/// Runs `f`, and returns `None` if it panicked. That prints nothing.
fn quietly<R>(f: impl FnOnce() -> R) -> Option<R> {
    QUIET.set(true);
    let result = catch_unwind(AssertUnwindSafe(f));
    QUIET.set(false);
    result.ok()
}

/// Drops what the library has been keeping. That panics when a value in it panics in its own `Drop`, and otherwise not.
fn let_go<T>(record: &Record, it: T) {
    let before = record.panics_in_drop();
    let dropped = quietly(|| drop(it));
    assert_eq!(dropped.is_none(), record.panics_in_drop() > before);
}

/// Runs one case, and checks at its end that every value was cleaned up or reported.
fn play(case: impl FnOnce(&Record)) {
    static INSTALL: Once = Once::new();
    INSTALL.call_once(|| {
        let default = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !QUIET.get() {
                default(info);
            }
        }));
        incident::set_hook(Box::new(write_down));
    });
    let record = Record::default();
    RECORD.set(Some(record.clone()));
    case(&record);
    RECORD.take();
    record.check_end();
}

fn write_down(incident: &incident::Incident<'_>) {
    let Some(record) = RECORD.with_borrow(Option::clone) else {
        return;
    };
    let text = incident.to_string();
    let of_value = incident.type_name() == std::any::type_name::<Value>();
    for (id, fate) in record.all().iter_mut() {
        match incident.kind() {
            IncidentKind::Suppressed if text.contains(&format!("error {id}.")) => {
                fate.error_suppressed += 1;
            }
            IncidentKind::Forgotten | IncidentKind::Interrupted
                if of_value && text.contains(&format!("value {id}.")) =>
            {
                fate.missed += 1;
            }
            _ => {}
        }
    }
}

fn config() -> ProptestConfig {
    let default = ProptestConfig::default();
    ProptestConfig {
        rng_seed: match default.rng_seed {
            RngSeed::Random => RngSeed::Fixed(0x5eed),
            chosen => chosen,
        },
        // The seed is fixed, and the shortest failing sequence is printed: there is nothing to keep in a file.
        failure_persistence: None,
        ..default
    }
}

/// What the end of one guard comes to, for a value that nobody else has.
fn expected(fate: Fate, id: Id, cut: Option<usize>) -> Outcome<Result<(), Failure>> {
    let panicked_in_drop = fate.done > 0;
    let waits = if panicked_in_drop { 0 } else { fate.plan.waits };
    if cut.is_some_and(|cut| cut <= waits) {
        return Outcome::Cancelled;
    }
    match fate.plan.ending {
        Ending::Panics if fate.panicked == 0 => Outcome::Panicked,
        // The value is gone with the panic, and whoever calls again has nothing left to do.
        Ending::PanicsInDrop if !panicked_in_drop => Outcome::Panicked,
        Ending::Fails => Outcome::Returned(Err(Failure(id))),
        Ending::Succeeds | Ending::Panics | Ending::PanicsInDrop => Outcome::Returned(Ok(())),
    }
}

fn note_error(record: &Record, outcome: &Outcome<Result<(), Failure>>) {
    if let Outcome::Returned(Err(Failure(id))) = outcome {
        record.change(*id, |fate| fate.error_returned += 1);
    }
}

/// Ends a guard that holds the value itself, as far as `cut` lets it, and then lets go of it.
fn end_value(record: &Record, guard: Guard<Value>, cut: Option<usize>) {
    let id = guard.id;
    end_value_with_id(record, guard, id, cut);
}

/// The same for a guard that may be empty, because its value panicked when it was dropped.
fn end_value_with_id(record: &Record, mut guard: Guard<Value>, id: Id, cut: Option<usize>) {
    assert_eq!(guard.is_dropped(), record.of(id).done > 0);
    let expected = expected(record.of(id), id, cut);
    let outcome = attempt(guard.async_drop(), cut);
    assert_eq!(outcome, expected);
    note_error(record, &outcome);
    let_go(record, guard);
}

mod map {
    use super::*;

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
    }

    impl<'a> Pair<'a> {
        fn new(record: &'a Record) -> Self {
            Self {
                record,
                map: AsyncDropHashMap::new(),
                shown: BTreeMap::new(),
                ending: Vec::new(),
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

        fn clean_up(&mut self, cut: Option<usize>) {
            if cut != Some(0) {
                self.ending.extend(std::mem::take(&mut self.shown));
            }
            let open = |(_, id): &&(Key, Id)| self.record.of(*id).done == 0;
            let open_before: Vec<_> = self.ending.iter().filter(open).copied().collect();
            let outcome = attempt(self.map.async_drop(), cut);
            match outcome {
                Outcome::Cancelled => {
                    assert!(cut.is_some());
                    assert!(!self.map.is_dropped());
                }
                Outcome::Panicked => {
                    assert!(!self.map.is_dropped());
                    // Only cleanups that panicked are left. Everything else was done before the panic went on,
                    // and the panic may also be that of a value which was dropped.
                    let mut panics = 0;
                    for (_, id) in open_before {
                        let fate = self.record.of(id);
                        if fate.done == 0 {
                            assert_eq!(fate.panicked, 1);
                            panics += 1;
                        } else if fate.plan.ending == Ending::PanicsInDrop {
                            panics += 1;
                        }
                    }
                    assert!(panics > 0);
                }
                Outcome::Returned(result) => {
                    assert!(self.map.is_dropped());
                    let fails =
                        |(_, id): &&(Key, Id)| self.record.of(*id).plan.ending == Ending::Fails;
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
                    for (_, id) in open_before {
                        let ending = self.record.of(id).plan.ending;
                        assert_ne!(ending, Ending::PanicsInDrop, "its panic goes on");
                    }
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
}

mod arc {
    use super::*;

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
                    let (of, upgraded) = (*of, weak.upgrade());
                    let open = |owner: &Owner| owner.of == of && !owner.ending;
                    assert_eq!(upgraded.is_some(), self.owners.iter().any(open));
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
}

/// Helpers that hold one value, or the error that came instead.
mod one_value {
    use super::*;

    #[derive(Debug, Clone)]
    enum Op {
        Reach,
        CleanUp(Option<usize>),
        IntoInner(Option<usize>),
    }

    fn ops() -> impl Strategy<Value = Vec<Op>> {
        let op = prop_oneof![
            2 => Just(Op::Reach),
            3 => cut().prop_map(Op::CleanUp),
            1 => cut().prop_map(Op::IntoInner),
        ];
        proptest::collection::vec(op, 1..8)
    }

    /// One end of a guard that holds nothing but that value. Returns whether it is over.
    fn clean_up<T>(record: &Record, guard: &mut Guard<T>, id: Id, cut: Option<usize>) -> bool
    where
        T: AsyncDrop<Error = Failure> + Debug,
    {
        let expected = expected(record.of(id), id, cut);
        let outcome = attempt(guard.async_drop(), cut);
        assert_eq!(outcome, expected);
        note_error(record, &outcome);
        let over = matches!(outcome, Outcome::Returned(_));
        assert_eq!(guard.is_dropped(), over);
        over
    }

    #[cfg(feature = "tokio")]
    fn play_mutex(record: &Record, plan: Plan, ops: Vec<Op>) {
        let (id, value) = record.new_value(plan);
        let mut mutex = AsyncDropTokioMutex::new(value);
        for op in ops {
            match op {
                // As with every guard, using the value after its end is a panic that says so.
                Op::Reach if record.of(id).done > 0 => {
                    assert!(quietly(|| drop(mutex.try_lock())).is_none());
                    assert!(matches!(attempt(mutex.lock(), None), Outcome::Panicked));
                    assert!(quietly(|| mutex.get_mut().id).is_none());
                }
                Op::Reach => {
                    let held = mutex.try_lock().expect("nobody holds it");
                    assert_eq!(held.id, id);
                    assert!(mutex.try_lock().is_err());
                    assert!(matches!(attempt(mutex.lock(), Some(2)), Outcome::Cancelled));
                    drop(held);
                    let lock = attempt(mutex.lock(), None);
                    assert!(matches!(&lock, Outcome::Returned(held) if held.id == id));
                    drop(lock);
                    assert_eq!(mutex.get_mut().id, id);
                }
                Op::CleanUp(cut) => {
                    if clean_up(record, &mut mutex, id, cut) {
                        return;
                    }
                }
                Op::IntoInner(cut) => {
                    let value = AsyncDropTokioMutex::into_inner(mutex);
                    end_value_with_id(record, value, id, cut);
                    return;
                }
            }
        }
        let_go(record, mutex);
    }

    fn play_value_in_result(record: &Record, plan: Plan, ops: Vec<Op>) {
        let (id, value) = record.new_value(plan);
        let mut result = AsyncDropResult::<_, String>::new(Ok(value));
        for op in ops {
            match op {
                Op::Reach if record.of(id).done > 0 => {
                    assert!(quietly(|| result.ok().is_some()).is_none());
                    assert_eq!(result.err(), None);
                }
                Op::Reach => {
                    assert_eq!(result.ok().map(|value| value.id), Some(id));
                    assert_eq!(result.err(), None);
                    assert!(result.as_ref().is_ok());
                }
                Op::CleanUp(cut) => {
                    if clean_up(record, &mut result, id, cut) {
                        return;
                    }
                }
                Op::IntoInner(cut) => {
                    let value = AsyncDropResult::into_inner(result).expect("it is a value");
                    end_value_with_id(record, value, id, cut);
                    return;
                }
            }
        }
        let_go(record, result);
    }

    fn play_error_in_result(ops: Vec<Op>) {
        let mut result = AsyncDropResult::<Value, _>::new(Err("no value".to_owned()));
        for op in ops {
            match op {
                Op::Reach => {
                    assert!(result.ok().is_none());
                    assert_eq!(result.err().map(String::as_str), Some("no value"));
                }
                // There is nothing to wait for.
                Op::CleanUp(Some(0)) => {
                    let outcome = attempt(result.async_drop(), Some(0));
                    assert_eq!(outcome, Outcome::Cancelled);
                }
                Op::CleanUp(cut) => {
                    let outcome = attempt(result.async_drop(), cut);
                    assert_eq!(outcome, Outcome::Returned(Ok(())));
                    return;
                }
                Op::IntoInner(_) => {
                    let error = AsyncDropResult::into_inner(result).map(|_| ()).unwrap_err();
                    assert_eq!(error, "no value");
                    return;
                }
            }
        }
    }

    proptest! {
        #![proptest_config(config())]

        #[cfg(feature = "tokio")]
        #[test]
        fn a_mutex_does_what_its_model_does(plan in plan(), ops in ops()) {
            play(|record| play_mutex(record, plan, ops));
        }

        #[test]
        fn a_result_with_a_value_does_what_its_model_does(plan in plan(), ops in ops()) {
            play(|record| play_value_in_result(record, plan, ops));
        }

        #[test]
        fn a_result_with_an_error_does_what_its_model_does(ops in ops()) {
            play(|_| play_error_in_result(ops));
        }
    }
}
