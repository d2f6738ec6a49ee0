//! Sessions over streams that take one byte at a time, cut off at every operation, or broken at every byte.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll};

use asyncdrop::AsyncDropReaper;
use asyncdrop::testing::{Cut, Sweep, Trickle};
use tokio::io::{
    AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex, split,
};

use super::{DEADLINE, IDLE_LIMIT, Session, Stream, Tally, attend};

#[tokio::test(start_paused = true)]
async fn a_session_over_a_pipe_of_one_byte_tears_nothing() {
    let mut cuts = 0;
    for cut in Sweep::new() {
        let (ours, theirs) = duplex(1);
        let ended = conversation(Some(&cut), ours, theirs, SAID).await;
        ended.expect_whole(&cut);
        cuts += 1;
    }
    // At least one for each byte that is heard.
    assert!(cuts > ALL.len(), "{cuts}");
}

#[tokio::test(start_paused = true)]
async fn a_session_with_a_slow_peer_tears_nothing() {
    for cut in Sweep::new() {
        let (ours, theirs) = duplex(64);
        let ended = conversation(Some(&cut), Trickle::new(ours), theirs, SAID).await;
        ended.expect_whole(&cut);
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_whose_stream_breaks_counts_once_and_says_nothing_after_the_gap() {
    for left in 0..ALL.len() {
        let (stream, theirs) = duplex(64);
        let ended = conversation(None, Breaking { stream, left }, theirs, SAID).await;
        assert_eq!(ended.heard, ALL[..left]);
        assert_eq!(ended.unclean, 1, "broken after {left} bytes");
    }
}

/// If the task is dropped while it says goodbye, the reaper must not forget why.
#[tokio::test(start_paused = true)]
async fn a_client_that_breaks_off_counts_once_wherever_the_session_is_cut_off() {
    let mut broke_off = 0;
    for cut in Sweep::new() {
        let (ours, theirs) = duplex(1);
        let ended = conversation(Some(&cut), ours, theirs, b"one\nhalf a l").await;
        let noticed = ended.heard.ends_with("goodbye: the connection broke off\n");
        assert_eq!(ended.unclean, usize::from(noticed), "{cut}");
        broke_off += ended.unclean;
    }
    // At each byte of the goodbye.
    assert!(broke_off > "goodbye: ".len(), "{broke_off}");
}

const SAID: &[u8] = b"one\ntwo\nquit\n";
const ALL: &str = "one\ntwo\ngoodbye: you said quit\n";

struct Ended {
    heard: String,
    unclean: usize,
}

/// What a client hears that says all of this, and how the session counts.
async fn conversation<S: Stream>(
    cut: Option<&Cut>,
    ours: S,
    theirs: DuplexStream,
    said: &'static [u8],
) -> Ended {
    let client = tokio::spawn(async move {
        let (mut from_session, mut to_session) = split(theirs);
        let mut heard = String::new();
        let talk = async {
            // The session may be over already.
            if to_session.write_all(said).await.is_ok() {
                let _ = to_session.shutdown().await;
            }
        };
        let (_, read) = tokio::join!(talk, from_session.read_to_string(&mut heard));
        read.map(|_| heard)
    });

    let peer = SocketAddr::from(([127, 0, 0, 1], 7));
    let reaper = AsyncDropReaper::new();
    let tally = Arc::new(Tally::default());
    let session = reaper.adopt_as(peer.to_string(), Session::new(peer, ours, None));
    let attending = attend(session, IDLE_LIMIT, Arc::clone(&tally));
    match cut {
        Some(cut) => drop(cut.run(attending).await),
        None => attending.await,
    }
    if let Err(error) = AsyncDropReaper::shutdown(reaper, DEADLINE).await {
        tally.add(&error);
    }
    Ended {
        heard: client.await.unwrap().unwrap(),
        unclean: tally.unclean.load(Relaxed),
    }
}

impl Ended {
    /// Some answers, whole and in order, and then one goodbye.
    #[track_caller]
    fn expect_whole(&self, cut: &Cut) {
        let heard = &self.heard;
        let (answers, goodbye) = heard.split_once("goodbye: ").expect(heard);
        assert!(
            ["", "one\n", "one\ntwo\n"].contains(&answers),
            "{cut}: {heard:?}"
        );
        let reasons = ["you said quit\n", "the server is shutting down\n"];
        assert!(reasons.contains(&goodbye), "{cut}: {heard:?}");
        assert_eq!(self.unclean, 0, "{cut}");
    }
}

/// A connection that breaks after so many bytes were sent.
#[derive(Debug)]
struct Breaking {
    stream: DuplexStream,
    left: usize,
}

impl AsyncWrite for Breaking {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.left == 0 {
            return Poll::Ready(Err(ErrorKind::BrokenPipe.into()));
        }
        let bytes = &bytes[..bytes.len().min(self.left)];
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        if let Poll::Ready(Ok(written)) = written {
            self.left -= written;
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl AsyncRead for Breaking {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}
