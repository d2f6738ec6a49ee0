// Both workers should be awaited at the same time, the writer first.
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
#[async_drop(concurrent, reverse)]
struct Session {
    reader: AsyncDropGuard<Worker>,
    writer: AsyncDropGuard<Worker>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let [reader, writer] = ["reading", "writing"].map(|job| {
        let task = tokio::spawn(async move { println!("{job}") });
        AsyncDropGuard::new(Worker(task))
    });
    let mut session = AsyncDropGuard::new(Session { reader, writer });
    session.async_drop().await.unwrap();
}
