//! Stands for tokio in the programs: streams that are as slow as they can be, and steps of which one fails.
//!
//! A program names `tokio`, and gets this module, which is tokio but for its streams and files.
//! With `ASYNCDROP_GATES_SLOW` in the environment each stream gives and takes one byte at a time.
//! With `ASYNCDROP_GATES_NARROW` each pipe has room for one byte, whatever the program asked for.
//! Both name a file, which is made when the program has such a stream.
//! With `ASYNCDROP_GATES_FAIL=n` the `n`th step of the program fails, and no other: a read, a write, a file that is made or renamed,
//! or a message that is waited for, whose channel closes instead.
//! It stands for `std`, too, because some programs make their files there.

use ::std::env;
use ::std::fmt;
use ::std::fs;
use ::std::io::{self, SeekFrom};
use ::std::net::SocketAddr;
use ::std::pin::Pin;
use ::std::sync::LazyLock;
use ::std::sync::atomic::{AtomicUsize, Ordering};
use ::std::task::{Context, Poll, ready};

use ::tokio::io::{AsyncRead, AsyncSeek, AsyncWrite, ReadBuf};
use asyncdrop::testing::Trickle;

pub(crate) const SLOW: &str = "ASYNCDROP_GATES_SLOW";
pub(crate) const NARROW: &str = "ASYNCDROP_GATES_NARROW";
pub(crate) const FAIL: &str = "ASYNCDROP_GATES_FAIL";
/// A file that gets a line when the step that is to fail is reached.
pub(crate) const FAIL_LOG: &str = "ASYNCDROP_GATES_FAIL_LOG";

static IS_SLOW: LazyLock<bool> = LazyLock::new(|| holds(SLOW));
static IS_NARROW: LazyLock<bool> = LazyLock::new(|| holds(NARROW));
static FAILING: LazyLock<Option<usize>> =
    LazyLock::new(|| env::var(FAIL).ok()?.parse::<usize>().ok());
static STEPS: AtomicUsize = AtomicUsize::new(0);

/// Whether the condition holds. The first stream asks, so the gate learns that there is one.
fn holds(condition: &str) -> bool {
    let Some(file) = env::var_os(condition) else {
        return false;
    };
    fs::write(file, "").expect("the gate names a file that can be made");
    true
}

/// Fails if this is the step whose turn it is.
fn step(what: &str) -> io::Result<()> {
    match fails(what) {
        true => Err(io::Error::other(format!("{what} fails"))),
        false => Ok(()),
    }
}

/// Whether this is the step whose turn it is.
fn fails(what: &str) -> bool {
    let Some(failing) = *FAILING else {
        return false;
    };
    if STEPS.fetch_add(1, Ordering::Relaxed) + 1 != failing {
        return false;
    }
    if let Some(log) = env::var_os(FAIL_LOG) {
        fs::write(log, what).expect("the gate names a file that can be made");
    }
    true
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
            let room = if *super::super::IS_NARROW { 1 } else { room };
            let (ours, theirs) = ::tokio::io::duplex(room);
            (
                DuplexStream::to_a_peer(ours),
                DuplexStream::to_a_peer(theirs),
            )
        }
    }

    /// Channels.
    pub mod sync {
        pub use ::tokio::sync::*;

        /// Many messages.
        pub mod mpsc {
            use ::std::ops::{Deref, DerefMut};

            pub use ::tokio::sync::mpsc::*;

            use super::super::super::fails;

            /// As tokio's, with a receiver that can close early.
            pub fn channel<T>(room: usize) -> (Sender<T>, Receiver<T>) {
                let (sender, receiver) = ::tokio::sync::mpsc::channel(room);
                (sender, Receiver(receiver))
            }

            /// As tokio's. If its step fails, it closes: it still gives out what was sent before.
            #[derive(Debug)]
            pub struct Receiver<T>(::tokio::sync::mpsc::Receiver<T>);

            impl<T> Receiver<T> {
                /// As tokio's.
                pub async fn recv(&mut self) -> Option<T> {
                    if fails("receiving a message") {
                        self.0.close();
                    }
                    self.0.recv().await
                }
            }

            impl<T> Deref for Receiver<T> {
                type Target = ::tokio::sync::mpsc::Receiver<T>;

                fn deref(&self) -> &Self::Target {
                    &self.0
                }
            }

            impl<T> DerefMut for Receiver<T> {
                fn deref_mut(&mut self) -> &mut Self::Target {
                    &mut self.0
                }
            }
        }

        /// One message.
        pub mod oneshot {
            use ::std::ops::{Deref, DerefMut};
            use ::std::pin::Pin;
            use ::std::task::{Context, Poll};

            pub use ::tokio::sync::oneshot::*;

            use super::super::super::fails;

            /// As tokio's, with a receiver to whom nothing may come.
            pub fn channel<T>() -> (Sender<T>, Receiver<T>) {
                let (sender, receiver) = ::tokio::sync::oneshot::channel();
                let waits = false;
                (sender, Receiver { receiver, waits })
            }

            /// As tokio's. If its step fails, its sender seems to be gone.
            #[derive(Debug)]
            pub struct Receiver<T> {
                receiver: ::tokio::sync::oneshot::Receiver<T>,
                /// When it is polled again it is the same step.
                waits: bool,
            }

            impl<T> Receiver<T> {
                /// As tokio's.
                pub fn blocking_recv(self) -> Result<T, error::RecvError> {
                    self.receiver.blocking_recv()
                }
            }

            impl<T> Deref for Receiver<T> {
                type Target = ::tokio::sync::oneshot::Receiver<T>;

                fn deref(&self) -> &Self::Target {
                    &self.receiver
                }
            }

            impl<T> DerefMut for Receiver<T> {
                fn deref_mut(&mut self) -> &mut Self::Target {
                    &mut self.receiver
                }
            }

            impl<T> Future for Receiver<T> {
                type Output = Result<T, error::RecvError>;

                fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
                    let this = self.get_mut();
                    if !this.waits && fails("receiving an answer") {
                        // The other half of this one is gone.
                        this.receiver = ::tokio::sync::oneshot::channel().1;
                    }
                    this.waits = true;
                    Pin::new(&mut this.receiver).poll(cx)
                }
            }
        }
    }

    /// Sockets.
    pub mod net {
        use ::std::io;
        use ::std::net::SocketAddr;

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
        use ::std::io;
        use ::std::path::Path;

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
            pub fn from_std(file: impl Into<::std::fs::File>) -> Self {
                Self::to_a_disk(::tokio::fs::File::from_std(file.into()))
            }

            /// As tokio's.
            pub async fn into_std(self) -> ::std::fs::File {
                self.into_file().into_std().await
            }

            /// As tokio's.
            pub async fn metadata(&self) -> io::Result<::std::fs::Metadata> {
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

/// What the programs see of the standard library.
pub mod std {
    pub use ::std::*;

    /// Files.
    pub mod fs {
        pub use ::std::fs::*;
        use ::std::io::{Read, Result, Write};
        use ::std::ops::{Deref, DerefMut};
        use ::std::path::Path;

        use super::super::step;

        /// As that of the standard library.
        #[derive(Debug)]
        pub struct File(::std::fs::File);

        impl File {
            /// As that of the standard library.
            pub fn create(path: impl AsRef<Path>) -> Result<Self> {
                step("creating a file")?;
                ::std::fs::File::create(path).map(Self)
            }

            /// As that of the standard library.
            pub fn create_new(path: impl AsRef<Path>) -> Result<Self> {
                step("creating a file")?;
                ::std::fs::File::create_new(path).map(Self)
            }

            /// As that of the standard library.
            pub fn sync_all(&self) -> Result<()> {
                step("syncing a file")?;
                self.0.sync_all()
            }
        }

        impl From<File> for ::std::fs::File {
            fn from(file: File) -> Self {
                file.0
            }
        }

        impl Deref for File {
            type Target = ::std::fs::File;

            fn deref(&self) -> &Self::Target {
                &self.0
            }
        }

        impl DerefMut for File {
            fn deref_mut(&mut self) -> &mut Self::Target {
                &mut self.0
            }
        }

        impl Read for File {
            fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
                step("a read")?;
                self.0.read(buffer)
            }
        }

        impl Write for File {
            fn write(&mut self, bytes: &[u8]) -> Result<usize> {
                (&*self).write(bytes)
            }

            fn flush(&mut self) -> Result<()> {
                (&*self).flush()
            }
        }

        impl Write for &File {
            fn write(&mut self, bytes: &[u8]) -> Result<usize> {
                step("a write")?;
                (&self.0).write(bytes)
            }

            fn flush(&mut self) -> Result<()> {
                (&self.0).flush()
            }
        }

        /// As that of the standard library.
        pub fn create_dir(path: impl AsRef<Path>) -> Result<()> {
            step("creating a folder")?;
            ::std::fs::create_dir(path)
        }

        /// As that of the standard library.
        pub fn write(path: impl AsRef<Path>, contents: impl AsRef<[u8]>) -> Result<()> {
            step("writing a file")?;
            ::std::fs::write(path, contents)
        }

        /// As that of the standard library.
        pub fn rename(from: impl AsRef<Path>, to: impl AsRef<Path>) -> Result<()> {
            step("renaming a file")?;
            ::std::fs::rename(from, to)
        }
    }
}
