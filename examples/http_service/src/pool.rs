//! A pool of connections to the counter, each of which has to say goodbye before it is closed.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::io::{self, ErrorKind};
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use asyncdrop::{AsyncDrop, AsyncDropGuard, Reaped, ReaperHandle, async_trait};
use tokio::io::{
    AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader, split,
};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio::try_join;

/// How long the goodbye of one connection may take. A counter that hangs holds a place in the pool no longer than this.
const GOODBYE_LIMIT: Duration = Duration::from_secs(2);

/// How long a request waits for a place in the pool.
const PLACE_LIMIT: Duration = Duration::from_secs(5);

/// How long a connection may take to open.
const CONNECT_LIMIT: Duration = Duration::from_secs(2);

// ANCHOR: connection
/// A connection to the counter. It speaks the inline commands of Redis: a line there, a line back.
#[derive(Debug)]
pub(crate) struct Connection<S = TcpStream> {
    stream: BufReader<S>,
    /// What was not sent yet. It is kept here so that a cancelled request cannot tear a command.
    outgoing: VecDeque<u8>,
    incoming: Vec<u8>,
    /// A command failed, and its caller has the error. There is no one to say goodbye to.
    broken: bool,
    said_goodbye: bool,
    /// The place in the pool, while the connection is not idle.
    place: Option<OwnedSemaphorePermit>,
}

#[async_trait]
impl<S: Stream> AsyncDrop for Connection<S> {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        if self.broken {
            return Ok(());
        }
        if !mem::replace(&mut self.said_goodbye, true) {
            self.outgoing.extend(b"QUIT\r\n");
        }
        let (mut from_counter, mut to_counter) = split(&mut self.stream);
        let listen = async {
            while from_counter.read_buf(&mut self.incoming).await? > 0 {}
            io::Result::Ok(())
        };
        // At the same time: the counter may still be sending the answer to a command whose sender is gone,
        // and may not read before that has arrived.
        let goodbye = async { try_join!(to_counter.write_all_buf(&mut self.outgoing), listen) };
        timeout(GOODBYE_LIMIT, goodbye).await??;
        match self.incoming.ends_with(b"+OK\r\n") {
            true => Ok(()),
            false => Err(ErrorKind::UnexpectedEof.into()),
        }
    }
}
// ANCHOR_END: connection

/// What a connection needs of a TCP stream. The tests give it others, which are slower.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send + Debug + 'static {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + Debug + 'static> Stream for S {}

impl Connection {
    async fn open(counter: &str) -> io::Result<AsyncDropGuard<Self>> {
        Ok(Self::new(TcpStream::connect(counter).await?))
    }

    /// Between two commands the counter says nothing, so anything that can be read is the end, an error or garbage.
    fn is_alive(&self) -> bool {
        let read = self.stream.get_ref().try_read(&mut [0]);
        self.stream.buffer().is_empty()
            && matches!(read, Err(error) if error.kind() == ErrorKind::WouldBlock)
    }
}

impl<S: Stream> Connection<S> {
    fn new(stream: S) -> AsyncDropGuard<Self> {
        AsyncDropGuard::new(Self {
            stream: BufReader::new(stream),
            outgoing: VecDeque::new(),
            incoming: Vec::new(),
            broken: false,
            said_goodbye: false,
            place: None,
        })
    }

    async fn increment(&mut self, page: &str) -> io::Result<u64> {
        let result = self.try_increment(page).await;
        self.broken = result.is_err();
        result
    }

    async fn try_increment(&mut self, page: &str) -> io::Result<u64> {
        self.outgoing.extend(format!("INCR {page}\r\n").bytes());
        self.stream.write_all_buf(&mut self.outgoing).await?;
        self.incoming.clear();
        self.stream.read_until(b'\n', &mut self.incoming).await?;
        let answer = String::from_utf8_lossy(&self.incoming);
        let count = answer
            .strip_prefix(':')
            .map(|count| count.trim_end().parse());
        count
            .and_then(Result::ok)
            .ok_or_else(|| io::Error::other(format!("the counter answered {answer:?}")))
    }
}

// ANCHOR: pool
/// Opens no more than so many connections, and opens them when they are needed.
#[derive(Debug)]
pub(crate) struct Pool {
    counter: String,
    reaper: ReaperHandle,
    places: Arc<Semaphore>,
    /// How long the counter may take to answer.
    answer_limit: Duration,
    /// `None` after the end of the pool.
    idle: Mutex<Option<Vec<Reaped<Connection>>>>,
}

impl Pool {
    /// Counts a visit. This future may be dropped at any time.
    pub(crate) async fn visit(&self, page: &str) -> io::Result<u64> {
        let places = Arc::clone(&self.places);
        let place = timeout(PLACE_LIMIT, places.acquire_owned()).await?;
        let place = place.map_err(io::Error::other)?;
        let mut connection = match self.idle_connection() {
            Some(connection) => connection,
            None => {
                let opened = timeout(CONNECT_LIMIT, Connection::open(&self.counter)).await;
                self.reaper.adopt(opened??)
            }
        };
        connection.place = Some(place);
        // Here we can be cancelled, or fail. That drops the connection,
        // so the reaper closes it, and then its place is free.
        let count = timeout(self.answer_limit, connection.increment(page)).await??;
        // Only a connection whose command was answered goes back.
        self.put_back(connection);
        Ok(count)
    }
}
// ANCHOR_END: pool

impl Pool {
    pub(crate) fn new(
        counter: String,
        size: usize,
        answer_limit: Duration,
        reaper: ReaperHandle,
    ) -> Self {
        Self {
            counter,
            reaper,
            places: Arc::new(Semaphore::new(size)),
            answer_limit,
            idle: Mutex::new(Some(Vec::new())),
        }
    }

    // ANCHOR: idle
    /// Doesn't hand out a connection that the counter has closed meanwhile, as it does at a restart.
    fn idle_connection(&self) -> Option<Reaped<Connection>> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let idle = idle.as_mut()?;
        loop {
            let mut connection = idle.pop()?;
            if connection.is_alive() {
                return Some(connection);
            }
            // It is dropped here, and can't say goodbye any more.
            connection.broken = true;
        }
    }
    // ANCHOR_END: idle

    fn put_back(&self, mut connection: Reaped<Connection>) {
        // Let go at the end: who gets the place next must find the connection.
        let _place = connection.place.take();
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(idle) = idle.as_mut() {
            idle.push(connection);
        }
    }

    /// Hands the idle connections to the reaper. Those in use follow when their requests end.
    pub(crate) fn close(&self) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        *idle = None;
    }
}

#[cfg(test)]
mod slow_peers;
