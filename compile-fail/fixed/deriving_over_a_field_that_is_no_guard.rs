// The task should be awaited too.
use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
use tokio::task::{JoinError, JoinHandle};

#[derive(Debug)]
struct Worker(JoinHandle<()>);

#[async_trait]
impl AsyncDrop for Worker {
    type Error = JoinError;

    async fn async_drop_impl(&mut self) -> Result<(), JoinError> {
        (&mut self.0).await
    }
}

#[derive(Debug, AsyncDrop)]
struct Session {
    task: AsyncDropGuard<Worker>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let task = tokio::spawn(async { println!("at work") });
    let task = AsyncDropGuard::new(Worker(task));
    let mut session = AsyncDropGuard::new(Session { task });
    session.async_drop().await.unwrap();
}
