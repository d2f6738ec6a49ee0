//! A scenario that is cut off at each of its operations, one run after the other.

use std::fmt::{self, Display};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use crate::operations::{Meter, NoBudget};

/// Cuts your scenario off at every operation of tokio in it: one run of it for each place.
///
/// A timeout in a test cancels your code only where it happens to wait.
/// But the sweep doesn't need it to wait: the first run is dropped before its first operation of tokio,
/// the second run before its second one, and so on, until a run comes to its end.
/// If an operation really has to wait, there is one more run, which is dropped during the wait.
///
/// Each item is a [`Cut`]. Build everything anew for each of them, [run](Cut::run) your scenario, and then check what is left.
///
/// # What is an operation
///
/// Everything of tokio that takes from its cooperative budget, see [`tokio::task::coop`]: reads and writes of sockets,
/// pipes and files, timers, channels, locks, and the end of a task that was awaited.
/// What other crates do is only seen if it waits.
/// The operations of a task that the scenario spawns are not counted, because cutting the scenario off doesn't stop that task.
/// Nor does it stop what runs on a blocking thread, such as an operation of `tokio::fs` that has begun.
///
/// Your scenario must come to an end if it isn't cut off, because otherwise the sweep doesn't end either.
///
/// # Panics
///
/// [`next`](Iterator::next) panics if the cut before was not run, or if its run was itself dropped before its end:
/// the sweep would not know when to stop.
///
/// # Examples
///
/// Two bytes must arrive together or not at all. `write_all` in one call does that on a roomy pipe, but two calls don't,
/// although neither of them ever waits:
///
/// ```
/// use asyncdrop::testing::Sweep;
/// use tokio::io::{AsyncReadExt, AsyncWriteExt};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let mut torn = Vec::new();
/// for cut in Sweep::new() {
///     let (mut ours, mut theirs) = tokio::io::duplex(64);
///     cut.run(async {
///         ours.write_all(b"o").await?;
///         ours.write_all(b"k").await
///     })
///     .await
///     .transpose()?;
///     drop(ours);
///
///     let mut heard = String::new();
///     theirs.read_to_string(&mut heard).await?;
///     if heard.len() == 1 {
///         torn.push(cut.to_string());
///     }
/// }
/// assert_eq!(torn, ["cut 2, after 1 operation"]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Default)]
pub struct Sweep {
    cuts: usize,
    last: Option<Arc<Mutex<State>>>,
}

impl Sweep {
    /// A sweep whose first cut is before the first operation.
    #[must_use = "a sweep is an iterator, and runs nothing by itself"]
    pub fn new() -> Self {
        Self::default()
    }
}

impl Iterator for Sweep {
    type Item = Cut;

    #[track_caller]
    fn next(&mut self) -> Option<Cut> {
        if let Some(last) = &self.last {
            match &*lock(last) {
                State::New => panic!("cut {} of the sweep was not run", self.cuts),
                State::Running(_) => panic!(
                    "the run of cut {} of the sweep was dropped before its end",
                    self.cuts
                ),
                State::CutOff(_) => {}
                State::Ended(_) => return None,
            }
        }
        self.cuts += 1;
        let state = Arc::new(Mutex::new(State::New));
        self.last = Some(Arc::clone(&state));
        Some(Cut {
            number: self.cuts,
            state,
        })
    }
}

/// One place in your scenario at which it is dropped. You get it from a [`Sweep`].
///
/// It displays as where that was, so put it into the message of your assertions:
/// `cut 4, after 2 operations and 1 wait`, or `the whole run, 6 operations and 1 wait` for the run that came to its end.
#[derive(Debug)]
pub struct Cut {
    number: usize,
    state: Arc<Mutex<State>>,
}

/// Tells you how a run went, and how far it came.
#[derive(Debug, Clone, Copy)]
enum State {
    New,
    Running(Progress),
    CutOff(Progress),
    Ended(Progress),
}

#[derive(Debug, Clone, Copy, Default)]
struct Progress {
    operations: usize,
    waits: usize,
}

impl Cut {
    /// Runs your scenario up to this cut, and drops it there.
    ///
    /// You get `None` if it was cut off, and what it returned if it came to its end before.
    ///
    /// # Panics
    ///
    /// - If the cut was run before, because you need a new scenario for each.
    /// - If it can't count: in a future that tokio doesn't poll, or in [`unconstrained`](tokio::task::unconstrained).
    /// - If the scenario panics.
    ///
    /// # Cancel safety
    ///
    /// If you drop the future, the scenario is dropped with it, so the sweep panics when you ask it for the next cut.
    ///
    /// # Examples
    ///
    /// ```
    /// use asyncdrop::testing::Sweep;
    /// use tokio::sync::Semaphore;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// for cut in Sweep::new() {
    ///     let jobs = Semaphore::new(3);
    ///     let result = cut
    ///         .run(async {
    ///             let _first = jobs.acquire().await;
    ///             let _second = jobs.acquire().await;
    ///             "both"
    ///         })
    ///         .await;
    ///     assert!(result.is_none() || result == Some("both"));
    ///     assert_eq!(jobs.available_permits(), 3, "{cut}");
    /// }
    /// # }
    /// ```
    pub async fn run<F: Future>(&self, scenario: F) -> Option<F::Output> {
        self.begin();
        let mut scenario = pin!(scenario);
        let mut progress = Progress::default();
        let meter = Meter::new();
        poll_fn(|cx| {
            let allowed = self.number - 1 - progress.operations - progress.waits;
            let polled = match meter.poll(scenario.as_mut(), cx, allowed) {
                Ok(polled) => polled,
                Err(NoBudget) => panic!(
                    "a sweep counts operations by tokio's cooperative budget, and there is none here: \
                     run it in a task of tokio, and outside of `unconstrained`"
                ),
            };
            progress.operations += polled.done;
            if let Poll::Ready(output) = polled.poll {
                self.set(State::Ended(progress));
                return Poll::Ready(Some(output));
            }
            // A run that is out of budget stops before an operation, but nothing says whether that would have waited.
            progress.waits += usize::from(polled.waits);
            if progress.operations + progress.waits < self.number - 1 {
                self.set(State::Running(progress));
                return Poll::Pending;
            }
            self.set(State::CutOff(progress));
            Poll::Ready(None)
        })
        .await
    }

    fn begin(&self) {
        let mut state = lock(&self.state);
        if let State::New = *state {
            *state = State::Running(Progress::default());
            return;
        }
        drop(state);
        panic!(
            "cut {} was run before: a cut runs one scenario",
            self.number
        );
    }

    fn set(&self, state: State) {
        *lock(&self.state) = state;
    }
}

impl Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.number;
        match *lock(&self.state) {
            State::New => write!(f, "cut {number}"),
            State::Running(progress) | State::CutOff(progress) => {
                write!(f, "cut {number}, after {progress}")
            }
            State::Ended(progress) => write!(f, "the whole run, {progress}"),
        }
    }
}

impl Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { operations, waits } = *self;
        let plural = |number| if number == 1 { "" } else { "s" };
        write!(f, "{operations} operation{}", plural(operations))?;
        if waits > 0 {
            write!(f, " and {waits} wait{}", plural(waits))?;
        }
        Ok(())
    }
}

/// What is in there is whole after any panic.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
