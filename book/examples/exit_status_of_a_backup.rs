use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait, with_async_drop_2};
use std::io;
use thiserror::Error;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

#[derive(Debug)]
struct Upload(DuplexStream);

#[async_trait]
impl AsyncDrop for Upload {
    type Error = io::Error;

    /// The server keeps nothing whose end it has not confirmed.
    async fn async_drop_impl(&mut self) -> io::Result<()> {
        self.0.write_all(b"end\n").await?;
        self.0.read_u8().await.map(|_| ())
    }
}

#[derive(Debug, Error)]
enum BackupError {
    #[error("the rows could not be sent")]
    Sending(#[source] io::Error),
    #[error("the end was not confirmed")]
    Ending(#[source] io::Error),
}

async fn back_up(server: DuplexStream) -> Result<(), BackupError> {
    let upload = AsyncDropGuard::new(Upload(server));
    with_async_drop_2!(
        upload,
        {
            let sent = upload.0.write_all(b"7 rows\n").await;
            sent.map_err(BackupError::Sending)
        },
        BackupError::Ending
    )
}

/// What `main` would return, with `ExitCode::from`.
fn exit_status(result: &Result<(), BackupError>) -> u8 {
    match result {
        Ok(()) => 0,
        Err(BackupError::Sending(_)) => 1,
        Err(BackupError::Ending(_)) => 2,
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let (to_a_good_one, mut good) = duplex(64);
    let (to_a_full_one, mut full) = duplex(64);
    let (to_a_dead_one, _) = duplex(64);
    tokio::spawn(async move {
        good.read_exact(&mut [0; 11]).await?;
        good.write_u8(b'k').await
    });
    // It takes the rows, and hangs up instead of confirming.
    tokio::spawn(async move { full.read_exact(&mut [0; 11]).await });

    for server in [to_a_good_one, to_a_full_one, to_a_dead_one] {
        let result = back_up(server).await;
        println!("exit status {}: {result:?}", exit_status(&result));
    }
}
