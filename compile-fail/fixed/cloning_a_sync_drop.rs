// A helper of the test should look at the folder, too.
use std::io;
use std::path::PathBuf;

use asyncdrop::{AsyncDrop, AsyncDropArc, AsyncDropGuard, SyncDrop, async_trait};

#[derive(Debug, Clone)]
struct TestFolder {
    path: PathBuf,
}

#[async_trait]
impl AsyncDrop for TestFolder {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        match tokio::fs::remove_dir(&self.path).await {
            // An interrupted run has removed it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> io::Result<()> {
    let path = tempfile::tempdir()?.keep();
    let shared = AsyncDropArc::new(AsyncDropGuard::new(TestFolder { path }));
    let copy = SyncDrop::new(AsyncDropArc::clone(&shared));
    let folder = SyncDrop::new(shared);
    let helper = tokio::spawn(async move { copy.path.is_dir() });
    assert!(helper.await?);
    assert!(folder.path.is_dir());
    Ok(())
}
