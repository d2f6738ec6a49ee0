// A connection should be either plain or compressed, in the same memory.
use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
use std::io;
use tokio::io::{AsyncWriteExt, DuplexStream};

#[derive(Debug)]
struct Connection(DuplexStream);

#[async_trait]
impl AsyncDrop for Connection {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        self.0.shutdown().await
    }
}

#[derive(Debug, AsyncDrop)]
enum Transport {
    Plain(AsyncDropGuard<Connection>),
    Compressed(AsyncDropGuard<Connection>),
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let (stream, _other_end) = tokio::io::duplex(64);
    let connection = AsyncDropGuard::new(Connection(stream));
    let compress = false;
    let mut transport = AsyncDropGuard::new(match compress {
        false => Transport::Plain(connection),
        true => Transport::Compressed(connection),
    });
    transport.async_drop().await.unwrap();
}
