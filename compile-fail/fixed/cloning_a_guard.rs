// Both tasks own the worker, and the last one waits for it.
use asyncdrop::{AsyncDrop, AsyncDropArc, AsyncDropGuard, async_trait};
use tokio::task::{JoinError, JoinHandle};

#[derive(Debug)]
struct Worker {
    task: JoinHandle<()>,
}

#[async_trait]
impl AsyncDrop for Worker {
    type Error = JoinError;

    async fn async_drop_impl(&mut self) -> Result<(), JoinError> {
        (&mut self.task).await
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), JoinError> {
    let task = tokio::spawn(async { println!("at work") });
    let mut worker = AsyncDropArc::new(AsyncDropGuard::new(Worker { task }));
    let mut watched = AsyncDropArc::clone(&worker);

    let watcher = tokio::spawn(async move {
        println!("done: {}", watched.task.is_finished());
        watched.async_drop().await
    });
    println!("watched: {:?}", watcher.await);
    worker.async_drop().await
}
