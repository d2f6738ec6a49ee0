use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
use tokio::sync::mpsc::{self, error::SendError};

/// The right to write to a store, which goes back to its keeper.
#[derive(Debug)]
struct Lease {
    number: u32,
    keeper: mpsc::Sender<u32>,
}

#[async_trait]
impl AsyncDrop for Lease {
    type Error = SendError<u32>;

    async fn async_drop_impl(&mut self) -> Result<(), SendError<u32>> {
        self.keeper.send(self.number).await
    }
}

/// An upload that is not complete, so the store has to throw its parts away.
#[derive(Debug)]
struct Upload {
    store: mpsc::Sender<&'static str>,
}

#[async_trait]
impl AsyncDrop for Upload {
    type Error = SendError<&'static str>;

    async fn async_drop_impl(&mut self) -> Result<(), SendError<&'static str>> {
        self.store.send("abort the upload").await
    }
}

// ANCHOR: backup
#[derive(Debug, AsyncDrop)]
struct Backup {
    // The next owner of the lease may write to the store at once, so the upload comes first.
    upload: AsyncDropGuard<Upload>,
    lease: AsyncDropGuard<Lease>,
}
// ANCHOR_END: backup

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let (keeper, mut returned) = mpsc::channel(1);
    let (store, parts) = mpsc::channel(8);
    let number = 7;
    // ANCHOR: backup

    // In `main`:
    let mut backup = AsyncDropGuard::new(Backup {
        upload: AsyncDropGuard::new(Upload { store }),
        lease: AsyncDropGuard::new(Lease { number, keeper }),
    });

    // The store restarts in the middle of the backup.
    drop(parts);
    if let Err(errors) = backup.async_drop().await {
        println!("{errors}");
    }
    if let Some(number) = returned.recv().await {
        println!("lease {number} is back");
    }
    // ANCHOR_END: backup
}
