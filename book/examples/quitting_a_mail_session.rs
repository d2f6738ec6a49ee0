use smtp::Session;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::timeout;

pub mod smtp {
    use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
    use std::io;
    use std::net::SocketAddr;
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
    use tokio::net::TcpStream;

    /// A session with a mail server, which is told `QUIT` and answers before it ends.
    #[derive(Debug)]
    pub struct Session {
        stream: BufReader<TcpStream>,
        /// What is left to send of the goodbye.
        goodbye: &'static [u8],
        /// What has come of the answer to it.
        answer: Vec<u8>,
    }

    impl Session {
        pub async fn connect(server: SocketAddr) -> io::Result<AsyncDropGuard<Self>> {
            Ok(AsyncDropGuard::new(Self {
                stream: BufReader::new(TcpStream::connect(server).await?),
                goodbye: b"QUIT\r\n",
                answer: Vec::new(),
            }))
        }

        pub async fn greet(&mut self) -> io::Result<()> {
            self.stream.write_all(b"HELO shop.example\r\n").await
        }
    }

    #[async_trait]
    impl AsyncDrop for Session {
        type Error = io::Error;

        async fn async_drop_impl(&mut self) -> io::Result<()> {
            self.stream.write_all_buf(&mut self.goodbye).await?;
            self.stream.read_until(b'\n', &mut self.answer).await?;
            if self.answer.starts_with(b"221") {
                Ok(())
            } else {
                Err(io::Error::other("the server did not confirm the end"))
            }
        }
    }
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let mut session = Session::connect(listener.local_addr()?).await?;
    let (mut server, _) = listener.accept().await?;
    session.greet().await?;

    let limit = Duration::from_millis(20);
    if timeout(limit, session.async_drop()).await.is_err() {
        println!("no answer to QUIT within 20 ms");
    }

    server.write_all(b"221 until next time\r\n").await?;
    session.async_drop().await?;

    let mut heard = String::new();
    server.read_to_string(&mut heard).await?;
    print!("the server heard:\n{heard}");
    Ok(())
}
