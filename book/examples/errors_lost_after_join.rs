use asyncdrop::{AsyncDropGuard, AsyncDropWith, BoxedAsyncDropWith};
use std::io;
use std::path::PathBuf;
use tokio::{fs, join};

/// Rows in memory, which the cleanup writes to a file.
type Export = BoxedAsyncDropWith<(PathBuf, &'static str), io::Error>;
type ExportGuard = AsyncDropGuard<Export>;

// ANCHOR: finish
async fn finish(mut a: ExportGuard, mut b: ExportGuard, mut c: ExportGuard) -> io::Result<()> {
    let (a, b, c) = join!(a.async_drop(), b.async_drop(), c.async_drop());
    a?;
    b?;
    c?;
    Ok(())
}
// ANCHOR_END: finish

#[tokio::main]
async fn main() -> io::Result<()> {
    let folder = tempfile::tempdir()?;
    let export = |path| {
        let export = (folder.path().join(path), "3;apples\n");
        // An interrupted write goes on, so a second one could meet it. This one is kept and continued.
        AsyncDropWith::boxed(export, |(path, rows)| fs::write(path, rows))
    };
    // There is no folder `archive`, and `copy` is a folder.
    fs::create_dir(folder.path().join("copy")).await?;
    let (stock, old, copy) = (export("stock"), export("archive/old"), export("copy"));

    if let Err(error) = finish(stock, old, copy).await {
        println!("not exported: {error}");
    }
    Ok(())
}
