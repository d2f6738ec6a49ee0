// The block says what came of it, and the function returns after it.
use std::io;

use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait, with_async_drop_2};
use tokio::io::{AsyncWriteExt, DuplexStream};

#[derive(Debug)]
struct Connection {
    stream: DuplexStream,
}

#[async_trait]
impl AsyncDrop for Connection {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        self.stream.shutdown().await
    }
}

async fn greet(connection: AsyncDropGuard<Connection>, name: &str) -> io::Result<()> {
    let written: io::Result<Option<usize>> = with_async_drop_2!(connection, {
        if name.is_empty() {
            return Ok(None);
        }
        Ok(Some(connection.stream.write(name.as_bytes()).await?))
    });
    let Some(length) = written? else {
        return Ok(());
    };
    println!("bytes written: {length:?}");
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let (stream, _far_end) = tokio::io::duplex(64);
    greet(AsyncDropGuard::new(Connection { stream }), "ada").await
}
