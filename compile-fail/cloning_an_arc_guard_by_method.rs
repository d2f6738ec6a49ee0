// A second task should own the worker too.
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
    let mut first = AsyncDropArc::new(AsyncDropGuard::new(Worker { task }));
    let mut second = first.clone();

    let watcher = tokio::spawn(async move {
        println!("done: {}", second.task.is_finished());
        second.async_drop().await
    });
    println!("watched: {:?}", watcher.await);
    first.async_drop().await
}
