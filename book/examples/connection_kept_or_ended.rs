use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
use std::io;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, DuplexStream};

#[derive(Debug)]
struct Connection(BufReader<DuplexStream>);

impl Connection {
    fn new(stream: DuplexStream) -> AsyncDropGuard<Self> {
        AsyncDropGuard::new(Self(BufReader::new(stream)))
    }

    /// How many pieces there are, and whether the server would take another question.
    async fn ask(&mut self, question: &str) -> io::Result<(u32, bool)> {
        self.0.write_all(question.as_bytes()).await?;
        let mut line = String::new();
        self.0.read_line(&mut line).await?;
        let (pieces, then) = line.split_once(' ').unwrap_or_default();
        let pieces = pieces.parse().map_err(io::Error::other)?;
        Ok((pieces, then == "keep-alive\n"))
    }
}

#[async_trait]
impl AsyncDrop for Connection {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        self.0.write_all(b"goodbye\n").await
    }
}

/// Gives the connection back if it can be used again, and ends it otherwise.
async fn stock(
    mut connection: AsyncDropGuard<Connection>,
) -> io::Result<(u32, Option<AsyncDropGuard<Connection>>)> {
    let answer = connection.ask("apples?\n").await;
    if let Ok((pieces, true)) = answer {
        return Ok((pieces, Some(connection)));
    }

    let ended = connection.async_drop().await;
    match (answer, ended) {
        (Ok((pieces, _)), Ok(())) => Ok((pieces, None)),
        (Ok(_), Err(error)) | (Err(error), Ok(())) => Err(error),
        (Err(error), Err(late)) => {
            eprintln!("then the goodbye failed: {late}");
            Err(error)
        }
    }
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let (ours, mut server) = tokio::io::duplex(64);
    server.write_all(b"3 keep-alive\n5 close\n").await?;
    let mut idle = Some(Connection::new(ours));
    while let Some(connection) = idle {
        let pieces;
        (pieces, idle) = stock(connection).await?;
        println!("{pieces} pieces, kept: {}", idle.is_some());
    }

    let (ours, mut server) = tokio::io::duplex(64);
    let answer_and_hang_up = async move {
        server.read_exact(&mut [0; 8]).await?;
        server.write_all(b"sold out\n").await
    };
    let (stock, _) = tokio::join!(stock(Connection::new(ours)), answer_and_hang_up);
    println!("no answer: {}", stock.unwrap_err());
    Ok(())
}
