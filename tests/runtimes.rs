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
    SyncDrop, async_drop_all, async_drop_on_err, async_trait, flatten_async_drop, with_async_drop,
    with_async_drop_2, with_async_drop_2_infallible,
};
use futures::channel::oneshot;

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

    let worker = start();
    let _: Result<(), Infallible> = with_async_drop_2!(worker, {
        assert!(worker.stop.is_some());
        Ok(())
    });
    stopped(4);

    let worker = start();
    with_async_drop_2_infallible!(worker, { assert!(worker.stop.is_some()) });
    stopped(5);

    let refused = async_drop_on_err(start(), async |_| Result::<(), _>::Err("refused")).await;
    assert_eq!(refused.unwrap_err(), "refused");
    stopped(6);

    let refused = Result::<AsyncDropGuard<Worker>, _>::Err("refused");
    let flat = flatten_async_drop::<&str, _, &str, _, _>(Ok(start()), refused).await;
    assert_eq!(flat.unwrap_err(), "refused");
    stopped(7);

    async_drop_all((0..3).map(|key| (key, start())))
        .await
        .unwrap();
    stopped(10);

    let mut first = AsyncDropArc::new(start());
    let mut last = AsyncDropArc::clone(&first);
    first.async_drop().await.unwrap();
    stopped(10);
    last.async_drop().await.unwrap();
    stopped(11);

    let mut map = AsyncDropHashMap::new();
    for key in 0..3 {
        assert!(map.insert(key, start()).is_none());
    }
    map.async_drop().await.unwrap();
    stopped(14);

    let mut result = AsyncDropResult::new(Result::<_, Infallible>::Ok(start()));
    result.async_drop().await.unwrap();
    stopped(15);

    let worker = start();
    let mut shared = AsyncDropShared::new(async move { worker });
    let mut value = (&*shared).await;
    shared.async_drop().await.unwrap();
    stopped(15);
    value.async_drop().await.unwrap();
    stopped(16);

    // On every runtime: this cleanup waits for another thread.
    drop(SyncDrop::new(start()));
    stopped(17);

    #[cfg(feature = "tokio")]
    {
        let mut mutex = asyncdrop::AsyncDropTokioMutex::new(start());
        assert!(mutex.lock().await.stop.is_some());
        mutex.async_drop().await.unwrap();
        stopped(18);
    }
}

/// Takes a future as `spawn` does.
fn spawnable<F: Future<Output = ()> + Send + 'static>(future: F) -> F {
    future
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn n3_every_helper_works_on_tokio_with_many_threads() {
    end_workers_through_every_helper().await;
    tokio::spawn(spawnable(end_workers_through_every_helper()))
        .await
        .unwrap();
}

#[tokio::test(flavor = "current_thread")]
async fn n3_every_helper_works_on_tokio_with_one_thread() {
    end_workers_through_every_helper().await;
    tokio::spawn(spawnable(end_workers_through_every_helper()))
        .await
        .unwrap();
}

#[test]
fn n3_every_helper_works_on_the_executor_of_futures() {
    futures::executor::block_on(end_workers_through_every_helper());
}

#[test]
fn n3_every_helper_works_on_smol() {
    smol::block_on(end_workers_through_every_helper());
    smol::block_on(smol::spawn(spawnable(end_workers_through_every_helper())));
}
