use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait, with_async_drop_2};
use std::io;
use thiserror::Error;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

/// A connection to a store, with a lease on it.
#[derive(Debug)]
struct Store {
    stream: DuplexStream,
    /// What is left to send when the lease is released.
    release: &'static [u8],
}

impl Store {
    #[track_caller]
    fn lease(stream: DuplexStream) -> AsyncDropGuard<Self> {
        let release = b"release\n";
        AsyncDropGuard::new(Self { stream, release })
    }

    /// The store keeps nothing before it has confirmed the end.
    async fn save(&mut self, rows: &[u8]) -> io::Result<()> {
        self.stream.write_all(rows).await?;
        self.stream.write_all(b"end\n").await?;
        self.stream.read_u8().await.map(|_| ())
    }
}

#[async_trait]
impl AsyncDrop for Store {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        self.stream.write_all_buf(&mut self.release).await
    }
}

// ANCHOR: backup
#[derive(Debug, Error)]
enum BackupError {
    #[error("nothing is saved")]
    Saving(#[source] io::Error),
    #[error("the rows are saved, but the store is leased until that times out")]
    Releasing(#[source] io::Error),
}

async fn back_up(store: DuplexStream) -> Result<(), BackupError> {
    let store = Store::lease(store);
    with_async_drop_2!(
        store,
        {
            let saved = store.save(b"7 rows\n").await;
            saved.map_err(BackupError::Saving)
        },
        BackupError::Releasing
    )
}

/// What `main` would return, with `ExitCode::from`.
fn exit_status(result: &Result<(), BackupError>) -> u8 {
    match result {
        Ok(()) => 0,
        Err(BackupError::Saving(_)) => 1,
        Err(BackupError::Releasing(_)) => 2,
    }
}
// ANCHOR_END: backup

/// Hangs up after so many steps: the rows, the confirmation, the release.
async fn store(mut stream: DuplexStream, steps: usize) -> io::Result<()> {
    stream.read_exact(&mut [0; 11]).await?;
    if steps > 1 {
        stream.write_u8(b'k').await?;
    }
    if steps > 2 {
        stream.read_exact(&mut [0; 8]).await?;
    }
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    for steps in [3, 2, 1] {
        let (ours, theirs) = duplex(64);
        let store = tokio::spawn(store(theirs, steps));
        let result = back_up(ours).await;
        println!("exit status {}: {result:?}", exit_status(&result));
        store.await.unwrap().unwrap();
    }
}
