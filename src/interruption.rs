//! Cleanups that are dropped once, in the middle, and begun again, because a test asked for that.
//!
//! This is the seam between the guard and [`testing`](crate::testing): the guard asks for a [`plan`] before it cleans up.

use std::any::type_name;
use std::env;
use std::fs::File;
use std::future::{Future, poll_fn};
use std::io::Write;
use std::panic::Location;
use std::pin::Pin;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use crate::async_drop::AsyncDrop;
use crate::operations::{Meter, NoBudget};
use crate::whereabouts::Whereabouts;

/// What a test asked for, until it is withdrawn.
struct Request {
    whereabouts: Whereabouts,
    operation: usize,
    interrupted: Arc<AtomicUsize>,
}

static REQUESTS: Mutex<Vec<Request>> = Mutex::new(Vec::new());

/// The cleanups that were interrupted, and then not brought to their end. They are not interrupted again.
static NOT_ENDED: Mutex<Vec<Cleanup>> = Mutex::new(Vec::new());

/// Asks for all cleanups of this test to be interrupted before that operation, and returns their count.
pub(crate) fn ask(operation: usize) -> Arc<AtomicUsize> {
    let interrupted = Arc::default();
    lock(&REQUESTS).push(Request {
        whereabouts: Whereabouts::here(),
        operation,
        interrupted: Arc::clone(&interrupted),
    });
    interrupted
}

/// Ends what [`ask`] began.
pub(crate) fn withdraw(interrupted: &Arc<AtomicUsize>) {
    lock(&REQUESTS).retain(|request| !Arc::ptr_eq(&request.interrupted, interrupted));
}

/// What is to happen to a cleanup that is about to begin.
pub(crate) struct Plan {
    cleanup: Cleanup,
    /// The operation before which it is interrupted, and the count of those that were.
    /// `None` for one whose caller was cancelled after the interruption: it comes again, and has had its share.
    interruption: Option<(usize, Option<Arc<AtomicUsize>>)>,
}

/// The plan for the cleanup of a value, if a test has asked for anything.
///
/// A value whose cleanup was not begun before has had no share, even if one was that had the same place in memory and is gone.
///
/// It is looked up by the guard itself, before it polls: a cleanup that no test is interested in
/// needs no more of the stack than without the feature.
pub(crate) fn plan<T>(
    value: &T,
    created_at: &'static Location<'static>,
    begun_before: bool,
) -> Option<Plan> {
    let cleanup = Cleanup {
        value: ptr::from_ref(value).addr(),
        created_at,
    };
    let interruption = if cleanup.forget() && begun_before {
        None
    } else {
        Some(requested()?)
    };
    Some(Plan {
        cleanup,
        interruption,
    })
}

impl Plan {
    /// Runs the cleanup of the value, and drops it once, before the operation that a test asked for.
    pub(crate) async fn clean_up<T: AsyncDrop>(self, value: &mut T) -> Result<(), T::Error> {
        if let Some((operation, interrupted)) = self.interruption {
            let first = value.async_drop_impl();
            if let Some(result) = up_to_operation(operation, first).await {
                return result;
            }
            if let Some(interrupted) = interrupted {
                interrupted.fetch_add(1, Ordering::Relaxed);
            }
            note(type_name::<T>(), self.cleanup.created_at);
        }
        let not_ended = NotEnded(Some(self.cleanup));
        let result = value.async_drop_impl().await;
        not_ended.has_ended();
        result
    }
}

/// What the cleanup returned, or `None` when it was dropped before that operation.
async fn up_to_operation<F: Future + Unpin>(operation: usize, mut cleanup: F) -> Option<F::Output> {
    let meter = Meter::new();
    let mut left = operation - 1;
    let mut idle_waits = 0;
    poll_fn(|cx| {
        let mut cleanup = Pin::new(&mut cleanup);
        let polled = match meter.poll(cleanup.as_mut(), cx, left) {
            Ok(polled) => polled,
            Err(NoBudget) => return poll_up_to_wait(cleanup, cx, &mut left),
        };
        if let Poll::Ready(result) = polled.poll {
            return Poll::Ready(Some(result));
        }
        left -= polled.done;
        idle_waits = match polled.done {
            0 => idle_waits + usize::from(polled.waits),
            _ => 0,
        };
        if left == 0 || left <= MOST_UNITS_OF_AN_OPERATION && idle_waits == MANY_WAITS {
            return Poll::Ready(None);
        }
        Poll::Pending
    })
    .await
}

/// Some operations of tokio are made of others, and need a unit of the budget for each: `copy_buf` holds one while it reads.
/// With fewer units left they give theirs back. That looks like a wait, but they are woken at once and would try again without end.
const MOST_UNITS_OF_AN_OPERATION: usize = 4;

/// So many waits without an operation in between are such an attempt.
/// If they are not, the cleanup is interrupted in a wait before its operation, which it has to survive as well.
const MANY_WAITS: usize = 16;

/// In a task that tokio does not run, operations can't be counted, so each wait stands for one.
fn poll_up_to_wait<F: Future>(
    cleanup: Pin<&mut F>,
    cx: &mut Context<'_>,
    left: &mut usize,
) -> Poll<Option<F::Output>> {
    match (cleanup.poll(cx), left.checked_sub(1)) {
        (Poll::Ready(result), _) => Poll::Ready(Some(result)),
        (Poll::Pending, None) => Poll::Ready(None),
        (Poll::Pending, Some(rest)) => {
            *left = rest;
            Poll::Pending
        }
    }
}

/// The operation before which the cleanup that is about to begin is to be interrupted, and the count of those that were.
fn requested() -> Option<(usize, Option<Arc<AtomicUsize>>)> {
    let asked = lock(&REQUESTS)
        .iter()
        .rev()
        .find(|request| request.whereabouts.reach_here())
        .map(|request| (request.operation, Some(Arc::clone(&request.interrupted))));
    asked.or_else(|| Some(((*OF_THE_PROCESS)?, None)))
}

/// What the environment asks for, for every cleanup of the process.
static OF_THE_PROCESS: LazyLock<Option<usize>> = LazyLock::new(|| {
    let value = env::var_os("ASYNCDROP_INTERRUPT")?;
    let operation = value.to_str().and_then(|value| value.parse().ok());
    match operation {
        Some(operation) if operation > 0 => Some(operation),
        _ => panic!("ASYNCDROP_INTERRUPT must be a number from 1 on, not {value:?}"),
    }
});

/// Adds a line to the log, which is for a program that can be run but not asked.
fn note(type_name: &str, created_at: &Location<'_>) {
    let Some(log) = env::var_os("ASYNCDROP_INTERRUPT_LOG") else {
        return;
    };
    // One write of one line, so that the lines of two threads do not mix.
    let line = format!("{type_name}, created at {created_at}\n");
    let written = File::options()
        .create(true)
        .append(true)
        .open(&log)
        .and_then(|mut log| log.write_all(line.as_bytes()));
    if let Err(error) = written {
        panic!("ASYNCDROP_INTERRUPT_LOG={log:?} cannot be written: {error}");
    }
}

/// The cleanup of one value, as long as that is not moved.
#[derive(PartialEq, Eq)]
struct Cleanup {
    value: usize,
    created_at: &'static Location<'static>,
}

impl Cleanup {
    /// Whether it was interrupted before. It is not remembered any longer.
    fn forget(&self) -> bool {
        let mut not_ended = lock(&NOT_ENDED);
        let found = not_ended.iter().position(|other| other == self);
        found.map(|index| not_ended.swap_remove(index)).is_some()
    }
}

/// Remembers an interrupted cleanup, in case its caller drops it before its end.
struct NotEnded(Option<Cleanup>);

impl NotEnded {
    fn has_ended(mut self) {
        self.0 = None;
    }
}

impl Drop for NotEnded {
    fn drop(&mut self) {
        lock(&NOT_ENDED).extend(self.0.take());
    }
}

/// What is in there is whole after any panic.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
