// fails with: Forgot to call async_drop on Lease
// ANCHOR: problem
use asyncdrop::{AsyncDrop, AsyncDropGuard, ReaperHandle, async_trait, with_async_drop_2};
use std::future::Future;
use tokio::sync::mpsc::{Sender, error::SendError};

#[derive(Debug)]
pub struct Lease {
    pub partition: u32,
    pub coordinator: Sender<u32>,
}

#[async_trait]
impl AsyncDrop for Lease {
    type Error = SendError<u32>;

    async fn async_drop_impl(&mut self) -> Result<(), SendError<u32>> {
        self.coordinator.send(self.partition).await
    }
}

/// Works while it has the lease, and releases it whatever happens.
pub async fn handle(
    lease: AsyncDropGuard<Lease>,
    _reaper: &ReaperHandle,
    work: impl Future<Output = ()>,
) -> Result<(), SendError<u32>> {
    with_async_drop_2!(lease, {
        work.await;
        Ok(())
    })
}
// ANCHOR_END: problem

// ANCHOR: solution
use asyncdrop::{AsyncDrop, AsyncDropGuard, ReaperHandle, async_trait};
use std::future::Future;
use tokio::sync::mpsc::{Sender, error::SendError};

#[derive(Debug)]
pub struct Lease {
    pub partition: u32,
    pub coordinator: Sender<u32>,
}

#[async_trait]
impl AsyncDrop for Lease {
    type Error = SendError<u32>;

    async fn async_drop_impl(&mut self) -> Result<(), SendError<u32>> {
        self.coordinator.send(self.partition).await
    }
}

/// Works while it has the lease, and releases it whatever happens.
pub async fn handle(
    lease: AsyncDropGuard<Lease>,
    reaper: &ReaperHandle,
    work: impl Future<Output = ()>,
) -> Result<(), SendError<u32>> {
    let work = async move |_: &mut Lease| {
        work.await;
        Ok(())
    };
    reaper.scope(lease, work).await
}
// ANCHOR_END: solution

// ANCHOR: tests
#[cfg(test)]
mod tests {
    use super::*;
    use asyncdrop::AsyncDropReaper;
    use std::{future, time::Duration};
    use tokio::{sync::mpsc, time::timeout};

    #[tokio::test(start_paused = true)]
    async fn a_cancelled_request_releases_its_lease() {
        let reaper = AsyncDropReaper::new();
        let handle_of_it = reaper.handle();
        let (coordinator, mut released) = mpsc::channel(1);
        let lease = AsyncDropGuard::new(Lease {
            partition: 7,
            coordinator,
        });

        let request = handle(lease, &handle_of_it, future::pending());
        let limit = Duration::from_secs(1);
        assert!(timeout(limit, request).await.is_err());

        assert_eq!(released.recv().await, Some(7));
        AsyncDropReaper::shutdown(reaper, limit).await.unwrap();
    }
}
// ANCHOR_END: tests
