use asyncdrop::{AsyncDropReaper, AsyncDropWith, ReaperHandle};
use rustix::process::{Pid, Signal, kill_process};
use std::process::ExitStatus;
use std::{io, time::Duration};
use tokio::process::{Child, Command};
use tokio::time::timeout;

// ANCHOR: shown
/// How long a child may take to stop after it was asked to.
const GRACE: Duration = Duration::from_millis(300);

async fn stop(mut child: Child) -> io::Result<()> {
    // There is no id once the child was waited for, because the number may then belong to another process.
    if let Some(pid) = child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?)) {
        kill_process(pid, Signal::TERM)?;
    }
    let status = match timeout(GRACE, child.wait()).await {
        Ok(status) => status?,
        Err(_) => {
            child.start_kill()?;
            child.wait().await?
        }
    };
    println!("ended: {status}");
    Ok(())
}

async fn convert(reaper: &ReaperHandle, script: &str) -> io::Result<ExitStatus> {
    let child = Command::new("sh")
        .args(["-c", script])
        .kill_on_drop(true)
        .spawn()?;
    let mut child = reaper.adopt_as(script.to_owned(), AsyncDropWith::new(child, stop));
    let status = child.wait().await?;
    child.async_drop().await?;
    Ok(status)
}
// ANCHOR_END: shown

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let reaper = AsyncDropReaper::new();
    let limit = Duration::from_secs(1);
    // It is quick, it is slow, and it is slow and doesn't listen.
    for script in ["exit 0", "exec sleep 60", "trap '' TERM; exec sleep 60"] {
        match timeout(limit, convert(&reaper, script)).await {
            Ok(Ok(status)) => println!("done: {script}: {status}"),
            Ok(Err(error)) => println!("failed: {script}: {error}"),
            Err(_) => println!("given up: {script}"),
        }
    }
    AsyncDropReaper::shutdown(reaper, Duration::from_secs(5)).await?;
    Ok(())
}
