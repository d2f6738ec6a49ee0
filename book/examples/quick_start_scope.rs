use asyncdrop::{AsyncDropWith, with_async_drop_2};
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
    // ANCHOR: scope
    let log = AsyncDropWith::new(BufWriter::new(file), close);
    with_async_drop_2!(log, {
        log.write_all(b"report.csv: stored\n").await?;
        log.write_all(b"photo.jpg: stored\n").await
    })?;
    // ANCHOR_END: scope

    print!("{}", fs::read_to_string(&path).await?);
    Ok(())
}
