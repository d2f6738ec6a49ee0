// At midnight every session ends, and the server goes on.
#![deny(unused_must_use)]

use std::io;

use asyncdrop::{AsyncDrop, AsyncDropGuard, AsyncDropHashMap};
use asyncdrop::{async_drop_all, async_trait, with_async_drop_2};
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
    let sessions = AsyncDropHashMap::new();
    with_async_drop_2!(sessions, {
        assert!(sessions.insert("mia", Session::new(stream)).is_none());
        async_drop_all(sessions.drain()).await?;
        Ok(())
    })
}
