use asyncdrop::{AsyncDrop, AsyncDropGuard, DeadlineError, async_trait};
use std::{io, time::Duration};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

/// What was measured, on its way to a collector.
#[derive(Debug)]
struct Metrics {
    collector: DuplexStream,
    left: &'static [u8],
}

impl Metrics {
    #[track_caller]
    fn send_to(collector: DuplexStream) -> AsyncDropGuard<Self> {
        let left = b"requests 7200\n";
        AsyncDropGuard::new(Self { collector, left })
    }
}

#[async_trait]
impl AsyncDrop for Metrics {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        self.collector.write_all_buf(&mut self.left).await
    }
}

impl Drop for Metrics {
    fn drop(&mut self) {
        println!("the socket is closed");
    }
}

// ANCHOR: shown
async fn finish(mut metrics: AsyncDropGuard<Metrics>) {
    match metrics.async_drop_within(Duration::from_secs(2)).await {
        Ok(()) => println!("sent"),
        Err(DeadlineError::Cleanup(error)) => println!("not sent: {error}"),
        Err(late @ DeadlineError::Passed { .. }) => println!("{late}"),
    }
    println!("done: {}", metrics.is_dropped());
}
// ANCHOR_END: shown

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> io::Result<()> {
    let (ours, mut collector) = tokio::io::duplex(64);
    finish(Metrics::send_to(ours)).await;
    let mut heard = String::new();
    collector.read_to_string(&mut heard).await?;
    print!("the collector heard {heard}");

    let (ours, gone) = tokio::io::duplex(64);
    drop(gone);
    finish(Metrics::send_to(ours)).await;

    // This one has room for 4 bytes, and reads nothing.
    let (ours, _stuck) = tokio::io::duplex(4);
    finish(Metrics::send_to(ours)).await;
    Ok(())
}
