//! Where a reaper writes down what has become of one value.
//!
//! That is one atomic number, and every change of it is one step.
//! So the owner of the value, its job and a shutdown never wait for each other: the first of them decides, and the others see it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Waker};

use crate::origin::{Name, ValueOrigin};
use crate::reaper::registry::Registry;

/// It is used for one value after the other, if they are of one kind.
///
/// It is kept small, because most of what a hand-over costs is that the threads of the owner and of the job both need it.
pub(super) struct Place {
    state: AtomicUsize,
    kind: Arc<Kind>,
    /// Which place of the reaper's it is.
    number: usize,
    /// How many values the thread that adopted this one had adopted before.
    order: AtomicUsize,
    notes: Mutex<Option<Box<Notes>>>,
}

/// What values of one reaper have in common, if they are of one type and their guards were created in one line.
pub(super) struct Kind {
    /// Without a name.
    origin: ValueOrigin,
    registry: Weak<Registry>,
}

impl Kind {
    pub(super) fn new(origin: &ValueOrigin, registry: &Arc<Registry>) -> Self {
        Self {
            origin: origin.clone(),
            registry: Arc::downgrade(registry),
        }
    }

    #[inline]
    pub(super) fn is_of(&self, origin: &ValueOrigin) -> bool {
        self.origin.is_surely_of(origin)
    }
}

/// What few values have.
#[derive(Default)]
pub(super) struct Notes {
    name: Option<Name>,
    /// Wakes the job when a shutdown gives it up.
    job: Option<Waker>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Vacant,
    InUse,
    /// Its job was made.
    CleaningUp,
    /// Its job was dropped in the middle and is about to say so itself.
    Ending,
    /// A shutdown did not wait for the end of the cleanup, and has named the value in its error.
    GivenUp,
    /// The reaper has ended while the value was in use. It is now its owner's alone.
    Released,
}

/// The number that says what has become of a value.
///
/// Its lowest three bits are the stage, then come the two below, and the rest counts the cleanups of the reaper's that have
/// come to an end here since the errors were last asked for.
#[derive(Clone, Copy)]
pub(super) struct State(usize);

const STAGE: usize = 0b111;
/// Somebody waits until the value has gone.
const WATCHED: usize = 1 << 3;
/// There may be notes.
const NOTED: usize = 1 << 4;
const ONE_FINISHED: usize = 1 << 5;
/// All that a value does not leave behind.
const OF_THE_VALUE: usize = ONE_FINISHED - 1;

impl State {
    pub(super) fn stage(self) -> Stage {
        match self.0 & STAGE {
            0 => Stage::Vacant,
            1 => Stage::InUse,
            2 => Stage::CleaningUp,
            3 => Stage::Ending,
            4 => Stage::GivenUp,
            _ => Stage::Released,
        }
    }

    /// Whether the reaper waits for the value.
    pub(super) fn is_pending(self) -> bool {
        !matches!(self.stage(), Stage::Vacant | Stage::Released)
    }

    pub(super) fn is_watched(self) -> bool {
        self.0 & WATCHED != 0
    }

    pub(super) fn is_noted(self) -> bool {
        self.0 & NOTED != 0
    }

    pub(super) fn finished(self) -> usize {
        self.0 / ONE_FINISHED
    }

    fn at(self, stage: Stage) -> Self {
        Self(self.0 & !STAGE | stage as usize)
    }

    fn vacated(self) -> Self {
        Self(self.0 & !OF_THE_VALUE)
    }

    fn with_one_more_finished(self) -> Self {
        Self(self.0.wrapping_add(ONE_FINISHED))
    }
}

impl Place {
    /// A vacant one.
    pub(super) fn new(number: usize, kind: Arc<Kind>) -> Self {
        Self {
            state: AtomicUsize::new(Stage::Vacant as usize),
            kind,
            number,
            order: AtomicUsize::new(0),
            notes: Mutex::default(),
        }
    }

    #[inline]
    pub(super) fn is_for(&self, registry: &Arc<Registry>, origin: &ValueOrigin) -> bool {
        self.kind.is_of(origin) && self.kind.registry.as_ptr() == Arc::as_ptr(registry)
    }

    pub(super) fn registry(&self) -> &Weak<Registry> {
        &self.kind.registry
    }

    pub(super) fn number(&self) -> usize {
        self.number
    }

    /// Writes down a value that is in use. The place must be vacant, and nobody else may use it.
    #[inline]
    pub(super) fn occupy(&self, order: usize, name: Option<&Name>) {
        self.order.store(order, Ordering::Relaxed);
        let mut state = Stage::InUse as usize;
        if let Some(name) = name {
            self.notes().get_or_insert_default().name = Some(Arc::clone(name));
            state |= NOTED;
        }
        self.state.fetch_add(state, Ordering::SeqCst);
    }

    /// Takes back what `occupy` did. `None` if a shutdown has already seen the value.
    pub(super) fn retreat(&self) -> Option<State> {
        self.step(|state| (state.stage() == Stage::InUse).then(|| state.vacated()))
            .ok()
    }

    /// Makes the place vacant, whatever has become of the value.
    #[inline]
    pub(super) fn vacate(&self) -> State {
        State(self.state.fetch_and(!OF_THE_VALUE, Ordering::SeqCst))
    }

    /// Whether the reaper cleans the value up from now on. It does not if it has ended.
    pub(super) fn begin_cleanup(&self) -> bool {
        self.step_from(Stage::InUse, Stage::CleaningUp).is_ok()
    }

    /// The job is dropped before its end. Whether a shutdown has named the value.
    ///
    /// If it has not, none will from now on: the job says itself what became of the value.
    pub(super) fn begin_end(&self) -> bool {
        self.step_from(Stage::CleaningUp, Stage::Ending)
            .is_err_and(|state| state.stage() == Stage::GivenUp)
    }

    /// The job has come to its end, which counts unless a shutdown has named the value.
    pub(super) fn finish(&self) -> State {
        self.change(|state| match state.stage() {
            Stage::GivenUp => state.vacated(),
            _ => state.vacated().with_one_more_finished(),
        })
    }

    /// The reaper ends and waits neither for an owner nor for a job. Returns what had become of the value until then.
    pub(super) fn give_up(&self) -> State {
        self.change(|state| match state.stage() {
            Stage::InUse => state.at(Stage::Released),
            Stage::CleaningUp => state.at(Stage::GivenUp),
            _ => state,
        })
    }

    /// The reaper ends, and cleanups that have begun continue.
    pub(super) fn release(&self) {
        self.change(|state| match state.stage() {
            Stage::InUse => state.at(Stage::Released),
            _ => state,
        });
    }

    /// Marks a value that the reaper waits for, so that its end wakes the one who waits. `false` if there is none.
    pub(super) fn watch(&self) -> bool {
        self.step(|state| state.is_pending().then_some(State(state.0 | WATCHED)))
            .is_ok()
    }

    /// How many cleanups have come to an end here. From now on they are counted anew.
    pub(super) fn take_finished(&self) -> usize {
        State(self.state.fetch_and(OF_THE_VALUE, Ordering::SeqCst)).finished()
    }

    /// The job waits. It is woken if a shutdown gives it up, unless one has done so already: then this returns `false`.
    pub(super) fn wait(&self, context: &Context<'_>) -> bool {
        let waker = context.waker();
        let is_known = |notes: MutexGuard<'_, Option<Box<Notes>>>| {
            let job = notes.as_ref().and_then(|notes| notes.job.as_ref());
            job.is_some_and(|job| job.will_wake(waker))
        };
        if !is_known(self.notes()) {
            // Cloned and dropped while the lock is not held, because a waker is code of others.
            let waker = waker.clone();
            let before = self.notes().get_or_insert_default().job.replace(waker);
            drop(before);
        }
        // After the waker is there, so whoever gives the job up from now on finds it.
        let before = State(self.state.fetch_or(NOTED, Ordering::SeqCst));
        before.stage() == Stage::CleaningUp
    }

    pub(super) fn state(&self) -> State {
        State(self.state.load(Ordering::SeqCst))
    }

    pub(super) fn order(&self) -> usize {
        self.order.load(Ordering::Relaxed)
    }

    /// Where the value comes from.
    pub(super) fn origin(&self) -> ValueOrigin {
        let origin = self.kind.origin.clone();
        let notes = self.notes();
        match notes.as_ref().and_then(|notes| notes.name.as_ref()) {
            Some(name) => origin.named(Arc::clone(name)),
            None => origin,
        }
    }

    pub(super) fn take_notes(&self) -> Option<Box<Notes>> {
        self.notes().take()
    }

    pub(super) fn take_waker(&self) -> Option<Waker> {
        self.notes().as_mut()?.job.take()
    }

    fn notes(&self) -> MutexGuard<'_, Option<Box<Notes>>> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a step if it is possible, and returns the state from which it was or was not.
    fn step(&self, step: impl Fn(State) -> Option<State>) -> Result<State, State> {
        let step = |state| step(State(state)).map(|State(state)| state);
        self.state
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, step)
            .map(State)
            .map_err(State)
    }

    fn step_from(&self, from: Stage, to: Stage) -> Result<State, State> {
        self.step(|state| (state.stage() == from).then(|| state.at(to)))
    }

    fn change(&self, change: impl Fn(State) -> State) -> State {
        match self.step(|state| Some(change(state))) {
            Ok(before) | Err(before) => before,
        }
    }
}
