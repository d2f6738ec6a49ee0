use std::io;
use tokio::fs::{self, File};
use tokio::io::{AsyncWriteExt, BufWriter};

#[tokio::main]
async fn main() -> io::Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("orders.log");

    // ANCHOR: lost
    let mut log = BufWriter::new(File::create(&path).await?);
    log.write_all(b"3 kg of apples\n").await?;
    println!("the order was written without an error");
    drop(log);

    let bytes = fs::read(&path).await?.len();
    println!("the log has {bytes} bytes");
    // ANCHOR_END: lost
    Ok(())
}
