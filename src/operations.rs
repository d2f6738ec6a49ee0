//! Tokio's operations, counted and held back with the help of its cooperative budget.
//!
//! On each poll tokio gives a task a budget of so many operations.
//! Everything that could wait (a read, a lock, a timer, the end of a task) takes one unit of it when it succeeds,
//! and returns `Pending`, though it could go on, when there is none left.
//! So the difference between two looks at the budget is the number of operations in between,
//! and a poll that is left with `n` units stops before the operation after the `n`th.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use tokio::task::coop::{self, RestoreOnPending};

/// More than any budget of tokio, which is 128 today and counted in a byte.
/// If there is more to take than this, then nothing is being counted.
const NO_BUDGET_IS_LARGER: usize = 256;

/// There is nothing to count with: the poll did not come from a task of tokio, or from inside of `unconstrained`.
#[derive(Debug)]
pub(crate) struct NoBudget;

/// How a poll ended that was left with a number of operations.
#[derive(Debug)]
pub(crate) struct Polled<T> {
    pub(crate) poll: Poll<T>,
    /// How many operations it did.
    pub(crate) done: usize,
    /// Whether it is pending although there was budget left: what it waits for is not there yet.
    /// Otherwise the budget was used up, by the limit or because the task began this poll with less than that.
    pub(crate) waits: bool,
}

/// Polls a future that may do `limit` operations at most, and gives the rest of the budget back to the task.
///
/// # Errors
///
/// Without a budget, the future is not polled.
pub(crate) fn poll_within<F: Future + ?Sized>(
    future: Pin<&mut F>,
    cx: &mut Context<'_>,
    limit: usize,
) -> Result<Polled<F::Output>, NoBudget> {
    let before = left().ok_or(NoBudget)?;
    let allowed = before.min(limit);
    // The first unit that is withheld remembers the whole budget, and restores it in its `Drop`, after a panic too.
    let withheld = (allowed < before).then(|| {
        let first = take();
        spend(before - allowed - 1);
        first
    });
    let poll = future.poll(cx);
    let after = left().unwrap_or(allowed);
    // A budget that has grown was replaced, by a runtime inside of this one, say.
    let done = allowed.saturating_sub(after);
    drop(withheld);
    if allowed < before {
        spend(done);
    }
    Ok(Polled {
        waits: poll.is_pending() && after > 0,
        poll,
        done,
    })
}

/// How many operations the task may still do in this poll. `None` where nothing is counted.
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
