use asyncdrop::{AsyncDrop, AsyncDropGuard, SyncDrop, async_trait};
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

#[derive(Debug)]
struct Mailbox(DuplexStream);

#[async_trait]
impl AsyncDrop for Mailbox {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        self.0.write_all(b"LOGOUT\r\n").await
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let (ours, mut server) = tokio::io::duplex(64);
    server.write_all(b"* BYE").await?;
    // The server hangs up, so the log-out will fail.
    drop(server);

    let mut mailbox = SyncDrop::new(AsyncDropGuard::new(Mailbox(ours)));
    let mut greeting = String::new();
    mailbox.0.read_to_string(&mut greeting).await?;
    assert_eq!(greeting, "* OK");
    Ok(())
}
