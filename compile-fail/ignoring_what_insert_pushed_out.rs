// A user who logs in again should get a new session.
#![deny(unused_must_use)]

use std::io;

use asyncdrop::{AsyncDrop, AsyncDropGuard, AsyncDropHashMap, async_trait};
use tokio::io::{AsyncWriteExt, DuplexStream, duplex};

#[derive(Debug)]
struct Session {
    stream: DuplexStream,
    goodbye: &'static [u8],
}

impl Session {
    fn new(stream: DuplexStream) -> AsyncDropGuard<Self> {
        let goodbye = b"goodbye\n";
        AsyncDropGuard::new(Self { stream, goodbye })
    }
}

#[async_trait]
impl AsyncDrop for Session {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        self.stream.write_all_buf(&mut self.goodbye).await
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let ((old, _first), (new, _second)) = (duplex(64), duplex(64));
    let mut sessions = AsyncDropHashMap::new();
    sessions.insert("ada", Session::new(old));
    sessions.insert("ada", Session::new(new));
    sessions.async_drop().await?;
    Ok(())
}
