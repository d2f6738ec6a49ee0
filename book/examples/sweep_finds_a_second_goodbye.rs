use asyncdrop::testing::Sweep;
use asyncdrop::{AsyncDrop, AsyncDropGuard, AsyncDropReaper, ReaperHandle, async_trait};
use std::{io, time::Duration};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, DuplexStream};

// ANCHOR: code
#[derive(Debug)]
struct Connection(DuplexStream);

#[async_trait]
impl AsyncDrop for Connection {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        self.0.write_all(b"goodbye ").await?;
        // Until the server hangs up.
        self.0.read_to_end(&mut Vec::new()).await.map(drop)
    }
}

async fn order(reaper: ReaperHandle, stream: DuplexStream) -> io::Result<u8> {
    let connection = AsyncDropGuard::new(Connection(stream));
    let order = reaper.scope(connection, async |connection| {
        connection.0.write_all(b"tea ").await?;
        connection.0.read_u8().await
    });
    order.await
}
// ANCHOR_END: code

/// Answers an order, hangs up at a goodbye, and returns all that it heard.
async fn server(client: DuplexStream) -> io::Result<Vec<String>> {
    let (reader, mut writer) = tokio::io::split(client);
    let mut words = BufReader::new(reader).split(b' ');
    let mut heard = Vec::new();
    while let Some(word) = words.next_segment().await? {
        match &word[..] {
            b"tea" => writer.write_u8(7).await?,
            _ => writer.shutdown().await?,
        }
        heard.push(String::from_utf8_lossy(&word).into_owned());
    }
    Ok(heard)
}

// ANCHOR: test
// In your crate this is a #[tokio::test].
#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    for cut in Sweep::new() {
        let reaper = AsyncDropReaper::new();
        let (ours, theirs) = tokio::io::duplex(64);
        let server = tokio::spawn(server(theirs));

        let answer = cut.run(order(reaper.handle(), ours)).await;
        let reaped = AsyncDropReaper::shutdown(reaper, Duration::from_secs(5)).await;

        reaped.expect("the connection is cleaned up");
        answer.transpose()?;
        let heard = server.await??;
        println!("{cut}: the server heard {heard:?}");
        let goodbyes = heard.iter().filter(|it| *it == "goodbye").count();
        assert_eq!(goodbyes, 1, "{cut}");
    }
    Ok(())
}
// ANCHOR_END: test
