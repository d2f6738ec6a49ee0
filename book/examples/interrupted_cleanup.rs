use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
use std::io;
use std::time::Duration;
use tokio::task::{JoinError, JoinHandle};
use tokio::time::{sleep, timeout};

/// Its cleanup waits until the task has sent everything.
#[derive(Debug)]
struct Upload {
    task: JoinHandle<()>,
}

impl Upload {
    fn start() -> AsyncDropGuard<Self> {
        let task = tokio::spawn(sleep(Duration::from_millis(300)));
        AsyncDropGuard::new(Self { task })
    }
}

#[async_trait]
impl AsyncDrop for Upload {
    type Error = JoinError;

    async fn async_drop_impl(&mut self) -> Result<(), JoinError> {
        (&mut self.task).await
    }
}

// ANCHOR: main
#[tokio::main]
async fn main() -> io::Result<()> {
    let mut film = Upload::start();

    let limit = Duration::from_millis(20);
    if timeout(limit, film.async_drop()).await.is_err() {
        println!("not done after 20 ms, done: {}", film.is_dropped());
    }

    film.async_drop().await?;
    println!("done: {}", film.is_dropped());
    Ok(())
}
// ANCHOR_END: main
