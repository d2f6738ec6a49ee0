use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
use std::net::SocketAddr;
use std::{fmt, io};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

struct Session {
    user: &'static str,
    stream: TcpStream,
}

impl Session {
    async fn log_in(server: SocketAddr, user: &'static str) -> io::Result<AsyncDropGuard<Self>> {
        let stream = TcpStream::connect(server).await?;
        Ok(AsyncDropGuard::new(Self { user, stream }))
    }

    async fn say(&mut self, text: &str) -> io::Result<()> {
        self.stream.write_all(text.as_bytes()).await
    }
}

#[async_trait]
impl AsyncDrop for Session {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        self.say("goodbye\n").await?;
        self.stream.shutdown().await
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let server = TcpListener::bind("127.0.0.1:0").await?;

    let mut session = Session::log_in(server.local_addr()?, "ada").await?;
    session.say("hello\n").await?;
    println!("ada said hello");
    Ok(())
}
