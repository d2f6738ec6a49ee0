//! Collects lines from many clients in one file, and loses none that it has acknowledged.
//!
//! ```text
//! cargo run --example background_worker -- --file lines.log --addr 127.0.0.1:7001
//! ```
//!
//! Talk to it with `nc 127.0.0.1 7001`, and stop it with SIGTERM or Ctrl-C.
//! It answers each line with `ok`, and before it hangs up on a client that breaks a rule it says why.
//!
//! `ok` means: this line is in the queue, and it will be in the file once, before the process ends.
//! The file is written and synced once a second, and a last time when the process is told to end, or fails.
//! Exit status 0 says that this worked, and that the file has every acknowledged line.
//! Only what no process can see coming, SIGKILL or a power cut, loses lines: those since the last sync.
//!
//! A client that reads until the end of the stream knows of each of its lines whether it is in the file.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt::Debug;
use std::io::{self, ErrorKind, Write};
use std::mem;
use std::num::{NonZeroU64, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use asyncdrop::{AsyncDrop, AsyncDropGuard, AsyncDropReaper, Reaped, async_trait};
use tokio::fs::File;
use tokio::io::{
    AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader, BufWriter,
};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, interval_at, timeout};

/// The longest line that is taken, in bytes, with the newline that ends it.
const MAX_LINE: usize = 1024;

/// How many lines may wait for the writer. When there are more, the clients wait for their `ok`.
const QUEUE: usize = 1024;

/// How many bytes are collected before they are written.
const WRITE_BUFFER: usize = 64 * 1024;

/// How long the end of one connection may take.
const FAREWELL_LIMIT: Duration = Duration::from_secs(2);

/// How many clients there may be at a time. Further ones wait in the backlog of the system until one has left.
const MAX_CLIENTS: usize = 1000;

/// How long a client may take to send a line, and to take an answer. Otherwise it would keep its place for good.
const IDLE_LIMIT: Duration = Duration::from_secs(300);

/// How often the file is synced.
const SYNC_PERIOD: Duration = Duration::from_secs(1);

/// How long it may take, at the end, to flush the queue and to end the connections.
const DEADLINE: Duration = Duration::from_secs(10);

const USAGE: &str = "usage: background_worker --file FILE [--addr HOST:PORT] [--clients COUNT] \
    [--idle SECONDS] [--sync SECONDS] [--deadline SECONDS]";

// ANCHOR: main
#[tokio::main]
async fn main() {
    support::start_log();
    let status = match run().await {
        Ok(()) => 0,
        Err(error) => {
            tracing::error!("{error:#}");
            1
        }
    };
    // Nothing is left to clean up.
    // Returning would wait for a disk that hangs, even after the deadline.
    std::process::exit(status);
}

async fn run() -> anyhow::Result<()> {
    let options = Options::from_args().map_err(|error| anyhow!("{error} ({USAGE})"))?;
    let told_to_end = support::cancelled_by_a_signal()?;
    let reaper = AsyncDropReaper::new();
    let collecting = told_to_end.run_until_cancelled(collect(&reaper, &options));
    let collected = collecting.await.unwrap_or(Ok(()));
    // The token has dropped `collect` wherever it was.
    // The reaper has everything that was open there.
    match AsyncDropReaper::shutdown(reaper, options.deadline).await {
        Ok(()) => collected,
        Err(error) => {
            if let Err(first) = collected {
                tracing::error!("{first:#}");
            }
            Err(anyhow::Error::new(error).context("acknowledged lines may be lost"))
        }
    }
}
// ANCHOR_END: main

struct Options {
    file: PathBuf,
    addr: String,
    clients: usize,
    idle: Duration,
    sync: Duration,
    deadline: Duration,
}

impl Options {
    fn from_args() -> Result<Self, lexopt::Error> {
        use lexopt::prelude::*;

        let mut file = None;
        let mut addr = "127.0.0.1:0".to_owned();
        let mut clients = MAX_CLIENTS;
        let mut idle = IDLE_LIMIT;
        let mut sync = SYNC_PERIOD;
        let mut deadline = DEADLINE;
        let mut args = lexopt::Parser::from_env();
        while let Some(arg) = args.next()? {
            match arg {
                Long("file") => file = Some(args.value()?.into()),
                Long("addr") => addr = args.value()?.string()?,
                Long("clients") => clients = args.value()?.parse::<NonZeroUsize>()?.get(),
                Long("idle") => idle = Duration::from_secs(args.value()?.parse()?),
                Long("sync") => {
                    sync = Duration::from_secs(args.value()?.parse::<NonZeroU64>()?.get());
                }
                Long("deadline") => deadline = Duration::from_secs(args.value()?.parse()?),
                _ => return Err(arg.unexpected()),
            }
        }
        Ok(Self {
            file: file.ok_or("missing option '--file'")?,
            addr,
            clients,
            idle,
            sync,
            deadline,
        })
    }
}

// ANCHOR: collect
/// Takes lines from whatever client connects.
/// It returns when it cannot go on, and may be dropped at any time.
async fn collect(reaper: &AsyncDropReaper, options: &Options) -> anyhow::Result<()> {
    let Options { file, addr, .. } = options;
    let listener = TcpListener::bind(addr).await;
    let listener = listener.with_context(|| format!("cannot listen on {addr}"))?;
    let journal = Journal::open(file, options.sync).await;
    let journal = journal.with_context(|| format!("cannot open {}", file.display()))?;
    let journal = reaper.adopt(journal);
    writeln!(io::stdout(), "listening on {}", listener.local_addr()?)?;

    // Dropping the set aborts the tasks, and each drops its connection, which the reaper has adopted.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = journal.failed() => bail!("the file cannot be written"),
            Some(ended) = connections.join_next() => {
                if let Err(error) = ended {
                    tracing::error!("a connection failed: {error}");
                }
            }
            // In the other iterations the clients wait in the backlog of the system.
            (stream, peer) = support::accept(&listener), if connections.len() < options.clients => {
                let connection = reaper.adopt_as(peer.to_string(), Connection::new(stream));
                connections.spawn(attend(connection, journal.queue(), options.idle));
            }
        }
    }
}
// ANCHOR_END: collect

type Line = Vec<u8>;

// ANCHOR: journal
/// The file, the task that writes it, and the queue between that and the connections.
#[derive(Debug)]
struct Journal {
    /// `None` once the cleanup has begun.
    queue: Option<mpsc::Sender<Line>>,
    writer: JoinHandle<io::Result<()>>,
}

#[async_trait]
impl AsyncDrop for Journal {
    type Error = io::Error;

    /// Returns when all that was queued is in the file and the file is synced.
    async fn async_drop_impl(&mut self) -> io::Result<()> {
        // The connections have clones, which go with their tasks.
        // When none is left, and the queue is empty, the writer ends.
        self.queue = None;
        // By reference, so that a second call waits for the same task.
        (&mut self.writer).await?
    }
}
// ANCHOR_END: journal

impl Journal {
    async fn open(path: &Path, sync: Duration) -> io::Result<AsyncDropGuard<Self>> {
        let file = File::options().create(true).append(true).open(path).await?;
        let (queue, lines) = mpsc::channel(QUEUE);
        Ok(AsyncDropGuard::new(Self {
            queue: Some(queue),
            writer: tokio::spawn(write(lines, file, sync)),
        }))
    }

    fn queue(&self) -> mpsc::Sender<Line> {
        self.queue.as_ref().expect("the journal is open").clone()
    }

    /// Completes when the writer has given up.
    async fn failed(&self) {
        self.queue
            .as_ref()
            .expect("the journal is open")
            .closed()
            .await;
    }
}

// ANCHOR: write
async fn write(mut lines: mpsc::Receiver<Line>, file: File, every: Duration) -> io::Result<()> {
    let mut file = BufWriter::with_capacity(WRITE_BUFFER, file);
    let mut batch = Vec::with_capacity(QUEUE);
    let mut sync = interval_at(Instant::now() + every, every);
    loop {
        tokio::select! {
            taken = lines.recv_many(&mut batch, QUEUE) => {
                if taken == 0 {
                    // The queue is closed and empty.
                    break;
                }
                for line in batch.drain(..) {
                    file.write_all(&line).await?;
                }
            }
            _ = sync.tick() => {
                file.flush().await?;
                file.get_ref().sync_data().await?;
                // The period begins after the sync.
                // Otherwise a sync that takes longer than that is due again at once,
                // and the lines get a turn only now and then.
                sync.reset();
            }
        }
    }
    file.flush().await?;
    file.get_ref().sync_all().await
}
// ANCHOR_END: write

async fn attend<S: Stream>(
    mut connection: Reaped<Connection<S>>,
    queue: mpsc::Sender<Line>,
    idle: Duration,
) {
    if let Err(error) = connection.take_lines(&queue, idle).await {
        tracing::warn!("a connection broke off: {error}");
    }
    let Ok(()) = connection.async_drop().await;
}

/// What a connection needs of a TCP stream. The tests give it others, which are slower.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send + Debug + 'static {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + Debug + 'static> Stream for S {}

#[derive(Debug)]
struct Connection<S> {
    stream: BufReader<S>,
    /// The line that is being received.
    incoming: Line,
    /// Acknowledgements that were not yet sent.
    unsent: VecDeque<u8>,
}

impl<S: Stream> Connection<S> {
    fn new(stream: S) -> AsyncDropGuard<Self> {
        AsyncDropGuard::new(Self {
            stream: BufReader::new(stream),
            incoming: Vec::new(),
            unsent: VecDeque::new(),
        })
    }

    // ANCHOR: take_lines
    /// Queues and acknowledges each line until the client hangs up or breaks a rule.
    async fn take_lines(&mut self, queue: &mpsc::Sender<Line>, idle: Duration) -> io::Result<()> {
        loop {
            let room = MAX_LINE - self.incoming.len();
            let mut stream = (&mut self.stream).take(room as u64);
            let read = stream.read_until(b'\n', &mut self.incoming);
            let Ok(read) = timeout(idle, read).await else {
                self.unsent.extend(b"error: no line came in time\n");
                return Ok(());
            };
            read?;
            if self.incoming.last() != Some(&b'\n') {
                if self.incoming.len() == MAX_LINE {
                    self.unsent.extend(b"error: the line is too long\n");
                }
                return Ok(());
            }
            let Ok(place) = queue.reserve().await else {
                return Ok(());
            };
            // There is no `.await` between these two, so there is never one without the other.
            place.send(mem::take(&mut self.incoming));
            self.unsent.extend(b"ok\n");
            let sent = timeout(idle, self.stream.write_all_buf(&mut self.unsent)).await;
            sent.map_err(|_elapsed| io::Error::new(ErrorKind::TimedOut, "it took no answer"))??;
        }
    }
    // ANCHOR_END: take_lines
}

// ANCHOR: connection
#[async_trait]
impl<S: Stream> AsyncDrop for Connection<S> {
    /// It isn't our failure if a client leaves before its last `ok`, because we keep the line.
    type Error = Infallible;

    async fn async_drop_impl(&mut self) -> Result<(), Infallible> {
        let farewell = async {
            self.stream.write_all_buf(&mut self.unsent).await?;
            self.stream.shutdown().await?;
            // If we closed a socket that has unread bytes, we would reset the connection,
            // and acknowledgements might be lost on their way.
            tokio::io::copy_buf(&mut self.stream, &mut tokio::io::sink()).await
        };
        let _ = timeout(FAREWELL_LIMIT, farewell).await;
        Ok(())
    }
}
// ANCHOR_END: connection

#[cfg(all(test, feature = "testing"))]
#[path = "background_worker/slow_peers.rs"]
mod slow_peers;
