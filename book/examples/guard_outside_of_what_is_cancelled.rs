use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::sync::{Mutex, oneshot};
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
async fn send(job: &mut Job) {
    sleep(Duration::from_secs(3600)).await;
    job.sent = true;
}

/// Whether the job was sent.
async fn send_in_time(mut job: AsyncDropGuard<Job>) -> Result<bool, Infallible> {
    let sent = timeout(Duration::from_secs(5), send(&mut job))
        .await
        .is_ok();
    job.async_drop().await.map(|()| sent)
}

/// Whether the job was sent.
async fn send_until(stop: impl Future, mut job: AsyncDropGuard<Job>) -> Result<bool, Infallible> {
    let sent = tokio::select! {
        () = send(&mut job) => true,
        _ = stop => false,
    };
    job.async_drop().await.map(|()| sent)
}
// ANCHOR_END: shown

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let queue = Queue::new(Mutex::new(vec![3, 2, 1]));

    let task = tokio::spawn(send_in_time(take(&queue).await));
    println!("timeout: sent: {}", task.await??);

    let (mut client, hung_up) = tokio::io::duplex(64);
    drop(hung_up);
    let client_is_gone = async move { client.read_u8().await };
    let task = tokio::spawn(send_until(client_is_gone, take(&queue).await));
    println!("select!: sent: {}", task.await??);

    // Instead of `abort`.
    let (stop, stopped) = oneshot::channel::<()>();
    let task = tokio::spawn(send_until(stopped, take(&queue).await));
    drop(stop);
    println!("a stop: sent: {}", task.await??);

    println!("jobs in the queue: {:?}", queue.lock().await);
    Ok(())
}
