//! Random sequences of operations on whatever has a state, beside a model of each that is
//! nothing but plain collections and counters.
//!
//! A failure prints the shortest sequence that shows it. The seed is fixed: each run is the same, unless
//! `PROPTEST_RNG_SEED` chooses another one, and `PROPTEST_CASES` a number of cases.

mod arc;
mod close;
#[cfg(feature = "testing")]
mod interruptions;
mod map;
mod one_value;
mod reaper;
mod shared;
mod stack;
#[path = "../support/mod.rs"]
mod support;

use std::any::type_name;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::{self, Debug, Display};
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, Once};
use std::task::{Context, Poll, Waker};
use std::thread;

use asyncdrop::incident::{self, IncidentKind};
use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use support::wait;

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
struct Record {
    fates: Arc<Mutex<BTreeMap<Id, Fate>>>,
    /// In the order in which their cleanups ended, with a result or a panic.
    ended: Arc<Mutex<Vec<Id>>>,
}

#[derive(Debug, Clone, Copy)]
struct Fate {
    plan: Plan,
    begun: usize,
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
        let id = self.new_fate(plan);
        let record = self.clone();
        (id, Guard::new(Value { id, record }))
    }

    fn new_fate(&self, plan: Plan) -> Id {
        let mut all = self.all();
        let id = all.len();
        let fate = Fate {
            plan,
            begun: 0,
            done: 0,
            panicked: 0,
            dropped: 0,
            missed: 0,
            error_returned: 0,
            error_suppressed: 0,
        };
        all.insert(id, fate);
        id
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<Id, Fate>> {
        self.fates.lock().unwrap()
    }

    /// The cleanups that have ended since this was last asked, in that order.
    fn take_ended(&self) -> Vec<Id> {
        std::mem::take(&mut self.ended.lock().unwrap())
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

impl Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Debug::fmt(self, f)
    }
}

impl Error for Failure {}

#[async_trait]
impl AsyncDrop for Value {
    type Error = Failure;

    async fn async_drop_impl(&mut self) -> Result<(), Failure> {
        let fate = self.record.of(self.id);
        self.record.change(self.id, |fate| fate.begun += 1);
        wait(fate.plan.waits).await;
        self.record.ended.lock().unwrap().push(self.id);
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
    let types = [type_name::<Value>(), type_name::<Box<Value>>()];
    let of_value = types.contains(&incident.type_name());
    // It shows nothing of what is in it. A case that has one has no other values.
    let of_close = incident.type_name().contains("AsyncDropWith<");
    for (id, fate) in record.all().iter_mut() {
        match incident.kind() {
            IncidentKind::Suppressed if text.contains(&format!("error {id}.")) => {
                fate.error_suppressed += 1;
            }
            IncidentKind::Forgotten | IncidentKind::Interrupted
                if of_close || of_value && text.contains(&format!("value {id}.")) =>
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
        // What takes more than one value and more than one interruption is rare among the sequences.
        cases: default.cases.max(1024),
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
