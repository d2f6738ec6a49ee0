use asyncdrop::{AsyncDrop, AsyncDropGuard, AsyncDropReaper, ReaperHandle, async_trait};
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::{io, pin::pin, task::Poll, time::Duration};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, DuplexStream};

/// Polls `future` until it ends, or until it was polled `limit` times and is dropped.
async fn drop_after<F: Future>(limit: usize, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut polls = 0;
    poll_fn(|context| {
        polls += 1;
        match future.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if polls >= limit => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

// ANCHOR: shown
#[derive(Debug)]
struct Connection {
    stream: DuplexStream,
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

#[async_trait]
impl AsyncDrop for Connection {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        if !self.goodbye_queued {
            self.outgoing.extend(b"goodbye ");
            self.goodbye_queued = true;
        }
        self.stream.write_all_buf(&mut self.outgoing).await?;
        // Until the server hangs up.
        self.stream.read_to_end(&mut Vec::new()).await.map(drop)
    }
}
// ANCHOR_END: shown

/// The code under test.
async fn order(reaper: ReaperHandle, stream: DuplexStream) -> io::Result<u8> {
    let connection = AsyncDropGuard::new(Connection {
        stream,
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

// ANCHOR: shown

/// Cancels the order after 1, 2, 3, .. polls, and returns after how many it was done.
async fn sweep(room: usize) -> io::Result<usize> {
    for polls in 1.. {
        let reaper = AsyncDropReaper::new();
        let (ours, theirs) = tokio::io::duplex(room);
        let server = tokio::spawn(server(theirs));

        let ended = drop_after(polls, order(reaper.handle(), ours)).await;
        let reaped = AsyncDropReaper::shutdown(reaper, Duration::from_secs(5)).await;
        let heard = server.await??;

        assert!(reaped.is_ok(), "each value is cleaned up: {reaped:?}");
        assert_eq!(heard, ["tea", "goodbye"], "dropped at poll {polls}");
        if ended.is_some() {
            return Ok(polls);
        }
    }
    unreachable!("the loop has no end")
}

// In your crate this is a #[tokio::test(start_paused = true)].
#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> io::Result<()> {
    for room in [64, 1] {
        println!(
            "room for {room}: one goodbye after each of {} polls",
            sweep(room).await?
        );
    }
    Ok(())
}
// ANCHOR_END: shown
