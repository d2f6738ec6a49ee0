// Each of the workers should be awaited.
use std::collections::HashMap;

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
struct Pool {
    workers: HashMap<u32, AsyncDropGuard<Worker>>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let task = tokio::spawn(async { println!("at work") });
    let worker = AsyncDropGuard::new(Worker(task));
    let workers = HashMap::from([(1, worker)]);
    let mut pool = AsyncDropGuard::new(Pool { workers });
    pool.async_drop().await.unwrap();
}
