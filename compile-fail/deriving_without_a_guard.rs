// The log should be flushed when it is cleaned up.
use asyncdrop::{AsyncDrop, AsyncDropGuard};
use tokio::io::BufWriter;

#[derive(Debug, AsyncDrop)]
struct Log {
    out: BufWriter<Vec<u8>>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let out = BufWriter::new(Vec::new());
    let mut log = AsyncDropGuard::new(Log { out });
    log.async_drop().await.unwrap();
}
