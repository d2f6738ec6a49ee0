// Two parts of the program should be able to ask whether the worker is done.
use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
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
    let mut worker = AsyncDropGuard::new(Worker { task });
    let watched = worker.clone();
    println!("done: {}", watched.task.is_finished());
    worker.async_drop().await
}
