// A task should print the name of the lease, which is released in the end.
use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
use std::sync::Arc;
use tokio::sync::Mutex;
use tokio::task::JoinError;

#[derive(Debug, Clone)]
struct Lease {
    name: String,
    held: Arc<Mutex<Vec<String>>>,
}

#[async_trait]
impl AsyncDrop for Lease {
    type Error = JoinError;

    async fn async_drop_impl(&mut self) -> Result<(), JoinError> {
        self.held.lock().await.retain(|name| *name != self.name);
        Ok(())
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), JoinError> {
    let name = "shard 7".to_owned();
    let held = Arc::new(Mutex::new(vec![name.clone()]));
    let mut lease = AsyncDropGuard::new(Lease { name, held });
    let copy = lease.to_owned();
    let task = tokio::spawn(async move { println!("holding {}", copy.name) });
    println!("printed: {:?}", task.await);
    lease.async_drop().await
}
