use asyncdrop::{AsyncDropReaper, AsyncDropWith, ReaperHandle};
use std::{future, io, time::Duration};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

async fn release(job: String) -> io::Result<()> {
    println!("{job}: lease released");
    Ok(())
}

// ANCHOR: shown
async fn work(job: &'static str, reaper: ReaperHandle, stop: CancellationToken) {
    let mut lease = reaper.adopt_as(job, AsyncDropWith::new(job.to_owned(), release));
    if job == "stuck" {
        // It waits for an answer that never comes, and doesn't listen to the token.
        future::pending::<()>().await;
    }
    stop.cancelled().await;
    println!("{job}: told to stop");
    if let Err(error) = lease.async_drop().await {
        eprintln!("{job}: {error}");
    }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> anyhow::Result<()> {
    let reaper = AsyncDropReaper::new();
    let (stop, cut_off) = (CancellationToken::new(), CancellationToken::new());
    let tasks = TaskTracker::new();
    for job in ["import", "stuck"] {
        let work = work(job, reaper.handle(), stop.clone());
        tasks.spawn(cut_off.clone().run_until_cancelled_owned(work));
    }
    tokio::task::yield_now().await;

    stop.cancel();
    tasks.close();
    if timeout(Duration::from_secs(5), tasks.wait()).await.is_err() {
        println!("cut off: {}", tasks.len());
        cut_off.cancel();
        tasks.wait().await;
    }
    AsyncDropReaper::shutdown(reaper, Duration::from_secs(5)).await?;
    Ok(())
}
// ANCHOR_END: shown
