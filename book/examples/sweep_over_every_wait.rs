use asyncdrop::testing::{Sweep, Trickle};
use asyncdrop::{AsyncDrop, AsyncDropGuard, AsyncDropReaper, ReaperHandle, async_trait};
use std::{collections::VecDeque, io, time::Duration};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, DuplexStream};

// ANCHOR: shown
#[derive(Debug)]
struct Connection {
    /// As slow as it can be. In your program this is a TCP stream.
    stream: Trickle<DuplexStream>,
    /// What the server has not been told yet.
    outgoing: VecDeque<u8>,
    goodbye_queued: bool,
}

impl Connection {
    async fn say(&mut self, word: &[u8]) -> io::Result<()> {
        self.outgoing.extend(word);
        self.stream.write_all_buf(&mut self.outgoing).await
    }
}

// ANCHOR_END: shown

#[async_trait]
impl AsyncDrop for Connection {
    type Error = io::Error;

    // ANCHOR: shown
    // In `impl AsyncDrop for Connection`:
    async fn async_drop_impl(&mut self) -> io::Result<()> {
        if !self.goodbye_queued {
            self.outgoing.extend(b"goodbye ");
            self.goodbye_queued = true;
        }
        self.stream.write_all_buf(&mut self.outgoing).await?;
        // Until the server hangs up.
        self.stream.read_to_end(&mut Vec::new()).await.map(drop)
    }
    // ANCHOR_END: shown
}

async fn order(reaper: ReaperHandle, stream: DuplexStream) -> io::Result<u8> {
    let connection = AsyncDropGuard::new(Connection {
        stream: Trickle::new(stream),
        outgoing: VecDeque::new(),
        goodbye_queued: false,
    });
    let order = reaper.scope(connection, async |connection| {
        connection.say(b"tea ").await?;
        connection.stream.read_u8().await
    });
    order.await
}

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
        assert_eq!(server.await??, ["tea", "goodbye"], "{cut}");
    }
    println!("one tea and one goodbye, wherever the order was cancelled");
    Ok(())
}
