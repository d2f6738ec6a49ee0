// fails with: was interrupted before it finished
// ANCHOR: problem
use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
use std::{io, time::Duration};
use tokio::io::{AsyncWriteExt, DuplexStream};
use tokio::time::timeout;

#[derive(Debug)]
pub struct Metrics {
    pub collector: DuplexStream,
    pub left: &'static [u8],
}

#[async_trait]
impl AsyncDrop for Metrics {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        self.collector.write_all_buf(&mut self.left).await
    }
}

/// Sends what is left, but waits no longer than two seconds.
pub async fn finish(mut metrics: AsyncDropGuard<Metrics>) -> Result<(), String> {
    let limit = Duration::from_secs(2);
    match timeout(limit, metrics.async_drop()).await {
        Ok(sent) => sent.map_err(|error| error.to_string()),
        Err(elapsed) => Err(elapsed.to_string()),
    }
}
// ANCHOR_END: problem

// ANCHOR: solution
use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
use std::{io, time::Duration};
use tokio::io::{AsyncWriteExt, DuplexStream};

#[derive(Debug)]
pub struct Metrics {
    pub collector: DuplexStream,
    pub left: &'static [u8],
}

#[async_trait]
impl AsyncDrop for Metrics {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        self.collector.write_all_buf(&mut self.left).await
    }
}

/// Sends what is left, but waits no longer than two seconds.
pub async fn finish(mut metrics: AsyncDropGuard<Metrics>) -> Result<(), String> {
    let limit = Duration::from_secs(2);
    let sent = metrics.async_drop_within(limit).await;
    sent.map_err(|error| error.to_string())
}
// ANCHOR_END: solution

// ANCHOR: tests
#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt;

    fn metrics(collector: DuplexStream) -> AsyncDropGuard<Metrics> {
        let left = b"requests 7200\n";
        AsyncDropGuard::new(Metrics { collector, left })
    }

    #[tokio::test(start_paused = true)]
    async fn a_collector_that_reads_gets_everything() {
        let (ours, mut collector) = tokio::io::duplex(4);
        let (finished, read) = tokio::join!(finish(metrics(ours)), async {
            let mut heard = String::new();
            collector.read_to_string(&mut heard).await.map(|_| heard)
        });
        assert_eq!(finished, Ok(()));
        assert_eq!(read.unwrap(), "requests 7200\n");
    }

    #[tokio::test(start_paused = true)]
    async fn a_collector_that_reads_nothing_is_an_error_and_no_panic() {
        let (ours, _collector) = tokio::io::duplex(4);
        assert!(finish(metrics(ours)).await.is_err());
    }
}
// ANCHOR_END: tests
