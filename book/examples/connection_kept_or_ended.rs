use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
use std::io;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, DuplexStream};

#[derive(Debug)]
struct Connection {
    stream: BufReader<DuplexStream>,
    /// What is left to send of the goodbye.
    goodbye: &'static [u8],
}

impl Connection {
    fn new(stream: DuplexStream) -> AsyncDropGuard<Self> {
        AsyncDropGuard::new(Self {
            stream: BufReader::new(stream),
            goodbye: b"goodbye\n",
        })
    }

    /// How many pieces are in stock, and whether the server would take another question.
    async fn ask(&mut self, article: &str) -> io::Result<(u32, bool)> {
        self.stream.write_all(article.as_bytes()).await?;
        let mut line = String::new();
        self.stream.read_line(&mut line).await?;
        let (pieces, then) = line.split_once(' ').unwrap_or_default();
        let pieces = pieces.parse().map_err(io::Error::other)?;
        Ok((pieces, then == "keep-alive\n"))
    }
}

#[async_trait]
impl AsyncDrop for Connection {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        self.stream.write_all_buf(&mut self.goodbye).await
    }
}

// ANCHOR: stock
/// Gives the connection back if it can be used again, and cleans it up otherwise.
async fn stock(
    mut connection: AsyncDropGuard<Connection>,
) -> io::Result<(u32, Option<AsyncDropGuard<Connection>>)> {
    let answer = connection.ask("article 4711\n").await;
    if let Ok((pieces, true)) = answer {
        return Ok((pieces, Some(connection)));
    }

    let closed = connection.async_drop().await;
    match (answer, closed) {
        (Ok((pieces, _)), Ok(())) => Ok((pieces, None)),
        (Ok(_), Err(error)) | (Err(error), Ok(())) => Err(error),
        (Err(error), Err(late)) => {
            eprintln!("then the goodbye failed: {late}");
            Err(error)
        }
    }
}
// ANCHOR_END: stock

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
        server.read_exact(&mut [0; 13]).await?;
        server.write_all(b"sold out\n").await
    };
    let (stock, _) = tokio::join!(stock(Connection::new(ours)), answer_and_hang_up);
    println!("no answer: {}", stock.unwrap_err());
    Ok(())
}
