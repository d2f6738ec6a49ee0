use asyncdrop::AsyncDropWith;
use std::io;
use tokio::fs::File;
use tokio::io::{AsyncWriteExt, BufWriter};

#[tokio::main]
async fn main() -> io::Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("orders.log");

    // ANCHOR: reported
    let log = BufWriter::new(File::create(&path).await?);
    let mut log = AsyncDropWith::new(log, async |mut log| log.flush().await);
    log.write_all(b"3 kg of apples\n").await?;
    println!("the order was written without an error");
    drop(log);
    // ANCHOR_END: reported
    Ok(())
}
