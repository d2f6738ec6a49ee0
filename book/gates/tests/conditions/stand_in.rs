//! Stands for tokio in the programs: streams that are as slow as they can be, and steps of which one fails.
//!
//! A program names `tokio`, and gets this module, which is tokio but for its streams and files.
//! With `ASYNCDROP_GATES_SLOW` in the environment each stream gives and takes one byte at a time.
//! With `ASYNCDROP_GATES_FAIL=n` the `n`th step of the program (a read, a write, a file that is made or renamed) fails, and no other.

use std::env;
use std::fmt;
use std::fs::File as Log;
use std::io::{self, SeekFrom, Write};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use ::tokio::io::{AsyncRead, AsyncSeek, AsyncWrite, ReadBuf};
use asyncdrop::testing::Trickle;

pub(crate) const SLOW: &str = "ASYNCDROP_GATES_SLOW";
pub(crate) const FAIL: &str = "ASYNCDROP_GATES_FAIL";
/// A file that gets a line when the step that is to fail is reached.
pub(crate) const FAIL_LOG: &str = "ASYNCDROP_GATES_FAIL_LOG";

static IS_SLOW: LazyLock<bool> = LazyLock::new(|| env::var_os(SLOW).is_some());
static FAILING: LazyLock<Option<usize>> =
    LazyLock::new(|| env::var(FAIL).ok()?.parse::<usize>().ok());
static STEPS: AtomicUsize = AtomicUsize::new(0);

/// Fails if this is the step whose turn it is.
fn step(what: &str) -> io::Result<()> {
    let Some(failing) = *FAILING else {
        return Ok(());
    };
    if STEPS.fetch_add(1, Ordering::Relaxed) + 1 != failing {
        return Ok(());
    }
    if let Some(log) = env::var_os(FAIL_LOG) {
        Log::create(log)?.write_all(what.as_bytes())?;
    }
    Err(io::Error::other(format!("step {failing} fails")))
}

/// A stream or a file of tokio under these conditions.
pub struct Stream<S> {
    stream: Speed<S>,
    /// A read or a write that waits is the same step when it is polled again.
    reads: bool,
    writes: bool,
    addresses: Option<Addresses>,
}

enum Speed<S> {
    Usual(S),
    Slow(Trickle<S>),
}

/// Those of a socket. A `Trickle` does not lend what is in it.
struct Addresses {
    local: SocketAddr,
    peer: SocketAddr,
}

impl<S> Stream<S> {
    /// A stream to somebody else, who may be slow.
    fn to_a_peer(stream: S) -> Self {
        match *IS_SLOW {
            true => Self::new(Speed::Slow(Trickle::new(stream))),
            false => Self::new(Speed::Usual(stream)),
        }
    }

    fn to_a_disk(stream: S) -> Self {
        Self::new(Speed::Usual(stream))
    }

    fn new(stream: Speed<S>) -> Self {
        Self {
            stream,
            reads: false,
            writes: false,
            addresses: None,
        }
    }
}

impl<S: fmt::Debug> fmt::Debug for Stream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.stream {
            Speed::Usual(stream) => stream.fmt(f),
            Speed::Slow(stream) => stream.fmt(f),
        }
    }
}

/// Only files can be asked for another place, and none of them is slow.
impl<S: AsyncSeek + Unpin> AsyncSeek for Stream<S> {
    fn start_seek(self: Pin<&mut Self>, position: SeekFrom) -> io::Result<()> {
        match &mut self.get_mut().stream {
            Speed::Usual(stream) => Pin::new(stream).start_seek(position),
            Speed::Slow(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    fn poll_complete(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<u64>> {
        match &mut self.get_mut().stream {
            Speed::Usual(stream) => Pin::new(stream).poll_complete(cx),
            Speed::Slow(_) => Poll::Ready(Err(io::ErrorKind::Unsupported.into())),
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Stream<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.reads {
            step("a read")?;
        }
        this.reads = true;
        let read = ready!(match &mut this.stream {
            Speed::Usual(stream) => Pin::new(stream).poll_read(cx, buffer),
            Speed::Slow(stream) => Pin::new(stream).poll_read(cx, buffer),
        });
        this.reads = false;
        Poll::Ready(read)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Stream<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if !this.writes {
            step("a write")?;
        }
        this.writes = true;
        let written = ready!(match &mut this.stream {
            Speed::Usual(stream) => Pin::new(stream).poll_write(cx, bytes),
            Speed::Slow(stream) => Pin::new(stream).poll_write(cx, bytes),
        });
        this.writes = false;
        Poll::Ready(written)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Speed::Usual(stream) => Pin::new(stream).poll_flush(cx),
            Speed::Slow(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Speed::Usual(stream) => Pin::new(stream).poll_shutdown(cx),
            Speed::Slow(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

/// What the programs see.
pub mod tokio {
    pub use ::tokio::*;

    /// Streams within the process.
    pub mod io {
        pub use ::tokio::io::*;

        /// One end of a pipe.
        pub type DuplexStream = super::super::Stream<::tokio::io::DuplexStream>;

        /// A pipe.
        pub fn duplex(room: usize) -> (DuplexStream, DuplexStream) {
            let (ours, theirs) = ::tokio::io::duplex(room);
            (
                DuplexStream::to_a_peer(ours),
                DuplexStream::to_a_peer(theirs),
            )
        }
    }

    /// Sockets.
    pub mod net {
        use std::io;
        use std::net::SocketAddr;

        pub use ::tokio::net::*;

        /// A connection.
        pub type TcpStream = super::super::Stream<::tokio::net::TcpStream>;

        impl TcpStream {
            /// As tokio's.
            pub async fn connect(to: impl ToSocketAddrs) -> io::Result<Self> {
                // No step: a program is both sides, and its server would wait for a client that never comes.
                Self::connected(::tokio::net::TcpStream::connect(to).await?)
            }

            fn connected(stream: ::tokio::net::TcpStream) -> io::Result<Self> {
                let addresses = super::super::Addresses {
                    local: stream.local_addr()?,
                    peer: stream.peer_addr()?,
                };
                let mut stream = Self::to_a_peer(stream);
                stream.addresses = Some(addresses);
                Ok(stream)
            }

            /// As tokio's.
            pub fn local_addr(&self) -> io::Result<SocketAddr> {
                Ok(self.addresses()?.local)
            }

            /// As tokio's.
            pub fn peer_addr(&self) -> io::Result<SocketAddr> {
                Ok(self.addresses()?.peer)
            }

            fn addresses(&self) -> io::Result<&super::super::Addresses> {
                self.addresses
                    .as_ref()
                    .ok_or(io::ErrorKind::NotConnected.into())
            }
        }

        /// As tokio's, but for the connections that it accepts.
        #[derive(Debug)]
        pub struct TcpListener(::tokio::net::TcpListener);

        impl TcpListener {
            /// As tokio's.
            pub async fn bind(to: impl ToSocketAddrs) -> io::Result<Self> {
                Ok(Self(::tokio::net::TcpListener::bind(to).await?))
            }

            /// As tokio's.
            pub fn local_addr(&self) -> io::Result<SocketAddr> {
                self.0.local_addr()
            }

            /// As tokio's.
            pub async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
                let (stream, from) = self.0.accept().await?;
                Ok((TcpStream::connected(stream)?, from))
            }
        }
    }

    /// Files.
    pub mod fs {
        use std::io;
        use std::path::Path;

        pub use ::tokio::fs::*;

        use super::super::step;

        /// An open file.
        pub type File = super::super::Stream<::tokio::fs::File>;

        impl File {
            /// As tokio's.
            pub async fn create(path: impl AsRef<Path>) -> io::Result<Self> {
                step("creating a file")?;
                Ok(Self::to_a_disk(::tokio::fs::File::create(path).await?))
            }

            /// As tokio's.
            pub async fn create_new(path: impl AsRef<Path>) -> io::Result<Self> {
                step("creating a file")?;
                Ok(Self::to_a_disk(::tokio::fs::File::create_new(path).await?))
            }

            /// As tokio's.
            pub async fn open(path: impl AsRef<Path>) -> io::Result<Self> {
                step("opening a file")?;
                Ok(Self::to_a_disk(::tokio::fs::File::open(path).await?))
            }

            /// As tokio's.
            pub fn options() -> OpenOptions {
                OpenOptions(::tokio::fs::File::options())
            }

            /// As tokio's.
            pub fn from_std(file: std::fs::File) -> Self {
                Self::to_a_disk(::tokio::fs::File::from_std(file))
            }

            /// As tokio's.
            pub async fn into_std(self) -> std::fs::File {
                self.into_file().into_std().await
            }

            /// As tokio's.
            pub async fn metadata(&self) -> io::Result<std::fs::Metadata> {
                step("looking at a file")?;
                self.file().metadata().await
            }

            /// As tokio's.
            pub async fn sync_all(&self) -> io::Result<()> {
                step("syncing a file")?;
                self.file().sync_all().await
            }
        }

        /// As tokio's, but for what it opens.
        #[derive(Debug)]
        pub struct OpenOptions(::tokio::fs::OpenOptions);

        impl OpenOptions {
            /// As tokio's.
            pub fn append(&mut self, append: bool) -> &mut Self {
                self.0.append(append);
                self
            }

            /// As tokio's.
            pub fn create(&mut self, create: bool) -> &mut Self {
                self.0.create(create);
                self
            }

            /// As tokio's.
            pub fn read(&mut self, read: bool) -> &mut Self {
                self.0.read(read);
                self
            }

            /// As tokio's.
            pub fn write(&mut self, write: bool) -> &mut Self {
                self.0.write(write);
                self
            }

            /// As tokio's.
            pub async fn open(&self, path: impl AsRef<Path>) -> io::Result<File> {
                step("opening a file")?;
                Ok(File::to_a_disk(self.0.open(path).await?))
            }
        }

        /// As tokio's, with a step in front of each.
        macro_rules! steps {
            ($($what:literal $name:ident($($argument:ident: $kind:ty),*) -> $result:ty;)*) => {
                $(
                    /// As tokio's.
                    pub async fn $name($($argument: $kind),*) -> io::Result<$result> {
                        step($what)?;
                        ::tokio::fs::$name($($argument),*).await
                    }
                )*
            };
        }

        steps! {
            "copying a file" copy(from: impl AsRef<Path>, to: impl AsRef<Path>) -> u64;
            "creating a folder" create_dir(path: impl AsRef<Path>) -> ();
            "creating folders" create_dir_all(path: impl AsRef<Path>) -> ();
            "reading a file" read(path: impl AsRef<Path>) -> Vec<u8>;
            "reading a folder" read_dir(path: impl AsRef<Path>) -> ReadDir;
            "reading a file" read_to_string(path: impl AsRef<Path>) -> String;
            "removing a folder" remove_dir(path: impl AsRef<Path>) -> ();
            "removing a folder" remove_dir_all(path: impl AsRef<Path>) -> ();
            "removing a file" remove_file(path: impl AsRef<Path>) -> ();
            "renaming a file" rename(from: impl AsRef<Path>, to: impl AsRef<Path>) -> ();
            "writing a file" write(path: impl AsRef<Path>, contents: impl AsRef<[u8]>) -> ();
        }
    }
}

impl Stream<::tokio::fs::File> {
    fn file(&self) -> &::tokio::fs::File {
        match &self.stream {
            Speed::Usual(file) => file,
            Speed::Slow(_) => unreachable!("a disk is no peer"),
        }
    }

    fn into_file(self) -> ::tokio::fs::File {
        match self.stream {
            Speed::Usual(file) => file,
            Speed::Slow(_) => unreachable!("a disk is no peer"),
        }
    }
}
