// The scope opens the report and calls it `report`.
use std::io;
use std::path::Path;

use asyncdrop::{AsyncDropGuard, AsyncDropWith, BoxedAsyncDropWith, with_async_drop_2};
use tokio::{fs::File, io::AsyncWriteExt};

type Report = BoxedAsyncDropWith<File, io::Error>;

async fn create(path: &Path) -> io::Result<AsyncDropGuard<Report>> {
    let mut file = File::create(path).await?;
    file.write_all(b"# Report\n").await?;
    Ok(AsyncDropWith::boxed(file, async |file| file.sync_all().await))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let folder = tempfile::tempdir()?;
    with_async_drop_2!(report = create(&folder.path().join("report")).await?, {
        report.write_all(b"all is well\n").await?;
        report.flush().await
    })
}
