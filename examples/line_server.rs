//! A TCP server that sends each line back, and lets no client go without a goodbye.
//!
//! ```text
//! cargo run --example line_server -- --addr 127.0.0.1:7000
//! ```
//!
//! Talk to it with `nc 127.0.0.1 7000`, leave with the line `quit`, and stop the server with Ctrl-C or SIGTERM.
//!
//! Each session is a guard that a reaper has adopted, so every way out leads to the same goodbye: a client that quits,
//! hangs up, is idle or breaks a rule, and a task that is aborted, which is how the server ends.
//! In the goodbye the client is told why, everything unsent is flushed, and the socket is shut down.
//!
//! A session counts as closed cleanly when all of that worked and the client did not break off in the middle of a line.
//! A session that was not is named on standard error, with the address of its client.

use std::collections::VecDeque;
use std::error::Error;
use std::fmt::{self, Debug, Display};
use std::io::{self, ErrorKind, Write};
use std::mem;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use asyncdrop::{AsyncDrop, AsyncDropGuard, AsyncDropReaper, Reaped, ShutdownError, async_trait};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The longest line a client may send, in bytes, without the newline that ends it.
const MAX_LINE: usize = 1024;

/// How long one goodbye may take. A client that reads nothing costs us no more than that.
const GOODBYE_LIMIT: Duration = Duration::from_secs(2);

/// How many clients there may be at a time. Further ones wait in the backlog of the system until one has left.
const MAX_CLIENTS: usize = 1000;

/// For how long a client may keep us waiting for a line.
const IDLE_LIMIT: Duration = Duration::from_secs(60);

/// How long all goodbyes together may take when the server ends.
const DEADLINE: Duration = Duration::from_secs(5);

const USAGE: &str =
    "usage: line_server [--addr HOST:PORT] [--clients COUNT] [--idle SECONDS] [--deadline SECONDS]";

#[tokio::main]
async fn main() -> ExitCode {
    support::start_log();
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    let options = Options::from_args().map_err(|error| format!("{error} ({USAGE})"))?;
    let told_to_end = support::cancelled_by_a_signal()?;
    let listener = TcpListener::bind(&options.addr)
        .await
        .map_err(|error| format!("cannot listen on {}: {error}", options.addr))?;
    // With port 0 the system chose the port: what matters is where we really listen.
    writeln!(io::stdout(), "listening on {}", listener.local_addr()?)?;

    let tally = serve(listener, told_to_end, &options).await;
    let (clean, unclean) = tally.sessions();
    writeln!(
        io::stdout(),
        "sessions closed cleanly: {clean}, not cleanly: {unclean}"
    )?;
    Ok(())
}

struct Options {
    addr: String,
    clients: usize,
    idle: Duration,
    deadline: Duration,
}

impl Options {
    fn from_args() -> Result<Self, lexopt::Error> {
        use lexopt::prelude::*;

        let mut options = Self {
            addr: "127.0.0.1:0".to_owned(),
            clients: MAX_CLIENTS,
            idle: IDLE_LIMIT,
            deadline: DEADLINE,
        };
        let mut args = lexopt::Parser::from_env();
        while let Some(arg) = args.next()? {
            match arg {
                Long("addr") => options.addr = args.value()?.string()?,
                Long("clients") => {
                    options.clients = args.value()?.parse::<NonZeroUsize>()?.get();
                }
                Long("idle") => options.idle = Duration::from_secs(args.value()?.parse()?),
                Long("deadline") => options.deadline = Duration::from_secs(args.value()?.parse()?),
                _ => return Err(arg.unexpected()),
            }
        }
        Ok(options)
    }
}

/// Accepts clients until it is told to end, then ends every session.
async fn serve(
    listener: TcpListener,
    told_to_end: CancellationToken,
    options: &Options,
) -> Arc<Tally> {
    let idle = options.idle;
    let tally = Arc::new(Tally::default());
    // ANCHOR: accept
    let reaper = AsyncDropReaper::new();
    let sessions = TaskTracker::new();
    let places = Arc::new(Semaphore::new(options.clients));
    let accepting = async {
        loop {
            let place = Arc::clone(&places).acquire_owned().await;
            let place = place.expect("it is never closed");
            let (stream, peer) = support::accept(&listener).await;
            let session = Session::new(peer, stream, Some(place));
            // Adopted before the task exists: even one that is never polled says goodbye.
            let session = reaper.adopt_as(peer.to_string(), session);
            tally.accepted.fetch_add(1, Relaxed);
            let attending = attend(session, idle, Arc::clone(&tally));
            sessions.spawn(told_to_end.clone().run_until_cancelled_owned(attending));
        }
    };
    told_to_end.run_until_cancelled(accepting).await;
    // ANCHOR_END: accept
    // ANCHOR: shutdown
    // From here on clients are refused, because an open listener would let them wait for nothing.
    drop(listener);
    // The token has dropped every conversation where it was, so every session goes to the reaper.
    sessions.close();
    sessions.wait().await;
    if let Err(error) = AsyncDropReaper::shutdown(reaper, options.deadline).await {
        tally.add(&error);
    }
    // ANCHOR_END: shutdown
    tally
}

/// Converses and says goodbye. The token may drop this anywhere, and the reaper goes on with the goodbye.
async fn attend<S: Stream>(mut session: Reaped<Session<S>>, idle: Duration, tally: Arc<Tally>) {
    let peer = session.peer;
    session.converse(idle).await;
    if let Err(error) = session.async_drop().await {
        tally.count_unclean(peer, error);
    }
}

/// What a session needs of a TCP stream. The tests give it others, which are slower.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Stream for S {}

// ANCHOR: session
/// A client, as long as we talk to it.
struct Session<S> {
    peer: SocketAddr,
    stream: BufReader<S>,
    /// The line that is being received.
    /// It is here and not in a local variable, so dropping a future that reads loses nothing.
    incoming: Vec<u8>,
    /// What was not yet sent. An interrupted write neither tears a line nor repeats it.
    outgoing: VecDeque<u8>,
    /// Why the session ends, as the client will read it. `None` once it is in `outgoing`.
    goodbye: Option<String>,
    /// Why the conversation broke off. The cleanup returns it, to the task or to the reaper.
    failed: Option<io::Error>,
    /// Free for the next client when the goodbye is said.
    _place: Option<OwnedSemaphorePermit>,
}

impl<S: Stream> Session<S> {
    /// The only way to get a session, so there is none without a guard.
    fn new(
        peer: SocketAddr,
        stream: S,
        place: Option<OwnedSemaphorePermit>,
    ) -> AsyncDropGuard<Self> {
        AsyncDropGuard::new(Self {
            peer,
            stream: BufReader::new(stream),
            incoming: Vec::new(),
            outgoing: VecDeque::new(),
            // The reason if the conversation is cut off.
            goodbye: Some("the server is shutting down".to_owned()),
            failed: None,
            _place: place,
        })
    }
    // ANCHOR_END: session

    // ANCHOR: converse
    /// Answers each line until there is a reason to say goodbye.
    ///
    /// Cancel safe: everything it knows is in the session, so that can still say goodbye.
    async fn converse(&mut self, idle: Duration) {
        let goodbye = loop {
            match timeout(idle, self.answer()).await {
                Ok(Ok(None)) => {}
                Ok(Ok(Some(goodbye))) => break goodbye,
                Ok(Err(error)) => {
                    self.failed = Some(error);
                    break "the connection broke off".to_owned();
                }
                Err(_elapsed) => break format!("no line went back and forth for {idle:?}"),
            }
        };
        self.goodbye = Some(goodbye);
    }
    // ANCHOR_END: converse

    /// Sends one line back, or returns why the client wants or gets no further answer.
    async fn answer(&mut self) -> io::Result<Option<String>> {
        // One byte more than the longest line, for its newline. Without the limit a client could fill our memory.
        let room = MAX_LINE + 1 - self.incoming.len();
        let mut stream = (&mut self.stream).take(room as u64);
        stream.read_until(b'\n', &mut self.incoming).await?;

        if self.incoming.last() != Some(&b'\n') {
            return match self.incoming.len() {
                0 => Ok(Some("you hung up".to_owned())),
                1..=MAX_LINE => Err(io::Error::new(
                    ErrorKind::UnexpectedEof,
                    "the client broke off in the middle of a line",
                )),
                _ => Ok(Some(format!("a line may have {MAX_LINE} bytes at most"))),
            };
        }
        let Ok(line) = String::from_utf8(mem::take(&mut self.incoming)) else {
            return Ok(Some("a line must be UTF-8".to_owned()));
        };
        // Some clients, telnet among them, end their lines with "\r\n".
        if line.trim_end_matches(['\r', '\n']) == "quit" {
            return Ok(Some("you said quit".to_owned()));
        }
        self.outgoing.extend(line.bytes());
        self.stream.write_all_buf(&mut self.outgoing).await?;
        Ok(None)
    }
}

// ANCHOR: goodbye
#[async_trait]
impl<S: Stream> AsyncDrop for Session<S> {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        let said = self.say_goodbye(Instant::now() + GOODBYE_LIMIT).await;
        // Taken out after the last `.await`, so that an interruption does not lose it.
        let Some(first) = self.failed.take() else {
            return said;
        };
        if let Err(second) = said {
            tracing::warn!(peer = %self.peer, "a goodbye failed, too: {second}");
        }
        Err(first)
    }
}

impl<S: Stream> Session<S> {
    /// If it is interrupted and called again, the goodbye continues where it was.
    async fn say_goodbye(&mut self, limit: Instant) -> io::Result<()> {
        // `take`, so that a second call does not say it twice.
        if let Some(goodbye) = self.goodbye.take() {
            self.outgoing
                .extend(format!("goodbye: {goodbye}\n").bytes());
        }
        let said = async {
            self.stream.write_all_buf(&mut self.outgoing).await?;
            self.stream.shutdown().await
        };
        timeout_at(limit, said).await.map_err(|_elapsed| {
            let error =
                format!("saying goodbye: the client did not take it within {GOODBYE_LIMIT:?}");
            io::Error::new(ErrorKind::TimedOut, error)
        })??;

        // If we closed a socket that has unread bytes, we would reset the connection,
        // and the goodbye might be lost on its way.
        // So we throw away what else the client sends, until it hangs up.
        // It isn't an error if the client stays, because it was told.
        let mut nowhere = tokio::io::sink();
        let rest = tokio::io::copy_buf(&mut self.stream, &mut nowhere);
        match timeout_at(limit, rest).await {
            Ok(hung_up) => hung_up.map(drop),
            Err(_elapsed) => Ok(()),
        }
    }
}
// ANCHOR_END: goodbye

/// A forgotten guard prints its value, and logs must not have what people say to each other: the peer is enough.
impl<S> Debug for Session<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Session with {}", self.peer)
    }
}

/// How the sessions ended. Those that are not `unclean` were closed cleanly, once no session is left.
#[derive(Default)]
struct Tally {
    accepted: AtomicUsize,
    unclean: AtomicUsize,
}

impl Tally {
    /// Its error is in the log at once: a list of them would grow as long as the server runs.
    fn count_unclean(&self, peer: impl Display, error: impl Display) {
        self.unclean.fetch_add(1, Relaxed);
        tracing::warn!(%peer, "a session was not closed cleanly: {error}");
    }

    // ANCHOR: settle
    /// Counts the sessions to which the reaper could not say goodbye.
    fn add(&self, error: &ShutdownError) {
        for (session, error) in error.errors().iter().flat_map(|errors| errors.iter()) {
            self.count_unclean(session.name().unwrap_or_default(), error);
        }
        for session in error.being_cleaned_up() {
            self.count_unclean(
                session.name().unwrap_or_default(),
                "its goodbye was cut off",
            );
        }
    }
    // ANCHOR_END: settle

    fn sessions(&self) -> (usize, usize) {
        let unclean = self.unclean.load(Relaxed);
        (self.accepted.load(Relaxed) - unclean, unclean)
    }
}

#[cfg(all(test, feature = "testing"))]
#[path = "line_server/slow_peers.rs"]
mod slow_peers;
