//! Tokio's operations, counted and held back with the help of its cooperative budget.
//!
//! On each poll tokio gives a task a budget of so many operations.
//! Everything that could wait (a read, a lock, a timer, the end of a task) takes one unit of it when it succeeds,
//! but returns `Pending`, though it could continue, when there is none left.
//! So the difference between two looks at the budget is the number of operations in between,
//! and a poll that is left with `n` units stops before the operation after the `n`th.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use tokio::task::coop::{self, RestoreOnPending};

/// More than any budget of tokio, which is 128 today and counted in a byte.
/// If there is more to take than this, then nothing is being counted.
const NO_BUDGET_IS_LARGER: usize = 256;

/// We can't count: the poll did not come from a task of tokio, or it came through `unconstrained`.
#[derive(Debug)]
pub(crate) struct NoBudget;

/// How a poll ended that was left with a number of operations.
#[derive(Debug)]
pub(crate) struct Polled<T> {
    pub(crate) poll: Poll<T>,
    /// How many operations it did.
    pub(crate) done: usize,
    /// Whether it came to a wait: it is pending although there was budget left, because what it needs is not there yet.
    /// If it is pending otherwise, the budget was used up, or this is the wait that an earlier poll came to.
    pub(crate) waits: bool,
}

/// Polls one future, and counts what it does.
#[derive(Debug)]
pub(crate) struct Meter {
    alarm: Arc<Alarm>,
    waker: Waker,
}

impl Meter {
    pub(crate) fn new() -> Self {
        let alarm = Arc::new(Alarm::default());
        let waker = Waker::from(Arc::clone(&alarm));
        Self { alarm, waker }
    }

    /// Polls the future, which may do `limit` operations at most, and gives the rest of the budget back to the task.
    ///
    /// # Errors
    ///
    /// Without any budget left, the future is not polled.
    pub(crate) fn poll<F: Future + ?Sized>(
        &self,
        future: Pin<&mut F>,
        cx: &mut Context<'_>,
        limit: usize,
    ) -> Result<Polled<F::Output>, NoBudget> {
        let before = left().ok_or(NoBudget)?;
        let was_woken = self.alarm.set(cx.waker());
        let allowed = before.min(limit);
        // The first unit that is withheld remembers the whole budget, and restores it in its `Drop`, even after a panic.
        let withheld = (allowed < before).then(|| {
            let first = take();
            spend(before - allowed - 1);
            first
        });
        let poll = future.poll(&mut Context::from_waker(&self.waker));
        let after = left().unwrap_or(allowed);
        // A budget that has grown was replaced, by a runtime within this one, for example.
        let done = allowed.saturating_sub(after);
        drop(withheld);
        if allowed < before {
            spend(done);
        }
        Ok(Polled {
            waits: poll.is_pending() && after > 0 && (was_woken || done > 0),
            poll,
            done,
        })
    }
}

/// Remembers whether the future was woken, and wakes the task that polls it.
///
/// Runtimes also poll a task that was not woken, as often as they like, but then it is in the same wait each time.
#[derive(Debug)]
struct Alarm {
    woken: AtomicBool,
    task: Mutex<Waker>,
}

impl Default for Alarm {
    fn default() -> Self {
        Self {
            // The first poll needs no reason.
            woken: AtomicBool::new(true),
            task: Mutex::new(Waker::noop().clone()),
        }
    }
}

impl Alarm {
    /// Before a poll: whether the future was woken since the last one.
    fn set(&self, task: &Waker) -> bool {
        self.task().clone_from(task);
        self.woken.swap(false, Ordering::AcqRel)
    }

    fn task(&self) -> MutexGuard<'_, Waker> {
        self.task.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        let task = self.task().clone();
        task.wake();
    }
}

/// How many operations the task may still do in this poll. `None` if nothing is counted.
fn left() -> Option<usize> {
    if !coop::has_budget_remaining() {
        return Some(0);
    }
    let first = take();
    let mut left = 1;
    while coop::has_budget_remaining() {
        if left == NO_BUDGET_IS_LARGER {
            return None;
        }
        spend(1);
        left += 1;
    }
    drop(first);
    Some(left)
}

fn spend(operations: usize) {
    for _ in 0..operations {
        take().made_progress();
    }
}

/// Takes one unit. Its caller knows that there is one.
fn take() -> RestoreOnPending {
    match coop::poll_proceed(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(taken) => taken,
        Poll::Pending => unreachable!("there was budget left"),
    }
}
