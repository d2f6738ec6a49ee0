// The channel borrows its connection, and a task should use and close it.
use std::io;

use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait, with_async_drop};
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
    with_async_drop(channel, async |channel| channel.0.write_u8(b'P').await).await
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let (connection, _server) = tokio::io::duplex(64);
    tokio::spawn(publish(connection)).await?
}
