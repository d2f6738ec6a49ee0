use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait, with_async_drop_2};
use std::{fmt, io};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

/// A subscription to job numbers. The queue pushes them until we unsubscribe.
struct Subscription {
    queue: DuplexStream,
    /// What the queue has not heard yet of our goodbye.
    goodbye: &'static [u8],
}

#[async_trait]
impl AsyncDrop for Subscription {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        self.queue.write_all_buf(&mut self.goodbye).await
    }
}

impl Subscription {
    fn new(queue: DuplexStream) -> AsyncDropGuard<Self> {
        let goodbye = b"unsubscribe";
        AsyncDropGuard::new(Self { queue, goodbye })
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Subscription")
    }
}

// ANCHOR: find
/// Whether one of the next three jobs is the one that we want.
async fn is_next(jobs: AsyncDropGuard<Subscription>, wanted: u8) -> io::Result<bool> {
    with_async_drop_2!(jobs, {
        for _ in 0..3 {
            if jobs.queue.read_u8().await? == wanted {
                return Ok(true);
            }
        }
        Ok(false)
    })
}
// ANCHOR_END: find

#[tokio::main]
async fn main() -> io::Result<()> {
    for wanted in [20, 29] {
        let (queue, mut server) = tokio::io::duplex(64);
        server.write_all(&[33, 31, 29]).await?;

        let jobs = Subscription::new(queue);
        println!("job {wanted} is next: {}", is_next(jobs, wanted).await?);

        let mut heard = String::new();
        server.read_to_string(&mut heard).await?;
        println!("the queue heard: {heard}");
    }
    Ok(())
}
