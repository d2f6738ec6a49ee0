use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait, with_async_drop_2};
use std::io;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

#[derive(Debug)]
struct Client {
    stream: BufReader<TcpStream>,
}

#[async_trait]
impl AsyncDrop for Client {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        self.stream.write_all(b"goodbye\n").await?;
        self.stream.shutdown().await
    }
}

/// Returns the guard: the caller has to end the client.
async fn accept(listener: &TcpListener) -> io::Result<AsyncDropGuard<Client>> {
    let (stream, _) = listener.accept().await?;
    let stream = BufReader::new(stream);
    Ok(AsyncDropGuard::new(Client { stream }))
}

/// Takes the guard: this function ends the client.
async fn serve(client: AsyncDropGuard<Client>) -> io::Result<()> {
    with_async_drop_2!(client, {
        greet(&mut client).await?;
        echo(&mut client).await
    })
}

/// Borrows the value: the client is not ended here.
async fn greet(client: &mut Client) -> io::Result<()> {
    client.stream.write_all(b"ready\n").await
}

async fn echo(client: &mut Client) -> io::Result<()> {
    let mut line = String::new();
    client.stream.read_line(&mut line).await?;
    client.stream.write_all(line.as_bytes()).await
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let mut visitor = TcpStream::connect(listener.local_addr()?).await?;
    visitor.write_all(b"is anybody there?\n").await?;

    let client = accept(&listener).await?;
    let task = tokio::spawn(serve(client));

    let mut heard = String::new();
    visitor.read_to_string(&mut heard).await?;
    print!("{heard}");
    task.await?
}
