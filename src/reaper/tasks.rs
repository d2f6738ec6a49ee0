//! The tasks in which the cleanups of a reaper run, and how many of them run at a time.

use std::collections::VecDeque;
use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::panics::contain_panic;
use crate::reaper::registry::Registry;

/// A task of the reaper's, as a spawner gets it.
pub(super) type BoxedTask = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A spawner of the user's.
pub(super) type Spawn = Box<dyn Fn(BoxedTask) + Send + Sync>;

pub(super) struct Tasks {
    spawner: Spawner,
    limit: Option<Limit>,
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
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        // A spawner of the user's may panic, but a hand-over must not.
        contain_panic(|| match self {
            #[cfg(feature = "tokio")]
            Self::Tokio(handle) => drop(handle.spawn(task)),
            Self::Given(spawn) => spawn(Box::pin(task)),
        });
    }
}

/// No more than so many tasks at a time; the others wait in line.
struct Limit {
    max: usize,
    line: Mutex<Line>,
}

#[derive(Default)]
struct Line {
    running: usize,
    waiting: VecDeque<BoxedTask>,
    /// A thread is starting tasks, and looks again before it stops.
    ///
    /// Without this a runtime that has ended, and drops each task that it is given, would start the next from within the last.
    starting: bool,
}

impl Tasks {
    pub(super) fn new(spawner: Spawner, max_concurrent: Option<usize>) -> Self {
        let limit = max_concurrent.map(|max| Limit {
            max,
            line: Mutex::default(),
        });
        Self { spawner, limit }
    }

    /// Runs a task, now or when it is its turn.
    pub(super) fn run(registry: &Arc<Registry>, task: impl Future<Output = ()> + Send + 'static) {
        match &registry.tasks.limit {
            None => registry.tasks.spawner.spawn(task),
            Some(limit) => {
                limit.lock().waiting.push_back(Box::pin(task));
                Self::start_waiting(registry, limit);
            }
        }
    }

    fn start_waiting(registry: &Arc<Registry>, limit: &Limit) {
        let mut line = limit.lock();
        if line.starting {
            return;
        }
        line.starting = true;
        while line.running < limit.max {
            let Some(task) = line.waiting.pop_front() else {
                break;
            };
            line.running += 1;
            drop(line);
            let turn = Turn(Arc::clone(registry));
            registry.tasks.spawner.spawn(async move {
                task.await;
                drop(turn);
            });
            line = limit.lock();
        }
        line.starting = false;
    }

    /// Drops the tasks that wait for their turn.
    pub(super) fn forget_waiting(&self) {
        if let Some(limit) = &self.limit {
            let waiting = mem::take(&mut limit.lock().waiting);
            // One after the other, so that a panic in one stops no other.
            for task in waiting {
                contain_panic(|| drop(task));
            }
        }
    }
}

impl Limit {
    fn lock(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One of the tasks that may run at a time. When it ends, or is dropped, the next one starts.
struct Turn(Arc<Registry>);

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(limit) = &self.0.tasks.limit {
            limit.lock().running -= 1;
            Tasks::start_waiting(&self.0, limit);
        }
    }
}
