// A guard should close the log.
use std::io;

use asyncdrop::AsyncDropGuard;
use tokio::{fs::File, io::AsyncWriteExt};

#[derive(Debug)]
struct Log {
    file: File,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let file = File::from_std(tempfile::tempfile()?);
    let mut log = AsyncDropGuard::new(Log { file });
    log.file.write_all(b"started\n").await
}
