use asyncdrop::AsyncDropWith;
use std::{io, time::Duration};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::timeout;

async fn quit(mut stream: DuplexStream) -> io::Result<()> {
    stream.write_all(b"QUIT\n").await?;
    stream.shutdown().await
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> io::Result<()> {
    // There is room for two bytes, so the goodbye waits until the server reads.
    let (stream, mut server) = duplex(2);
    let mut mail = AsyncDropWith::new(stream, quit);

    let limit = Duration::from_secs(1);
    let in_time = timeout(limit, mail.async_drop()).await;
    println!("done within {limit:?}: {}", in_time.is_ok());

    let server = tokio::spawn(async move {
        let mut heard = String::new();
        server.read_to_string(&mut heard).await.map(|_| heard)
    });
    mail.async_drop().await?;
    println!("the server heard {:?}", server.await??);
    Ok(())
}
