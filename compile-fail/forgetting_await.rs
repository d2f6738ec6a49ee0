// The log should be closed before the program ends.
#![deny(unused_must_use)]

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
    let mut file = File::from_std(tempfile::tempfile()?);
    file.write_all(b"started\n").await?;
    let mut log = AsyncDropGuard::new(Log { file });
    log.async_drop();
    Ok(())
}
