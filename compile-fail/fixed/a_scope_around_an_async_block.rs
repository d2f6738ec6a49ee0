// The scope takes a plain block, and awaits what is in it.
use std::io;

use asyncdrop::{AsyncDropWith, with_async_drop_2};
use tokio::{fs::File, io::AsyncWriteExt};

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let mut file = File::from_std(tempfile::tempfile()?);
    file.write_all(b"# Report\n").await?;
    let report = AsyncDropWith::new(file, async |file| file.sync_all().await);
    with_async_drop_2!(report, {
        report.write_all(b"all is well\n").await?;
        report.flush().await
    })
}
