// Two tasks use one log, and the last one closes it.
use std::io;

use asyncdrop::{AsyncDrop, AsyncDropArc, AsyncDropGuard, async_trait};
use tokio::fs::File;

#[derive(Debug)]
struct Log(File);

#[async_trait]
impl AsyncDrop for Log {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        self.0.sync_all().await
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let file = File::from_std(tempfile::tempfile()?);
    let mut log = AsyncDropArc::new(AsyncDropGuard::new(Log(file)));
    let mut other = AsyncDropArc::clone(&log);
    let task = tokio::spawn(async move { other.async_drop().await });
    println!("theirs: {:?}", task.await);
    log.async_drop().await
}
