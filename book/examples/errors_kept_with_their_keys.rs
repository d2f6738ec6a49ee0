use asyncdrop::{AsyncDrop, AsyncDropGuard, DropErrors, async_drop_all, async_trait};
use std::io;
use std::path::PathBuf;
use tokio::fs;

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
type ExportErrors = DropErrors<&'static str, io::Error>;

// ANCHOR: finish
async fn finish(a: ExportGuard, b: ExportGuard, c: ExportGuard) -> Result<(), ExportErrors> {
    async_drop_all([("stock", a), ("old orders", b), ("copy", c)]).await
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

    if let Err(errors) = finish(stock, old, copy).await {
        println!("not exported: {errors}");
    }
    Ok(())
}
