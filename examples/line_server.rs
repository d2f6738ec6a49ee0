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
use std::pin::pin;
use std::process::ExitCode;
use std::time::Duration;

use asyncdrop::{AsyncDrop, AsyncDropGuard, AsyncDropReaper, Reaped, ShutdownError, async_trait};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep, timeout, timeout_at};

/// The longest line a client may send, in bytes, without the newline that ends it.
const MAX_LINE: usize = 1024;

/// How long one goodbye may take. A client that reads nothing costs us no more than that.
const GOODBYE_LIMIT: Duration = Duration::from_secs(2);

/// How many clients there may be at a time. Further ones wait in the backlog of the system until one has left.
const MAX_CLIENTS: usize = 1000;

/// How long we wait after `accept` has failed: a lack of file descriptors lasts, so don't spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

const USAGE: &str =
    "usage: line_server [--addr HOST:PORT] [--clients COUNT] [--idle SECONDS] [--deadline SECONDS]";

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report(error);
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    let options = Options::from_args().map_err(|error| format!("{error} ({USAGE})"))?;
    let told_to_end = told_to_end()?;
    let listener = TcpListener::bind(&options.addr)
        .await
        .map_err(|error| format!("cannot listen on {}: {error}", options.addr))?;
    // With port 0 the system chose the port: what matters is where we really listen.
    writeln!(io::stdout(), "listening on {}", listener.local_addr()?)?;

    let Tally { clean, unclean, .. } = serve(listener, told_to_end, &options).await;
    writeln!(
        io::stdout(),
        "sessions closed cleanly: {clean}, not cleanly: {unclean}"
    )?;
    Ok(())
}

struct Options {
    addr: String,
    /// How many clients there may be at a time.
    clients: usize,
    /// For how long a client may keep us waiting for a line.
    idle: Duration,
    /// How long all goodbyes together may take when the server ends.
    deadline: Duration,
}

impl Options {
    fn from_args() -> Result<Self, lexopt::Error> {
        use lexopt::prelude::*;

        let mut options = Self {
            addr: "127.0.0.1:0".to_owned(),
            clients: MAX_CLIENTS,
            idle: Duration::from_secs(60),
            deadline: Duration::from_secs(5),
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

/// Completes on SIGTERM and on Ctrl-C. From the call on neither ends the process by itself.
#[cfg(unix)]
fn told_to_end() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

#[cfg(not(unix))]
fn told_to_end() -> io::Result<impl Future<Output = ()>> {
    Ok(async {
        let _ = tokio::signal::ctrl_c().await;
    })
}

/// Accepts clients until it is told to end, then ends every session.
async fn serve(
    listener: TcpListener,
    told_to_end: impl Future<Output = ()>,
    options: &Options,
) -> Tally {
    let idle = options.idle;
    let mut tally = Tally::default();
    // ANCHOR: accept
    let reaper = AsyncDropReaper::new();
    let mut sessions = JoinSet::new();
    // One future for all rounds: a fresh one in each would miss a signal between two rounds.
    let mut told_to_end = pin!(told_to_end);
    loop {
        tokio::select! {
            // In this order, so that a crowd of new clients cannot keep the server from stopping.
            biased;
            () = &mut told_to_end => break,
            Some(ended) = sessions.join_next() => tally.count(ended),
            accepted = listener.accept(), if sessions.len() < options.clients => match accepted {
                Ok((stream, peer)) => {
                    let session = Session::new(peer, stream);
                    // Adopted before the task exists: even one that is never polled says goodbye.
                    let session = reaper.adopt_as(peer.to_string(), session);
                    sessions.spawn(attend(session, idle));
                }
                // The client was gone again, or we are out of file descriptors.
                Err(error) => {
                    report(format_args!("cannot accept a client: {error}"));
                    sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    // ANCHOR_END: accept
    // ANCHOR: shutdown
    // From here on clients are refused, where an open listener would let them wait for nobody.
    drop(listener);
    // Every conversation stops where it is, and every session goes to the reaper.
    sessions.abort_all();
    while let Some(ended) = sessions.join_next().await {
        tally.count(ended);
    }
    tally.settle(AsyncDropReaper::shutdown(reaper, options.deadline).await);
    // ANCHOR_END: shutdown
    tally
}

/// Converses and says goodbye. When both fail, the conversation decides what is counted, and both are printed.
async fn attend(mut session: Reaped<Session>, idle: Duration) -> io::Result<()> {
    let conversed = session.converse(idle).await;
    match (conversed, session.async_drop().await) {
        (Err(first), Err(second)) => {
            report(format_args!("a goodbye failed, too: {second}"));
            Err(first)
        }
        (conversed, said) => conversed.and(said),
    }
}

// ANCHOR: session
/// A client, as long as we talk to it.
struct Session {
    peer: SocketAddr,
    stream: BufReader<TcpStream>,
    /// The line that is being received.
    /// Here, not in a local variable: dropping a future that reads loses nothing.
    incoming: Vec<u8>,
    /// What was not yet sent. An interrupted write neither tears a line nor repeats it.
    outgoing: VecDeque<u8>,
    /// Why the session ends, as the client will read it. `None` once it is in `outgoing`.
    goodbye: Option<String>,
}

impl Session {
    /// The only way to get a session, so there is none without a guard.
    fn new(peer: SocketAddr, stream: TcpStream) -> AsyncDropGuard<Self> {
        AsyncDropGuard::new(Self {
            peer,
            stream: BufReader::new(stream),
            incoming: Vec::new(),
            outgoing: VecDeque::new(),
            // What holds for a conversation that nobody lets finish.
            goodbye: Some("the server is shutting down".to_owned()),
        })
    }
    // ANCHOR_END: session

    // ANCHOR: converse
    /// Answers each line until there is a reason to say goodbye.
    /// The error is that of a connection that broke off.
    ///
    /// Cancel safe: all that it knows is in the session, which so stays fit for its goodbye.
    async fn converse(&mut self, idle: Duration) -> io::Result<()> {
        let goodbye = loop {
            match timeout(idle, self.answer()).await {
                Ok(Ok(None)) => {}
                Ok(Ok(Some(goodbye))) => break goodbye,
                Ok(Err(error)) => {
                    self.goodbye = Some("the connection broke off".to_owned());
                    return Err(self.name(error));
                }
                Err(_elapsed) => break format!("no line went back and forth for {idle:?}"),
            }
        };
        self.goodbye = Some(goodbye);
        Ok(())
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

    fn name(&self, error: io::Error) -> io::Error {
        io::Error::new(error.kind(), format!("{}: {error}", self.peer))
    }
}

// ANCHOR: goodbye
#[async_trait]
impl AsyncDrop for Session {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        let said = self.say_goodbye(Instant::now() + GOODBYE_LIMIT).await;
        said.map_err(|error| self.name(error))
    }
}

impl Session {
    /// An interrupted goodbye goes on where it was when this is called again.
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

        // To close a socket that has unread bytes resets the connection,
        // and the goodbye may be lost on its way.
        // So what else the client sends is thrown away until it hangs up.
        // A client that stays is no error: it was told.
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
impl Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Session with {}", self.peer)
    }
}

/// How the sessions ended.
#[derive(Default)]
struct Tally {
    clean: usize,
    unclean: usize,
    /// How many sessions went to the reaper.
    reaped: usize,
}

impl Tally {
    /// Counts a session. Its error is printed at once: a list of them would grow as long as the server runs.
    fn count(&mut self, ended: Result<io::Result<()>, JoinError>) {
        match ended {
            Ok(Ok(())) => self.clean += 1,
            Ok(Err(error)) => {
                self.unclean += 1;
                report_unclean(error);
            }
            // Aborted, or panicked, and the panic has been printed. The goodbye alone decides how it counts.
            Err(_) => self.reaped += 1,
        }
    }

    // ANCHOR: settle
    /// Counts the sessions that went to the reaper.
    fn settle(&mut self, ended: Result<(), ShutdownError>) {
        let mut unclean = 0;
        if let Err(error) = ended {
            for (_, error) in error.errors().iter().flat_map(|errors| errors.iter()) {
                unclean += 1;
                match error.downcast_ref::<io::Error>() {
                    Some(error) => report_unclean(error),
                    None => report_unclean(error),
                }
            }
            for session in error.being_cleaned_up() {
                unclean += 1;
                let peer = session
                    .name()
                    .expect("each session was adopted with a name");
                report_unclean(format_args!("{peer}: its goodbye was cut off"));
            }
        }
        self.unclean += unclean;
        self.clean += self.reaped - unclean;
    }
    // ANCHOR_END: settle
}

fn report_unclean(error: impl Display) {
    report(format_args!("a session was not closed cleanly: {error}"));
}

/// Prints a line to standard error. Unlike `eprintln!` it does not panic when nobody reads it any more.
fn report(line: impl Display) {
    let _ = writeln!(io::stderr(), "line_server: {line}");
}
