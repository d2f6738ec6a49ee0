use asyncdrop::{AsyncDrop, AsyncDropGuard, async_drop_on_err, async_trait, with_async_drop_2};
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

#[derive(Debug)]
struct Client {
    stream: DuplexStream,
    goodbye: &'static [u8],
}

#[async_trait]
impl AsyncDrop for Client {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        self.stream.write_all_buf(&mut self.goodbye).await
    }
}

// ANCHOR: shown
impl Client {
    /// Agrees on a version first, and returns it with the client.
    async fn open(stream: DuplexStream) -> io::Result<(AsyncDropGuard<Self>, u8)> {
        let goodbye = b"goodbye";
        let client = AsyncDropGuard::new(Self { stream, goodbye });
        async_drop_on_err(client, async |client| {
            client.stream.write_all(b"version? ").await?;
            match client.stream.read_u8().await? {
                version @ 1..=3 => Ok(version),
                other => Err(io::Error::other(format!("version {other} is too new"))),
            }
        })
        .await
    }
}

async fn work(stream: DuplexStream) -> io::Result<()> {
    let (client, version) = Client::open(stream).await?;
    println!("version {version}, and the guard is ours");
    with_async_drop_2!(client, { client.stream.write_all(b"work ").await })
}
// ANCHOR_END: shown

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    for version in [2, 4] {
        let (ours, mut server) = tokio::io::duplex(64);
        server.write_u8(version).await?;
        if let Err(error) = work(ours).await {
            println!("{error}");
        }
        let mut heard = String::new();
        server.read_to_string(&mut heard).await?;
        println!("the server heard: {heard}");
    }
    Ok(())
}
