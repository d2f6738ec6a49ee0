// A task should know the folder, which is removed in the end.
use std::io;
use std::path::PathBuf;

use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};

#[derive(Debug, Clone)]
struct Lease {
    folder: PathBuf,
}

#[async_trait]
impl AsyncDrop for Lease {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        tokio::fs::remove_dir(&self.folder).await
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let folder = tempfile::tempdir()?.keep();
    let mut lease = AsyncDropGuard::new(Lease { folder });
    let copy = lease.to_owned();
    let task = tokio::spawn(async move { println!("{}", copy.folder.is_dir()) });
    task.await?;
    lease.async_drop().await
}
