use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait, with_async_drop_2};
use std::io;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

#[derive(Debug)]
struct Client {
    stream: BufReader<TcpStream>,
    /// What is left to send of the goodbye.
    goodbye: &'static [u8],
}

#[async_trait]
impl AsyncDrop for Client {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        self.stream.write_all_buf(&mut self.goodbye).await
    }
}

// ANCHOR: accept
/// Returns the guard, so the caller has to clean up.
async fn accept(listener: &TcpListener) -> io::Result<AsyncDropGuard<Client>> {
    let (stream, _) = listener.accept().await?;
    let stream = BufReader::new(stream);
    let goodbye = b"goodbye\n";
    Ok(AsyncDropGuard::new(Client { stream, goodbye }))
}
// ANCHOR_END: accept

// ANCHOR: serve
/// Takes the guard, so this function cleans up.
async fn serve(client: AsyncDropGuard<Client>) -> io::Result<()> {
    with_async_drop_2!(client, {
        greet(&mut client).await?;
        echo(&mut client).await
    })
}
// ANCHOR_END: serve

// ANCHOR: greet
/// Borrows the client, which `serve` still owns.
async fn greet(client: &mut Client) -> io::Result<()> {
    client.stream.write_all(b"ready\n").await
}
// ANCHOR_END: greet

async fn echo(client: &mut Client) -> io::Result<()> {
    let mut line = String::new();
    client.stream.read_line(&mut line).await?;
    client.stream.write_all(line.as_bytes()).await
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let mut visitor = TcpStream::connect(listener.local_addr()?).await?;
    visitor.write_all(b"status?\n").await?;

    // ANCHOR: main
    let client = accept(&listener).await?;
    let served = tokio::spawn(serve(client)).await?;
    // ANCHOR_END: main
    served?;

    let mut heard = String::new();
    visitor.read_to_string(&mut heard).await?;
    print!("{heard}");
    Ok(())
}
