//! Drops a future at each place where it can be dropped, and checks afterwards that nothing was lost.
//!
//! A *scenario* sets some values up and then calls the library. The harness polls that call by hand, drops it after
//! 0, 1, 2, … polls, and then either calls again or lets go of everything.
//! The values write into a ledger what happens to them, the hook adds the incidents,
//! and at the end the ledger must balance: [`Ledger::audit`] is the list of what that means.
//!
//! The sweep of `asyncdrop::testing` cuts at the operations of tokio, and each of its runs is a test's own. This one cuts at polls:
//! most of the library does no operation of tokio, and is tested without its features as well.

#![allow(
    unreachable_pub,
    reason = "a module of a test is never reached from outside"
)]
#![cfg_attr(
    not(feature = "tokio"),
    allow(dead_code, reason = "some of it is for the reaper alone")
)]

use std::any::type_name;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::error::Error;
use std::fmt::{self, Debug, Display};
use std::panic::{self, AssertUnwindSafe, Location, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Once};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;

use asyncdrop::incident::IncidentKind;
use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};

use crate::support::{Recorded, listen, wait};

/// How the cleanup of a value ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    Succeeds,
    Fails,
    /// The first cleanup panics, the next one succeeds.
    PanicsOnce,
    PanicsAlways,
    /// The cleanup fails, and then the value's own `Drop` panics.
    FailsAndPanicsInDrop,
}

pub const EVERY_ENDING: &[Ending] = &[
    Ending::Succeeds,
    Ending::Fails,
    Ending::PanicsOnce,
    Ending::PanicsAlways,
    Ending::FailsAndPanicsInDrop,
];

/// A cleanup that ends in one of these has not cleaned the value up.
const PANICKING_CLEANUP: &[Ending] = &[Ending::PanicsOnce, Ending::PanicsAlways];

const PANICS: &[Ending] = &[
    Ending::PanicsOnce,
    Ending::PanicsAlways,
    Ending::FailsAndPanicsInDrop,
];

/// For values whose error type is `Infallible`.
pub const NO_FAILING_ENDING: &[Ending] =
    &[Ending::Succeeds, Ending::PanicsOnce, Ending::PanicsAlways];

/// How many polls the cleanups wait: all the same, the first the longest, the last the longest.
///
/// Cleanups that run concurrently are polled more than once in one poll of the call, so the longest is longer than that.
const WAITS: [[usize; 4]; 3] = [[1, 1, 1, 1], [3, 1, 0, 0], [0, 1, 2, 1]];

/// A sweep over one scenario.
pub struct Sweep {
    values: usize,
    endings: &'static [Ending],
    resumable: bool,
    tried_once: bool,
    panics_itself: bool,
}

impl Sweep {
    /// The scenario uses that many values at most. Each is tried with each ending.
    pub fn of(values: usize) -> Self {
        Self {
            values,
            endings: EVERY_ENDING,
            resumable: false,
            tried_once: false,
            panics_itself: false,
        }
    }

    pub fn endings(mut self, endings: &'static [Ending]) -> Self {
        self.endings = endings;
        self
    }

    /// The scenario keeps its guards. So calling again must finish everything, and return every error.
    pub fn resumable(mut self) -> Self {
        self.resumable = true;
        self
    }

    /// Somebody else cleans the values up, who tries once.
    /// So a value whose cleanup panics may be reported also where the call is taken up again. Nothing else may be.
    pub fn tried_once(mut self) -> Self {
        self.tried_once = true;
        self
    }

    /// The scenario panics, whatever the cleanups do. So even where nobody interrupts it, values may only be reported.
    pub fn panics_itself(mut self) -> Self {
        self.panics_itself = true;
        self
    }

    /// Runs the scenario in every way, and panics at the first one after which the ledger does not balance.
    pub fn run<K>(self, set_up: impl Fn(&Stage) -> K, call: impl AsyncFn(&mut K, &Stage)) {
        match self.find_fault(set_up, call) {
            Ok(runs) => assert!(runs > 2 * self.endings.len(), "only {runs} runs"),
            Err(fault) => panic!("{fault}"),
        }
    }

    /// The number of runs, or what went wrong in the first faulty one.
    pub fn find_fault<K>(
        &self,
        set_up: impl Fn(&Stage) -> K,
        call: impl AsyncFn(&mut K, &Stage),
    ) -> Result<usize, String> {
        let mut runs = 0;
        for plan in self.plans() {
            // Polls of a call that nobody interrupts. A panic makes it shorter, so let none happen here.
            let polls = self.longest_call(&plan, &set_up, &call);
            for hook in [Hook::Records, Hook::Panics] {
                let mut one_run = |cuts: &[usize], then: Then| {
                    runs += 1;
                    let run = Run { cuts, then, hook };
                    run.play(self, &plan, &set_up, &call)
                };
                one_run(&[], Then::CallAgain)?;
                one_run(&[], Then::LetGo)?;
                for first in 0..=polls {
                    one_run(&[first], Then::LetGo)?;
                    for second in 0..=polls {
                        one_run(&[first, second], Then::CallAgain)?;
                    }
                }
            }
        }
        Ok(runs)
    }

    fn plans(&self) -> Vec<Plan> {
        let combinations = self.endings.len().pow(u32::try_from(self.values).unwrap());
        let mut plans = Vec::new();
        for waits in WAITS {
            for combination in 0..combinations {
                let mut rest = combination;
                let plan = (0..self.values).map(|value| {
                    let ending = self.endings[rest % self.endings.len()];
                    rest /= self.endings.len();
                    (ending, waits[value])
                });
                plans.push(plan.collect());
            }
        }
        plans
    }

    fn longest_call<K>(
        &self,
        plan: &Plan,
        set_up: &impl Fn(&Stage) -> K,
        call: &impl AsyncFn(&mut K, &Stage),
    ) -> usize {
        let plan = plan
            .iter()
            .map(|(_, waits)| (Ending::Succeeds, *waits))
            .collect();
        let stage = Stage::new(plan, Hook::Records);
        let mut kept = stage.enter(|| set_up(&stage));
        let (_, polls) = stage.attempt(call(&mut kept, &stage), None);
        stage.let_go(kept);
        polls
    }
}

/// For each value, in the order of their creation, how its cleanup ends and how many polls it waits.
type Plan = Vec<(Ending, usize)>;

/// What happens with an incident once it is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hook {
    Records,
    /// As the default hook does, where the thread is not unwinding.
    Panics,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    CallAgain,
    LetGo,
}

#[derive(Debug)]
struct Run<'a> {
    /// After how many polls each call in turn is dropped.
    cuts: &'a [usize],
    then: Then,
    hook: Hook,
}

impl Run<'_> {
    fn play<K>(
        &self,
        sweep: &Sweep,
        plan: &Plan,
        set_up: &impl Fn(&Stage) -> K,
        call: &impl AsyncFn(&mut K, &Stage),
    ) -> Result<(), String> {
        let stage = Stage::new(plan.clone(), self.hook);
        let mut kept = stage.enter(|| set_up(&stage));
        let mut finished = false;
        for cut in self.cuts {
            let (attempt, _) = stage.attempt(call(&mut kept, &stage), Some(*cut));
            finished |= attempt == Attempt::Finished;
        }
        if self.then == Then::CallAgain || self.cuts.is_empty() {
            // Each value can panic once, and one call after the one that finished must change nothing.
            for _ in 0..sweep.values + 2 {
                let (attempt, _) = stage.attempt(call(&mut kept, &stage), None);
                finished |= attempt == Attempt::Finished;
            }
        }
        stage.let_go(kept);

        let any = |endings: &[Ending]| plan.iter().any(|(ending, _)| endings.contains(ending));
        let can_end = sweep.tried_once || !any(&[Ending::PanicsAlways]);
        let taken_up_again = sweep.resumable && self.then == Then::CallAgain && can_end;
        let undisturbed = self.cuts.is_empty() && !sweep.panics_itself && !any(PANICS);
        let must_finish = taken_up_again || undisturbed;
        let may_be_reported = |ending: Ending| {
            !must_finish || sweep.tried_once && PANICKING_CLEANUP.contains(&ending)
        };
        let mut faults = stage.ledger().audit(may_be_reported, taken_up_again);
        if must_finish && !finished {
            faults.push("it never finished".into());
        }
        if faults.is_empty() {
            return Ok(());
        }
        let faults = faults.join("\n- ");
        Err(format!(
            "the ledger does not balance:\n- {faults}\nin {self:?}\nwith {plan:?}\n{:#?}",
            stage.ledger()
        ))
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Attempt {
    Finished,
    Cancelled,
    Panicked,
}

/// Where one run takes place: it makes the values and knows the ledger.
#[derive(Clone)]
pub struct Stage {
    plan: Arc<Plan>,
    hook: Hook,
    ledger: Arc<Mutex<Ledger>>,
}

impl Stage {
    fn new(plan: Plan, hook: Hook) -> Self {
        Self {
            plan: Arc::new(plan),
            hook,
            ledger: Arc::default(),
        }
    }

    /// The next value of the plan. A name stands for one value, and is shown by its `Debug`.
    #[track_caller]
    pub fn value(&self, name: &'static str) -> AsyncDropGuard<Value> {
        let mut ledger = self.ledger();
        let index = ledger.accounts.len();
        let (ending, waits) = self.plan[index.min(self.plan.len() - 1)];
        let account = Account::open(ending, Location::caller());
        if ledger.accounts.insert(name, account).is_some() {
            ledger.faults.push(format!("{name} was created twice"));
        }
        AsyncDropGuard::new(Value {
            name,
            ending,
            waits,
            stage: self.clone(),
        })
    }

    /// As [`value`](Self::value), for a value whose cleanup cannot fail.
    #[track_caller]
    pub fn sure_value(&self, name: &'static str) -> AsyncDropGuard<SureValue> {
        self.value(name).map_unsafe(SureValue)
    }

    /// An error that is not the one of a cleanup.
    pub fn error(&self, name: &'static str) -> Failure {
        Failure(name)
    }

    /// Notes that an error has named the value that was created there as not cleaned up. It stands for the incident.
    pub fn given_up(&self, created_at: &'static Location<'static>) {
        let mut ledger = self.ledger();
        let created_there = ledger
            .accounts
            .iter()
            .filter(|(_, account)| account.created_at == created_at);
        let names: Vec<_> = created_there.map(|(name, _)| *name).collect();
        match names[..] {
            [name] => ledger.given_up.push(name),
            _ => ledger.faults.push(format!(
                "{} values were created at {created_at}",
                names.len()
            )),
        }
    }

    /// Notes what the library gave back, with every error that is in it.
    pub fn returned(&self, result: &impl Debug) {
        self.ledger().returned.push(format!("{result:?}"));
    }

    /// How often the error with this name was reported instead of returned.
    pub fn suppressed(&self, name: &'static str) -> usize {
        let ledger = self.ledger();
        ledger.reports(&format!("{:?}", Failure(name)), |incident| {
            incident.kind == IncidentKind::Suppressed
        })
    }

    /// What was expected of the library and did not happen.
    pub fn expect(&self, condition: bool, what: &str) {
        if !condition {
            self.ledger().faults.push(format!("expected: {what}"));
        }
    }

    fn ledger(&self) -> std::sync::MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap()
    }

    /// Polls `call` until it ends, or until it was polled that many times and is dropped.
    fn attempt(&self, call: impl Future<Output = ()>, cut: Option<usize>) -> (Attempt, usize) {
        self.ledger().attempts += 1;
        let alarm = Arc::new(Alarm(AtomicBool::new(false)));
        let waker = Waker::from(Arc::clone(&alarm));
        let mut call = Box::pin(call);
        for polls in 0.. {
            if cut == Some(polls) {
                let _ = self.enter(|| catch_unwind(AssertUnwindSafe(|| drop(call))));
                return (Attempt::Cancelled, polls);
            }
            let mut context = Context::from_waker(&waker);
            let poll = || call.as_mut().poll(&mut context);
            match self.enter(|| catch_unwind(AssertUnwindSafe(poll))) {
                Ok(Poll::Pending) => {}
                Ok(Poll::Ready(())) => return (Attempt::Finished, polls + 1),
                Err(_) => {
                    let _ = self.enter(|| catch_unwind(AssertUnwindSafe(|| drop(call))));
                    return (Attempt::Panicked, polls + 1);
                }
            }
            if !alarm.0.swap(false, Ordering::SeqCst) {
                let faults = &mut self.ledger().faults;
                faults.push("it waits, and nobody will wake it".into());
            }
            assert!(polls < 1000, "it never ends");
        }
        unreachable!("the loop has no end")
    }

    fn let_go<K>(&self, kept: K) {
        let _ = self.enter(|| catch_unwind(AssertUnwindSafe(|| drop(kept))));
    }

    /// Runs `f` in such a way that incidents come into this ledger, and panics print nothing.
    fn enter<R>(&self, f: impl FnOnce() -> R) -> R {
        install_hooks();
        let outer = ON_STAGE.replace(Some(self.clone()));
        assert!(outer.is_none(), "stages do not nest");
        let result = f();
        ON_STAGE.take();
        result
    }
}

thread_local! {
    static ON_STAGE: RefCell<Option<Stage>> = const { RefCell::new(None) };
}

/// Both hooks belong to the whole process, and its other tests are not to notice.
fn install_hooks() {
    static INSTALL: Once = Once::new();
    INSTALL.call_once(|| {
        let default = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if ON_STAGE.with_borrow(Option::is_none) {
                default(info);
            }
        }));
        listen(|incident| {
            let Some(stage) = ON_STAGE.with_borrow(Option::clone) else {
                return false;
            };
            // Written down first, since the `Debug` of a value may itself want the ledger.
            let recorded = incident.into();
            stage.ledger().incidents.push(recorded);
            let missed = incident.kind() != IncidentKind::Suppressed;
            if missed && stage.hook == Hook::Panics && !thread::panicking() {
                panic!("{incident}");
            }
            true
        });
    });
}

struct Alarm(AtomicBool);

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Everything that happened in one run.
#[derive(Debug, Default)]
struct Ledger {
    accounts: BTreeMap<&'static str, Account>,
    incidents: Vec<Recorded>,
    /// The `Debug` output of all that was returned.
    returned: Vec<String>,
    /// The values that an error has named as not cleaned up.
    given_up: Vec<&'static str>,
    attempts: usize,
    faults: Vec<String>,
}

#[derive(Debug)]
struct Account {
    ending: Ending,
    created_at: &'static Location<'static>,
    begun: usize,
    succeeded: usize,
    failed: usize,
    panicked: usize,
    dropped: usize,
}

impl Account {
    fn open(ending: Ending, created_at: &'static Location<'static>) -> Self {
        Self {
            ending,
            created_at,
            begun: 0,
            succeeded: 0,
            failed: 0,
            panicked: 0,
            dropped: 0,
        }
    }
}

impl Ledger {
    /// What does not balance.
    fn audit(
        &self,
        may_be_reported: impl Fn(Ending) -> bool,
        must_return_errors: bool,
    ) -> Vec<String> {
        let mut faults = self.faults.clone();
        for (name, account) in &self.accounts {
            let mut fault = |what: String| faults.push(format!("{name} {what}"));
            let done = account.succeeded + account.failed;
            // A guard around it reports as well. What counts is the one that holds the value itself.
            let missed = self.reports(&Value::shown(name), |incident| {
                incident.kind != IncidentKind::Suppressed && is_value_type(incident.type_name)
            });
            let missed = missed + self.given_up.iter().filter(|it| *it == name).count();
            // A shutdown that is dropped after its deadline cannot return its error, and reports it.
            let missed = missed + self.reports_of_a_shutdown(account.created_at);
            match (done, missed) {
                (1, 0) => {}
                (0, 1) if may_be_reported(account.ending) => {}
                (0, 0) => fault("was not cleaned up, and no incident says so".into()),
                _ => fault(format!("was cleaned up {done} times, reported {missed}")),
            }
            if account.dropped != 1 {
                fault(format!("was dropped {} times", account.dropped));
            }
            if account.begun > self.attempts {
                fault(format!(
                    "was begun {} times in {} calls",
                    account.begun, self.attempts
                ));
            }

            let shown = format!("{:?}", Failure(name));
            let returned: usize = self.returned.iter().map(|it| count(it, &shown)).sum();
            let suppressed = self.reports(&shown, |it| it.kind == IncidentKind::Suppressed);
            if returned + suppressed != account.failed {
                fault(format!(
                    "failed {} times, its error was returned {returned} times and suppressed {suppressed} times",
                    account.failed
                ));
            }
            let panics_in_drop = account.ending == Ending::FailsAndPanicsInDrop;
            if must_return_errors && suppressed > 0 && !panics_in_drop {
                fault("lost its error though the call was taken up again".into());
            }
        }
        faults
    }

    /// In how many errors that were reported instead of returned a shutdown has given that value up.
    fn reports_of_a_shutdown(&self, created_at: &'static Location<'static>) -> usize {
        let place = format!("created at {created_at}");
        let suppressed = |it: &&Recorded| it.kind == IncidentKind::Suppressed;
        self.incidents
            .iter()
            .filter(suppressed)
            .filter_map(|incident| {
                let (_, list) = incident.message.split_once("being_cleaned_up: [")?;
                let (list, _) = list.split_once("], errors: ")?;
                list.split(", ").any(|it| it == place).then_some(())
            })
            .count()
    }

    fn reports(&self, shown: &str, which: impl Fn(&Recorded) -> bool) -> usize {
        let named = |incident: &&Recorded| incident.message.contains(shown);
        self.incidents
            .iter()
            .filter(|incident| which(incident))
            .filter(named)
            .count()
    }
}

fn count(text: &str, part: &str) -> usize {
    text.matches(part).count()
}

/// A value that writes into the ledger what happens to it.
pub struct Value {
    name: &'static str,
    ending: Ending,
    waits: usize,
    stage: Stage,
}

impl Value {
    fn shown(name: &str) -> String {
        format!("Value({name})")
    }

    fn write(&self, entry: impl FnOnce(&mut Account)) {
        let mut ledger = self.stage.ledger();
        let account = ledger.accounts.get_mut(self.name);
        entry(account.expect("each value has an account"));
    }
}

#[async_trait]
impl AsyncDrop for Value {
    type Error = Failure;

    async fn async_drop_impl(&mut self) -> Result<(), Failure> {
        let mut first = false;
        self.write(|account| {
            account.begun += 1;
            first = account.panicked == 0;
        });
        wait(self.waits).await;
        match self.ending {
            Ending::PanicsOnce if first => self.panic(),
            Ending::PanicsAlways => self.panic(),
            Ending::Succeeds | Ending::PanicsOnce => {
                self.write(|account| account.succeeded += 1);
                Ok(())
            }
            Ending::Fails | Ending::FailsAndPanicsInDrop => {
                self.write(|account| account.failed += 1);
                Err(Failure(self.name))
            }
        }
    }
}

impl Value {
    fn panic(&self) -> ! {
        self.write(|account| account.panicked += 1);
        panic!("the cleanup of {} panics", self.name)
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        self.write(|account| account.dropped += 1);
        let panics = self.ending == Ending::FailsAndPanicsInDrop;
        if panics && !thread::panicking() {
            panic!("{} panics in its own Drop", self.name);
        }
    }
}

impl Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&Self::shown(self.name))
    }
}

/// A [`Value`] whose cleanup cannot fail. Its endings must be [`NO_FAILING_ENDING`].
pub struct SureValue(Value);

#[async_trait]
impl AsyncDrop for SureValue {
    type Error = Infallible;

    async fn async_drop_impl(&mut self) -> Result<(), Infallible> {
        self.0.async_drop_impl().await.expect("no failing ending");
        Ok(())
    }
}

impl Debug for SureValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A [`Value`] that has borrowed something, and uses it in its cleanup.
pub struct Borrowing<'l>(pub Value, pub &'l mut usize);

#[async_trait]
impl AsyncDrop for Borrowing<'_> {
    type Error = Failure;

    async fn async_drop_impl(&mut self) -> Result<(), Failure> {
        *self.1 += 1;
        self.0.async_drop_impl().await
    }
}

impl Debug for Borrowing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A trait object that a guard can hold and an incident can name.
pub trait AnyValue: AsyncDrop<Error = Failure> + Debug + Send + Sync {}
impl AnyValue for Value {}

fn is_value_type(name: &str) -> bool {
    let types = [
        type_name::<Value>(),
        type_name::<SureValue>(),
        type_name::<Borrowing<'static>>(),
        type_name::<Box<Value>>(),
        type_name::<Box<dyn AnyValue>>(),
    ];
    types.contains(&name)
}

/// The error of the value with this name.
#[derive(PartialEq, Eq)]
pub struct Failure(pub &'static str);

// Without the quotes of a derived one, which would look different inside of a string that is itself printed.
impl Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Failure({})", self.0)
    }
}

impl Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The reaper, the stack and the derive macro print errors with `Display`, and what is printed is looked for by its `Debug`.
        Debug::fmt(self, f)
    }
}

impl Error for Failure {}
