use std::fmt::{self, Debug};

use tokio::runtime::{Builder, Runtime};

/// One operation, and everybody who can do it. The first contender is the one that the others are compared with.
#[derive(Debug)]
pub struct Group {
    pub id: String,
    pub title: String,
    /// What one operation is, in a sentence or two.
    pub operation: String,
    /// How many values one operation handles, where that says something.
    pub values: Option<usize>,
    /// Whether a sample must be ten times as long as usual. Threads that work for 2 ms hardly meet: on a machine with two
    /// cores one of them is through with all the tasks by the time that the other has woken up.
    pub long: bool,
    pub contenders: Vec<Contender>,
}

/// One way to do the operation of a group.
pub struct Contender {
    pub name: &'static str,
    pub run: Run,
}

pub enum Run {
    /// Does the operation as often as asked for. Only what happens while the stopwatch runs is measured.
    Measured(Box<Operation>),
    /// The contender has nothing for this operation, for this reason.
    Impossible(&'static str),
}

pub type Operation = dyn Fn(&Runtime, u64, &mut dyn Stopwatch);

/// Measures what happens between `start` and `stop`: time, or allocations.
pub trait Stopwatch {
    fn start(&mut self);
    fn stop(&mut self);
}

impl Contender {
    pub fn new<F>(name: &'static str, operation: F) -> Self
    where
        F: AsyncFn(u64, &mut dyn Stopwatch) + 'static,
    {
        let run = move |runtime: &Runtime, times: u64, stopwatch: &mut dyn Stopwatch| {
            runtime.block_on(operation(times, stopwatch));
        };
        Self {
            name,
            run: Run::Measured(Box::new(run)),
        }
    }

    pub fn impossible(name: &'static str, reason: &'static str) -> Self {
        Self {
            name,
            run: Run::Impossible(reason),
        }
    }
}

impl Debug for Contender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Contender")
            .field("name", &self.name)
            .field("run", &self.run)
            .finish()
    }
}

impl Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Measured(_) => f.write_str("Measured"),
            Self::Impossible(reason) => f.debug_tuple("Impossible").field(reason).finish(),
        }
    }
}

/// The runtime of every contender: async-dropper-simple panics on one with a single thread.
pub fn runtime() -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .expect("a runtime needs nothing but threads")
}
