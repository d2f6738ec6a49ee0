//! Many values that are handed over at once: not each of them gets a task at the same moment, but each gets one in time.

#![cfg(feature = "tokio")]

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::{Duration, Instant};

use asyncdrop::{AsyncDropGuard, AsyncDropReaper, AsyncDropWith, ReaperHandle};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::Barrier;
use tokio::task::yield_now;

use crate::support::{listen, record, run_without_incident};

const MANY: usize = 10_000;

/// Hands over that many values, each of which counts its cleanup.
fn hand_over(many: usize, reaper: &ReaperHandle, cleaned_up: &Arc<AtomicUsize>) {
    let values = Vec::from_iter((0..many).map(|_| {
        let cleaned_up = Arc::clone(cleaned_up);
        let value = AsyncDropWith::new((), async move |()| {
            cleaned_up.fetch_add(1, Ordering::SeqCst);
            io::Result::Ok(())
        });
        reaper.adopt(value)
    }));
    drop(values);
}

fn runtime_with(workers: usize) -> Runtime {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(workers).enable_time();
    builder.build().unwrap()
}

/// How many tasks there were at most, until all is cleaned up.
async fn most_tasks(reaper: &AsyncDropReaper) -> usize {
    let mut most = 0;
    while reaper.pending() > 0 {
        most = most.max(Handle::current().metrics().num_alive_tasks());
        yield_now().await;
    }
    most
}

/// Otherwise the first tasks would have left the cache of the processor before the last ones are there.
#[test]
fn few_tasks_wait_for_their_first_poll() {
    run_without_incident(async {
        let mut reaper = AsyncDropReaper::new();
        let cleaned_up = Arc::default();
        hand_over(MANY, &reaper, &cleaned_up);
        assert_eq!(reaper.pending(), MANY);
        let most = most_tasks(&reaper).await;
        assert!((1..1_000).contains(&most), "{most}");

        let handle = reaper.handle();
        let by_a_task = Arc::clone(&cleaned_up);
        let task = tokio::spawn(async move { hand_over(MANY, &handle, &by_a_task) });
        task.await.unwrap();
        let most = most_tasks(&reaper).await;
        assert!((1..1_000).contains(&most), "{most}");
        reaper.async_drop().await.unwrap();
        assert_eq!(cleaned_up.load(Ordering::SeqCst), 2 * MANY);
    });
}

/// A task that drops more at each turn than tasks begin meanwhile has to get slower by that.
#[test]
fn the_line_does_not_grow_for_ever() {
    run_without_incident(async {
        let mut reaper = AsyncDropReaper::new();
        let handle = reaper.handle();
        let task = tokio::spawn(async move {
            for _ in 0..300 {
                hand_over(1_000, &handle, &Arc::default());
                yield_now().await;
            }
            handle.pending()
        });
        let pending = task.await.unwrap();
        assert!(pending < 50_000, "{pending}");
        reaper.async_drop().await.unwrap();
    });
}

/// No cleanup waits for the end of another.
#[test]
fn all_of_their_cleanups_run_at_the_same_time() {
    run_without_incident(async {
        let mut reaper = AsyncDropReaper::new();
        let all_are_there = Arc::new(Barrier::new(MANY));
        for _ in 0..MANY {
            let barrier = Arc::clone(&all_are_there);
            drop(reaper.adopt(AsyncDropWith::new((), async move |()| {
                barrier.wait().await;
                io::Result::Ok(())
            })));
        }
        let limit = Duration::from_secs(60);
        let ended = tokio::time::timeout(limit, reaper.async_drop()).await;
        ended.expect("some cleanups never begin").unwrap();
    });
}

/// A worker keeps the last task that was started on it until its present one waits.
#[test]
fn workers_that_block_do_not_keep_the_values_of_others() {
    const WORKERS: usize = 20;
    let runtime = runtime_with(WORKERS);
    let mut reaper = runtime.block_on(async { AsyncDropReaper::new() });
    let mut blocked = Vec::from_iter((1..WORKERS).map(|_| {
        let reaper = reaper.handle();
        let (go_on, wait) = mpsc::channel::<()>();
        let (say, is_blocked) = mpsc::channel();
        runtime.spawn(async move {
            hand_over(65, &reaper, &Arc::default());
            say.send(()).unwrap();
            wait.recv().unwrap_err();
        });
        is_blocked.recv().unwrap();
        go_on
    }));
    let (cleaned_up, started) = (Arc::default(), Instant::now());
    hand_over(MANY, &reaper, &cleaned_up);
    while cleaned_up.load(Ordering::SeqCst) < MANY {
        assert!(started.elapsed() < Duration::from_secs(30), "it waits");
        thread::sleep(Duration::from_millis(1));
    }
    blocked.clear();
    runtime.block_on(reaper.async_drop()).unwrap();
}

#[test]
fn each_value_of_a_runtime_that_has_ended_is_reported_once() {
    let runtime = Builder::new_current_thread().build().unwrap();
    let mut reaper = runtime.block_on(async { AsyncDropReaper::new() });
    let cleaned_up = Arc::default();
    let ((), incidents) = record(|| {
        hand_over(MANY, &reaper, &cleaned_up);
        drop(runtime);
        hand_over(1, &reaper, &cleaned_up);
    });
    assert_eq!(incidents.len(), MANY + 1);
    let errors = smol::block_on(reaper.async_drop()).unwrap_err();
    assert_eq!((errors.len(), errors.total()), (MANY + 1, MANY + 1));
    assert_eq!(cleaned_up.load(Ordering::SeqCst), 0);
}

/// The runtime ends while threads hand values over, and while tasks that begin start others.
#[test]
fn a_runtime_that_ends_in_the_middle_loses_none_of_them() {
    const THREADS: usize = 4;
    const EACH: usize = 500;
    static REPORTED: AtomicUsize = AtomicUsize::new(0);
    listen(|incident| {
        let is_mine = incident.location().file() == file!() && thread_is_of_the_race();
        if is_mine {
            REPORTED.fetch_add(1, Ordering::SeqCst);
        }
        is_mine
    });
    for round in 0..50 {
        REPORTED.store(0, Ordering::SeqCst);
        let runtime = Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name(OF_THE_RACE)
            .build()
            .unwrap();
        let mut reaper = runtime.block_on(async { AsyncDropReaper::new() });
        let cleaned_up = Arc::<AtomicUsize>::default();
        thread::scope(|scope| {
            for _ in 0..THREADS {
                let (reaper, cleaned_up) = (reaper.handle(), Arc::clone(&cleaned_up));
                let builder = thread::Builder::new().name(OF_THE_RACE.into());
                let hand_over = move || hand_over(EACH, &reaper, &cleaned_up);
                builder.spawn_scoped(scope, hand_over).unwrap();
            }
            let end = move || {
                thread::sleep(Duration::from_micros(20 * round));
                drop(runtime);
            };
            let builder = thread::Builder::new().name(OF_THE_RACE.into());
            builder.spawn_scoped(scope, end).unwrap();
        });
        let failed = match smol::block_on(reaper.async_drop()) {
            Ok(()) => 0,
            Err(errors) => errors.len(),
        };
        let cleaned_up = cleaned_up.load(Ordering::SeqCst);
        assert_eq!(cleaned_up + failed, THREADS * EACH);
        assert_eq!(REPORTED.load(Ordering::SeqCst), failed);
    }
}

const OF_THE_RACE: &str = "of the race";

fn thread_is_of_the_race() -> bool {
    thread::current().name() == Some(OF_THE_RACE)
}

#[test]
fn a_deadline_names_those_that_have_no_task_yet() {
    run_without_incident(async {
        let reaper = AsyncDropReaper::new();
        let cleaned_up = Arc::default();
        hand_over(MANY, &reaper, &cleaned_up);
        let at_once = AsyncDropReaper::shutdown_by(reaper, async {});
        let error = at_once.await.unwrap_err();
        assert_eq!(error.being_cleaned_up().len(), MANY);
        assert_eq!(error.left(), 0);
        assert_eq!(cleaned_up.load(Ordering::SeqCst), 0);
    });
}

#[test]
fn a_reaper_that_is_dropped_still_cleans_all_of_them_up() {
    let runtime = Builder::new_current_thread().build().unwrap();
    let cleaned_up = Arc::default();
    let ((), incidents) = record(|| {
        runtime.block_on(async {
            let reaper = AsyncDropReaper::new();
            hand_over(MANY, &reaper, &cleaned_up);
        });
    });
    assert_eq!(incidents.len(), 1, "that of the reaper");
    runtime.block_on(async {
        while cleaned_up.load(Ordering::SeqCst) < MANY {
            yield_now().await;
        }
    });
}

/// As the docs of `spawner` say.
#[test]
fn a_spawner_is_called_for_each_of_them_when_it_is_dropped() {
    let (say, started) = mpsc::channel();
    let spawner = move |task| Sender::send(&say, task).unwrap();
    let mut reaper: AsyncDropGuard<_> = AsyncDropReaper::builder().spawner(spawner).build();
    let cleaned_up = Arc::default();
    hand_over(MANY, &reaper, &cleaned_up);
    let tasks = Vec::from_iter(started.try_iter());
    assert_eq!(tasks.len(), MANY);
    tasks.into_iter().for_each(smol::block_on);
    smol::block_on(reaper.async_drop()).unwrap();
    assert_eq!(cleaned_up.load(Ordering::SeqCst), MANY);
}

/// Its last turn is the last that has the spawner.
#[test]
fn a_spawner_that_panics_in_its_own_drop_stops_no_task() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("no executor");
        }
    }
    let (say, started) = mpsc::channel();
    let bomb = Bomb;
    let spawner = move |task| {
        let _bomb = &bomb;
        Sender::send(&say, task).unwrap();
    };
    let cleaned_up = Arc::default();
    let ((), _incidents) = record(|| {
        let builder = AsyncDropReaper::builder().max_concurrent(1);
        let reaper = builder.spawner(spawner).build();
        hand_over(1, &reaper, &cleaned_up);
    });
    smol::block_on(started.recv().unwrap());
    assert_eq!(cleaned_up.load(Ordering::SeqCst), 1);
}
