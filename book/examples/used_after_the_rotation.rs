use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
use std::{fmt, io};
use tokio::fs::File;
use tokio::io::AsyncWriteExt;

struct LogFile {
    number: u32,
    bytes: usize,
    file: File,
}

impl LogFile {
    fn create(number: u32) -> io::Result<AsyncDropGuard<Self>> {
        let file = File::from_std(tempfile::tempfile()?);
        Ok(AsyncDropGuard::new(Self {
            number,
            bytes: 0,
            file,
        }))
    }

    async fn write(&mut self, line: &str) -> io::Result<()> {
        println!("file {}: {line}", self.number);
        self.bytes += line.len();
        self.file.write_all(line.as_bytes()).await
    }
}

#[async_trait]
impl AsyncDrop for LogFile {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        self.file.flush().await?;
        self.file.sync_all().await?;
        println!("file {}: synced", self.number);
        Ok(())
    }
}

impl fmt::Debug for LogFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LogFile({})", self.number)
    }
}

// ANCHOR: shown
async fn close_if_full(log: &mut AsyncDropGuard<LogFile>) -> io::Result<()> {
    if log.bytes > 10 {
        log.async_drop().await?;
    }
    Ok(())
}
// ANCHOR_END: shown

#[tokio::main]
async fn main() -> io::Result<()> {
    // ANCHOR: shown

    // In `main`:
    let mut log = LogFile::create(1)?;
    for line in ["started", "listening", "stopped"] {
        log.write(line).await?;
        close_if_full(&mut log).await?;
    }
    // ANCHOR_END: shown
    log.async_drop().await
}
