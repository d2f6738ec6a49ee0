//! The place in which a reaper writes down what has become of one value.
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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
/// A task waits until the value has gone.
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

    /// Writes down a value that is in use. The place must be vacant, and the caller's alone.
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

    /// Marks a value that the reaper waits for, so that its end wakes the task that waits. `false` if there is none.
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
        // After the waker is there, so a shutdown that gives the job up from now on finds it.
        let before = State(self.state.fetch_or(NOTED, Ordering::SeqCst));
        before.stage() == Stage::CleaningUp
    }

    pub(super) fn state(&self) -> State {
        State(self.state.load(Ordering::SeqCst))
    }

    pub(super) fn order(&self) -> usize {
        self.order.load(Ordering::Relaxed)
    }

    /// The type of the value, the line of its guard, and its name.
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

#[cfg(test)]
mod tests {
    use super::Stage::{CleaningUp, Ending, GivenUp, InUse, Released, Vacant};
    use super::*;

    use std::task::Wake;

    use crate::origin::origin_of;

    const STAGES: [Stage; 6] = [Vacant, InUse, CleaningUp, Ending, GivenUp, Released];
    const BOTH: usize = WATCHED | NOTED;

    fn place_in(state: usize) -> Place {
        let kind = Kind::new(&origin_of::<u8>(), &Registry::without_tasks());
        let place = Place::new(0, Arc::new(kind));
        place.state.store(state, Ordering::SeqCst);
        place
    }

    /// What a step says and makes of each stage, of the two bits, and of the number of those that have ended.
    ///
    /// Each place is watched, has notes, and has seen the end of three values before.
    fn each<R>(step: impl Fn(&Place) -> R) -> [(R, Stage, usize, usize); 6] {
        STAGES.map(|stage| {
            let place = place_in(stage as usize | BOTH | (3 * ONE_FINISHED));
            let said = step(&place);
            let state = place.state();
            (said, state.stage(), state.0 & BOTH, state.finished())
        })
    }

    #[test]
    fn a_cleanup_begins_only_for_a_value_in_use() {
        let expected = [
            (false, Vacant, BOTH, 3),
            (true, CleaningUp, BOTH, 3),
            (false, CleaningUp, BOTH, 3),
            (false, Ending, BOTH, 3),
            (false, GivenUp, BOTH, 3),
            (false, Released, BOTH, 3),
        ];
        assert_eq!(each(Place::begin_cleanup), expected);
    }

    #[test]
    fn a_job_that_is_dropped_ends_itself_unless_it_was_given_up() {
        let expected = [
            (false, Vacant, BOTH, 3),
            (false, InUse, BOTH, 3),
            (false, Ending, BOTH, 3),
            (false, Ending, BOTH, 3),
            (true, GivenUp, BOTH, 3),
            (false, Released, BOTH, 3),
        ];
        assert_eq!(each(Place::begin_end), expected);
    }

    #[test]
    fn the_end_of_a_job_counts_unless_it_was_given_up() {
        let expected = [
            (Vacant, Vacant, 0, 4),
            (InUse, Vacant, 0, 4),
            (CleaningUp, Vacant, 0, 4),
            (Ending, Vacant, 0, 4),
            (GivenUp, Vacant, 0, 3),
            (Released, Vacant, 0, 4),
        ];
        assert_eq!(each(|place| place.finish().stage()), expected);
    }

    #[test]
    fn whatever_became_of_a_value_its_place_can_be_vacated() {
        let expected = STAGES.map(|stage| (stage, Vacant, 0, 3));
        assert_eq!(each(|place| place.vacate().stage()), expected);
    }

    #[test]
    fn a_value_that_a_shutdown_has_seen_cannot_retreat() {
        let expected = [
            (None, Vacant, BOTH, 3),
            (Some(InUse), Vacant, 0, 3),
            (None, CleaningUp, BOTH, 3),
            (None, Ending, BOTH, 3),
            (None, GivenUp, BOTH, 3),
            (None, Released, BOTH, 3),
        ];
        let retreat = |place: &Place| place.retreat().map(State::stage);
        assert_eq!(each(retreat), expected);
    }

    #[test]
    fn a_shutdown_gives_up_jobs_and_releases_what_is_in_use() {
        let expected = [
            (Vacant, Vacant, BOTH, 3),
            (InUse, Released, BOTH, 3),
            (CleaningUp, GivenUp, BOTH, 3),
            (Ending, Ending, BOTH, 3),
            (GivenUp, GivenUp, BOTH, 3),
            (Released, Released, BOTH, 3),
        ];
        assert_eq!(each(|place| place.give_up().stage()), expected);
    }

    #[test]
    fn a_reaper_that_is_dropped_releases_what_is_in_use_and_no_job() {
        let expected = [
            ((), Vacant, BOTH, 3),
            ((), Released, BOTH, 3),
            ((), CleaningUp, BOTH, 3),
            ((), Ending, BOTH, 3),
            ((), GivenUp, BOTH, 3),
            ((), Released, BOTH, 3),
        ];
        assert_eq!(each(Place::release), expected);
    }

    #[test]
    fn a_value_is_watched_as_long_as_the_reaper_waits_for_it() {
        for (stage, is_pending) in STAGES
            .into_iter()
            .zip([false, true, true, true, true, false])
        {
            let place = place_in(stage as usize | ONE_FINISHED);
            assert_eq!(place.state().is_pending(), is_pending, "{stage:?}");
            assert!(!place.state().is_watched(), "{stage:?}");
            assert_eq!(place.watch(), is_pending, "{stage:?}");
            let state = place.state();
            assert_eq!(state.is_watched(), is_pending, "{stage:?}");
            assert!(!state.is_noted(), "{stage:?}");
            assert_eq!((state.stage(), state.finished()), (stage, 1));
        }
    }

    #[test]
    fn taking_the_count_changes_nothing_else() {
        let expected = STAGES.map(|stage| (3, stage, BOTH, 0));
        assert_eq!(each(Place::take_finished), expected);
    }

    #[test]
    fn a_value_that_comes_keeps_the_count_of_those_before_it() {
        let place = place_in(3 * ONE_FINISHED);
        place.occupy(5, None);
        assert_eq!(place.state().0, InUse as usize | (3 * ONE_FINISHED));
        assert_eq!(place.order(), 5);
    }

    #[test]
    fn a_name_is_noted_and_part_of_the_origin() {
        let place = place_in(0);
        assert_eq!(place.origin().name(), None);
        place.occupy(0, Some(&Arc::new("ada".into())));
        assert_eq!(place.state().0, InUse as usize | NOTED);
        assert_eq!(place.origin().name(), Some("ada"));
        drop(place.take_notes());
        assert_eq!(place.origin().name(), None);
    }

    struct Bell;

    impl Wake for Bell {
        fn wake(self: Arc<Self>) {}
    }

    #[test]
    fn a_job_waits_unless_it_was_given_up_and_its_waker_is_noted() {
        for stage in STAGES {
            let place = place_in(stage as usize | ONE_FINISHED);
            let waker = Waker::from(Arc::new(Bell));
            let waits = place.wait(&Context::from_waker(&waker));
            assert_eq!(waits, stage == CleaningUp, "{stage:?}");
            assert_eq!(place.state().0, stage as usize | NOTED | ONE_FINISHED);
            let noted = place.take_waker().expect("it is noted");
            assert!(noted.will_wake(&waker));
            assert!(place.take_waker().is_none());
        }
    }

    #[test]
    fn a_waker_is_kept_once_and_the_last_one_counts() {
        let place = place_in(CleaningUp as usize);
        let [first, second] = [Arc::new(Bell), Arc::new(Bell)];
        for _ in 0..3 {
            place.wait(&Context::from_waker(&Waker::from(Arc::clone(&first))));
        }
        assert_eq!(Arc::strong_count(&first), 2);
        place.wait(&Context::from_waker(&Waker::from(Arc::clone(&second))));
        assert_eq!(
            (Arc::strong_count(&first), Arc::strong_count(&second)),
            (1, 2)
        );
    }

    #[test]
    fn a_value_that_is_watched_already_stays_so() {
        let place = place_in(InUse as usize);
        assert!(place.watch() && place.watch());
        assert!(place.state().is_watched());
    }

    /// The waker of a task whose last owner it is.
    struct Asks(Arc<Place>);

    impl Wake for Asks {
        fn wake(self: Arc<Self>) {}
    }

    impl Drop for Asks {
        fn drop(&mut self) {
            assert!(self.0.notes.try_lock().is_ok(), "it is held");
        }
    }

    #[test]
    fn a_waker_is_dropped_while_the_notes_are_not_held() {
        let place = Arc::new(place_in(CleaningUp as usize));
        let wait = |waker: Waker| place.wait(&Context::from_waker(&waker));
        wait(Waker::from(Arc::new(Asks(Arc::clone(&place)))));
        wait(Waker::from(Arc::new(Asks(Arc::clone(&place)))));
        drop(place.take_waker());
        wait(Waker::from(Arc::new(Asks(Arc::clone(&place)))));
        drop(place.take_notes());
        assert_eq!(Arc::strong_count(&place), 1);
    }

    /// Each pending value has one, and a thread that hands a value over takes it from the processor of another one.
    #[cfg(target_pointer_width = "64")]
    #[test]
    fn a_place_and_the_counts_of_its_owners_fit_into_one_line_of_a_cache() {
        assert!(size_of::<Place>() + 2 * size_of::<usize>() <= 64);
    }
}
