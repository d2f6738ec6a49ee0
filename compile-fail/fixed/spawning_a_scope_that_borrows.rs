// The macro takes a block in place of a closure, so the future is known to be `Send`.
use std::io;

use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait, with_async_drop_2};
use tokio::io::{AsyncWriteExt, DuplexStream};

#[derive(Debug)]
struct Channel<'c>(&'c mut DuplexStream);

#[async_trait]
impl AsyncDrop for Channel<'_> {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        self.0.write_u8(b'C').await
    }
}

async fn publish(mut connection: DuplexStream) -> io::Result<()> {
    let channel = AsyncDropGuard::new(Channel(&mut connection));
    with_async_drop_2!(channel, { channel.0.write_u8(b'P').await })
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let (connection, _server) = tokio::io::duplex(64);
    tokio::spawn(publish(connection)).await?
}
