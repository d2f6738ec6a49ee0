use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
use std::convert::Infallible;
use std::sync::Arc;
use tokio::sync::Mutex;

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

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Infallible> {
    let members = Members::new(Mutex::new(vec!["w1"]));
    let mut worker = Worker::join("w2", &members).await;

    // ANCHOR: shown
    println!("{} leaves {:?}", worker.name, members.lock().await);

    worker.async_drop().await?;
    // ANCHOR_END: shown
    println!("remaining: {:?}", members.lock().await);
    Ok(())
}
