//! Runs the program `examples/line_server.rs` and talks to it over real sockets.

// A process elsewhere than on Unix cannot be sent the Ctrl-C that these tests are about.
#![cfg(all(unix, feature = "tokio"))]

use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::OnceLock;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, ChildStderr, ChildStdout, Command};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::support::build_program;

/// Only a test that would hang for ever ever waits this long.
const PATIENCE: Duration = Duration::from_secs(30);

/// How the server reports the failed goodbye of a session that had failed before.
const SUPPRESSED: &str = " WARN line_server: a goodbye failed, too: ";
const SHUTDOWN: &str = "goodbye: the server is shutting down\n";

#[tokio::test]
async fn every_line_comes_back() {
    let server = Server::start().await;
    let mut client = server.connect().await;
    for line in ["hello\n", "\n", "with a carriage return\r\n", "grüße\n"] {
        client.send(line).await;
        client.expect_line(line).await;
    }
    let longest = "x".repeat(1024) + "\n";
    client.send(&longest).await;
    client.expect_line(&longest).await;
}

#[tokio::test]
async fn a_line_may_arrive_in_pieces() {
    let server = Server::start().await;
    let mut client = server.connect().await;
    let mut other = server.connect().await;
    client.send("one l").await;
    // The answer to somebody else shows that the server went on meanwhile.
    other.expect_echo("somebody else\n").await;
    client.send("ine\nand another\n").await;
    client.expect_line("one line\n").await;
    client.expect_line("and another\n").await;
}

#[tokio::test]
async fn a_client_that_quits_is_told_goodbye() {
    let server = Server::start().await;
    for quit in ["quit\n", "quit\r\n", "quit\nthis is never answered\n"] {
        let mut client = server.connect().await;
        client.expect_echo("hello\n").await;
        client.send(quit).await;
        client.expect_end("goodbye: you said quit\n").await;
    }
    server.expect_clean_end(3).await;
}

#[tokio::test]
async fn a_line_that_is_too_long_ends_the_session() {
    let server = Server::start().await;
    let mut client = server.connect().await;
    // More than the buffers on the way can hold: were the server to close with all this unread,
    // the client would get an error while it still sends, and might never see the goodbye.
    client.send("x".repeat(16_000_000)).await;
    client
        .expect_end("goodbye: a line may have 1024 bytes at most\n")
        .await;

    let mut client = server.connect().await;
    client.send(&("x".repeat(1025) + "\n")).await;
    client
        .expect_end("goodbye: a line may have 1024 bytes at most\n")
        .await;
    server.expect_clean_end(2).await;
}

#[tokio::test]
async fn the_socket_is_shut_down_first_and_closed_when_the_client_has_hung_up() {
    let server = Server::start().await;
    let mut client = server.connect().await;
    client.send("quit\n").await;
    client.expect_end("goodbye: you said quit\n").await;
    // Had the server closed the socket already, the first of these would cause a reset and a later one fail.
    for _ in 0..5 {
        client.send("too late\n").await;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    drop(client);
    server.expect_clean_end(1).await;
}

#[tokio::test]
async fn a_line_that_is_not_utf8_ends_the_session() {
    let server = Server::start().await;
    let mut client = server.connect().await;
    client.expect_echo("hello\n").await;
    client.send(b"caf\xe9\n").await;
    client.expect_end("goodbye: a line must be UTF-8\n").await;
    server.expect_clean_end(1).await;
}

#[tokio::test]
async fn a_client_that_hangs_up_between_lines_is_told_goodbye() {
    let server = Server::start().await;
    let mut client = server.connect().await;
    client.expect_echo("hello\n").await;
    client.close_own_half().await;
    client.expect_end("goodbye: you hung up\n").await;
    server.expect_clean_end(1).await;
}

#[tokio::test]
async fn a_client_that_breaks_off_in_the_middle_of_a_line_is_counted_and_named() {
    let mut server = Server::start().await;
    let mut half_open = server.connect().await;
    let mut gone = server.connect().await;
    let mut stays = server.connect().await;
    let broke_off = |address| unclean(address, "the client broke off in the middle of a line");
    let addresses = [half_open.address(), gone.address()];

    half_open.send("hello\nno newl").await;
    half_open.close_own_half().await;
    half_open
        .expect_end("hello\ngoodbye: the connection broke off\n")
        .await;
    drop(half_open);
    server.expect_report(&broke_off(addresses[0])).await;

    gone.expect_echo("hello\n").await;
    gone.send("no newl").await;
    drop(gone);
    server.expect_report(&broke_off(addresses[1])).await;

    stays.expect_echo("the server is still there\n").await;
    server.interrupt();
    stays.expect_end(SHUTDOWN).await;
    drop(stays);
    let end = server.end().await;
    assert_eq!(end.stdout, "sessions closed cleanly: 1, not cleanly: 2");
    assert_eq!(end.stderr, "");
    assert_eq!(end.status, Some(0));
}

#[tokio::test]
async fn a_client_that_resets_the_connection_is_counted_and_named() {
    let mut server = Server::start().await;
    let mut client = server.connect().await;
    let mut stays = server.connect().await;
    let address = client.address();
    client.expect_echo("hello\n").await;
    client.reset();
    // Neither error is lost: that of the goodbye, then that of the conversation.
    server.expect_report(SUPPRESSED).await;
    server
        .expect_report(&unclean(address, "Connection reset by peer (os error 104)"))
        .await;

    stays.expect_echo("the server is still there\n").await;
    server.interrupt();
    stays.expect_end(SHUTDOWN).await;
    drop(stays);
    let end = server.end().await;
    assert_eq!(end.stdout, "sessions closed cleanly: 1, not cleanly: 1");
    assert_eq!(end.stderr, "");
    assert_eq!(end.status, Some(0));
}

#[tokio::test]
async fn ctrl_c_says_goodbye_to_every_client() {
    let server = Server::start().await;
    let mut clients = Vec::new();
    for number in 0..20 {
        let mut client = server.connect().await;
        client.expect_echo(&format!("client {number}\n")).await;
        clients.push(client);
    }
    // Some are in the middle of a line.
    for client in &mut clients[..5] {
        client.send("no newl").await;
    }
    server.interrupt();
    for mut client in clients {
        client.expect_end(SHUTDOWN).await;
    }
    let end = server.end().await;
    assert_eq!(end.stdout, "sessions closed cleanly: 20, not cleanly: 0");
    assert_eq!(end.stderr, "");
    assert_eq!(end.status, Some(0));
}

#[tokio::test]
async fn ctrl_c_reaches_a_client_that_never_stops_talking() {
    let server = Server::start().await;
    let mut client = server.connect().await;
    client.expect_echo("hello\n").await;
    let (from_server, mut to_server) = client.0.into_inner().into_split();
    let talk =
        tokio::spawn(
            async move { while to_server.write_all(b"and another thing\n").await.is_ok() {} },
        );
    let mut heard = BufReader::new(from_server);
    let mut line = String::new();
    within("the answer", heard.read_line(&mut line))
        .await
        .unwrap();

    server.interrupt();
    let mut rest = String::new();
    within("the goodbye", heard.read_to_string(&mut rest))
        .await
        .unwrap();
    let answers = rest.strip_suffix(SHUTDOWN).expect("the goodbye comes last");
    assert_eq!(
        answers.replace("and another thing\n", ""),
        "",
        "an answer was torn"
    );
    talk.abort();
    let _ = talk.await;
    server.end().await;
}

#[tokio::test]
async fn a_client_that_reads_again_in_time_still_gets_its_goodbye() {
    let server = Server::start().await;
    let mut client = server.connect().await;
    client.expect_echo("hello\n").await;
    client.send_until_stuck().await;
    server.interrupt();

    let mut rest = String::new();
    within("the goodbye", client.0.read_to_string(&mut rest))
        .await
        .unwrap();
    let answers = rest.strip_suffix(SHUTDOWN).expect("the goodbye comes last");
    assert!(answers.ends_with('\n'), "the last answer is torn");
    assert!(
        answers.lines().all(|line| line.len() == 1023),
        "an answer is torn"
    );
    drop(client);
    let end = server.end().await;
    assert_eq!(end.stdout, "sessions closed cleanly: 1, not cleanly: 0");
}

#[tokio::test]
async fn a_client_that_reads_nothing_does_not_hold_up_the_end() {
    let server = Server::start().await;
    let mut client = server.connect().await;
    client.expect_echo("hello\n").await;
    client.send_until_stuck().await;

    let address = client.address();
    server.interrupt();
    let end = server.end().await;
    assert_eq!(end.stdout, "sessions closed cleanly: 0, not cleanly: 1");
    let reason = "saying goodbye: the client did not take it within 2s";
    assert_eq!(end.stderr, unclean(address, reason));
    assert_eq!(end.status, Some(0));
}

#[tokio::test]
async fn a_client_that_stays_after_the_goodbye_does_not_hold_up_the_end() {
    let server = Server::start().await;
    let mut client = server.connect().await;
    client.expect_echo("hello\n").await;
    server.interrupt();
    // It neither reads nor hangs up until the server has ended.
    let end = server.end().await;
    assert_eq!(end.stdout, "sessions closed cleanly: 1, not cleanly: 0");
    client.expect_end(SHUTDOWN).await;
}

#[tokio::test]
async fn a_client_that_says_nothing_is_told_goodbye() {
    let server = Server::start_with(&["--idle", "1"]).await;
    let mut silent = server.connect().await;
    let mut half_a_line = server.connect().await;
    half_a_line.send("no newl").await;
    for client in [&mut silent, &mut half_a_line] {
        client
            .expect_end("goodbye: no line went back and forth for 1s\n")
            .await;
    }
    drop((silent, half_a_line));
    server.expect_clean_end(2).await;
}

#[tokio::test]
async fn a_client_that_reads_nothing_is_named_while_the_server_goes_on() {
    let mut server = Server::start_with(&["--idle", "3"]).await;
    let mut deaf = server.connect().await;
    let address = deaf.address();
    // Until the server has closed the connection.
    let line = "x".repeat(1023) + "\n";
    let talk =
        tokio::spawn(async move { while deaf.0.write_all(line.as_bytes()).await.is_ok() {} });
    let reason = "saying goodbye: the client did not take it within 2s";
    server.expect_report(&unclean(address, reason)).await;
    within("the end of the connection", talk).await.unwrap();

    server.connect().await.expect_echo("still there\n").await;
    server.interrupt();
    let end = server.end().await;
    assert_eq!(end.stdout, "sessions closed cleanly: 1, not cleanly: 1");
    assert_eq!(end.stderr, "");
}

#[tokio::test]
async fn a_task_that_is_aborted_in_the_middle_of_its_goodbye_does_not_repeat_it() {
    let server = Server::start().await;
    let mut clients = Vec::new();
    for _ in 0..10 {
        let mut client = server.connect().await;
        client.send("quit\n").await;
        // The goodbye has not ended yet: it ends when the client hangs up, or after 2 s.
        client.expect_line("goodbye: you said quit\n").await;
        clients.push(client);
    }
    server.interrupt();
    for client in &mut clients {
        client.expect_end("").await;
    }
    drop(clients);
    let end = server.end().await;
    assert_eq!(end.stdout, "sessions closed cleanly: 10, not cleanly: 0");
    assert_eq!(end.stderr, "");
}

/// Two hundred sessions in every state that a session can be in are aborted at once.
#[tokio::test]
async fn ctrl_c_says_goodbye_to_200_clients_within_the_deadline() {
    let server = Server::start().await;
    let mut clients = Vec::new();
    for number in 0..200 {
        let mut client = server.connect().await;
        client.expect_echo(&format!("client {number}\n")).await;
        let goodbye = match number % 5 {
            0 => {
                client.send("quit\n").await;
                "goodbye: you said quit\n"
            }
            1 => {
                client.send("no newl").await;
                SHUTDOWN
            }
            _ => SHUTDOWN,
        };
        clients.push((number, client, goodbye));
    }
    let mut sessions = JoinSet::new();
    for (number, client, goodbye) in clients {
        sessions.spawn(async move {
            let heard = match number % 20 {
                2 => client.talk_until_the_end().await,
                _ => client.listen_until_the_end().await,
            };
            let answers = heard
                .strip_suffix(goodbye)
                .unwrap_or_else(|| panic!("client {number} did not hear {goodbye:?}: {heard:?}"));
            assert_eq!(
                answers.replace("and another thing\n", ""),
                "",
                "client {number} heard something else, too"
            );
        });
    }
    server.interrupt();
    while let Some(session) = within("the goodbyes", sessions.join_next()).await {
        session.unwrap();
    }
    let end = server.end().await;
    assert_eq!(end.stdout, "sessions closed cleanly: 200, not cleanly: 0");
    assert_eq!(end.stderr, "");
    assert_eq!(end.status, Some(0));
}

#[tokio::test]
async fn sigterm_is_as_good_as_ctrl_c() {
    let server = Server::start().await;
    let mut client = server.connect().await;
    client.expect_echo("hello\n").await;
    server.send(Signal::TERM);
    client.expect_end(SHUTDOWN).await;
    drop(client);
    let end = server.end().await;
    assert_eq!(end.stdout, "sessions closed cleanly: 1, not cleanly: 0");
    assert_eq!(end.stderr, "");
    assert_eq!(end.status, Some(0));
}

#[tokio::test]
async fn a_client_too_many_waits_until_another_has_left() {
    let server = Server::start_with(&["--clients", "1"]).await;
    let mut first = server.connect().await;
    first.expect_echo("hello\n").await;
    let mut second = server.connect().await;
    second.send("me, too\n").await;
    let mut answer = String::new();
    let early = timeout(Duration::from_secs(1), second.0.read_line(&mut answer)).await;
    assert!(early.is_err(), "one client too many heard {answer:?}");
    drop(first);
    second.expect_line("me, too\n").await;
    drop(second);
    server.expect_clean_end(2).await;
}

#[tokio::test]
async fn a_goodbye_that_the_deadline_cuts_off_is_named() {
    // The deadline comes before the limit of a single goodbye.
    let server = Server::start_with(&["--deadline", "1"]).await;
    let mut deaf = Vec::new();
    for _ in 0..3 {
        let mut client = server.connect().await;
        client.expect_echo("hello\n").await;
        deaf.push(client);
    }
    let stuck = deaf.iter_mut().map(|client| client.send_until_stuck());
    futures::future::join_all(stuck).await;

    server.interrupt();
    let end = server.end().await;
    let mut cut_off: Vec<_> = end.stderr.lines().collect();
    cut_off.sort_unstable();
    let mut expected: Vec<_> = deaf
        .iter()
        .map(|client| unclean(client.address(), "its goodbye was cut off"))
        .collect();
    expected.sort_unstable();
    assert_eq!(cut_off, expected);
    assert_eq!(end.stdout, "sessions closed cleanly: 0, not cleanly: 3");
    assert_eq!(end.status, Some(0));
}

/// What reads the log may end before the server does.
#[tokio::test]
async fn a_log_that_cannot_be_written_costs_nothing_else() {
    let mut server = Server::start_with(&["--deadline", "1"]).await;
    server.stop_reading_the_log();
    // It is named by a task, and by `main` at the end.
    let mut breaks_off = server.connect().await;
    breaks_off.send("no newl").await;
    breaks_off.close_own_half().await;
    let goodbye = "goodbye: the connection broke off\n";
    breaks_off.expect_end(goodbye).await;
    drop(breaks_off);
    let mut deaf = server.connect().await;
    deaf.expect_echo("hello\n").await;
    deaf.send_until_stuck().await;
    server.interrupt();
    let end = server.end().await;
    assert_eq!(end.stdout, "sessions closed cleanly: 0, not cleanly: 2");
    assert_eq!(end.status, Some(0));
}

#[tokio::test]
async fn a_bad_address_is_one_line_and_exit_status_1() {
    for bad in ["nonsense", "127.0.0.1", "127.0.0.1:99999"] {
        let end = run(&["--addr", bad]).await;
        end.expect_refusal(&format!("ERROR line_server: cannot listen on {bad}: "));
    }
}

#[tokio::test]
async fn a_taken_port_is_one_line_and_exit_status_1() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let end = run(&["--addr", &address]).await;
    end.expect_refusal(&format!(
        "ERROR line_server: cannot listen on {address}: Address already in use"
    ));
}

#[tokio::test]
async fn an_argument_that_it_does_not_know_is_one_line_and_exit_status_1() {
    run(&["--port", "7000"])
        .await
        .expect_refusal("ERROR line_server: invalid option '--port' (usage: ");
    run(&["7000"])
        .await
        .expect_refusal("ERROR line_server: unexpected argument \"7000\" (usage: ");
    run(&["--addr"])
        .await
        .expect_refusal("ERROR line_server: missing argument for option '--addr' (usage: ");
    run(&["--idle", "soon"])
        .await
        .expect_refusal("ERROR line_server: cannot parse argument \"soon\": ");
}

/// The running program. It is killed when a test ends before it does.
struct Server {
    child: Child,
    stdout: Lines<BufReader<ChildStdout>>,
    stderr: Option<Lines<BufReader<ChildStderr>>>,
    address: SocketAddr,
}

/// How the program ended. `stdout` is without the line that says where it listens.
struct End {
    stdout: String,
    stderr: String,
    status: Option<i32>,
}

/// One client. Each thing that it waits for has to come within [`PATIENCE`].
struct Client(BufReader<TcpStream>);

impl Server {
    async fn start() -> Self {
        Self::start_with(&[]).await
    }

    async fn start_with(args: &[&str]) -> Self {
        let mut child = line_server(&["--addr", "127.0.0.1:0"])
            .args(args)
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap()).lines();
        let stderr = BufReader::new(child.stderr.take().unwrap()).lines();
        let line = within("the address", stdout.next_line()).await.unwrap();
        let line = line.expect("the server says where it listens");
        let address = line.strip_prefix("listening on ").expect(&line);
        Self {
            child,
            stdout,
            stderr: Some(stderr),
            address: address.parse().expect(&line),
        }
    }

    async fn connect(&self) -> Client {
        let stream = within("the connection", TcpStream::connect(self.address))
            .await
            .unwrap();
        Client(BufReader::new(stream))
    }

    /// What Ctrl-C in a terminal does.
    fn interrupt(&self) {
        self.send(Signal::INT);
    }

    fn send(&self, signal: Signal) {
        let id = self.child.id().expect("the server is running");
        let id = Pid::from_raw(id.try_into().unwrap()).unwrap();
        kill_process(id, signal).unwrap();
    }

    /// Reads what the server reports until there is a line that begins with `start`.
    async fn expect_report(&mut self, start: &str) {
        loop {
            let stderr = self.stderr.as_mut().expect("it is read");
            let line = within(start, stderr.next_line()).await.unwrap();
            let line = line.expect("the server has not ended yet");
            if line.starts_with(start) {
                return;
            }
            // Where the goodbye failed as well, its error comes first.
            assert!(line.starts_with(SUPPRESSED), "{line:?} is not {start:?}");
        }
    }

    /// The pipe is closed.
    fn stop_reading_the_log(&mut self) {
        self.stderr = None;
    }

    /// Waits until the server has ended, and returns what it printed and nobody has read yet.
    async fn end(mut self) -> End {
        let what = "the end of the server";
        let mut stdout = Vec::new();
        while let Some(line) = within(what, self.stdout.next_line()).await.unwrap() {
            stdout.push(line);
        }
        let mut stderr = Vec::new();
        if let Some(lines) = &mut self.stderr {
            while let Some(line) = within(what, lines.next_line()).await.unwrap() {
                stderr.push(line);
            }
        }
        let status = within(what, self.child.wait()).await.unwrap();
        End {
            stdout: stdout.join("\n"),
            stderr: stderr.join("\n"),
            status: status.code(),
        }
    }

    /// Stops the server with Ctrl-C, after `sessions` sessions of which each was closed cleanly.
    async fn expect_clean_end(self, sessions: usize) {
        self.interrupt();
        let end = self.end().await;
        assert_eq!(
            end.stdout,
            format!("sessions closed cleanly: {sessions}, not cleanly: 0")
        );
        assert_eq!(end.stderr, "");
        assert_eq!(end.status, Some(0));
    }
}

impl Client {
    fn address(&self) -> SocketAddr {
        self.0.get_ref().local_addr().unwrap()
    }

    async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        within("the server to read", self.0.write_all(bytes.as_ref()))
            .await
            .unwrap();
    }

    /// Sends lines and reads no answer. The answers pile up until the server can send no more, and so reads no more.
    async fn send_until_stuck(&mut self) {
        let line = "x".repeat(1023) + "\n";
        let stuck = Duration::from_secs(2);
        let fill = async {
            while timeout(stuck, self.0.write_all(line.as_bytes()))
                .await
                .is_ok()
            {}
        };
        within("the buffers to fill", fill).await;
    }

    async fn expect_line(&mut self, expected: &str) {
        let mut line = String::new();
        within("a line", self.0.read_line(&mut line)).await.unwrap();
        assert_eq!(line, expected);
    }

    /// Sends a line and gets it back. From then on the session exists on the other side.
    async fn expect_echo(&mut self, line: &str) {
        self.send(line).await;
        self.expect_line(line).await;
    }

    /// Reads what is still to come and then the end of the stream. A reset instead of an end is a failure.
    async fn expect_end(&mut self, expected: &str) {
        let mut rest = String::new();
        within("the end of the session", self.0.read_to_string(&mut rest))
            .await
            .unwrap();
        assert_eq!(rest, expected);
    }

    /// What the client hears from now on.
    async fn listen_until_the_end(mut self) -> String {
        let mut heard = String::new();
        within("the end of the session", self.0.read_to_string(&mut heard))
            .await
            .unwrap();
        heard
    }

    /// The same, but all the time the client talks.
    async fn talk_until_the_end(self) -> String {
        let (from_server, mut to_server) = self.0.into_inner().into_split();
        let talk = tokio::spawn(async move {
            while to_server.write_all(b"and another thing\n").await.is_ok() {}
        });
        let mut heard = String::new();
        let mut from_server = BufReader::new(from_server);
        within(
            "the end of the session",
            from_server.read_to_string(&mut heard),
        )
        .await
        .unwrap();
        talk.abort();
        let _ = talk.await;
        heard
    }

    async fn close_own_half(&mut self) {
        self.0.shutdown().await.unwrap();
    }

    /// Lets the connection go in the rough way, so that the server sees an error and no end.
    fn reset(self) {
        let stream = self.0.into_inner();
        stream.set_zero_linger().unwrap();
        drop(stream);
    }
}

impl End {
    /// One line that begins with `start`, nothing on standard output, exit status 1.
    fn expect_refusal(&self, start: &str) {
        assert!(
            self.stderr.starts_with(start),
            "{:?} does not start with {start:?}",
            self.stderr
        );
        assert_eq!(self.stderr.lines().count(), 1, "{:?}", self.stderr);
        assert_eq!(self.stdout, "");
        assert_eq!(self.status, Some(1));
    }
}

/// The line in the log about a session that did not end as it should.
fn unclean(peer: SocketAddr, reason: &str) -> String {
    format!(" WARN line_server: a session was not closed cleanly: {reason} peer={peer}")
}

async fn run(args: &[&str]) -> End {
    let output = within("the program to end", line_server(args).output())
        .await
        .unwrap();
    End {
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
        status: output.status.code(),
    }
}

async fn within<F: Future>(what: &str, future: F) -> F::Output {
    match timeout(PATIENCE, future).await {
        Ok(output) => output,
        Err(_elapsed) => panic!("waited {PATIENCE:?} in vain for {what}"),
    }
}

fn line_server(args: &[&str]) -> Command {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    let mut command = Command::new(PROGRAM.get_or_init(|| build_program("line_server")));
    command
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}
