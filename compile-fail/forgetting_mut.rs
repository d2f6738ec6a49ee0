// The log should be written to, then closed.
use std::io;

use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
use tokio::{fs::File, io::AsyncWriteExt};

#[derive(Debug)]
struct Log {
    file: File,
}

#[async_trait]
impl AsyncDrop for Log {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        self.file.flush().await?;
        self.file.sync_all().await
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let file = File::from_std(tempfile::tempfile()?);
    let log = AsyncDropGuard::new(Log { file });
    if let Err(error) = log.file.write_all(b"started\n").await {
        println!("not written: {error}");
    }
    log.async_drop().await
}
