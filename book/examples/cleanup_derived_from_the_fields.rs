use asyncdrop::{AsyncDrop, AsyncDropGuard, CleanupError, async_trait};
use std::{io, path::PathBuf};
use tokio::fs::{self, File};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::task::{JoinError, JoinHandle};

/// The task that sends the files of a folder.
#[derive(Debug)]
struct Sender(JoinHandle<()>);

#[async_trait]
impl AsyncDrop for Sender {
    type Error = JoinError;

    async fn async_drop_impl(&mut self) -> Result<(), JoinError> {
        println!("awaiting the sender");
        (&mut self.0).await
    }
}

/// A file that says that somebody is at work here.
#[derive(Debug)]
struct LockFile(PathBuf);

#[async_trait]
impl AsyncDrop for LockFile {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        println!("removing the lock file");
        fs::remove_file(&self.0).await
    }
}

/// A connection to a mirror.
#[derive(Debug)]
struct Mirror(DuplexStream);

#[async_trait]
impl AsyncDrop for Mirror {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        println!("hanging up");
        self.0.write_all(b"goodbye").await
    }
}

#[derive(Debug, AsyncDrop)]
#[async_drop(reverse)]
struct Backup {
    lock: AsyncDropGuard<LockFile>,
    mirror: AsyncDropGuard<Mirror>,
    second_mirror: Option<AsyncDropGuard<Mirror>>,
    sender: AsyncDropGuard<Sender>,
    bytes: u64,
}

fn reason(error: CleanupError) -> String {
    let ended = error.downcast_ref::<JoinError>();
    if ended.is_some_and(JoinError::is_cancelled) {
        return "its task was cancelled".into();
    }
    match error.downcast::<io::Error>() {
        Ok(error) => format!("{:?}", error.kind()),
        Err(other) => other.to_string(),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("lock");
    File::create(&path).await?;
    let (mirror, mut heard_by) = tokio::io::duplex(64);
    let (second_mirror, gone) = tokio::io::duplex(64);
    drop(gone);
    let task = tokio::spawn(async {});
    task.abort();

    let mut backup = AsyncDropGuard::new(Backup {
        lock: AsyncDropGuard::new(LockFile(path)),
        mirror: AsyncDropGuard::new(Mirror(mirror)),
        second_mirror: Some(AsyncDropGuard::new(Mirror(second_mirror))),
        sender: AsyncDropGuard::new(Sender(task)),
        bytes: 0,
    });
    backup.bytes += 4096;

    let errors = backup.async_drop().await.unwrap_err();
    println!("{} of {} failed", errors.len(), errors.total());
    for (origin, error) in errors {
        let field = origin.name().unwrap_or_default();
        println!("{field}: {}", reason(error));
    }
    let mut heard = String::new();
    heard_by.read_to_string(&mut heard).await?;
    println!("the first mirror heard {heard}");
    Ok(())
}
