// At midnight every session should end, and the server should go on.
#![deny(unused_must_use)]

use std::io;

use asyncdrop::{AsyncDrop, AsyncDropGuard, AsyncDropHashMap, async_trait};
use tokio::io::{AsyncWriteExt, DuplexStream, duplex};

#[derive(Debug)]
struct Session {
    stream: DuplexStream,
}

impl Session {
    fn new(stream: DuplexStream) -> AsyncDropGuard<Self> {
        AsyncDropGuard::new(Self { stream })
    }
}

#[async_trait]
impl AsyncDrop for Session {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        self.stream.shutdown().await
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (stream, _client) = duplex(64);
    let mut sessions = AsyncDropHashMap::new();
    assert!(sessions.insert("ada", Session::new(stream)).is_none());
    sessions.drain();
    sessions.async_drop().await?;
    Ok(())
}
