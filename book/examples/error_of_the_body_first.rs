use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait, with_async_drop_2};
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

#[derive(Debug)]
struct Upload {
    server: DuplexStream,
}

impl Upload {
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
        self.server.write_all(b"end").await
    }
}

async fn upload(upload: AsyncDropGuard<Upload>) -> io::Result<()> {
    with_async_drop_2!(upload, { upload.send(b"film").await })
}

/// A server that refuses the first part and hangs up.
async fn refuse(mut client: DuplexStream) -> io::Result<()> {
    client.read_exact(&mut [0; 4]).await?;
    client.write_u8(b'-').await
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let (server, client) = tokio::io::duplex(64);
    tokio::spawn(refuse(client));

    let guard = AsyncDropGuard::new(Upload { server });
    if let Err(error) = upload(guard).await {
        println!("the upload failed: {error}");
    }
}
