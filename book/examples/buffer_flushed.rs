use asyncdrop::{AsyncDropWith, with_async_drop_2};
use std::io;
use tokio::fs::{self, File};
use tokio::io::{AsyncWriteExt, BufWriter};

#[tokio::main]
async fn main() -> io::Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("orders.log");

    // ANCHOR: flushed
    let log = BufWriter::new(File::create(&path).await?);
    let log = AsyncDropWith::new(log, async |mut log| log.flush().await);
    with_async_drop_2!(log, { log.write_all(b"3 kg of apples\n").await })?;

    let bytes = fs::read(&path).await?.len();
    println!("the log has {bytes} bytes");
    // ANCHOR_END: flushed
    Ok(())
}
