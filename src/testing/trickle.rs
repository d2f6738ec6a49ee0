//! A stream that is as slow as a stream can be.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncBufRead, AsyncRead, AsyncWrite, ReadBuf};

/// A stream that gives and takes one byte at a time, and waits before each.
///
/// In your tests, a pipe or a socket takes a whole message at once, so the code that writes it never waits.
/// But in production it is full at times, and takes half of the message before the task is cancelled.
/// If you wrap the stream, everything that could be torn between two bytes is torn:
/// a [`Sweep`](crate::testing::Sweep) cuts there, and if a cleanup starts its message again, you find out.
///
/// It reads if the stream within does, writes if that does, and buffers if that does.
/// If you need the stream afterwards, lend it: `Trickle::new(&mut stream)`.
///
/// # Examples
///
/// ```
/// use asyncdrop::testing::Trickle;
/// use tokio::io::{AsyncReadExt, AsyncWriteExt};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let (ours, mut theirs) = tokio::io::duplex(64);
/// let mut slow = Trickle::new(ours);
/// assert_eq!(slow.write(b"hello").await?, 1);
///
/// theirs.write_all(b"hello").await?;
/// let mut heard = [0; 5];
/// assert_eq!(slow.read(&mut heard).await?, 1);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Trickle<S> {
    stream: S,
    reading: Turnstile,
    writing: Turnstile,
}

/// Lets one byte through after each wait.
#[derive(Debug, Default)]
struct Turnstile {
    open: bool,
}

impl Turnstile {
    /// The wait before a byte. The task is woken at once, so that the others have their turn and it comes back.
    fn poll_wait(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.open {
            return Poll::Ready(());
        }
        self.open = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn close(&mut self) {
        self.open = false;
    }
}

impl<S> Trickle<S> {
    /// Slows down your stream, which it owns from now on.
    ///
    /// # Examples
    ///
    /// ```
    /// use asyncdrop::testing::Trickle;
    /// use tokio::io::AsyncBufReadExt;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// let mut lines = Trickle::new(&b"one\ntwo\n"[..]).lines();
    /// assert_eq!(lines.next_line().await?.as_deref(), Some("one"));
    /// assert_eq!(lines.next_line().await?.as_deref(), Some("two"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn new(stream: S) -> Self {
        Self {
            stream,
            reading: Turnstile::default(),
            writing: Turnstile::default(),
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Trickle<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        ready!(this.reading.poll_wait(cx));
        let mut byte = [0];
        let room = buffer.remaining().min(1);
        let mut one = ReadBuf::new(&mut byte[..room]);
        let result = ready!(Pin::new(&mut this.stream).poll_read(cx, &mut one));
        buffer.put_slice(one.filled());
        this.reading.close();
        Poll::Ready(result)
    }
}

impl<S: AsyncBufRead + Unpin> AsyncBufRead for Trickle<S> {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let this = self.get_mut();
        ready!(this.reading.poll_wait(cx));
        let filled = ready!(Pin::new(&mut this.stream).poll_fill_buf(cx))?;
        Poll::Ready(Ok(&filled[..filled.len().min(1)]))
    }

    fn consume(mut self: Pin<&mut Self>, read: usize) {
        if read > 0 {
            self.reading.close();
        }
        Pin::new(&mut self.stream).consume(read);
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Trickle<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        ready!(this.writing.poll_wait(cx));
        let one = &bytes[..bytes.len().min(1)];
        let written = ready!(Pin::new(&mut this.stream).poll_write(cx, one));
        this.writing.close();
        Poll::Ready(written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
