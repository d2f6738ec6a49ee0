use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
use std::io::{self, ErrorKind};
use std::path::PathBuf;
use tokio::fs::{self, File};

/// Keeps a second backup from starting while one is running.
#[derive(Debug)]
struct LockFile {
    path: PathBuf,
}

impl LockFile {
    async fn create(path: PathBuf) -> io::Result<AsyncDropGuard<Self>> {
        File::create_new(&path).await?;
        Ok(AsyncDropGuard::new(Self { path }))
    }
}

#[async_trait]
impl AsyncDrop for LockFile {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        match fs::remove_file(&self.path).await {
            // A first run that was interrupted has done it.
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }
}

// ANCHOR: shown
async fn backup(lock: PathBuf) -> io::Result<()> {
    let lock = LockFile::create(lock).await?;
    println!("copying");

    // This used to panic here with "Forgot to call async_drop".
    let _lock = lock.unsafe_into_inner_dont_drop();
    Ok(())
}
// ANCHOR_END: shown

#[tokio::main]
async fn main() -> io::Result<()> {
    let folder = tempfile::tempdir()?;
    for day in ["monday", "tuesday"] {
        match backup(folder.path().join("backup.lock")).await {
            Ok(()) => println!("{day}: done"),
            Err(error) => println!("{day}: {}", error.kind()),
        }
    }
    Ok(())
}
