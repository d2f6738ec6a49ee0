use asyncdrop::AsyncDropWith;
use std::io;
use tokio::fs::{self, File};
use tokio::io::{AsyncWriteExt, BufWriter};

/// What has to happen before the log may go.
async fn close(mut log: BufWriter<File>) -> io::Result<()> {
    log.flush().await?;
    log.get_ref().sync_all().await
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("uploads.log");

    let file = File::create(&path).await?;
    let mut log = AsyncDropWith::new(BufWriter::new(file), close);
    let written = log.write_all(b"report.csv: stored\n").await;
    let closed = log.async_drop().await;
    if let (Err(_), Err(second)) = (&written, &closed) {
        eprintln!("and then the log could not be closed: {second}");
    }
    written.and(closed)?;

    print!("{}", fs::read_to_string(&path).await?);
    Ok(())
}
