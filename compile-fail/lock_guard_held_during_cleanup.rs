// The last line should be written under the lock, and the journal closed right after.
use std::io;

use asyncdrop::{AsyncDrop, AsyncDropGuard, AsyncDropTokioMutex, async_trait};
use tokio::{fs::File, io::AsyncWriteExt};

#[derive(Debug)]
struct Journal {
    file: File,
}

#[async_trait]
impl AsyncDrop for Journal {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        self.file.flush().await?;
        self.file.sync_all().await
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let file = File::from_std(tempfile::tempfile()?);
    let mut journal = AsyncDropTokioMutex::new(AsyncDropGuard::new(Journal { file }));

    let mut locked = journal.lock().await;
    if let Err(error) = locked.file.write_all(b"the end\n").await {
        println!("not written: {error}");
    }
    let closed = journal.async_drop().await;
    drop(locked);
    closed
}
