// Whatever fails should be an error of the program.
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

#[derive(Debug)]
struct ProgramError(String);

#[derive(Debug, AsyncDrop)]
#[async_drop(error = "ProgramError")]
struct Session {
    writer: AsyncDropGuard<Worker>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let task = tokio::spawn(async { println!("writing") });
    let writer = AsyncDropGuard::new(Worker(task));
    let mut session = AsyncDropGuard::new(Session { writer });
    session.async_drop().await.unwrap();
}
