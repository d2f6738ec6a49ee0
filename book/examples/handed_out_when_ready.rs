use asyncdrop::{AsyncDrop, AsyncDropGuard, async_drop_on_err, async_trait};
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

#[derive(Debug)]
struct Client(DuplexStream);

impl Client {
    /// Agrees on a version first, and returns it with the client.
    async fn open(stream: DuplexStream) -> io::Result<(AsyncDropGuard<Self>, u8)> {
        let client = AsyncDropGuard::new(Self(stream));
        async_drop_on_err(client, async |client| {
            client.0.write_all(b"version? ").await?;
            match client.0.read_u8().await? {
                version @ 1..=3 => Ok(version),
                other => Err(io::Error::other(format!("version {other} is too new"))),
            }
        })
        .await
    }
}

#[async_trait]
impl AsyncDrop for Client {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        self.0.write_all(b"goodbye").await
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    for version in [2, 4] {
        let (ours, mut server) = tokio::io::duplex(64);
        server.write_u8(version).await?;
        match Client::open(ours).await {
            Ok((mut client, version)) => {
                println!("version {version}, and the guard is ours");
                client.0.write_all(b"work ").await?;
                client.async_drop().await?;
            }
            Err(error) => println!("{error}"),
        }
        let mut heard = String::new();
        server.read_to_string(&mut heard).await?;
        println!("the server heard: {heard}");
    }
    Ok(())
}
