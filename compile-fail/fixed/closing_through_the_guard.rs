// The guard cleans up. `close` has no callers left, so it is gone.
use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
use tokio::io::{AsyncWriteExt, DuplexStream};

#[derive(Debug)]
struct Session {
    stream: DuplexStream,
    goodbye: &'static [u8],
}

impl Session {
    fn open(stream: DuplexStream) -> AsyncDropGuard<Self> {
        let goodbye = b"goodbye\n";
        AsyncDropGuard::new(Self { stream, goodbye })
    }
}

#[async_trait]
impl AsyncDrop for Session {
    type Error = std::io::Error;

    async fn async_drop_impl(&mut self) -> std::io::Result<()> {
        self.stream.write_all_buf(&mut self.goodbye).await
    }
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let (ours, _theirs) = tokio::io::duplex(64);
    let mut session = Session::open(ours);
    session.async_drop().await
}
