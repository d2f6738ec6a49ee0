//! Many cleanups in one task, none of which is stopped by the panic of another.

use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::thread;

use futures_util::future::{CatchUnwind, FutureExt, OptionFuture, poll_immediate};
use futures_util::stream::{FuturesUnordered, StreamExt};

use crate::panics::{FirstPanic, without_a_second_panic};

/// Whether a cleanup waits for the one before it.
#[derive(Clone, Copy)]
pub(crate) enum Order {
    OneByOne,
    Concurrent,
}

/// Cleanups that were begun.
///
/// What a cleanup has to return it leaves with its value, and its panic with the owner of the run,
/// so that an interruption of the run cannot lose either.
/// If a run is resumed, that is a new one, over the values that are not done.
pub(crate) struct Run<'p, F: Future<Output = ()>> {
    order: Order,
    waiting: Vec<Room<F>>,
    /// Of a cleanup that did not have to wait. The next one moves in.
    empty: Option<Room<F>>,
    first_panic: &'p mut FirstPanic,
}

type Room<F> = Pin<Box<OptionFuture<Contained<F>>>>;

/// After a panic the value is only reported by its guard, or its cleanup runs once more.
type Contained<F> = CatchUnwind<AssertUnwindSafe<F>>;

impl<'p, F: Future<Output = ()>> Run<'p, F> {
    /// A run that leaves the first panic of a cleanup in `first_panic`, to be resumed when the run is finished.
    pub(crate) fn new(order: Order, first_panic: &'p mut FirstPanic) -> Self {
        Self {
            order,
            waiting: Vec::new(),
            empty: None,
            first_panic,
        }
    }

    /// Runs one more, to its end or, if the others need not wait for that, for as long as it does not have to wait itself.
    pub(crate) async fn add(&mut self, cleanup: F) {
        let cleanup = AssertUnwindSafe(cleanup).catch_unwind();
        match self.order {
            Order::OneByOne => {
                let outcome = cleanup.await;
                self.note(outcome);
            }
            Order::Concurrent => {
                let mut room = self.room_for(cleanup);
                // A cleanup that is done at once needs no waker of its own, and that is what costs most below.
                match poll_immediate(&mut room).await {
                    Some(outcome) => {
                        room.set(None.into());
                        self.empty = Some(room);
                        outcome.into_iter().for_each(|outcome| self.note(outcome));
                    }
                    None => self.waiting.push(room),
                }
            }
        }
    }

    fn room_for(&mut self, cleanup: Contained<F>) -> Room<F> {
        let cleanup = Some(cleanup).into();
        match self.empty.take() {
            Some(mut room) => {
                room.set(cleanup);
                room
            }
            None => Box::pin(cleanup),
        }
    }

    /// Waits for all of them.
    pub(crate) async fn finish(mut self) {
        if self.waiting.is_empty() {
            return;
        }
        let mut running = Running(mem::take(&mut self.waiting).into_iter().collect());
        while let Some(outcome) = running.0.next().await {
            outcome.into_iter().for_each(|outcome| self.note(outcome));
        }
    }

    fn note(&mut self, outcome: thread::Result<()>) {
        if let Err(panic) = outcome {
            self.first_panic.keep(panic);
        }
    }
}

/// Futures that run concurrently. If it is dropped half-way, it drops each of them, whatever the others do meanwhile.
///
/// A cleanup may own guards, and a guard that is dropped may panic.
/// If that happens, a `FuturesUnordered` leaks its other futures, with all that they own.
struct Running<F: Future<Output = ()>>(FuturesUnordered<Room<F>>);

impl<F: Future<Output = ()>> Drop for Running<F> {
    fn drop(&mut self) {
        let mut first_panic = FirstPanic::default();
        for room in self.0.iter_mut() {
            let empty_it = AssertUnwindSafe(|| room.set(None.into()));
            if let Err(panic) = catch_unwind(empty_it) {
                first_panic.keep(panic);
            }
        }
        without_a_second_panic(|| first_panic.resume());
    }
}
