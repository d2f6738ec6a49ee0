// The transaction borrows its connection, and the task of a server should run it.
use std::io;

use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait, with_async_drop};
use tokio::io::{AsyncWriteExt, DuplexStream};

#[derive(Debug)]
struct Transaction<'c>(&'c mut DuplexStream);

#[async_trait]
impl AsyncDrop for Transaction<'_> {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        self.0.write_u8(b'R').await
    }
}

async fn insert(mut connection: DuplexStream) -> io::Result<()> {
    let transaction = AsyncDropGuard::new(Transaction(&mut connection));
    with_async_drop(transaction, async |transaction| transaction.0.write_u8(b'I').await).await
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let (connection, _server) = tokio::io::duplex(64);
    tokio::spawn(insert(connection)).await?
}
