// A second task should wait for the same worker.
use asyncdrop::{AsyncDrop, AsyncDropGuard, AsyncDropShared, async_trait};
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

async fn start() -> AsyncDropGuard<Worker> {
    let task = tokio::spawn(async { println!("at work") });
    AsyncDropGuard::new(Worker { task })
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), JoinError> {
    let mut first = AsyncDropShared::new(start());
    let mut second = first.clone();

    let watcher = tokio::spawn(async move {
        let mut worker = second.get().await;
        println!("done: {}", worker.task.is_finished());
        println!("ended: {:?}", worker.async_drop().await);
        second.async_drop().await
    });
    println!("watched: {:?}", watcher.await);
    first.async_drop().await
}
