use asyncdrop::async_trait;
use asyncdrop::{AsyncDrop, AsyncDropGuard, AsyncDropWith, BoxedAsyncDropWith, CleanupError};
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
        let ended = (&mut self.0).await;
        println!("the sender has ended");
        ended
    }
}

type Mirror = BoxedAsyncDropWith<DuplexStream, io::Error>;

fn mirror(stream: DuplexStream) -> AsyncDropGuard<Mirror> {
    AsyncDropWith::boxed(stream, async |mut stream| {
        println!("hanging up");
        stream.write_all(b"goodbye").await
    })
}

type LockFile = BoxedAsyncDropWith<PathBuf, io::Error>;

fn lock_file(path: PathBuf) -> AsyncDropGuard<LockFile> {
    AsyncDropWith::boxed(path, async |path| {
        println!("removing the lock file");
        fs::remove_file(&path).await
    })
}

// ANCHOR: shown
#[derive(Debug, AsyncDrop)]
#[async_drop(reverse)]
struct Backup {
    lock: AsyncDropGuard<LockFile>,
    mirror: AsyncDropGuard<Mirror>,
    second_mirror: Option<AsyncDropGuard<Mirror>>,
    sender: AsyncDropGuard<Sender>,
    bytes: u64,
}
// ANCHOR_END: shown

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
    let (to_mirror, mut heard_by) = tokio::io::duplex(64);
    let (to_second, gone) = tokio::io::duplex(64);
    drop(gone);
    let task = tokio::spawn(async {});
    task.abort();

    let mut backup = AsyncDropGuard::new(Backup {
        lock: lock_file(path),
        mirror: mirror(to_mirror),
        second_mirror: Some(mirror(to_second)),
        sender: AsyncDropGuard::new(Sender(task)),
        bytes: 0,
    });
    backup.bytes += 4096;
    // ANCHOR: shown

    // In main:
    if let Err(errors) = backup.async_drop().await {
        println!("{} of {} failed", errors.len(), errors.total());
        for (origin, error) in errors {
            let field = origin.name().unwrap_or_default();
            println!("{field}: {}", reason(error));
        }
    }
    // ANCHOR_END: shown
    let mut heard = String::new();
    heard_by.read_to_string(&mut heard).await?;
    println!("the first mirror heard {heard}");
    Ok(())
}
