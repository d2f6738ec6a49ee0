// fails with: still in use
// ANCHOR: problem
use asyncdrop::{AsyncDropGuard, AsyncDropReaper, ShutdownError};
use std::time::Duration;
use tokio::task::JoinSet;

/// Stops the workers. Each owns a value that the reaper has adopted.
pub async fn stop(
    mut workers: JoinSet<()>,
    reaper: AsyncDropGuard<AsyncDropReaper>,
) -> Result<(), ShutdownError> {
    let reaped = AsyncDropReaper::shutdown(reaper, Duration::from_secs(5)).await;
    workers.shutdown().await;
    reaped
}
// ANCHOR_END: problem

// ANCHOR: solution
use asyncdrop::{AsyncDropGuard, AsyncDropReaper, ShutdownError};
use std::time::Duration;
use tokio::task::JoinSet;

/// Stops the workers. Each owns a value that the reaper has adopted.
pub async fn stop(
    mut workers: JoinSet<()>,
    reaper: AsyncDropGuard<AsyncDropReaper>,
) -> Result<(), ShutdownError> {
    workers.shutdown().await;
    AsyncDropReaper::shutdown(reaper, Duration::from_secs(5)).await
}
// ANCHOR_END: solution

// ANCHOR: tests
#[cfg(test)]
mod tests {
    use super::*;
    use asyncdrop::AsyncDropWith;
    use std::future;
    use tokio::sync::mpsc;

    #[tokio::test(start_paused = true)]
    async fn every_worker_releases_its_lease() {
        let reaper = AsyncDropReaper::new();
        let (released, mut leases) = mpsc::channel(3);
        let mut workers = JoinSet::new();
        for partition in 1..=3 {
            let released = released.clone();
            let lease = AsyncDropWith::new(released, async move |released: mpsc::Sender<u32>| {
                released.send(partition).await
            });
            let lease = reaper.adopt(lease);
            workers.spawn(async move {
                let _lease = lease;
                future::pending::<()>().await;
            });
        }
        drop(released);

        stop(workers, reaper)
            .await
            .unwrap_or_else(|error| panic!("{error}"));

        let mut all = Vec::new();
        while let Some(partition) = leases.recv().await {
            all.push(partition);
        }
        all.sort();
        assert_eq!(all, [1, 2, 3]);
    }
}
// ANCHOR_END: tests
