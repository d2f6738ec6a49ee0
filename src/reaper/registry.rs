//! Which values a reaper has adopted, and what has become of them. It knows no runtime.
//!
//! Each value has a [`Place`], and its owner or its job writes down there what becomes of it.
//! A thread only opens the book of all places if it needs a new one.
//! What must be true of all values at the same moment (none is left, these are left) is decided while the book is locked.
//!
//! No code of others runs while the book is locked, so no `Debug`, no `Drop` of a value or of an error, and no waker.

use std::fmt;
use std::mem;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::cleanup_error::{CleanupError, CleanupErrors};
use crate::held_error::HeldError;
use crate::origin::{Name, ValueOrigin};
use crate::panics::contain_panic;
use crate::reaper::adoption::Adoption;
use crate::reaper::place::{Kind, Place, Stage, State};
use crate::reaper::shutdown::ShutdownError;
use crate::reaper::tasks::Tasks;
use crate::reaper::vacant;

/// What a reaper and its handles share.
///
/// It doesn't share its first line of a processor's cache with the count of its owners, because every adoption reads the door.
#[repr(align(128))]
pub(super) struct Registry {
    door: AtomicU8,
    pub(super) tasks: Tasks,
    /// The task that waits until there are no values. At most one does, because it has `&mut` to the reaper.
    waiter: Mutex<Option<Waker>>,
    book: Mutex<Book>,
}

/// Values are adopted, and a thread that has a place for one need not ask.
const OPEN: u8 = 0;
/// The book is open, because a shutdown looks for values. A thread that wants to adopt one waits for the book.
const HELD: u8 = 1;
/// The reaper has ended: no value is adopted any more, and none is taken over.
const ENDED: u8 = 2;

/// How many places are made at a time.
const AT_A_TIME: usize = 32;

#[derive(Default)]
struct Book {
    /// By their numbers, without the spare ones.
    places: Vec<Option<Arc<Place>>>,
    /// Places that no thread has, so each has one owner.
    spare: Vec<Arc<Place>>,
    kinds: Vec<Arc<Kind>>,
    /// How many places there are up to the last value that was marked by `watch_one`.
    watched: usize,
    /// How many cleanups of the reaper's have come to an end in places that were given back.
    finished: usize,
    errors: Vec<HeldError<CleanupError>>,
}

impl Book {
    /// A vacant place. It stays in the book until it is given back.
    fn hand_out(&mut self, registry: &Arc<Registry>, origin: &ValueOrigin) -> Arc<Place> {
        let kind = self.kind(registry, origin);
        if self.spare.is_empty() {
            // Side by side in memory, which makes it quick to look at all of them.
            let (first, new) = (self.places.len(), self.places.len() + AT_A_TIME);
            self.places.resize(new, None);
            let made = (first..new).map(|number| Arc::new(Place::new(number, Arc::clone(&kind))));
            self.spare.extend(made.rev());
        }
        let mut place = self.spare.pop().expect("there are some now");
        let spare = Arc::get_mut(&mut place).expect("a spare place has one owner");
        *spare = Place::new(spare.number(), kind);
        self.places[place.number()] = Some(Arc::clone(&place));
        place
    }

    /// There are only as many kinds as lines in which guards are created, so they are looked through, and kept.
    fn kind(&mut self, registry: &Arc<Registry>, origin: &ValueOrigin) -> Arc<Kind> {
        let known = self.kinds.iter().find(|kind| kind.is_of(origin));
        if let Some(kind) = known {
            return Arc::clone(kind);
        }
        let kind = Arc::new(Kind::new(origin, registry));
        self.kinds.push(Arc::clone(&kind));
        kind
    }

    fn take_back(&mut self, place: Arc<Place>) {
        self.finished += place.state().finished();
        self.places[place.number()] = None;
        self.spare.push(place);
    }

    fn places(&self) -> impl Iterator<Item = &Place> {
        self.places.iter().flatten().map(|place| &**place)
    }

    /// Marks a value that is there, so that its end wakes the task that waits. `false` if there is none.
    ///
    /// It begins at the last one that it has marked, and comes to those above it at the end.
    /// So if very many values go one by one, it doesn't look at all of their places each time.
    fn watch_one(&mut self) -> bool {
        let last = self.watched.min(self.places.len());
        let (below, above) = self.places.split_at(last);
        let mut places = below.iter().rev().chain(above.iter().rev()).flatten();
        match places.find(|place| place.watch()) {
            Some(place) => {
                self.watched = place.number() + 1;
                true
            }
            None => false,
        }
    }

    /// What failed, and how many cleanups have come to an end.
    fn take_errors(&mut self) -> (Vec<HeldError<CleanupError>>, usize) {
        let finished = self.places().map(Place::take_finished).sum::<usize>();
        let errors = mem::take(&mut self.errors);
        (errors, finished + mem::take(&mut self.finished))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Registry {
    pub(super) fn new(tasks: Tasks) -> Self {
        Self {
            door: AtomicU8::new(OPEN),
            tasks,
            waiter: Mutex::default(),
            book: Mutex::default(),
        }
    }

    /// Enters a value, unless the reaper has ended.
    #[inline]
    pub(super) fn admit(
        self: &Arc<Self>,
        origin: &ValueOrigin,
        name: Option<&Name>,
    ) -> Option<Adoption> {
        let (place, order) = vacant::take(self, origin);
        let Some(place) = place else {
            return self.admit_with_book(None, origin, name, order);
        };
        place.occupy(order, name);
        // A shutdown first closes the door and then looks at the places, so one of the two sees the other.
        if self.door.load(Ordering::SeqCst) == OPEN {
            return Some(Adoption::new(place));
        }
        match place.retreat() {
            Some(before) => {
                if before.is_watched() {
                    self.wake();
                }
                // If the reaper has ended, the place is not used again.
                drop(place.take_notes());
                self.admit_with_book(Some(place), origin, name, order)
            }
            // A shutdown has seen the value, so it was adopted before that.
            None => Some(Adoption::new(place)),
        }
    }

    #[cold]
    fn admit_with_book(
        self: &Arc<Self>,
        place: Option<Arc<Place>>,
        origin: &ValueOrigin,
        name: Option<&Name>,
        order: usize,
    ) -> Option<Adoption> {
        let mut book = lock(&self.book);
        if self.has_ended() {
            return None;
        }
        let place = place.unwrap_or_else(|| book.hand_out(self, origin));
        place.occupy(order, name);
        Some(Adoption::new(place))
    }

    /// Takes back vacant places that a thread has no use for.
    pub(super) fn take_back(&self, places: Vec<Arc<Place>>) {
        let mut book = lock(&self.book);
        for place in places {
            book.take_back(place);
        }
    }

    /// Waits until the book is free.
    pub(super) fn wait_for_book(&self) {
        drop(lock(&self.book));
    }

    /// The cleanup of a value ends with an error, which is taken unless the reaper has ended, because then it is too late for it.
    pub(super) fn finish_with(
        &self,
        error: &mut Option<HeldError<CleanupError>>,
        place: &Place,
    ) -> State {
        // The errors are only asked for with the book, so either this one is among them, or the value was named.
        let mut book = lock(&self.book);
        let before = place.finish();
        if !self.has_ended() {
            book.errors.extend(error.take());
        }
        before
    }

    fn has_ended(&self) -> bool {
        self.door.load(Ordering::SeqCst) == ENDED
    }

    /// How many values there are.
    pub(super) fn len(&self) -> usize {
        let (in_use, being_cleaned_up) = self.count(&lock(&self.book));
        in_use + being_cleaned_up
    }

    /// How many values are in use, and how many the reaper is cleaning up.
    fn count(&self, book: &Book) -> (usize, usize) {
        let (mut in_use, mut being_cleaned_up) = (0, 0);
        let has_ended = self.has_ended();
        for place in book.places() {
            match place.state().stage() {
                // It was just refused, and is about to retreat.
                Stage::InUse if has_ended => {}
                Stage::InUse => in_use += 1,
                Stage::CleaningUp | Stage::Ending | Stage::GivenUp => being_cleaned_up += 1,
                Stage::Vacant | Stage::Released => {}
            }
        }
        (in_use, being_cleaned_up)
    }

    /// Counts with the book and writes without it: the writer is code of others, which may wait, or use the reaper itself.
    pub(super) fn show(&self, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let book = lock(&self.book);
        let (in_use, being_cleaned_up) = self.count(&book);
        let errors = book.errors.len();
        drop(book);
        f.debug_struct(name)
            .field("in_use", &in_use)
            .field("being_cleaned_up", &being_cleaned_up)
            .field("errors", &errors)
            .finish()
    }

    pub(super) fn poll_empty(&self, context: &Context<'_>) -> Poll<()> {
        self.poll_once_empty(context, |_| ())
    }

    /// Ends the reaper once every value is cleaned up.
    pub(super) fn poll_end(&self, context: &Context<'_>) -> Poll<Result<(), CleanupErrors>> {
        let ended = self.poll_once_empty(context, |book| {
            self.door.store(ENDED, Ordering::SeqCst);
            book.take_errors()
        });
        ended.map(|(errors, total)| {
            self.stop_waiting();
            CleanupErrors::check_held(errors, total)
        })
    }

    /// Calls `f` at a moment at which there are no values.
    fn poll_once_empty<R>(&self, context: &Context<'_>, f: impl FnOnce(&mut Book) -> R) -> Poll<R> {
        // Before it looks, so the value that goes after that finds the waker.
        self.wait(context);
        let mut book = lock(&self.book);
        if !self.has_ended() {
            self.door.store(HELD, Ordering::SeqCst);
        }
        let polled = match book.watch_one() {
            true => Poll::Pending,
            false => Poll::Ready(f(&mut book)),
        };
        if !self.has_ended() {
            self.door.store(OPEN, Ordering::SeqCst);
        }
        polled
    }

    /// The errors since they were last asked for.
    pub(super) fn take_errors(&self) -> Option<CleanupErrors> {
        let mut book = lock(&self.book);
        if book.errors.is_empty() {
            // Without errors there is no list, so what the next one counts just grows.
            return None;
        }
        let (errors, total) = book.take_errors();
        drop(book);
        CleanupErrors::check_held(errors, total).err()
    }

    /// Ends the reaper, and says what it leaves behind.
    pub(super) fn give_up(&self) -> GivenUp {
        let (mut in_use, mut being_cleaned_up, mut jobs) = (Vec::new(), Vec::new(), Vec::new());
        let mut book = lock(&self.book);
        self.door.store(ENDED, Ordering::SeqCst);
        let mut finished = mem::take(&mut book.finished);
        for place in book.places() {
            let before = place.give_up();
            finished += before.finished();
            match before.stage() {
                Stage::InUse => in_use.push((place.order(), place.origin())),
                Stage::CleaningUp => {
                    being_cleaned_up.push((place.order(), place.origin()));
                    jobs.extend(place.take_waker());
                }
                _ => {}
            }
        }
        let errors = mem::take(&mut book.errors);
        drop(book);
        for job in jobs {
            // A waker is code of others.
            contain_panic(|| job.wake());
        }
        self.tasks.forget_waiting();
        let total = finished + being_cleaned_up.len();
        GivenUp {
            in_use: in_order(in_use),
            being_cleaned_up: in_order(being_cleaned_up),
            errors: CleanupErrors::check_held(errors, total),
        }
    }

    /// Ends the reaper without asking it for anything. Cleanups that had begun continue.
    pub(super) fn close(&self) {
        let mut book = lock(&self.book);
        self.door.store(ENDED, Ordering::SeqCst);
        book.places().for_each(Place::release);
        let errors = mem::take(&mut book.errors);
        drop(book);
        self.stop_waiting();
        // Each that is left becomes an incident.
        drop(errors);
    }

    fn wait(&self, context: &Context<'_>) {
        // Cloned before the lock is taken, because a waker is code of others.
        let waker = context.waker().clone();
        let before = lock(&self.waiter).replace(waker);
        // The last waker of a task may drop the task, and what that owns.
        contain_panic(|| drop(before));
    }

    fn stop_waiting(&self) {
        let waiter = lock(&self.waiter).take();
        contain_panic(|| drop(waiter));
    }

    /// Makes the task that waits look again.
    pub(super) fn wake(&self) {
        let waiter = lock(&self.waiter).take();
        if let Some(waiter) = waiter {
            contain_panic(|| waiter.wake());
        }
    }
}

/// What a deadline left behind.
pub(super) struct GivenUp {
    in_use: Vec<ValueOrigin>,
    being_cleaned_up: Vec<ValueOrigin>,
    errors: Result<(), CleanupErrors>,
}

impl GivenUp {
    pub(super) fn into_error(self, limit: Option<Duration>) -> Option<ShutdownError> {
        ShutdownError::at_deadline(limit, self.in_use, self.being_cleaned_up, self.errors.err())
    }
}

fn in_order(mut values: Vec<(usize, ValueOrigin)>) -> Vec<ValueOrigin> {
    values.sort_unstable_by_key(|(order, _)| *order);
    values.into_iter().map(|(_, origin)| origin).collect()
}

#[cfg(test)]
impl Registry {
    /// One that drops its jobs.
    pub(super) fn without_tasks() -> Arc<Self> {
        let spawner = crate::reaper::tasks::Spawner::Given(Box::new(drop));
        Arc::new(Self::new(Tasks::new(spawner, None)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::error::Error;
    use std::hint::spin_loop;
    use std::sync::atomic::{AtomicBool, AtomicUsize};
    use std::sync::mpsc;
    use std::task::Wake;
    use std::thread;

    use crate::origin::origin_of;

    fn adopt(registry: &Arc<Registry>, origin: &ValueOrigin) -> Adoption {
        registry.admit(origin, None).expect("it has not ended")
    }

    /// How many places were ever made, and how many of them a thread or a value has.
    fn places(registry: &Registry) -> (usize, usize) {
        let book = lock(&registry.book);
        (book.places.len(), book.places().count())
    }

    #[test]
    fn values_that_end_in_another_thread_give_their_places_back() {
        let registry = Registry::without_tasks();
        let origin = origin_of::<u8>();
        // Without room, so no more than two or three values are on their way.
        let (sender, receiver) = mpsc::sync_channel::<Adoption>(0);
        let ends = thread::spawn(move || receiver.into_iter().for_each(Adoption::end_in_place));
        for _ in 0..10_000 {
            sender.send(adopt(&registry, &origin)).unwrap();
        }
        drop(sender);
        ends.join().unwrap();
        let (made, _) = places(&registry);
        assert!(made < 200, "{made} places");
    }

    #[test]
    fn what_a_thread_has_kept_is_given_back_when_it_ends() {
        let registry = Registry::without_tasks();
        let adopts = {
            let registry = Arc::clone(&registry);
            move || {
                let adopted = [(); 10].map(|()| adopt(&registry, &origin_of::<u8>()));
                adopted.into_iter().for_each(Adoption::end_in_place);
                places(&registry)
            }
        };
        assert_eq!(thread::spawn(adopts).join().unwrap(), (AT_A_TIME, 10));
        assert_eq!(places(&registry), (AT_A_TIME, 0));
    }

    #[test]
    fn a_place_that_was_given_back_is_used_for_another_kind() {
        let registry = Registry::without_tasks();
        let (one, other) = (origin_of::<u8>(), origin_of::<u16>());
        thread::scope(|scope| {
            let thread = scope.spawn(|| adopt(&registry, &one).end_in_place());
            thread.join().unwrap();
        });
        let _adopted = adopt(&registry, &other);
        assert_eq!(places(&registry), (AT_A_TIME, 1));
        assert_eq!(registry.give_up().in_use, [other]);
    }

    #[test]
    fn each_value_of_a_thread_is_named_rightly_and_gets_its_own_place_again() {
        let registries = [(); 2].map(|()| Registry::without_tasks());
        let origins = [origin_of::<u8>(), origin_of::<u8>(), origin_of::<u16>()];
        let adopt_all = || {
            // Of the two reapers in turn, so the places of both lie mixed.
            let adopted = origins
                .iter()
                .flat_map(|origin| registries.iter().map(|registry| adopt(registry, origin)));
            adopted.collect::<Vec<_>>()
        };
        for _ in 0..3 {
            adopt_all().into_iter().for_each(Adoption::end_in_place);
            adopt_all()
                .into_iter()
                .rev()
                .for_each(Adoption::end_in_place);
        }
        let _adopted = adopt_all();
        for registry in &registries {
            assert_eq!(places(registry), (AT_A_TIME, 3));
            assert_eq!(registry.len(), 3);
            assert_eq!(registry.give_up().in_use, origins);
        }
    }

    #[test]
    fn the_one_who_waits_looks_first_below_the_last_value_and_then_at_the_others() {
        let registry = Registry::without_tasks();
        let origin = origin_of::<u8>();
        let [lowest, low, high] = [(); 3].map(|()| adopt(&registry, &origin));
        let watched = || {
            let mut book = lock(&registry.book);
            book.watch_one().then_some(book.watched - 1)
        };
        assert_eq!(watched(), Some(2));
        high.end_in_place();
        assert_eq!(watched(), Some(1));
        let high = adopt(&registry, &origin);
        assert_eq!(watched(), Some(1));
        low.end_in_place();
        lowest.end_in_place();
        assert_eq!(watched(), Some(2));
        high.end_in_place();
        assert_eq!(watched(), None);
    }

    #[test]
    fn a_name_is_given_back_with_the_value() {
        let registry = Registry::without_tasks();
        let name: Name = Arc::new("ada".into());
        for end in [Adoption::end_in_place, |adoption: Adoption| {
            assert!(adoption.begin_cleanup());
            adoption.end_job(None);
        }] {
            let adopted = registry.admit(&origin_of::<u8>(), Some(&name)).unwrap();
            assert_eq!(Arc::strong_count(&name), 2);
            end(adopted);
            assert_eq!(Arc::strong_count(&name), 1);
        }
    }

    #[derive(Default)]
    struct Bell(AtomicUsize);

    impl Wake for Bell {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    impl Bell {
        fn rung(&self) -> usize {
            self.0.load(Ordering::SeqCst)
        }
    }

    type End = fn(&Registry);

    /// The three ends of a reaper that has no values.
    const ENDS: [End; 3] = [
        |registry| {
            let polled = registry.poll_end(&Context::from_waker(Waker::noop()));
            assert!(matches!(polled, Poll::Ready(Ok(()))));
        },
        |registry| drop(registry.give_up()),
        Registry::close,
    ];

    #[test]
    fn a_reaper_that_has_ended_adopts_nothing_even_where_a_thread_has_a_place() {
        for end in ENDS {
            let registry = Registry::without_tasks();
            let (known, unknown) = (origin_of::<u8>(), origin_of::<u16>());
            adopt(&registry, &known).end_in_place();
            end(&registry);
            for _ in 0..2 {
                assert!(registry.admit(&known, None).is_none());
                assert!(registry.admit(&unknown, None).is_none());
                assert_eq!(registry.len(), 0);
                // A shutdown looks again and again after the end.
                let polled = registry.poll_empty(&Context::from_waker(Waker::noop()));
                assert!(polled.is_ready());
            }
        }
    }

    #[test]
    fn a_thread_that_finds_the_door_held_brings_its_own_place_along() {
        let registry = Registry::without_tasks();
        let origin = origin_of::<u8>();
        adopt(&registry, &origin).end_in_place();
        registry.door.store(HELD, Ordering::SeqCst);
        let _adopted = adopt(&registry, &origin);
        assert_eq!(places(&registry), (AT_A_TIME, 1));
        assert_eq!(registry.give_up().in_use, [origin]);
    }

    #[test]
    fn values_of_one_line_and_type_are_of_one_kind() {
        let registry = Registry::without_tasks();
        let _adopted = [(); 10].map(|()| adopt(&registry, &origin_of::<u8>()));
        assert_eq!(lock(&registry.book).kinds.len(), 1);
        let _another = adopt(&registry, &origin_of::<u8>());
        assert_eq!(lock(&registry.book).kinds.len(), 2);
    }

    /// Code of others, which looks whether a lock is held wherever it is called.
    struct Asks(Arc<Registry>, Arc<Answers>);

    #[derive(Default)]
    struct Answers {
        asked: AtomicUsize,
        was_locked: AtomicBool,
    }

    impl Asks {
        fn ask(&self) {
            let Self(registry, answers) = self;
            answers.asked.fetch_add(1, Ordering::SeqCst);
            if registry.book.try_lock().is_err() || registry.waiter.try_lock().is_err() {
                answers.was_locked.store(true, Ordering::SeqCst);
            }
        }
    }

    impl Wake for Asks {
        fn wake(self: Arc<Self>) {
            self.ask();
        }
    }

    impl Drop for Asks {
        fn drop(&mut self) {
            self.ask();
        }
    }

    impl fmt::Debug for Asks {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.ask();
            Ok(())
        }
    }

    impl fmt::Display for Asks {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            fmt::Debug::fmt(self, f)
        }
    }

    impl Error for Asks {}

    #[test]
    fn no_code_of_others_runs_while_a_lock_is_held() {
        type Use = fn(&Arc<Registry>, &dyn Fn() -> Asks);
        fn wait(registry: &Registry, asks: Asks) {
            let waker = Waker::from(Arc::new(asks));
            registry.wait(&Context::from_waker(&waker));
        }
        fn fail(registry: &Arc<Registry>, asks: Asks) {
            let adopted = adopt(registry, &origin_of::<u8>());
            assert!(adopted.begin_cleanup());
            let error = HeldError::new(CleanupError::failed(asks), origin_of::<u8>());
            adopted.end_job(Some(error));
        }
        let uses: [Use; 7] = [
            |registry, asks| {
                wait(registry, asks());
                wait(registry, asks());
                registry.stop_waiting();
            },
            |registry, asks| {
                wait(registry, asks());
                registry.wake();
            },
            |registry, asks| {
                wait(registry, asks());
                registry.close();
            },
            |registry, asks| {
                fail(registry, asks());
                drop(registry.take_errors());
            },
            |registry, asks| {
                fail(registry, asks());
                registry.close();
            },
            |registry, asks| {
                let adopted = adopt(registry, &origin_of::<u8>());
                assert!(adopted.begin_cleanup());
                registry.close();
                let error = HeldError::new(CleanupError::failed(asks()), origin_of::<u8>());
                adopted.end_job(Some(error));
            },
            |registry, asks| {
                let adopted = adopt(registry, &origin_of::<u8>());
                assert!(adopted.begin_cleanup());
                let waker = Waker::from(Arc::new(asks()));
                assert!(adopted.wait(&Context::from_waker(&waker)));
                drop(waker);
                drop(registry.give_up());
                adopted.end_job(None);
            },
        ];
        for (number, use_it) in uses.into_iter().enumerate() {
            let registry = Registry::without_tasks();
            let answers = Arc::new(Answers::default());
            use_it(&registry, &|| {
                Asks(Arc::clone(&registry), Arc::clone(&answers))
            });
            assert!(answers.asked.load(Ordering::SeqCst) > 0, "{number}");
            assert!(!answers.was_locked.load(Ordering::SeqCst), "{number}");
        }
    }

    #[test]
    fn an_end_that_does_not_come_leaves_the_door_open() {
        let registry = Registry::without_tasks();
        let adopted = adopt(&registry, &origin_of::<u8>());
        let polled = registry.poll_end(&Context::from_waker(Waker::noop()));
        assert!(polled.is_pending());
        assert_eq!(registry.door.load(Ordering::SeqCst), OPEN);
        adopted.end_in_place();
    }

    #[test]
    fn whoever_waits_is_woken_by_the_end_of_the_last_value_once_and_then_forgotten() {
        for is_last_by_number in [true, false] {
            let registry = Registry::without_tasks();
            let bell = Arc::new(Bell::default());
            let waker = Waker::from(Arc::clone(&bell));
            let context = Context::from_waker(&waker);
            let mut adopted = [(); 2].map(|()| adopt(&registry, &origin_of::<u8>()));
            if is_last_by_number {
                adopted.reverse();
            }
            let mut rung = 0;
            for adoption in adopted {
                assert!(registry.poll_end(&context).is_pending());
                adoption.end_in_place();
                rung = bell.rung();
            }
            assert!(rung > 0);
            // Each time the waker is taken, so nobody is woken twice for one end.
            registry.wake();
            assert_eq!(bell.rung(), rung);
            assert!(registry.poll_end(&context).is_ready());
            // The waker of a task keeps the task.
            assert_eq!(Arc::strong_count(&bell), 2);
        }
    }

    #[test]
    fn a_reaper_that_is_dropped_forgets_who_waited() {
        let registry = Registry::without_tasks();
        let bell = Arc::new(Bell::default());
        let waker = Waker::from(Arc::clone(&bell));
        let _adopted = adopt(&registry, &origin_of::<u8>());
        let polled = registry.poll_end(&Context::from_waker(&waker));
        assert!(polled.is_pending());
        registry.close();
        assert_eq!(Arc::strong_count(&bell), 2);
    }

    #[test]
    fn values_are_named_in_the_order_of_their_adoption_and_not_of_their_places() {
        let registry = Registry::without_tasks();
        let origins = [origin_of::<u8>(), origin_of::<u16>(), origin_of::<u32>()];
        let adopted = origins.each_ref().map(|origin| adopt(&registry, origin));
        adopted.into_iter().for_each(Adoption::end_in_place);
        let again = [2, 0, 1].map(|index: usize| origins[index].clone());
        let _adopted = again.each_ref().map(|origin| adopt(&registry, origin));
        assert_eq!(registry.give_up().in_use, again);
    }

    fn failed() -> HeldError<CleanupError> {
        HeldError::new(CleanupError::RuntimeEnded, origin_of::<u8>())
    }

    /// Runs both at the same moment, again and again. Each round has a reaper of its own, with a place that the other thread
    /// has kept, so that it adopts without the book.
    fn race<A: Send, B>(
        other: impl Fn(&Arc<Registry>, &ValueOrigin) -> A + Sync,
        this: impl Fn(&Arc<Registry>) -> B,
    ) -> impl Iterator<Item = (Arc<Registry>, A, B)> {
        const ROUNDS: usize = 10_000;
        // Each race gets the cores of a small machine for itself.
        static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
        let _one = lock(&ONE_AT_A_TIME);
        let origin = origin_of::<u8>();
        let arrived = AtomicUsize::new(0);
        /// After this the other thread doesn't wait any more, so a panic in one ends both.
        struct Ends<'a>(&'a AtomicUsize);
        impl Drop for Ends<'_> {
            fn drop(&mut self) {
                self.0.store(usize::MAX / 2, Ordering::SeqCst);
            }
        }
        let arrive = |round: usize| {
            arrived.fetch_add(1, Ordering::SeqCst);
            let mut spins = 0;
            while arrived.load(Ordering::SeqCst) < 2 * round {
                spins += 1;
                match spins % 100 {
                    0 => thread::yield_now(),
                    _ => spin_loop(),
                }
            }
        };
        let registries = Vec::from_iter((0..ROUNDS).map(|_| Registry::without_tasks()));
        let in_turn = || (1..).zip(&registries);
        let (of_other, of_this) = thread::scope(|scope| {
            let other = scope.spawn(|| {
                let _ends = Ends(&arrived);
                let rounds = in_turn().map(|(round, registry)| {
                    adopt(registry, &origin).end_in_place();
                    arrive(round);
                    other(registry, &origin)
                });
                Vec::from_iter(rounds)
            });
            let _ends = Ends(&arrived);
            let rounds = in_turn().map(|(round, registry)| {
                arrive(round);
                this(registry)
            });
            let of_this = Vec::from_iter(rounds);
            (other.join().unwrap(), of_this)
        });
        let both = of_other.into_iter().zip(of_this);
        let rounds = registries.into_iter().zip(both);
        rounds.map(|(registry, (of_other, of_this))| (registry, of_other, of_this))
    }

    #[test]
    fn an_adoption_that_races_with_the_end_is_waited_for_or_refused() {
        let rounds = race(
            |registry, origin| registry.admit(origin, None),
            |registry| {
                let bell = Arc::new(Bell::default());
                let waker = Waker::from(Arc::clone(&bell));
                let polled = registry.poll_end(&Context::from_waker(&waker));
                (polled.is_ready(), bell)
            },
        );
        for (_, adopted, (has_ended, bell)) in rounds {
            assert_eq!(adopted.is_none(), has_ended);
            if let Some(adopted) = adopted {
                adopted.end_in_place();
                assert!(bell.rung() > 0, "it waits, and nobody wakes it");
            }
        }
    }

    #[test]
    fn no_value_is_in_use_at_the_moment_of_the_end() {
        let rounds = race(
            |registry, origin| {
                // One value after the other, until there is no reaper for it.
                while let Some(adopted) = registry.admit(origin, None) {
                    for _ in 0..10 {
                        if registry.has_ended() {
                            return Some(adopted);
                        }
                    }
                    adopted.end_in_place();
                }
                None
            },
            |registry| {
                let context = Context::from_waker(Waker::noop());
                while registry.poll_end(&context).is_pending() {
                    thread::yield_now();
                }
            },
        );
        for (_, in_use, ()) in rounds {
            assert!(in_use.is_none());
        }
    }

    #[test]
    fn a_value_that_ends_while_somebody_begins_to_wait_wakes_that_one() {
        let rounds = race(
            |registry, origin| adopt(registry, origin).end_in_place(),
            |registry| {
                let bell = Arc::new(Bell::default());
                let waker = Waker::from(Arc::clone(&bell));
                let polled = registry.poll_empty(&Context::from_waker(&waker));
                (polled.is_ready(), bell)
            },
        );
        for (_, (), (is_empty, bell)) in rounds {
            assert!(is_empty || bell.rung() > 0, "it waits, and nobody wakes it");
        }
    }

    #[test]
    fn a_value_that_is_about_to_be_refused_is_not_counted_and_leaves_no_name() {
        let registry = Registry::without_tasks();
        let origin = origin_of::<u8>();
        adopt(&registry, &origin).end_in_place();
        registry.close();
        let (place, order) = vacant::take(&registry, &origin);
        let place = place.expect("the thread has kept it");
        place.occupy(order, None);
        assert_eq!(registry.len(), 0);
        place.vacate();
        vacant::keep(place);
        let name: Name = Arc::new("ada".into());
        assert!(registry.admit(&origin, Some(&name)).is_none());
        assert_eq!(Arc::strong_count(&name), 1);
    }

    #[test]
    fn a_value_that_goes_while_the_end_names_it_keeps_its_name_until_that_is_done() {
        let registry = Registry::without_tasks();
        let name: Name = Arc::new("ada".into());
        let adopted = registry.admit(&origin_of::<u8>(), Some(&name)).unwrap();
        let book = lock(&registry.book);
        registry.door.store(ENDED, Ordering::SeqCst);
        let place = book.places.iter().flatten().next().cloned().unwrap();
        assert!(place.give_up().stage() == Stage::InUse);
        thread::scope(|scope| {
            scope.spawn(|| adopted.end_in_place());
            while place.state().stage() != Stage::Vacant {
                thread::yield_now();
            }
            thread::sleep(Duration::from_millis(20));
            let named = place.origin();
            drop(book);
            assert_eq!(named.name(), Some("ada"));
        });
        assert_eq!(Arc::strong_count(&name), 1);
    }

    #[test]
    fn an_adoption_that_races_with_a_deadline_is_named_or_refused() {
        let rounds = race(
            |registry, origin| registry.admit(origin, None),
            |registry| registry.give_up().in_use.len(),
        );
        for (registry, adopted, named) in rounds {
            assert_eq!(usize::from(adopted.is_some()), named);
            assert_eq!(registry.len(), 0);
        }
    }

    #[test]
    fn a_job_that_races_with_a_deadline_is_counted_once() {
        let rounds = race(
            |registry, origin| {
                let adopted = registry.admit(origin, None)?;
                let begun = adopted.begin_cleanup();
                adopted.end_job(None);
                Some(begun)
            },
            |registry| {
                // One that has failed before, because without an error nobody hears the number.
                let mut book = lock(&registry.book);
                book.errors.push(failed());
                book.finished += 1;
                drop(book);
                let given_up = registry.give_up();
                let total = given_up.errors.expect_err("one has failed").total() - 1;
                (given_up.in_use.len(), total)
            },
        );
        for (_, begun, named_and_counted) in rounds {
            let expected = match begun {
                Some(true) => (0, 1),
                Some(false) => (1, 0),
                None => (0, 0),
            };
            assert_eq!(named_and_counted, expected);
        }
    }

    #[test]
    fn an_error_that_races_with_the_end_is_returned_or_belongs_to_a_value_that_was_named() {
        let rounds = race(
            |registry, origin| {
                let adopted = registry.admit(origin, None)?;
                let begun = adopted.begin_cleanup();
                let mut late = Some(failed());
                registry.finish_with(&mut late, adopted.place());
                // In a test it is no incident.
                Some((begun, late.map(HeldError::into_inner).is_some()))
            },
            |registry| {
                let given_up = registry.give_up();
                let errors = given_up.errors.err();
                let errors = errors.map_or(0, |errors| errors.len());
                (
                    errors,
                    given_up.in_use.len() + given_up.being_cleaned_up.len(),
                )
            },
        );
        for (_, ended, (errors, named)) in rounds {
            let late = ended.is_some_and(|(_, late)| late);
            assert_eq!(errors + named, usize::from(ended.is_some()));
            assert_eq!(usize::from(late), named);
        }
    }
}
