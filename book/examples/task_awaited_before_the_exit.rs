use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
use std::convert::Infallible;
use std::process::ExitCode;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::sync::oneshot::{self, error::TryRecvError};
use tokio::time::sleep;

static TOTAL: Mutex<u32> = Mutex::const_new(0);

/// Counts the hits of a page, and adds them to the total in its cleanup.
#[derive(Debug)]
struct Counter {
    hits: u32,
}

#[async_trait]
impl AsyncDrop for Counter {
    type Error = Infallible;

    async fn async_drop_impl(&mut self) -> Result<(), Infallible> {
        *TOTAL.lock().await += self.hits;
        Ok(())
    }
}

// ANCHOR: shown
async fn count(mut stop: oneshot::Receiver<()>) -> Result<(), Infallible> {
    let mut counter = AsyncDropGuard::new(Counter { hits: 0 });
    while stop.try_recv() == Err(TryRecvError::Empty) {
        counter.hits += 1;
        sleep(Duration::from_millis(100)).await;
    }
    counter.async_drop().await
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> ExitCode {
    let (stop, stopped) = oneshot::channel();
    let task = tokio::spawn(count(stopped));
    sleep(Duration::from_millis(250)).await;

    drop(stop);
    let ended = task.await;
    println!("hits: {}", TOTAL.lock().await);
    match ended {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
// ANCHOR_END: shown
