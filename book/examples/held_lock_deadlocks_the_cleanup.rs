use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::timeout;

type Members = Arc<Mutex<Vec<&'static str>>>;

/// A worker, whose name the cleanup takes off the list.
#[derive(Debug)]
struct Worker {
    name: &'static str,
    members: Members,
}

impl Worker {
    async fn join(name: &'static str, members: &Members) -> AsyncDropGuard<Self> {
        members.lock().await.push(name);
        let members = Arc::clone(members);
        AsyncDropGuard::new(Self { name, members })
    }
}

#[async_trait]
impl AsyncDrop for Worker {
    type Error = Infallible;

    async fn async_drop_impl(&mut self) -> Result<(), Infallible> {
        self.members.lock().await.retain(|it| *it != self.name);
        Ok(())
    }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), Infallible> {
    let members = Members::new(Mutex::new(vec!["w1"]));
    let mut worker = Worker::join("w2", &members).await;

    // ANCHOR: shown
    let locked = members.lock().await;
    println!("{} leaves {locked:?}", worker.name);
    let limit = Duration::from_secs(30);
    if timeout(limit, worker.async_drop()).await.is_err() {
        println!("still waiting after 30 s");
    }
    // ANCHOR_END: shown
    drop(locked);

    worker.async_drop().await?;
    println!("remaining: {:?}", members.lock().await);
    Ok(())
}
