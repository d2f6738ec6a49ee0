use asyncdrop::{AsyncDrop, AsyncDropGuard, SyncDrop, async_trait};
use std::net::SocketAddr;
use std::time::Duration;
use std::{fmt, io};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::{JoinError, JoinHandle};

/// Sends an exclamation mark to each client.
struct TestServer {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl TestServer {
    async fn start() -> io::Result<AsyncDropGuard<Self>> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (stop, mut stopped) = oneshot::channel();
        let task = tokio::spawn(async move {
            loop {
                tokio::select! {
                    Ok((mut client, _)) = listener.accept() => {
                        let _ = client.write_u8(b'!').await;
                    }
                    _ = &mut stopped => break,
                }
            }
        });
        let stop = Some(stop);
        Ok(AsyncDropGuard::new(Self {
            address,
            stop,
            task,
        }))
    }
}

// ANCHOR: shown
#[async_trait]
impl AsyncDrop for TestServer {
    type Error = JoinError;

    async fn async_drop_impl(&mut self) -> Result<(), JoinError> {
        self.stop.take();
        (&mut self.task).await
    }
}

// ANCHOR_END: shown
impl fmt::Debug for TestServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestServer").finish_non_exhaustive()
    }
}

// ANCHOR: shown
// The runtime of a `#[tokio::test]`.
#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let limit = Duration::from_millis(100);
    let server = SyncDrop::with_time_limit(TestServer::start().await?, limit);

    let mut client = TcpStream::connect(server.address).await?;
    assert_eq!(client.read_u8().await?, b'!');
    println!("the server has answered");
    Ok(())
}
// ANCHOR_END: shown
