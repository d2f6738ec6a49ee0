//! The promise N3: every helper works on every runtime.
//!
//! The cleanups wait for a thread of their own, which wakes them from outside, and use nothing of any runtime.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use asyncdrop::{
    AsyncDrop, AsyncDropArc, AsyncDropGuard, AsyncDropHashMap, AsyncDropResult, AsyncDropShared,
    ScopeError, SyncDrop, async_drop_all, async_drop_on_err, async_trait, flatten_async_drop,
    with_async_drop, with_async_drop_2, with_async_drop_2_infallible, with_async_drop_both_errors,
};
use futures::channel::oneshot;
use tokio::runtime::Builder;

/// A thread that is told to stop, and then awaited.
#[derive(Debug)]
struct Worker {
    stop: Option<oneshot::Sender<()>>,
    stopped: oneshot::Receiver<()>,
    /// How many workers were stopped.
    count: Arc<AtomicUsize>,
}

impl Worker {
    fn start(count: &Arc<AtomicUsize>) -> AsyncDropGuard<Self> {
        let (stop, stopping) = oneshot::channel();
        let (has_stopped, stopped) = oneshot::channel();
        thread::spawn(move || {
            let _ = futures::executor::block_on(stopping);
            let _ = has_stopped.send(());
        });
        AsyncDropGuard::new(Self {
            stop: Some(stop),
            stopped,
            count: Arc::clone(count),
        })
    }
}

#[async_trait]
impl AsyncDrop for Worker {
    type Error = Infallible;

    async fn async_drop_impl(&mut self) -> Result<(), Infallible> {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        let _ = (&mut self.stopped).await;
        self.count.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

#[derive(Debug, AsyncDrop)]
struct Pair {
    first: AsyncDropGuard<Worker>,
    second: AsyncDropGuard<Worker>,
}

/// Ends workers through every helper, and asserts that it ended all of them.
async fn end_workers_through_every_helper() {
    let count = Arc::new(AtomicUsize::new(0));
    let stopped = |expected| assert_eq!(count.load(Ordering::SeqCst), expected);
    let start = || Worker::start(&count);

    let mut guard = start();
    guard.async_drop().await.unwrap();
    stopped(1);

    let mut boxed: AsyncDropGuard<Box<dyn AsyncDrop<Error = Infallible> + Send>> =
        start().into_box().map_unsafe(|worker| worker as _);
    boxed.async_drop().await.unwrap();
    stopped(2);

    let _: Result<(), Infallible> = with_async_drop(start(), async |worker| {
        assert!(worker.stop.is_some());
        Ok(())
    })
    .await;
    stopped(3);

    let refused = with_async_drop_both_errors(start(), async |worker| {
        assert!(worker.stop.is_some());
        Result::<(), _>::Err("refused")
    })
    .await;
    assert_eq!(refused, Err(ScopeError::Body("refused")));
    stopped(4);

    let worker = start();
    let _: Result<(), Infallible> = with_async_drop_2!(worker, {
        assert!(worker.stop.is_some());
        Ok(())
    });
    stopped(5);

    let worker = start();
    with_async_drop_2_infallible!(worker, { assert!(worker.stop.is_some()) });
    stopped(6);

    let refused = async_drop_on_err(start(), async |_| Result::<(), _>::Err("refused")).await;
    assert_eq!(refused.unwrap_err(), "refused");
    stopped(7);

    let refused = Result::<AsyncDropGuard<Worker>, _>::Err("refused");
    let flat = flatten_async_drop::<&str, _, &str, _, _>(Ok(start()), refused).await;
    assert_eq!(flat.unwrap_err(), "refused");
    stopped(8);

    async_drop_all((0..3).map(|key| (key, start())))
        .await
        .unwrap();
    stopped(11);

    let mut pair = AsyncDropGuard::new(Pair {
        first: start(),
        second: start(),
    });
    pair.async_drop().await.unwrap();
    stopped(13);

    let mut first = AsyncDropArc::new(start());
    let mut last = AsyncDropArc::clone(&first);
    first.async_drop().await.unwrap();
    stopped(13);
    last.async_drop().await.unwrap();
    stopped(14);

    let mut map = AsyncDropHashMap::new();
    for key in 0..3 {
        assert!(map.insert(key, start()).is_none());
    }
    map.async_drop().await.unwrap();
    stopped(17);

    let mut result = AsyncDropResult::new(Result::<_, Infallible>::Ok(start()));
    result.async_drop().await.unwrap();
    stopped(18);

    let worker = start();
    let mut shared = AsyncDropShared::new(async move { worker });
    let mut first = shared.get().await;
    let mut last = (&*shared).await;
    shared.async_drop().await.unwrap();
    first.async_drop().await.unwrap();
    stopped(18);
    last.async_drop().await.unwrap();
    stopped(19);

    // On every runtime: this cleanup waits for another thread.
    drop(SyncDrop::new(start()));
    stopped(20);

    #[cfg(feature = "tokio")]
    {
        let mut mutex = asyncdrop::AsyncDropTokioMutex::new(start());
        assert!(mutex.lock().await.stop.is_some());
        mutex.async_drop().await.unwrap();
        stopped(21);
    }
}

/// Takes a future as `spawn` does.
fn spawnable<F: Future<Output = ()> + Send + 'static>(future: F) -> F {
    future
}

fn on_tokio(builder: &mut Builder) {
    let runtime = builder.build().unwrap();
    runtime.block_on(end_workers_through_every_helper());
    let task = runtime.spawn(spawnable(end_workers_through_every_helper()));
    runtime.block_on(task).unwrap();
}

fn on_smol() {
    smol::block_on(end_workers_through_every_helper());
    smol::block_on(smol::spawn(spawnable(end_workers_through_every_helper())));
}

#[test]
fn n3_every_helper_works_on_every_runtime() {
    let runtimes: [(&str, fn()); 4] = [
        ("tokio with many threads", || {
            on_tokio(Builder::new_multi_thread().worker_threads(2));
        }),
        ("tokio with one thread", || {
            on_tokio(&mut Builder::new_current_thread());
        }),
        ("the executor of futures", || {
            futures::executor::block_on(end_workers_through_every_helper());
        }),
        ("smol", on_smol),
    ];

    // Each on a thread with its name, which a panic shows, and all of them, whichever fails.
    let fails = |&(name, run): &(&'static str, fn())| {
        let thread = thread::Builder::new().name(name.to_owned());
        thread.spawn(run).unwrap().join().is_err()
    };
    let failed: Vec<_> = runtimes
        .into_iter()
        .filter(fails)
        .map(|(name, _)| name)
        .collect();

    assert!(failed.is_empty(), "it fails on {failed:?}");
}
