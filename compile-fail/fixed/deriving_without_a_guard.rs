// The log should be flushed when it is cleaned up.
use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
use std::io;
use tokio::io::{AsyncWriteExt, BufWriter};

#[derive(Debug)]
struct Log {
    out: BufWriter<Vec<u8>>,
}

#[async_trait]
impl AsyncDrop for Log {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        self.out.flush().await
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let out = BufWriter::new(Vec::new());
    let mut log = AsyncDropGuard::new(Log { out });
    log.async_drop().await.unwrap();
}
