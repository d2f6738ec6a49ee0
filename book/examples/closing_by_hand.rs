use std::future;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

// ANCHOR: shown
struct Mail(TcpStream);

impl Mail {
    async fn connect(server: SocketAddr) -> io::Result<Self> {
        Ok(Self(TcpStream::connect(server).await?))
    }

    async fn send(&mut self, to: &str) -> io::Result<()> {
        match to {
            "no one" => Err(io::Error::other("no such user")),
            "a slow server" => future::pending().await,
            "" => panic!("an empty address"),
            _ => self.0.write_all(format!("TO {to} ").as_bytes()).await,
        }
    }

    /// Nothing else says goodbye. It consumes the value, so you cannot send after it.
    async fn quit(mut self) -> io::Result<()> {
        self.0.write_all(b"QUIT").await?;
        self.0.shutdown().await
    }
}

async fn deliver(server: SocketAddr, to: &'static str) -> io::Result<()> {
    let mut mail = Mail::connect(server).await?;
    mail.send(to).await?;
    mail.quit().await
}
// ANCHOR_END: shown

#[tokio::main]
async fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let server = listener.local_addr()?;
    for to in ["ops", "no one", "a slow server", ""] {
        let limit = Duration::from_millis(100);
        let delivered = match tokio::spawn(timeout(limit, deliver(server, to))).await {
            Ok(Ok(Ok(()))) => "sent".to_string(),
            Ok(Ok(Err(error))) => error.to_string(),
            Ok(Err(_)) => "cancelled after 100 ms".to_string(),
            Err(_) => "panicked".to_string(),
        };
        let (mut client, _) = listener.accept().await?;
        let mut heard = String::new();
        client.read_to_string(&mut heard).await?;
        println!("{delivered}, and the server heard {heard:?}");
    }
    Ok(())
}
