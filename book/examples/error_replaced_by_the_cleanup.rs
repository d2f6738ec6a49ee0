use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

#[derive(Debug)]
struct Upload {
    server: DuplexStream,
    /// What the server has not heard yet of our goodbye.
    quit: &'static [u8],
}

impl Upload {
    fn new(server: DuplexStream) -> AsyncDropGuard<Self> {
        let quit = b"quit";
        AsyncDropGuard::new(Self { server, quit })
    }

    async fn send(&mut self, part: &[u8]) -> io::Result<()> {
        self.server.write_all(part).await?;
        match self.server.read_u8().await? {
            b'+' => Ok(()),
            _ => Err(io::Error::other("your quota is used up")),
        }
    }
}

#[async_trait]
impl AsyncDrop for Upload {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        self.server.write_all_buf(&mut self.quit).await
    }
}

// ANCHOR: upload
async fn upload(mut upload: AsyncDropGuard<Upload>) -> io::Result<()> {
    if let Err(error) = upload.send(b"film").await {
        upload.async_drop().await?;
        return Err(error);
    }
    upload.async_drop().await
}
// ANCHOR_END: upload

/// A server that refuses the first part and hangs up.
async fn refuse(mut client: DuplexStream) -> io::Result<()> {
    client.read_exact(&mut [0; 4]).await?;
    client.write_u8(b'-').await
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let (server, client) = tokio::io::duplex(64);
    let refusing = tokio::spawn(refuse(client));

    if let Err(error) = upload(Upload::new(server)).await {
        println!("the upload failed: {error}");
    }
    assert!(refusing.await.is_ok_and(|refused| refused.is_ok()));
}
