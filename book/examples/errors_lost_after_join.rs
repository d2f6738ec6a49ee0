use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
use std::io;
use std::path::PathBuf;
use tokio::{fs, join};

/// Rows in memory, which the cleanup writes to a file.
#[derive(Debug)]
struct Export {
    path: PathBuf,
    rows: String,
}

#[async_trait]
impl AsyncDrop for Export {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        fs::write(&self.path, &self.rows).await
    }
}

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
        let path = folder.path().join(path);
        let rows = "3;apples\n".to_owned();
        AsyncDropGuard::new(Export { path, rows })
    };
    // There is no folder `archive`, and `copy` is a folder.
    fs::create_dir(folder.path().join("copy")).await?;
    let (stock, old, copy) = (export("stock"), export("archive/old"), export("copy"));

    if let Err(error) = finish(stock, old, copy).await {
        println!("not exported: {error}");
    }
    Ok(())
}
