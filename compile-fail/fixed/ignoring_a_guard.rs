// The server is greeted over a connection that is closed afterwards.
#![deny(unused_must_use)]

use std::io;
use std::net::SocketAddr;

use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait, with_async_drop_2};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

#[derive(Debug)]
struct Connection {
    stream: TcpStream,
    goodbye: &'static [u8],
}

impl Connection {
    async fn open(address: SocketAddr) -> io::Result<AsyncDropGuard<Self>> {
        let stream = TcpStream::connect(address).await?;
        let goodbye = b"goodbye\n";
        Ok(AsyncDropGuard::new(Self { stream, goodbye }))
    }
}

#[async_trait]
impl AsyncDrop for Connection {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        self.stream.write_all_buf(&mut self.goodbye).await?;
        self.stream.shutdown().await
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let server = TcpListener::bind("127.0.0.1:0").await?;
    let connection = Connection::open(server.local_addr()?).await?;
    with_async_drop_2!(connection, {
        connection.stream.write_all(b"hello\n").await
    })
}
