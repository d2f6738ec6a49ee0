use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::sync::{Mutex, oneshot};
use tokio::time::{sleep, timeout};

type Queue = Arc<Mutex<Vec<u32>>>;

/// A job that was taken out of the queue, and goes back to it.
#[derive(Debug)]
struct Job {
    id: u32,
    queue: Queue,
}

#[async_trait]
impl AsyncDrop for Job {
    type Error = Infallible;

    async fn async_drop_impl(&mut self) -> Result<(), Infallible> {
        self.queue.lock().await.push(self.id);
        Ok(())
    }
}

async fn take(queue: &Queue) -> AsyncDropGuard<Job> {
    let id = queue.lock().await.pop().expect("there is a job");
    let queue = Arc::clone(queue);
    AsyncDropGuard::new(Job { id, queue })
}

async fn print(job: &Job) {
    sleep(Duration::from_secs(3600)).await;
    println!("job {} is printed", job.id);
}

async fn print_in_time(mut job: AsyncDropGuard<Job>) -> Result<(), Infallible> {
    let _ = timeout(Duration::from_secs(5), print(&job)).await;
    job.async_drop().await
}

async fn print_until(stop: impl Future, mut job: AsyncDropGuard<Job>) -> Result<(), Infallible> {
    tokio::select! {
        () = print(&job) => {}
        _ = stop => {}
    }
    job.async_drop().await
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let queue = Queue::new(Mutex::new(vec![3, 2, 1]));

    tokio::spawn(print_in_time(take(&queue).await)).await??;

    let (mut client, hung_up) = tokio::io::duplex(64);
    drop(hung_up);
    let client_is_gone = async move { client.read_u8().await };
    tokio::spawn(print_until(client_is_gone, take(&queue).await)).await??;

    // Instead of `abort`.
    let (stop, stopped) = oneshot::channel::<()>();
    let task = tokio::spawn(print_until(stopped, take(&queue).await));
    let _ = stop.send(());
    task.await??;

    println!("jobs in the queue: {:?}", queue.lock().await);
    Ok(())
}
