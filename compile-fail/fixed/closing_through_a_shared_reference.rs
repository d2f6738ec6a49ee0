// The service closes its log: `&mut` goes all the way up to the owner.
use std::io;

use asyncdrop::{AsyncDropGuard, AsyncDropWith, BoxedAsyncDropWith};
use tokio::fs::File;

struct Service {
    log: AsyncDropGuard<BoxedAsyncDropWith<File, io::Error>>,
}

impl Service {
    async fn shutdown(&mut self) -> io::Result<()> {
        self.log.async_drop().await
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let file = File::from_std(tempfile::tempfile()?);
    let log = AsyncDropWith::boxed(file, async |file: File| file.sync_all().await);
    let mut service = Service { log };
    service.shutdown().await
}
