// The guard is ended. `close` has no callers left, and is gone.
use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
use tokio::io::{AsyncWriteExt, DuplexStream};

#[derive(Debug)]
struct Session(DuplexStream);

impl Session {
    fn open(stream: DuplexStream) -> AsyncDropGuard<Self> {
        AsyncDropGuard::new(Self(stream))
    }
}

#[async_trait]
impl AsyncDrop for Session {
    type Error = std::io::Error;

    async fn async_drop_impl(&mut self) -> std::io::Result<()> {
        self.0.write_all(b"goodbye\n").await
    }
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let (ours, _theirs) = tokio::io::duplex(64);
    let mut session = Session::open(ours);
    session.async_drop().await
}
