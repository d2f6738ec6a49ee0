// The task should be awaited too.
use asyncdrop::{AsyncDrop, AsyncDropGuard};
use tokio::task::JoinHandle;

#[derive(Debug, AsyncDrop)]
struct Session {
    #[async_drop(guard)]
    task: JoinHandle<()>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let task = tokio::spawn(async { println!("at work") });
    let mut session = AsyncDropGuard::new(Session { task });
    session.async_drop().await.unwrap();
}
