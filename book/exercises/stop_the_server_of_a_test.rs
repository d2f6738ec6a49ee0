// fails with: did not finish within 100ms in SyncDrop
// ANCHOR: problem
use asyncdrop::{AsyncDrop, AsyncDropGuard, SyncDrop, async_trait};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::task::{JoinError, JoinHandle};

/// Says `ready` to whoever connects.
#[derive(Debug)]
struct Server {
    task: JoinHandle<()>,
    address: SocketAddr,
}

impl Server {
    async fn start() -> io::Result<AsyncDropGuard<Self>> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let task = tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let _ = client.write_all(b"ready").await;
            }
        });
        Ok(AsyncDropGuard::new(Self { task, address }))
    }
}

#[async_trait]
impl AsyncDrop for Server {
    type Error = JoinError;

    async fn async_drop_impl(&mut self) -> Result<(), JoinError> {
        self.task.abort();
        match (&mut self.task).await {
            Err(error) if error.is_cancelled() => Ok(()),
            result => result,
        }
    }
}

/// Runs a test with a server of its own, and stops the server.
pub async fn with_server(test: impl AsyncFnOnce(SocketAddr)) {
    let server = Server::start().await.expect("there is a free port");
    let server = SyncDrop::with_time_limit(server, Duration::from_millis(100));
    test(server.address).await;
}
// ANCHOR_END: problem

// ANCHOR: solution
use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
use std::io;
use std::net::SocketAddr;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::task::{JoinError, JoinHandle};

/// Says `ready` to whoever connects.
#[derive(Debug)]
struct Server {
    task: JoinHandle<()>,
    address: SocketAddr,
}

impl Server {
    async fn start() -> io::Result<AsyncDropGuard<Self>> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let task = tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let _ = client.write_all(b"ready").await;
            }
        });
        Ok(AsyncDropGuard::new(Self { task, address }))
    }
}

#[async_trait]
impl AsyncDrop for Server {
    type Error = JoinError;

    async fn async_drop_impl(&mut self) -> Result<(), JoinError> {
        self.task.abort();
        match (&mut self.task).await {
            Err(error) if error.is_cancelled() => Ok(()),
            result => result,
        }
    }
}

/// Runs a test with a server of its own, and stops the server.
pub async fn with_server(test: impl AsyncFnOnce(SocketAddr)) {
    let mut server = Server::start().await.expect("there is a free port");
    test(server.address).await;
    server.async_drop().await.expect("the server did not panic");
}
// ANCHOR_END: solution

// ANCHOR: tests
#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt;
    use tokio::net::TcpStream;

    #[tokio::test]
    async fn a_client_hears_that_the_server_is_ready() {
        with_server(async |address| {
            let mut client = TcpStream::connect(address).await.unwrap();
            let mut heard = String::new();
            client.read_to_string(&mut heard).await.unwrap();
            assert_eq!(heard, "ready");
        })
        .await;
    }
}
// ANCHOR_END: tests
