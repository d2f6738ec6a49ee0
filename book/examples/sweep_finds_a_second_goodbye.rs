use asyncdrop::{AsyncDrop, AsyncDropGuard, AsyncDropReaper, ReaperHandle, async_trait};
use std::future::{Future, poll_fn};
use std::{io, pin::pin, task::Poll, time::Duration};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, DuplexStream};

// ANCHOR: shown
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

/// The code under test.
async fn order(reaper: ReaperHandle, stream: DuplexStream) -> io::Result<u8> {
    let connection = AsyncDropGuard::new(Connection(stream));
    let order = reaper.scope(connection, async |connection| {
        connection.0.write_all(b"tea ").await?;
        connection.0.read_u8().await
    });
    order.await
}

// ANCHOR_END: shown

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
// In your crate this is a #[tokio::test(start_paused = true)].
#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> io::Result<()> {
    for polls in 1.. {
        let reaper = AsyncDropReaper::new();
        let (ours, theirs) = tokio::io::duplex(64);
        let server = tokio::spawn(server(theirs));

        let ended = drop_after(polls, order(reaper.handle(), ours)).await;
        let reaped = AsyncDropReaper::shutdown(reaper, Duration::from_secs(5)).await;
        let heard = server.await??;

        let end = if ended.is_some() { "ended" } else { "dropped" };
        println!("{end} at poll {polls}, the server heard {heard:?}");
        reaped.expect("each value is cleaned up");
        assert_eq!(heard.iter().filter(|it| *it == "goodbye").count(), 1);
        if ended.is_some() {
            break;
        }
    }
    Ok(())
}
// ANCHOR_END: shown
