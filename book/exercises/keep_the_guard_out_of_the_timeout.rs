// fails with: Forgot to call async_drop on Connection
// ANCHOR: problem
use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait, with_async_drop_2};
use std::io;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

#[derive(Debug)]
pub struct Connection {
    stream: BufReader<TcpStream>,
    goodbye: &'static [u8],
}

impl Connection {
    pub fn new(stream: TcpStream) -> AsyncDropGuard<Self> {
        let stream = BufReader::new(stream);
        let goodbye = b"goodbye\n";
        AsyncDropGuard::new(Self { stream, goodbye })
    }
}

#[async_trait]
impl AsyncDrop for Connection {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        self.stream.write_all_buf(&mut self.goodbye).await
    }
}

/// Waits for the first line that the server says.
pub async fn greeting(stream: TcpStream, limit: Duration) -> io::Result<String> {
    timeout(limit, async {
        let connection = Connection::new(stream);
        with_async_drop_2!(connection, {
            let mut line = String::new();
            connection.stream.read_line(&mut line).await?;
            Ok(line)
        })
    })
    .await?
}
// ANCHOR_END: problem

// ANCHOR: solution
use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait, with_async_drop_2};
use std::io;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

#[derive(Debug)]
pub struct Connection {
    stream: BufReader<TcpStream>,
    goodbye: &'static [u8],
}

impl Connection {
    pub fn new(stream: TcpStream) -> AsyncDropGuard<Self> {
        let stream = BufReader::new(stream);
        let goodbye = b"goodbye\n";
        AsyncDropGuard::new(Self { stream, goodbye })
    }
}

#[async_trait]
impl AsyncDrop for Connection {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        self.stream.write_all_buf(&mut self.goodbye).await
    }
}

/// Waits for the first line that the server says.
pub async fn greeting(stream: TcpStream, limit: Duration) -> io::Result<String> {
    let connection = Connection::new(stream);
    with_async_drop_2!(connection, {
        let mut line = String::new();
        timeout(limit, connection.stream.read_line(&mut line)).await??;
        Ok(line)
    })
}
// ANCHOR_END: solution

// ANCHOR: tests
#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt;
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn a_silent_server_is_told_goodbye() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stream = TcpStream::connect(address).await.unwrap();
        let (mut server, _) = listener.accept().await.unwrap();

        let limit = Duration::from_millis(20);
        let error = greeting(stream, limit).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);

        let mut heard = String::new();
        server.read_to_string(&mut heard).await.unwrap();
        assert_eq!(heard, "goodbye\n");
    }
}
// ANCHOR_END: tests
