use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_dropper_simple::AsyncDropper;
use asyncdrop::{AsyncDropGuard, AsyncDropReaper};
use tokio::sync::Notify;

use super::{CLOSES, DROP_GUARD, map::thousands};
use crate::contender::{Contender, Group};
use crate::session::{CloseByHand, Lingering, Session, Value};

const PLAIN_GUARD: &str = "asyncdrop, a plain guard that is cleaned up in place";
const REAPER: &str = "asyncdrop, a reaper";
const SPAWN_IN_DROP: &str = "`tokio::spawn` in `Drop`";
const NOTHING: &str = "has nothing for a value that is dropped";

/// A value that spawns its own cleanup when it is dropped, as programs do it by hand.
struct SpawnInDrop<V: CloseByHand + Send + 'static> {
    value: Option<V>,
    pending: Arc<Pending>,
}

/// What such a program needs to wait for its cleanups.
#[derive(Default)]
struct Pending {
    count: AtomicUsize,
    none: Notify,
}

impl<V: CloseByHand + Send + 'static> SpawnInDrop<V> {
    fn new(value: V, pending: &Arc<Pending>) -> Self {
        pending.count.fetch_add(1, Ordering::Relaxed);
        Self {
            value: Some(value),
            pending: Arc::clone(pending),
        }
    }
}

impl<V: CloseByHand + Send + 'static> Drop for SpawnInDrop<V> {
    fn drop(&mut self) {
        let Some(mut value) = self.value.take() else {
            return;
        };
        let pending = Arc::clone(&self.pending);
        tokio::spawn(async move {
            value.close().await.expect(CLOSES);
            drop(value);
            if pending.count.fetch_sub(1, Ordering::AcqRel) == 1 {
                pending.none.notify_one();
            }
        });
    }
}

impl Pending {
    async fn wait(&self) {
        while self.count.load(Ordering::Acquire) > 0 {
            self.none.notified().await;
        }
    }
}

pub(super) fn adopt() -> Group {
    Group {
        id: "adopt".into(),
        title: "Adopt, and clean up in place".into(),
        operation: "A value is created, guarded, adopted by a reaper, and cleaned up by its owner. Nothing is handed over.".into(),
        values: None,
        contenders: vec![
            Contender::new(PLAIN_GUARD, async |times, stopwatch| {
                stopwatch.start();
                for id in 0..times {
                    let mut session = AsyncDropGuard::new(Session::new(id));
                    session.async_drop().await.expect(CLOSES);
                }
                stopwatch.stop();
            }),
            Contender::new(REAPER, async |times, stopwatch| {
                let mut reaper = AsyncDropReaper::new();
                stopwatch.start();
                for id in 0..times {
                    let mut session = reaper.adopt(AsyncDropGuard::new(Session::new(id)));
                    session.async_drop().await.expect(CLOSES);
                }
                stopwatch.stop();
                reaper.async_drop().await.expect(CLOSES);
            }),
            Contender::impossible(DROP_GUARD, NOTHING),
        ],
    }
}

pub(super) fn let_go() -> Group {
    Group {
        id: "let-go".into(),
        title: "Drop a value that somebody else cleans up".into(),
        operation: "A value is created and dropped, and its cleanup starts in another task. What is measured is how long the owner is held up, not the cleanup.".into(),
        values: None,
        contenders: vec![
            Contender::new(SPAWN_IN_DROP, async |times, stopwatch| {
                let pending = Arc::default();
                stopwatch.start();
                for id in 0..times {
                    drop(SpawnInDrop::new(Session::new(id), &pending));
                }
                stopwatch.stop();
                pending.wait().await;
            }),
            Contender::new(REAPER, async |times, stopwatch| {
                let mut reaper = AsyncDropReaper::new();
                stopwatch.start();
                for id in 0..times {
                    drop(reaper.adopt(AsyncDropGuard::new(Session::new(id))));
                }
                stopwatch.stop();
                reaper.async_drop().await.expect(CLOSES);
            }),
            Contender::impossible(DROP_GUARD, NOTHING),
            Contender::new(
                "async-dropper-simple (blocks the thread until the cleanup has ended)",
                async |times, stopwatch| {
                    stopwatch.start();
                    for id in 0..times {
                        drop(AsyncDropper::new(Session::new(id)));
                    }
                    stopwatch.stop();
                },
            ),
        ],
    }
}

/// Drops that many values at once, and waits until all are cleaned up.
pub(super) fn hand_over(size: usize) -> Group {
    Group {
        id: format!("hand-over-{size}"),
        title: format!("Hand over {} values", thousands(size)),
        operation: "Values are dropped one after the other, and then all of their cleanups are awaited. Creating and adopting the values is not measured.".into(),
        values: Some(size),
        contenders: vec![
            Contender::new(SPAWN_IN_DROP, async move |times, stopwatch| {
                for _ in 0..times {
                    let pending = Arc::default();
                    let values: Vec<_> = (0..size as u64)
                        .map(|id| SpawnInDrop::new(Session::new(id), &pending))
                        .collect();
                    stopwatch.start();
                    drop(values);
                    pending.wait().await;
                    stopwatch.stop();
                }
            }),
            Contender::new(REAPER, async move |times, stopwatch| {
                for _ in 0..times {
                    let mut reaper = AsyncDropReaper::new();
                    let values: Vec<_> = (0..size as u64)
                        .map(|id| reaper.adopt(AsyncDropGuard::new(Session::new(id))))
                        .collect();
                    stopwatch.start();
                    drop(values);
                    reaper.async_drop().await.expect(CLOSES);
                    stopwatch.stop();
                }
            }),
            Contender::new(PLAIN_GUARD, async move |times, stopwatch| {
                for _ in 0..times {
                    let values: Vec<_> = (0..size as u64)
                        .map(|id| AsyncDropGuard::new(Session::new(id)))
                        .collect();
                    stopwatch.start();
                    for mut value in values {
                        value.async_drop().await.expect(CLOSES);
                    }
                    stopwatch.stop();
                }
            }),
        ],
    }
}

/// Keeps that many cleanups waiting at the same time. Its allocations are what a pending value needs.
pub(super) fn pending(size: usize) -> Group {
    Group {
        id: "pending".into(),
        title: format!("Keep {} values pending for 10 ms", thousands(size)),
        operation: format!(
            "Values are created, adopted and dropped, and all of their cleanups sleep for 10 ms at the same time. \
             The bytes, divided by {}, are what one pending value needs.",
            thousands(size)
        ),
        values: Some(size),
        contenders: vec![
            Contender::new(SPAWN_IN_DROP, async move |times, stopwatch| {
                for _ in 0..times {
                    let pending = Arc::default();
                    stopwatch.start();
                    for _ in 0..size {
                        drop(SpawnInDrop::new(Lingering, &pending));
                    }
                    pending.wait().await;
                    stopwatch.stop();
                }
            }),
            Contender::new(REAPER, async move |times, stopwatch| {
                for _ in 0..times {
                    let mut reaper = AsyncDropReaper::new();
                    stopwatch.start();
                    for _ in 0..size {
                        drop(reaper.adopt(AsyncDropGuard::new(Lingering)));
                    }
                    reaper.async_drop().await.expect(CLOSES);
                    stopwatch.stop();
                }
            }),
        ],
    }
}
