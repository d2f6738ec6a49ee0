use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
use std::{io, mem, time::Duration};
use tokio::io::{AsyncWriteExt, BufWriter, DuplexStream};
use tokio::sync::mpsc::{self, error::SendError};
use tokio::time::timeout;

/// The number of a lease on the store, and the queue that takes it back.
#[derive(Debug)]
struct Lease(u32, mpsc::Sender<u32>);

#[async_trait]
impl AsyncDrop for Lease {
    type Error = SendError<u32>;

    async fn async_drop_impl(&mut self) -> Result<(), SendError<u32>> {
        self.1.send(self.0).await
    }
}

/// Buffered bytes on their way to the store.
#[derive(Debug)]
struct Upload(BufWriter<DuplexStream>);

#[async_trait]
impl AsyncDrop for Upload {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        self.0.shutdown().await
    }
}

#[derive(Debug)]
struct Backup {
    lease: AsyncDropGuard<Lease>,
    upload: AsyncDropGuard<Upload>,
    failed: BackupError,
}

#[derive(Debug, Default, thiserror::Error)]
#[error("upload: {upload:?}, lease: {lease:?}")]
struct BackupError {
    upload: Option<io::Error>,
    lease: Option<SendError<u32>>,
}

#[async_trait]
impl AsyncDrop for Backup {
    type Error = BackupError;

    async fn async_drop_impl(&mut self) -> Result<(), BackupError> {
        // Whoever gets the lease next reads the store, so the upload ends first.
        if let Err(error) = self.upload.async_drop().await {
            self.failed.upload = Some(error);
        }
        if let Err(error) = self.lease.async_drop().await {
            self.failed.lease = Some(error);
        }
        let failed = mem::take(&mut self.failed);
        if failed.upload.is_none() && failed.lease.is_none() {
            Ok(())
        } else {
            Err(failed)
        }
    }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> io::Result<()> {
    let (queue, mut keeper) = mpsc::channel(1);
    let (ours, store) = tokio::io::duplex(64);
    let mut backup = AsyncDropGuard::new(Backup {
        lease: AsyncDropGuard::new(Lease(7, queue.clone())),
        upload: AsyncDropGuard::new(Upload(BufWriter::new(ours))),
        failed: BackupError::default(),
    });
    backup.upload.0.write_all(b"3 kg of apples\n").await?;

    // The store goes away, and another lease fills the queue.
    drop(store);
    queue.send(6).await.map_err(io::Error::other)?;
    let limit = Duration::from_millis(50);
    if timeout(limit, backup.async_drop()).await.is_err() {
        println!("not done after 50 ms");
    }

    println!("lease {:?} is back", keeper.recv().await);
    let error = backup.async_drop().await.unwrap_err();
    println!("the backup failed: {error}");
    println!("lease {:?} is back", keeper.recv().await);
    Ok(())
}
