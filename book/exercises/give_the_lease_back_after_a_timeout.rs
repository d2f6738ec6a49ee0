// fails with: Forgot to call async_drop on Lease
// ANCHOR: problem
use asyncdrop::{AsyncDrop, AsyncDropGuard, AsyncDropReaper, async_trait, with_async_drop_2};
use std::{io, time::Duration};
use tokio::io::{AsyncReadExt, DuplexStream};
use tokio::{sync::mpsc::Sender, time::timeout};

/// A lease on a job. Its cleanup gives it back.
#[derive(Debug)]
pub struct Lease {
    pub job: u32,
    pub given_back: Sender<u32>,
}

#[async_trait]
impl AsyncDrop for Lease {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        let sent = self.given_back.send(self.job).await;
        sent.map_err(io::Error::other)
    }
}

/// Waits for the answer of the server, but no longer than five seconds.
pub async fn ask(
    lease: AsyncDropGuard<Lease>,
    mut server: DuplexStream,
    _reaper: &AsyncDropReaper,
) -> io::Result<u8> {
    let answer = async { with_async_drop_2!(lease, { server.read_u8().await }) };
    timeout(Duration::from_secs(5), answer).await?
}
// ANCHOR_END: problem

// ANCHOR: solution
use asyncdrop::{AsyncDrop, AsyncDropGuard, AsyncDropReaper, async_trait};
use std::{io, time::Duration};
use tokio::io::{AsyncReadExt, DuplexStream};
use tokio::{sync::mpsc::Sender, time::timeout};

/// A lease on a job. Its cleanup gives it back.
#[derive(Debug)]
pub struct Lease {
    pub job: u32,
    pub given_back: Sender<u32>,
}

#[async_trait]
impl AsyncDrop for Lease {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        let sent = self.given_back.send(self.job).await;
        sent.map_err(io::Error::other)
    }
}

/// Waits for the answer of the server, but no longer than five seconds.
pub async fn ask(
    lease: AsyncDropGuard<Lease>,
    mut server: DuplexStream,
    reaper: &AsyncDropReaper,
) -> io::Result<u8> {
    let answer = reaper.scope(lease, async |_| server.read_u8().await);
    timeout(Duration::from_secs(5), answer).await?
}
// ANCHOR_END: solution

// ANCHOR: tests
#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::mpsc;

    #[tokio::test(start_paused = true)]
    async fn the_lease_is_given_back_after_a_timeout() {
        let (given_back, mut leases) = mpsc::channel(1);
        let lease = AsyncDropGuard::new(Lease { job: 7, given_back });
        let (server, _silent) = tokio::io::duplex(64);
        let mut reaper = AsyncDropReaper::new();

        let error = ask(lease, server, &reaper).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);

        reaper.async_drop().await.unwrap();
        assert_eq!(leases.recv().await, Some(7));
    }
}
// ANCHOR_END: tests
