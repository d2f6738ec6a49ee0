use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait, with_async_drop_2_infallible};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::sync::Mutex;
use tokio::time::{sleep, timeout};

type Queue = Arc<Mutex<Vec<u32>>>;

/// A job that was taken out of the queue. The cleanup puts it back unless it was sent.
#[derive(Debug)]
struct Job {
    id: u32,
    sent: bool,
    queue: Queue,
}

#[async_trait]
impl AsyncDrop for Job {
    type Error = Infallible;

    async fn async_drop_impl(&mut self) -> Result<(), Infallible> {
        if !self.sent {
            self.queue.lock().await.push(self.id);
        }
        Ok(())
    }
}

async fn take(queue: &Queue) -> AsyncDropGuard<Job> {
    let id = queue.lock().await.pop().expect("there is a job");
    let queue = Arc::clone(queue);
    let sent = false;
    AsyncDropGuard::new(Job { id, sent, queue })
}

// ANCHOR: shown
async fn send(job: AsyncDropGuard<Job>) {
    with_async_drop_2_infallible!(job, {
        sleep(Duration::from_secs(3600)).await;
        job.sent = true;
    });
}

// ANCHOR_END: shown
#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let queue = Queue::new(Mutex::new(vec![3, 2, 1]));

    // ANCHOR: shown
    let job = take(&queue).await;
    let task = tokio::spawn(async { timeout(Duration::from_secs(5), send(job)).await });
    let panicked = task.await.unwrap_err().is_panic();
    // ANCHOR_END: shown
    println!("timeout: the task panicked: {panicked}");

    let job = take(&queue).await;
    let (mut client, hung_up) = tokio::io::duplex(64);
    drop(hung_up);
    let task = tokio::spawn(async move {
        tokio::select! {
            () = send(job) => {}
            _ = client.read_u8() => {}
        }
    });
    let panicked = task.await.unwrap_err().is_panic();
    println!("select!: the task panicked: {panicked}");

    let job = take(&queue).await;
    let task = tokio::spawn(send(job));
    task.abort();
    let panicked = task.await.unwrap_err().is_panic();
    println!("abort: the task panicked: {panicked}");

    println!("jobs in the queue: {:?}", queue.lock().await);
}
