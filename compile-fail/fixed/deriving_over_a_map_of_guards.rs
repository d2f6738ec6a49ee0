// Each of the workers should be awaited.
use asyncdrop::{AsyncDrop, AsyncDropGuard, AsyncDropHashMap, async_trait};
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
struct Pool {
    workers: AsyncDropGuard<AsyncDropHashMap<u32, Worker>>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let task = tokio::spawn(async { println!("at work") });
    let worker = AsyncDropGuard::new(Worker(task));
    let mut workers = AsyncDropHashMap::new();
    assert!(workers.insert(1, worker).is_none());
    let mut pool = AsyncDropGuard::new(Pool { workers });
    pool.async_drop().await.unwrap();
}
