// The log should be filled in a scope, and read after it.
use std::io;

use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait, with_async_drop};
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
    let log = with_async_drop(AsyncDropGuard::new(Log { file }), async |log| {
        log.file.write_all(b"started\n").await?;
        io::Result::Ok(log)
    })
    .await?;
    println!("{} bytes", log.file.metadata().await?.len());
    Ok(())
}
