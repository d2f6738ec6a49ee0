use std::mem;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use async_dropper_simple::AsyncDropper;
use asyncdrop::{AsyncDropGuard, AsyncDropReaper, ReaperHandle};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;
use tokio::task::yield_now;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::{CLOSES, DROP_GUARD, map::thousands};
use crate::contender::{Contender, Group};
use crate::session::{CloseByHand, Lingering, Session, Value};

const PLAIN_GUARD: &str = "asyncdrop, a plain guard that is cleaned up in place";
pub const REAPER: &str = "asyncdrop, a reaper";
const SPAWN_IN_DROP: &str = "`tokio::spawn` in `Drop`";
const TOKEN: &str = "a plain guard and a `TaskTracker` token";
const TRACKER: &str = "`TaskTracker::spawn` in `Drop`";
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
        long: false,
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
        long: false,
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

/// How many tasks share a reaper.
const TASKS: u64 = 64;

/// A runtime with that many threads, for the whole program: one cannot be dropped inside of another.
fn runtime_of(threads: usize) -> &'static Runtime {
    let runtime = Builder::new_multi_thread().worker_threads(threads).build();
    Box::leak(Box::new(
        runtime.expect("a runtime needs nothing but threads"),
    ))
}

/// Runs the work of one task in each of 64, until the last has ended.
async fn in_tasks<F>(runtime: &Runtime, times: u64, work: impl Fn(u64) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let tasks: Vec<_> = (0..TASKS).map(|_| runtime.spawn(work(times))).collect();
    for task in tasks {
        task.await.expect(CLOSES);
    }
}

/// Many tasks adopt values of one reaper at the same time.
pub(super) fn share(threads: usize) -> Group {
    let runtime = runtime_of(threads);
    Group {
        id: format!("share-{threads}"),
        title: format!("Share a reaper between 64 tasks, threads: {threads}"),
        operation: "In each of 64 tasks a value is created, guarded, registered, and cleaned up by its owner. The time is that of 64 values.".into(),
        values: None,
        long: true,
        contenders: vec![
            Contender::new(TOKEN, async |times, stopwatch| {
                let tracker = TaskTracker::new();
                stopwatch.start();
                in_tasks(runtime, times, |times| {
                    let tracker = tracker.clone();
                    async move {
                        for id in 0..times {
                            let token: TaskTrackerToken = tracker.token();
                            let mut session = AsyncDropGuard::new(Session::new(id));
                            session.async_drop().await.expect(CLOSES);
                            drop(token);
                        }
                    }
                })
                .await;
                stopwatch.stop();
            }),
            Contender::new(REAPER, async |times, stopwatch| {
                let mut reaper = AsyncDropReaper::new();
                stopwatch.start();
                in_tasks(runtime, times, |times| {
                    let reaper = reaper.handle();
                    async move {
                        for id in 0..times {
                            let mut session = reaper.adopt(AsyncDropGuard::new(Session::new(id)));
                            session.async_drop().await.expect(CLOSES);
                        }
                    }
                })
                .await;
                stopwatch.stop();
                reaper.async_drop().await.expect(CLOSES);
            }),
            Contender::new(PLAIN_GUARD, async |times, stopwatch| {
                stopwatch.start();
                in_tasks(runtime, times, |times| async move {
                    for id in 0..times {
                        let mut session = AsyncDropGuard::new(Session::new(id));
                        session.async_drop().await.expect(CLOSES);
                    }
                })
                .await;
                stopwatch.stop();
            }),
        ],
    }
}

/// How many values are pending while one more is adopted.
const PENDING: [(&str, u64); 3] = [
    ("asyncdrop, a reaper with 1,000 values pending", 1_000),
    (BESIDE_100_000, 100_000),
    (BESIDE_1_000_000, 1_000_000),
];
pub const BESIDE_100_000: &str = "asyncdrop, a reaper with 100,000 values pending";
pub const BESIDE_1_000_000: &str = "asyncdrop, a reaper with 1,000,000 values pending";

/// One more value, beside many that are in use.
pub(super) fn adopt_beside() -> Group {
    let contenders = PENDING.map(|(name, pending)| {
        // Filled once, by the first sample, and kept: filling takes longer than everything else.
        let filled: OnceLock<ReaperHandle> = OnceLock::new();
        Contender::new(name, async move |times, stopwatch| {
            let reaper = filled.get_or_init(|| {
                let reaper: &AsyncDropReaper = Box::leak(Box::new(AsyncDropReaper::new()));
                let adopt = |id| reaper.adopt(AsyncDropGuard::new(Session::new(id)));
                (0..pending).map(adopt).for_each(mem::forget);
                reaper.handle()
            });
            stopwatch.start();
            for id in 0..times {
                let mut session = reaper.adopt(AsyncDropGuard::new(Session::new(id)));
                session.async_drop().await.expect(CLOSES);
            }
            stopwatch.stop();
        })
    });
    Group {
        id: "adopt-beside".into(),
        title: "Adopt one more value, beside many that are pending".into(),
        operation: "A value is created, guarded, adopted by a reaper that has many others, and cleaned up by its owner.".into(),
        values: None,
        long: false,
        contenders: contenders.into(),
    }
}

/// Spawns its cleanup through a tracker when it is dropped.
struct Tracked<V: CloseByHand + Send + 'static> {
    value: Option<V>,
    tracker: TaskTracker,
}

impl<V: CloseByHand + Send + 'static> Drop for Tracked<V> {
    fn drop(&mut self) {
        if let Some(mut value) = self.value.take() {
            self.tracker.spawn(async move {
                value.close().await.expect(CLOSES);
            });
        }
    }
}

/// Drops that many values at once, and waits until all are cleaned up.
pub(super) fn hand_over(size: usize) -> Group {
    Group {
        id: format!("hand-over-{size}"),
        title: format!("Hand over {} values", thousands(size)),
        operation: "Values are dropped one after the other, and then all of their cleanups are awaited. Creating and adopting the values is not measured.".into(),
        values: Some(size),
        long: false,
        contenders: vec![
            Contender::new(TRACKER, async move |times, stopwatch| {
                for _ in 0..times {
                    let tracker = TaskTracker::new();
                    let values: Vec<_> = (0..size as u64)
                        .map(|id| Tracked {
                            value: Some(Session::new(id)),
                            tracker: tracker.clone(),
                        })
                        .collect();
                    stopwatch.start();
                    drop(values);
                    tracker.close();
                    tracker.wait().await;
                    stopwatch.stop();
                }
            }),
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

/// Many tasks drop values at the same time.
pub(super) fn hand_over_in_tasks(threads: usize) -> Group {
    let runtime = runtime_of(threads);
    Group {
        id: format!("hand-over-in-tasks-{threads}"),
        title: format!("Hand over in 64 tasks, threads: {threads}"),
        operation: "In each of 64 tasks a value is created and dropped, and after every fourth the task waits for one turn. In the end all cleanups are awaited. The time is that of 64 values.".into(),
        values: None,
        long: true,
        contenders: vec![
            Contender::new(TRACKER, async |times, stopwatch| {
                let tracker = TaskTracker::new();
                stopwatch.start();
                in_tasks(runtime, times, |times| {
                    let tracker = tracker.clone();
                    in_turns(times, move |id| {
                        let value = Some(Session::new(id));
                        let tracker = tracker.clone();
                        drop(Tracked { value, tracker });
                    })
                })
                .await;
                tracker.close();
                tracker.wait().await;
                stopwatch.stop();
            }),
            Contender::new(REAPER, async |times, stopwatch| {
                let mut reaper = reaper_in(runtime);
                stopwatch.start();
                in_tasks(runtime, times, |times| {
                    let reaper = reaper.handle();
                    in_turns(times, move |id| {
                        drop(reaper.adopt(AsyncDropGuard::new(Session::new(id))));
                    })
                })
                .await;
                reaper.async_drop().await.expect(CLOSES);
                stopwatch.stop();
            }),
        ],
    }
}

/// A reaper that cleans up in the runtime of the tasks that drop the values.
fn reaper_in(runtime: &Runtime) -> AsyncDropGuard<AsyncDropReaper> {
    let _in_runtime = runtime.enter();
    AsyncDropReaper::new()
}

async fn in_turns(times: u64, drop_one: impl Fn(u64)) {
    for id in 0..times {
        drop_one(id);
        if id % 4 == 3 {
            yield_now().await;
        }
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
        long: false,
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
