use asyncdrop::{AsyncDrop, AsyncDropGuard, SyncDrop, async_trait};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Greets each client, until it is stopped.
#[derive(Debug)]
struct TestServer {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<u32>,
}

impl TestServer {
    async fn start() -> io::Result<AsyncDropGuard<Self>> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (stop, mut stopped) = oneshot::channel();
        let task = tokio::spawn(async move {
            let mut greeted = 0;
            loop {
                tokio::select! {
                    _ = &mut stopped => return greeted,
                    Ok((mut stream, _)) = listener.accept() => {
                        greeted += u32::from(stream.write_all(b"hello").await.is_ok());
                    }
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

#[async_trait]
impl AsyncDrop for TestServer {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        drop(self.stop.take());
        println!("stopped after {} greetings", (&mut self.task).await?);
        Ok(())
    }
}

// ANCHOR: shown
/// In a test suite: `#[tokio::test(flavor = "multi_thread")]`
async fn greets_with_hello() -> io::Result<()> {
    let server = SyncDrop::new(TestServer::start().await?);
    let mut heard = String::new();
    let mut stream = TcpStream::connect(server.address).await?;
    stream.read_to_string(&mut heard).await?;
    assert_eq!(heard, "hello");
    Ok(())
    // The server is stopped here, even if the assertion fails.
}
// ANCHOR_END: shown

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> io::Result<()> {
    greets_with_hello().await?;

    // A test that must not wait ten seconds to learn of a deadlock.
    let server = TestServer::start().await?;
    let server = SyncDrop::with_time_limit(server, Duration::from_secs(2));
    // Back to the guard, and to a cleanup without blocking.
    let mut server = server.into_inner_dont_drop();
    server.async_drop().await
}
