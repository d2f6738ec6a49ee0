use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
use tokio::sync::mpsc::{self, Sender, error::SendError};

/// A job that was taken from a queue. Its cleanup gives it back.
#[derive(Debug)]
struct Job {
    number: u32,
    queue: Sender<u32>,
}

#[async_trait]
impl AsyncDrop for Job {
    type Error = SendError<u32>;

    async fn async_drop_impl(&mut self) -> Result<(), Self::Error> {
        self.queue.send(self.number).await
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        println!("the job is dropped");
    }
}

// ANCHOR: main
#[tokio::main]
#[allow(unused_must_use)]
async fn main() {
    let (queue, jobs) = mpsc::channel(8);
    let mut job = AsyncDropGuard::new(Job { number: 7, queue });
    // The other side of the queue goes away first.
    drop(jobs);

    // Without `.await`, and without the `allow` above, the compiler warns.
    job.async_drop();
    println!("cleaned up: {}", job.is_dropped());

    let error = job.async_drop().await.unwrap_err();
    println!("it was not given back: {error}");
    println!("cleaned up: {}", job.is_dropped());

    job.async_drop().await.unwrap();
    println!("the second call had nothing to do");
}
// ANCHOR_END: main
