//! The tasks in which the cleanups of a reaper run, and how many of them there are at a time.

use std::collections::VecDeque;
use std::iter;
use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::panics::contain_panic;
use crate::reaper::adoption::Adoption;
#[cfg(feature = "tokio")]
use crate::reaper::burst;
use crate::reaper::registry::Registry;

/// A task of the reaper's, as a spawner gets it.
pub(super) type BoxedTask = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A spawner of the user's.
pub(super) type Spawn = Box<dyn Fn(BoxedTask) + Send + Sync>;

pub(super) struct Tasks {
    spawner: Spawner,
    line: Option<Line>,
}

pub(super) enum Spawner {
    #[cfg(feature = "tokio")]
    Tokio(tokio::runtime::Handle),
    Given(Spawn),
}

impl Spawner {
    /// The spawner that was given, or else that of the tokio runtime that this is called in.
    pub(super) fn or_current(given: Option<Spawn>) -> Option<Self> {
        if let Some(spawn) = given {
            return Some(Self::Given(spawn));
        }
        #[cfg(feature = "tokio")]
        if let Ok(handle) = tokio::runtime::Handle::try_current() {
            return Some(Self::Tokio(handle));
        }
        None
    }

    /// Starts a task. It may be dropped at once, if the runtime has ended: the job in it knows what to say then.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        // A spawner of the user's may panic, but a hand-over must not.
        contain_panic(|| match self {
            #[cfg(feature = "tokio")]
            Self::Tokio(handle) => drop(handle.spawn(task)),
            Self::Given(spawn) => spawn(Box::pin(task)),
        });
    }
}

/// A value that its owner has dropped, and that has no task yet.
pub(super) trait HandedOver: Send {
    /// Starts its task.
    fn start(self: Box<Self>, adoption: Adoption, spawner: &Spawner, turn: Option<Turn>);

    /// It gets no task, and what becomes of it is said as if its task had been dropped.
    fn forget(self: Box<Self>, adoption: Adoption);
}

/// The values that wait because too many have a task.
struct Line {
    /// How many turns there are. Who has one has a task.
    turns: usize,
    /// Whether a turn ends at the first poll of the task, and not at its end.
    is_for_the_beginning: bool,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    taken: usize,
    waiting: VecDeque<(Box<dyn HandedOver>, Adoption)>,
    /// A thread is starting tasks, and looks again before it stops.
    ///
    /// Without this a runtime that has ended, and drops each task that it is given, would start the next from within the last.
    starting: bool,
}

impl Line {
    /// No more than `max` tasks at a time.
    fn of_running(max: usize) -> Self {
        Self {
            turns: max,
            is_for_the_beginning: false,
            queue: Mutex::default(),
        }
    }

    /// All tasks run at the same time, but of a burst there are never many that have not begun.
    ///
    /// If 100,000 values are dropped at once, that many tasks would have left the cache of the processor before they begin.
    /// So those that begin start the others.
    ///
    /// The task that was started last on a worker of tokio's can't be taken by another worker until the current poll returns.
    /// So a worker that blocks may keep a turn. With as many turns as workers, one is left as long as one worker is free.
    #[cfg(feature = "tokio")]
    fn of_beginning(runtime: &tokio::runtime::Handle) -> Self {
        Self {
            turns: runtime.metrics().num_workers().max(16),
            is_for_the_beginning: true,
            queue: Mutex::default(),
        }
    }

    /// Whether the next value needs a turn.
    fn is_for_the_next(&self) -> bool {
        #[cfg(feature = "tokio")]
        if self.is_for_the_beginning {
            return burst::goes_on();
        }
        true
    }

    /// How many of those that wait are started for one turn. The first of them has it.
    ///
    /// If values keep coming faster than a few at a time begin, the line gets longer, but so does this, and that ends it.
    fn at_a_time(&self, waiting: usize) -> usize {
        match self.is_for_the_beginning {
            true => (waiting / 256).max(16),
            false => 1,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tasks {
    pub(super) fn new(spawner: Spawner, max_concurrent: Option<usize>) -> Self {
        let line = match (max_concurrent, &spawner) {
            (Some(max), _) => Some(Line::of_running(max)),
            #[cfg(feature = "tokio")]
            (None, Spawner::Tokio(runtime)) => Some(Line::of_beginning(runtime)),
            // Its docs say that it is called when a value is dropped.
            (None, Spawner::Given(_)) => None,
        };
        Self { spawner, line }
    }

    /// Cleans a value up in a task, now or when it is its turn.
    pub(super) fn run(registry: &Arc<Registry>, adopted: Box<dyn HandedOver>, adoption: Adoption) {
        match &registry.tasks.line {
            Some(line) if line.is_for_the_next() => {
                let mut queue = line.lock();
                queue.waiting.push_back((adopted, adoption));
                Self::start_waiting(registry, line, queue);
            }
            _ => adopted.start(adoption, &registry.tasks.spawner, None),
        }
    }

    /// After a value has come, or a turn has ended.
    fn start_waiting<'a>(
        registry: &Arc<Registry>,
        line: &'a Line,
        mut queue: MutexGuard<'a, Queue>,
    ) {
        if queue.starting {
            return;
        }
        while queue.taken < line.turns {
            let at_a_time = line.at_a_time(queue.waiting.len());
            let Some(first) = queue.waiting.pop_front() else {
                break;
            };
            let others = queue.waiting.len().min(at_a_time - 1);
            let others: Vec<_> = queue.waiting.drain(..others).collect();
            queue.taken += 1;
            queue.starting = !line.is_for_the_beginning;
            drop(queue);
            let mut turn = Some(Turn(Arc::clone(registry)));
            for (adopted, adoption) in iter::once(first).chain(others) {
                adopted.start(adoption, &registry.tasks.spawner, turn.take());
            }
            if line.is_for_the_beginning {
                // Whoever ends a turn or brings a value meanwhile looks itself. So the owner of a value is not kept here.
                return;
            }
            queue = line.lock();
            queue.starting = false;
        }
    }

    /// Drops the values that wait for their turn.
    pub(super) fn forget_waiting(&self) {
        if let Some(line) = &self.line {
            let waiting = mem::take(&mut line.lock().waiting);
            // One after the other, so that a panic in one stops no other.
            for (adopted, adoption) in waiting {
                contain_panic(|| adopted.forget(adoption));
            }
        }
    }
}

/// What a task has that others wait for.
///
/// The job in the task ends it, however that ends.
pub(super) struct Turn(Arc<Registry>);

impl Turn {
    /// The task is polled for the first time, and that may be the end of the turn.
    pub(super) fn begin(self) -> Option<Self> {
        match &self.0.tasks.line {
            Some(line) if line.is_for_the_beginning => {
                self.pass_on(line);
                self.leave();
                None
            }
            _ => Some(self),
        }
    }

    /// The task has ended, or was dropped.
    pub(super) fn end(self) {
        match &self.0.tasks.line {
            Some(line) if line.is_for_the_beginning => {
                line.lock().taken -= 1;
                // Only a runtime that has ended drops a task that has not begun, and it would drop all others as well.
                self.0.tasks.forget_waiting();
            }
            Some(line) => self.pass_on(line),
            None => {}
        }
        self.leave();
    }

    fn pass_on(&self, line: &Line) {
        let mut queue = line.lock();
        queue.taken -= 1;
        Tasks::start_waiting(&self.0, line, queue);
    }

    fn leave(self) {
        // It may be the last that has the spawner, whose `Drop` is code of others.
        contain_panic(move || drop(self));
    }
}
