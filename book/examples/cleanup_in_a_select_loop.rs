use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
use std::convert::Infallible;
use std::time::Duration;
use tokio::time::{Instant, interval_at, sleep};

/// A consumer that says goodbye to its broker, which takes a second.
#[derive(Debug)]
struct Consumer {
    begun: u32,
}

#[async_trait]
impl AsyncDrop for Consumer {
    type Error = Infallible;

    async fn async_drop_impl(&mut self) -> Result<(), Infallible> {
        self.begun += 1;
        sleep(Duration::from_secs(1)).await;
        Ok(())
    }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), Infallible> {
    let mut consumer = AsyncDropGuard::new(Consumer { begun: 0 });

    // ANCHOR: loop
    let beat = Duration::from_millis(300);
    let mut heartbeat = interval_at(Instant::now() + beat, beat);
    let mut beats = 0;
    while beats < 12 {
        tokio::select! {
            ended = consumer.async_drop() => return ended,
            _ = heartbeat.tick() => beats += 1,
        }
    }
    // ANCHOR_END: loop
    println!("{beats} beats, cleanup begun {} times", consumer.begun);
    consumer.async_drop().await
}
