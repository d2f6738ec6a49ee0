//! A TCP server that sends each line back, and lets no client go without a goodbye.
//!
//! ```text
//! cargo run --example line_server -- --addr 127.0.0.1:7000
//! ```
//!
//! Talk to it with `nc 127.0.0.1 7000`, leave with the line `quit`, and stop the server with Ctrl-C.
//!
//! Each session is an [`AsyncDropGuard`], so there is one place that ends a session, and every way out leads there:
//! a client that quits or hangs up, a protocol error, a connection that breaks, the end of the server.
//! There the client is told why, everything unsent is flushed, and the socket is shut down.
//!
//! A session counts as closed cleanly when all of that worked and the client did not break off in the middle of a line.
//! A session that was not is named on standard error, with its error.

use std::collections::VecDeque;
use std::error::Error;
use std::fmt::{self, Debug, Display};
use std::io::{self, ErrorKind, Write};
use std::mem;
use std::net::SocketAddr;
use std::pin::pin;
use std::process::ExitCode;
use std::time::Duration;

use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait, with_async_drop_2};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep, timeout_at};

/// The longest line a client may send, in bytes, without the newline that ends it.
const MAX_LINE: usize = 1024;

/// How long one goodbye may take. A client that reads nothing holds up the end of the server for this long, and no longer.
const GOODBYE_LIMIT: Duration = Duration::from_secs(2);

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
    let addr = address_from_args()
        .map_err(|error| format!("{error} (usage: line_server [--addr HOST:PORT])"))?;
    let listener = TcpListener::bind(&addr)
        .await
        .map_err(|error| format!("cannot listen on {addr}: {error}"))?;
    // With port 0 the system chose the port: what matters is where we really listen.
    writeln!(io::stdout(), "listening on {}", listener.local_addr()?)?;

    let Tally { clean, unclean } = serve(listener).await?;
    writeln!(
        io::stdout(),
        "sessions closed cleanly: {clean}, not cleanly: {unclean}"
    )?;
    Ok(())
}

fn address_from_args() -> Result<String, lexopt::Error> {
    use lexopt::prelude::*;

    let mut addr = "127.0.0.1:0".to_owned();
    let mut args = lexopt::Parser::from_env();
    while let Some(arg) = args.next()? {
        match arg {
            Long("addr") => addr = args.value()?.string()?,
            _ => return Err(arg.unexpected()),
        }
    }
    Ok(addr)
}

/// Accepts clients until Ctrl-C, then waits until the last session has ended.
async fn serve(listener: TcpListener) -> io::Result<Tally> {
    let mut tally = Tally::default();
    // The set owns the task of every session. Dropping it would abort them all in the middle of whatever they do,
    // so this function must not return before the set is empty.
    let mut sessions = JoinSet::new();
    let (stop, stopping) = watch::channel(());
    // One future for all rounds of the loop: a fresh one in each would miss a Ctrl-C between two rounds.
    let mut ctrl_c = pin!(tokio::signal::ctrl_c());
    let stopped = loop {
        tokio::select! {
            // In this order, so that a crowd of new clients cannot keep the server from stopping.
            biased;
            signal = &mut ctrl_c => break signal,
            Some(ended) = sessions.join_next() => tally.count(ended),
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    let session = Session::new(peer, stream);
                    let stopping = stopping.clone();
                    sessions.spawn(async move { (peer, converse_until(stopping, session).await) });
                }
                // The client was gone again, or we are out of file descriptors. The latter lasts, so don't spin.
                Err(error) => {
                    report(format_args!("cannot accept a client: {error}"));
                    sleep(Duration::from_millis(100)).await;
                }
            },
        }
    };
    // From here on new clients are refused, where an open listener would let them wait for nobody.
    drop(listener);
    stop.send_replace(());
    while let Some(ended) = sessions.join_next().await {
        tally.count(ended);
    }
    stopped.map(|()| tally)
}

/// The life of one session: a conversation, then the goodbye.
async fn converse_until(
    mut stopping: watch::Receiver<()>,
    session: AsyncDropGuard<Session>,
) -> io::Result<()> {
    with_async_drop_2!(
        session,
        {
            // The select drops the conversation, never the session: the guard is outside of it.
            let goodbye = tokio::select! {
                biased;
                _ = stopping.changed() => "the server is shutting down".to_owned(),
                ended = session.converse() => ended?,
            };
            session.goodbye = Some(goodbye);
            Ok(())
        },
        |error| io::Error::new(error.kind(), format!("saying goodbye: {error}"))
    )
}

/// A client, as long as we talk to it.
struct Session {
    peer: SocketAddr,
    stream: BufReader<TcpStream>,
    /// The line that is being received.
    /// It is kept here, not in a local variable, so that dropping a future that reads loses nothing.
    incoming: Vec<u8>,
    /// What was not yet sent. It is kept here so that an interrupted write neither tears a line nor repeats it.
    outgoing: VecDeque<u8>,
    /// Why the session ends, as the client will read it. `None` once it was put into `outgoing`.
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
            goodbye: Some("the connection broke off".to_owned()),
        })
    }

    /// Sends each line back until there is a reason to say goodbye, and returns that.
    /// The error is that of a connection that broke off.
    ///
    /// Cancel safe: all that it knows is in the session, so a dropped future leaves the session fit for its goodbye.
    async fn converse(&mut self) -> io::Result<String> {
        loop {
            // One byte more than the longest line, for its newline. Without the limit a client could fill our memory.
            let room = MAX_LINE + 1 - self.incoming.len();
            let mut stream = (&mut self.stream).take(room as u64);
            stream.read_until(b'\n', &mut self.incoming).await?;

            if self.incoming.last() != Some(&b'\n') {
                return match self.incoming.len() {
                    0 => Ok("you hung up".to_owned()),
                    1..=MAX_LINE => Err(io::Error::new(
                        ErrorKind::UnexpectedEof,
                        "the client broke off in the middle of a line",
                    )),
                    _ => Ok(format!("a line may have {MAX_LINE} bytes at most")),
                };
            }
            let Ok(line) = String::from_utf8(mem::take(&mut self.incoming)) else {
                return Ok("a line must be UTF-8".to_owned());
            };
            // Some clients, telnet among them, end their lines with "\r\n".
            if line.trim_end_matches(['\r', '\n']) == "quit" {
                return Ok("you said quit".to_owned());
            }
            self.outgoing.extend(line.bytes());
            self.flush().await?;
        }
    }

    async fn flush(&mut self) -> io::Result<()> {
        self.stream.write_all_buf(&mut self.outgoing).await?;
        self.stream.flush().await
    }
}

#[async_trait]
impl AsyncDrop for Session {
    type Error = io::Error;

    /// Says goodbye within [`GOODBYE_LIMIT`]. An interrupted goodbye goes on where it was, with a new limit.
    async fn async_drop_impl(&mut self) -> io::Result<()> {
        // `take`, so that a second call does not say it twice.
        if let Some(goodbye) = self.goodbye.take() {
            self.outgoing
                .extend(format!("goodbye: {goodbye}\n").bytes());
        }
        let limit = Instant::now() + GOODBYE_LIMIT;
        let said = async {
            self.flush().await?;
            self.stream.shutdown().await
        };
        timeout_at(limit, said).await.map_err(|_elapsed| {
            let error = format!("the client did not take it within {GOODBYE_LIMIT:?}");
            io::Error::new(ErrorKind::TimedOut, error)
        })??;

        // To close a socket that has unread bytes resets the connection, and the goodbye may be lost on its way.
        // So what else the client sends is read and thrown away until it hangs up.
        // A client that stays is no error: it was told.
        let mut nowhere = tokio::io::sink();
        let rest = tokio::io::copy_buf(&mut self.stream, &mut nowhere);
        match timeout_at(limit, rest).await {
            Ok(hung_up) => hung_up.map(drop),
            Err(_elapsed) => Ok(()),
        }
    }
}

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
}

impl Tally {
    /// Counts a session. Its error is printed at once: a list of them would grow as long as the server runs.
    fn count(&mut self, ended: Result<(SocketAddr, io::Result<()>), JoinError>) {
        let error = match ended {
            Ok((_, Ok(()))) => return self.clean += 1,
            Ok((peer, Err(error))) => format!("{peer}: {error}"),
            Err(panicked) => panicked.to_string(),
        };
        self.unclean += 1;
        report(format_args!("a session was not closed cleanly: {error}"));
    }
}

/// Prints a line to standard error. Unlike `eprintln!` it does not panic when nobody reads it any more.
fn report(line: impl Display) {
    let _ = writeln!(io::stderr(), "line_server: {line}");
}
