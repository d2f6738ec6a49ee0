// The service should close its log when it is told to shut down.
use std::io;

use asyncdrop::{AsyncDropGuard, AsyncDropWith, BoxedAsyncDropWith};
use tokio::fs::File;

struct Service {
    log: AsyncDropGuard<BoxedAsyncDropWith<File, io::Error>>,
}

impl Service {
    async fn shutdown(&self) -> io::Result<()> {
        self.log.async_drop().await
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let file = File::from_std(tempfile::tempfile()?);
    let log = AsyncDropWith::boxed(file, async |file: File| file.sync_all().await);
    let service = Service { log };
    service.shutdown().await
}
