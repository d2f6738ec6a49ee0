use asyncdrop::{AsyncDrop, AsyncDropGuard, AsyncDropWith, BoxedAsyncDropWith, with_async_drop_2};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::{io, path::Path};
use tokio::fs::{self, File};
use tokio::io::{AsyncWrite, AsyncWriteExt, BufWriter};

// ANCHOR: shown
type Journal = BoxedAsyncDropWith<BufWriter<File>, io::Error>;

async fn open(path: &Path) -> io::Result<AsyncDropGuard<Journal>> {
    let file = BufWriter::new(File::create(path).await?);
    Ok(AsyncDropWith::boxed(file, async |mut file| {
        file.shutdown().await
    }))
}

/// Counts the bytes, and passes them on.
#[derive(Debug, AsyncDrop)]
#[async_drop(error = "io::Error")]
struct Metered {
    journal: AsyncDropGuard<Journal>,
    bytes: usize,
}

impl AsyncWrite for Metered {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut **self.journal).poll_write(cx, buf);
        if let Poll::Ready(Ok(bytes)) = written {
            self.bytes += bytes;
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut **self.journal).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The cleanup closes the journal.
        self.poll_flush(cx)
    }
}
// ANCHOR_END: shown

// ANCHOR: used
/// Any function that takes a writer, of this crate or of another.
async fn export(orders: &[&str], mut out: impl AsyncWrite + Unpin) -> anyhow::Result<()> {
    for order in orders {
        let (_, pieces) = order.split_once(' ').unwrap_or_default();
        let _: u32 = pieces.parse()?;
        out.write_all(format!("{order}\n").as_bytes()).await?;
    }
    Ok(())
}

async fn run(path: &Path) -> anyhow::Result<()> {
    let journal = open(path).await?;
    let metered = AsyncDropGuard::new(Metered { journal, bytes: 0 });
    with_async_drop_2!(metered, {
        let exported = export(&["bolts 40", "nuts 25", "screws many"], &mut *metered).await;
        println!("{} bytes", metered.bytes);
        exported
    })
}
// ANCHOR_END: used

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("journal");
    if let Err(error) = run(&path).await {
        println!("failed: {error}");
    }
    print!("the journal has:\n{}", fs::read_to_string(&path).await?);
    Ok(())
}
