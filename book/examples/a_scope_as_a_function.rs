use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait, with_async_drop};
use std::io;
use std::path::Path;
use tokio::fs::{self, File};
use tokio::io::{AsyncWriteExt, BufWriter};

#[derive(Debug)]
struct Report {
    out: BufWriter<File>,
    lines: u32,
}

impl Report {
    async fn add(&mut self, line: &str) -> io::Result<()> {
        self.lines += 1;
        self.out.write_all(line.as_bytes()).await?;
        self.out.write_all(b"\n").await
    }
}

#[async_trait]
impl AsyncDrop for Report {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        self.out.flush().await?;
        self.out.get_ref().sync_all().await
    }
}

// ANCHOR: shown
/// Opens a report, lets the caller write it, and flushes it to the disk.
async fn with_report<R>(
    path: &Path,
    write: impl AsyncFnOnce(&mut Report) -> io::Result<R>,
) -> io::Result<R> {
    let out = BufWriter::new(File::create(path).await?);
    let report = AsyncDropGuard::new(Report { out, lines: 0 });
    with_async_drop(report, write).await
}
// ANCHOR_END: shown

#[tokio::main]
async fn main() -> io::Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("report.txt");

    // ANCHOR: shown

    // In `main`:
    let lines = with_report(&path, async |report| {
        report.add("12 orders").await?;
        report.add("3 complaints").await?;
        Ok(report.lines)
    })
    .await?;
    println!("{lines} lines:\n{}", fs::read_to_string(&path).await?);
    // ANCHOR_END: shown
    Ok(())
}
