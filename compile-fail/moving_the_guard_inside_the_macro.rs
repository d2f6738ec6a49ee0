// A function of its own should write to the log, inside a block that closes it.
use std::io;

use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait, with_async_drop_2};
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

async fn write_header(mut log: AsyncDropGuard<Log>) -> io::Result<()> {
    log.file.write_all(b"started\n").await
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let file = File::from_std(tempfile::tempfile()?);
    let log = AsyncDropGuard::new(Log { file });
    with_async_drop_2!(log, { write_header(log).await })
}
