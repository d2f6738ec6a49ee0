use asyncdrop::{AsyncDrop, AsyncDropGuard, AsyncDropReaper, async_trait};
use asyncdrop::{Reaped, ReaperHandle};
use std::{future, time::Duration};
use tokio::sync::mpsc::{self, Receiver, Sender, error::SendError};
use tokio::time::{sleep, timeout};

/// A lease on a partition of a queue. The coordinator hears when another worker can have it.
#[derive(Debug)]
struct Lease {
    partition: u32,
    coordinator: Sender<String>,
}

#[async_trait]
impl AsyncDrop for Lease {
    type Error = SendError<String>;

    async fn async_drop_impl(&mut self) -> Result<(), SendError<String>> {
        let line = format!("{} is free", self.partition);
        self.coordinator.send(line).await
    }
}

struct Worker {
    reaper: ReaperHandle,
    coordinator: Sender<String>,
    lines: Receiver<String>,
}

impl Worker {
    fn lease(&self, partition: u32) -> AsyncDropGuard<Lease> {
        let coordinator = self.coordinator.clone();
        AsyncDropGuard::new(Lease {
            partition,
            coordinator,
        })
    }

    async fn hear(&mut self, what: &str) {
        if let Some(line) = self.lines.recv().await {
            println!("{what}: {line}");
        }
    }
}

/// Waits for messages that never come.
async fn consume(lease: &Lease) -> Result<(), SendError<String>> {
    assert_ne!(lease.partition, 4, "this partition is broken");
    future::pending().await
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let (coordinator, lines) = mpsc::channel(1);
    // ANCHOR: in_place
    // In main:
    let reaper = AsyncDropReaper::new();
    let mut worker = Worker {
        reaper: reaper.handle(),
        coordinator,
        lines,
    };

    let mut lease: Reaped<Lease> = reaper.adopt(worker.lease(1));
    println!("{} is ours, pending: {}", lease.partition, reaper.pending());
    println!("cleaned up in place: {:?}", lease.async_drop().await);
    worker.hear("in place").await;
    // ANCHOR_END: in_place

    // ANCHOR: cancelled
    let work = worker
        .reaper
        .scope(worker.lease(2), async |lease| consume(lease).await);
    if let Ok(done) = timeout(Duration::from_secs(60), work).await {
        println!("{done:?}");
    }
    worker.hear("timeout").await;
    // ANCHOR_END: cancelled

    let work = worker
        .reaper
        .scope(worker.lease(3), async |lease| consume(lease).await);
    tokio::select! {
        done = work => println!("{done:?}"),
        () = sleep(Duration::from_secs(60)) => {}
    }
    worker.hear("select!").await;

    let work = reaper.scope(worker.lease(4), async |lease| consume(lease).await);
    if let Ok(done) = tokio::spawn(work).await {
        println!("{done:?}");
    }
    worker.hear("panic").await;

    let work = reaper.scope(worker.lease(5), async |lease| consume(lease).await);
    tokio::spawn(work).abort();
    worker.hear("abort, before the first poll").await;

    // ANCHOR: end
    println!("pending: {}", worker.reaper.pending());
    let reaped = AsyncDropReaper::shutdown(reaper, Duration::from_secs(5)).await;
    println!("the reaper: {reaped:?}");
    // ANCHOR_END: end
}
