// A server should hold the sessions of its users.
use std::io;

use asyncdrop::{AsyncDrop, AsyncDropGuard, AsyncDropHashMap, DropErrors, async_trait};
use tokio::io::{AsyncWriteExt, DuplexStream};

#[derive(Debug)]
struct Session {
    stream: DuplexStream,
}

#[async_trait]
impl AsyncDrop for Session {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        self.stream.shutdown().await
    }
}

#[derive(Debug)]
struct Server {
    sessions: AsyncDropHashMap<String, Session>,
}

impl Server {
    fn new() -> AsyncDropGuard<Self> {
        let sessions = AsyncDropHashMap::new();
        AsyncDropGuard::new(Self { sessions })
    }
}

#[async_trait]
impl AsyncDrop for Server {
    type Error = DropErrors<String, io::Error>;

    async fn async_drop_impl(&mut self) -> Result<(), Self::Error> {
        self.sessions.async_drop_impl().await
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), DropErrors<String, io::Error>> {
    let mut server = Server::new();
    println!("sessions: {}", server.sessions.len());
    server.async_drop().await
}
