//! Which values a reaper has adopted, and what has become of them. It knows no runtime.
//!
//! The values are entered in shards, each with a lock of its own, because every task that adopts a value comes past here:
//! with one lock around everything, the tasks of a server would spend their time waiting for each other.
//! What must be true of all values at the same moment (none is left, these are left) is decided with all shards locked.
//!
//! No code of others runs under any of the locks, so no `Debug`, no `Drop` of a value or of an error, and no waker.

use std::cell::Cell;
use std::fmt;
use std::mem;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::cleanup_error::{CleanupError, CleanupErrors};
use crate::held_error::HeldError;
use crate::origin::ValueOrigin;
use crate::panics::contain_panic;
use crate::reaper::entries::{Entries, Entry, Stage};
use crate::reaper::shutdown::ShutdownError;
use crate::reaper::tasks::Tasks;

/// How many shards there are: enough that the threads of a large machine rarely meet.
const SHARDS: usize = 16;

/// What a reaper and its handles share.
pub(super) struct Registry {
    core: Arc<Core>,
    shards: Vec<Arc<Shard>>,
}

/// What all shards share. Nothing in it is written when a value is adopted and cleaned up in place.
pub(super) struct Core {
    pub(super) tasks: Tasks,
    /// A shutdown has given up values. It is set before it marks them, so that jobs need not look under the lock for nothing.
    gave_up: AtomicBool,
    /// Whether there may be a `waiter`. It is set before the shards are looked at, and read after one has become empty.
    waiting: AtomicBool,
    /// The task that waits until there are no values. At most one does, because it has `&mut` to the reaper.
    waiter: Mutex<Option<Waker>>,
    /// Locked by those that hold a shard, so that a shard's `ended` and the errors always agree.
    errors: Mutex<Vec<HeldError<CleanupError>>>,
}

/// A part of the values. Two shards never share a line of a processor's cache.
#[repr(align(128))]
pub(super) struct Shard {
    core: Arc<Core>,
    book: Mutex<Book>,
}

#[derive(Default)]
struct Book {
    /// The values that are not cleaned up yet.
    entries: Entries,
    /// No value is adopted any more, and none is taken over. Only cleanups that had begun are left in `entries`.
    ended: bool,
    /// How many cleanups of the reaper have come to an end since the errors were last asked for.
    finished: usize,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Which shard this thread enters its values in.
fn shard_of_this_thread() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static INDEX: Cell<Option<usize>> = const { Cell::new(None) };
    }
    // A thread that is ending may have no such variable any more: then any shard will do.
    INDEX
        .try_with(|index| {
            index.get().unwrap_or_else(|| {
                let next = NEXT.fetch_add(1, Ordering::Relaxed) % SHARDS;
                index.set(Some(next));
                next
            })
        })
        .unwrap_or(0)
}

impl Registry {
    pub(super) fn new(tasks: Tasks) -> Self {
        let core = Arc::new(Core {
            tasks,
            gave_up: AtomicBool::new(false),
            waiting: AtomicBool::new(false),
            waiter: Mutex::default(),
            errors: Mutex::default(),
        });
        let shard = |_| {
            Arc::new(Shard {
                core: Arc::clone(&core),
                book: Mutex::default(),
            })
        };
        let shards = (0..SHARDS).map(shard).collect();
        Self { core, shards }
    }

    /// Enters a value, unless the reaper has ended.
    pub(super) fn admit(&self, origin: ValueOrigin) -> Option<Adoption> {
        let shard = &self.shards[shard_of_this_thread()];
        let mut book = lock(&shard.book);
        if book.ended {
            return None;
        }
        let key = book.entries.enter(origin);
        drop(book);
        let shard = Arc::clone(shard);
        Some(Adoption { shard, key })
    }

    /// How many values there are.
    pub(super) fn len(&self) -> usize {
        let len = |shard: &Arc<Shard>| lock(&shard.book).entries.len();
        self.shards.iter().map(len).sum()
    }

    /// Counts under the locks and writes after it: the writer is code of others, which may wait, or use the reaper itself.
    pub(super) fn show(&self, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut in_use, mut being_cleaned_up) = (0, 0);
        for shard in &self.shards {
            for entry in lock(&shard.book).entries.iter() {
                match entry.stage {
                    Stage::InUse => in_use += 1,
                    _ => being_cleaned_up += 1,
                }
            }
        }
        let errors = lock(&self.core.errors).len();
        f.debug_struct(name)
            .field("in_use", &in_use)
            .field("being_cleaned_up", &being_cleaned_up)
            .field("errors", &errors)
            .finish()
    }

    fn lock_all(&self) -> Vec<MutexGuard<'_, Book>> {
        // Always in the same order, and a thread that holds one shard never asks for another.
        self.shards.iter().map(|shard| lock(&shard.book)).collect()
    }

    pub(super) fn poll_empty(&self, context: &mut Context<'_>) -> Poll<()> {
        self.poll_all_empty(context).map(drop)
    }

    fn poll_all_empty(&self, context: &mut Context<'_>) -> Poll<Vec<MutexGuard<'_, Book>>> {
        // Before it looks: the value that goes after that finds the waker.
        self.core.wait(context);
        let books = self.lock_all();
        if books.iter().all(|book| book.entries.is_empty()) {
            return Poll::Ready(books);
        }
        Poll::Pending
    }

    /// Ends the reaper once every value is cleaned up.
    pub(super) fn poll_end(&self, context: &mut Context<'_>) -> Poll<Result<(), CleanupErrors>> {
        let mut books = match self.poll_all_empty(context) {
            Poll::Ready(books) => books,
            Poll::Pending => return Poll::Pending,
        };
        for book in &mut books {
            book.ended = true;
        }
        let (errors, total) = self.core.take_errors(&mut books);
        drop(books);
        self.core.stop_waiting();
        Poll::Ready(CleanupErrors::check_held(errors, total))
    }

    /// The errors since they were last asked for.
    pub(super) fn take_errors(&self) -> Option<CleanupErrors> {
        let mut books = self.lock_all();
        if lock(&self.core.errors).is_empty() {
            // Without errors there is no list, so what the next one counts just grows.
            return None;
        }
        let (errors, total) = self.core.take_errors(&mut books);
        drop(books);
        CleanupErrors::check_held(errors, total).err()
    }

    /// Ends the reaper, and says what it leaves behind.
    pub(super) fn give_up(&self) -> GivenUp {
        let (mut in_use, mut being_cleaned_up, mut jobs) = (Vec::new(), Vec::new(), Vec::new());
        self.core.gave_up.store(true, Ordering::Release);
        let mut books = self.lock_all();
        for book in &mut books {
            book.ended = true;
            book.entries.retain(|entry| {
                let named = |origin: &ValueOrigin| (entry.order, origin.clone());
                match mem::replace(&mut entry.stage, Stage::GivenUp) {
                    Stage::InUse => {
                        in_use.push(named(&entry.origin));
                        false
                    }
                    Stage::CleaningUp(job) => {
                        being_cleaned_up.push(named(&entry.origin));
                        jobs.push(job);
                        true
                    }
                    stage => {
                        entry.stage = stage;
                        true
                    }
                }
            });
        }
        let (errors, finished) = self.core.take_errors(&mut books);
        drop(books);
        for job in jobs.into_iter().flatten() {
            // A waker is code of others.
            contain_panic(|| job.wake());
        }
        self.core.tasks.forget_waiting();
        let total = finished + being_cleaned_up.len();
        GivenUp {
            in_use: in_order(in_use),
            being_cleaned_up: in_order(being_cleaned_up),
            errors: CleanupErrors::check_held(errors, total),
        }
    }

    /// Ends the reaper without asking it for anything. Cleanups that had begun continue.
    pub(super) fn close(&self) {
        let mut books = self.lock_all();
        for book in &mut books {
            book.ended = true;
            // A reaper that was ended has nothing left, but perhaps the room for very many.
            if !book.entries.is_empty() {
                book.entries
                    .retain(|entry| !matches!(entry.stage, Stage::InUse));
            }
        }
        let (errors, _) = self.core.take_errors(&mut books);
        drop(books);
        self.core.stop_waiting();
        // Each that is left becomes an incident.
        drop(errors);
    }

    /// Makes the task that waits look again.
    pub(super) fn wake(&self) {
        self.core.wake();
    }

    pub(super) fn is_of(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.core, &other.core)
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

fn in_order(mut values: Vec<(u64, ValueOrigin)>) -> Vec<ValueOrigin> {
    values.sort_unstable_by_key(|(order, _)| *order);
    values.into_iter().map(|(_, origin)| origin).collect()
}

impl Core {
    fn wait(&self, context: &Context<'_>) {
        // Cloned before the lock is taken, because a waker is code of others.
        let waker = context.waker().clone();
        let before = lock(&self.waiter).replace(waker);
        self.waiting.store(true, Ordering::Release);
        // The last waker of a task may drop the task, and what that owns.
        contain_panic(|| drop(before));
    }

    fn stop_waiting(&self) {
        self.waiting.store(false, Ordering::Release);
        let waiter = lock(&self.waiter).take();
        contain_panic(|| drop(waiter));
    }

    fn wake(&self) {
        let waiter = lock(&self.waiter).take();
        if let Some(waiter) = waiter {
            contain_panic(|| waiter.wake());
        }
    }

    /// What failed, and how many cleanups have come to an end. All shards must be locked.
    fn take_errors(
        &self,
        books: &mut [MutexGuard<'_, Book>],
    ) -> (Vec<HeldError<CleanupError>>, usize) {
        let errors = mem::take(&mut *lock(&self.errors));
        let finished = books.iter_mut().map(|book| mem::take(&mut book.finished));
        (errors, finished.sum())
    }
}

/// The place of one value in the registry of its reaper.
pub(super) struct Adoption {
    shard: Arc<Shard>,
    key: usize,
}

impl Shard {
    pub(super) fn core(&self) -> &Arc<Core> {
        &self.core
    }
}

impl Adoption {
    fn core(&self) -> &Arc<Core> {
        &self.shard.core
    }

    /// Not the core itself, because all shards share the count of its owners, and threads would meet there.
    pub(super) fn shard(&self) -> Arc<Shard> {
        Arc::clone(&self.shard)
    }

    /// Whether the reaper will clean the value up. From now on it does.
    pub(super) fn begin_cleanup(&self) -> bool {
        let mut book = lock(&self.shard.book);
        match book.entries.get_mut(self.key) {
            Some(entry) => {
                entry.stage = Stage::CleaningUp(None);
                true
            }
            // The reaper has ended.
            None => false,
        }
    }

    /// Whether a shutdown does not wait for the job any more. It costs nothing before there was one.
    pub(super) fn is_given_up(&self) -> bool {
        self.core().gave_up.load(Ordering::Acquire)
            && lock(&self.shard.book)
                .entries
                .get_mut(self.key)
                .is_some_and(|entry| matches!(entry.stage, Stage::GivenUp))
    }

    /// The job waits. Wakes it if a shutdown gives it up, unless one has done so already: then this returns `false`.
    pub(super) fn wait(&self, context: &Context<'_>) -> bool {
        let mut waker = None;
        loop {
            let mut book = lock(&self.shard.book);
            let Some(Entry {
                stage: Stage::CleaningUp(current),
                ..
            }) = book.entries.get_mut(self.key)
            else {
                return false;
            };
            if current
                .as_ref()
                .is_some_and(|it| it.will_wake(context.waker()))
            {
                return true;
            }
            if let Some(waker) = waker.take() {
                let before = current.replace(waker);
                drop(book);
                drop(before);
                return true;
            }
            drop(book);
            // Cloned while the lock is not held, because a waker is code of others.
            waker = Some(context.waker().clone());
        }
    }

    /// The job ends with a value that is not cleaned up. Whether a shutdown has named it.
    ///
    /// If it has not, none will from now on: the job says itself what became of the value.
    pub(super) fn was_given_up(&self) -> bool {
        let mut book = lock(&self.shard.book);
        let Some(entry) = book.entries.get_mut(self.key) else {
            return false;
        };
        match mem::replace(&mut entry.stage, Stage::Ending) {
            Stage::GivenUp => {
                entry.stage = Stage::GivenUp;
                true
            }
            before => {
                drop(book);
                // It may hold the last waker of the job's task, and the drop of that is code of others.
                contain_panic(|| drop(before));
                false
            }
        }
    }

    /// The owner has cleaned the value up, or has taken it back.
    pub(super) fn end_in_place(self) {
        let mut book = lock(&self.shard.book);
        // No job was made, so there is nothing beside the stage that would have to be dropped.
        book.entries.remove(self.key);
        self.leave(book);
    }

    /// The reaper has come to the end of the cleanup.
    pub(super) fn end_job(self, error: Option<HeldError<CleanupError>>) {
        let mut book = lock(&self.shard.book);
        let stage = book.entries.remove(self.key);
        let late = if book.ended {
            error
        } else {
            book.finished += 1;
            if error.is_some() {
                lock(&self.shard.core.errors).extend(error);
            }
            None
        };
        self.leave(book);
        if let Some(Stage::CleaningUp(waker @ Some(_))) = stage {
            contain_panic(|| drop(waker));
        }
        // No one will ask for the errors of an ended reaper, so it becomes an incident.
        contain_panic(|| drop(late));
    }

    /// Unlocks the shard, and wakes the task that waits for the last of its values.
    fn leave(&self, book: MutexGuard<'_, Book>) {
        let is_empty = book.entries.is_empty();
        drop(book);
        if is_empty && self.shard.core.waiting.load(Ordering::Acquire) {
            self.shard.core.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn each_of_very_many_threads_has_a_shard() {
        for _ in 0..=SHARDS * SHARDS {
            let shard = thread::spawn(shard_of_this_thread).join().unwrap();
            assert!(shard < SHARDS);
        }
    }
}
