//! Runs the service as a process, with a counter that the tests hold still, and talks to it over HTTP.

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::process::Stdio;
use std::time::Duration;

use reqwest::{Client, StatusCode};
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Only a test that would hang for ever ever waits this long.
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn visits_are_counted_on_one_connection_and_it_is_closed_at_the_end() {
    let counter = Counter::start().await;
    let service = Service::start(&["--counter", &counter.address]).await;
    for count in ["1\n", "2\n", "3\n"] {
        service.expect_answer("home", StatusCode::OK, count).await;
    }
    service.expect_answer("about", StatusCode::OK, "1\n").await;
    assert_eq!(service.end(Signal::TERM).await, closed());
    let home = "INCR home";
    counter
        .expect_heard(&[&[home, home, home, "INCR about", "QUIT", "end"]])
        .await;
}

#[tokio::test]
async fn ctrl_c_ends_it_too() {
    let counter = Counter::start().await;
    let service = Service::start(&["--counter", &counter.address]).await;
    service.expect_answer("home", StatusCode::OK, "1\n").await;
    assert_eq!(service.end(Signal::INT).await, closed());
    counter.expect_heard(&[&["INCR home", "QUIT", "end"]]).await;
}

#[tokio::test]
async fn it_brings_a_counter_along() {
    let service = Service::start(&[]).await;
    service.expect_answer("home", StatusCode::OK, "1\n").await;
    service.expect_answer("home", StatusCode::OK, "2\n").await;
    assert_eq!(service.end(Signal::TERM).await, closed());
}

#[tokio::test]
async fn a_name_cannot_smuggle_in_a_command() {
    let counter = Counter::start().await;
    let service = Service::start(&["--counter", &counter.address]).await;
    let reason = "the name of a page has only letters and digits\n";
    for name in ["home%0D%0AQUIT", "a%20b", "%C3%A9"] {
        let status = StatusCode::BAD_REQUEST;
        service.expect_answer(name, status, reason).await;
    }
    assert_eq!(service.end(Signal::TERM).await, closed());
    counter.expect_heard(&[]).await;
}

#[tokio::test]
async fn a_counter_that_is_gone_is_a_bad_gateway_and_no_error_of_the_shutdown() {
    let mut counter = Counter::start().await;
    let service = Service::start(&["--counter", &counter.address]).await;
    service.expect_answer("home", StatusCode::OK, "1\n").await;
    // It closes the idle connection, and then nobody listens.
    counter.stop().await;
    for _ in 0..2 {
        let (status, _) = service.visitor.visit("home").await.unwrap();
        assert_eq!(status, StatusCode::BAD_GATEWAY);
    }
    let end = service.end(Signal::TERM).await;
    assert_eq!(end.status, Some(0));
    let warning = " WARN http_service: a visit was not counted: Connection refused";
    let lines: Vec<_> = end.stderr.lines().collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(
        lines.iter().all(|line| line.starts_with(warning)),
        "{lines:?}"
    );
}

#[tokio::test]
async fn a_counter_that_was_restarted_costs_no_request() {
    let mut counter = Counter::start().await;
    let service = Service::start(&["--counter", &counter.address]).await;
    counter.set_mode(Mode::Silent);
    let mut visits = service.spawn_visits(8);
    counter
        .until("every command", |heard| commands(heard) == 8)
        .await;
    counter.set_mode(Mode::Answers);
    while let Some(visit) = visits.join_next().await {
        assert_eq!(visit.unwrap().unwrap().0, StatusCode::OK);
    }

    // Eight connections are idle, and none of them outlives this.
    counter.stop().await;
    let counter = Counter::start_at(&counter.address).await;
    for count in 1..=8 {
        service
            .expect_answer("home", StatusCode::OK, &format!("{count}\n"))
            .await;
    }
    assert_eq!(service.end(Signal::TERM).await, closed());
    counter.expect_closed_once().await;
}

/// The limit cancels the visit, and the reaper closes the connection that it used.
#[tokio::test]
async fn a_counter_that_does_not_answer_is_a_gateway_timeout() {
    let counter = Counter::start().await;
    let args = [
        "--counter",
        &counter.address,
        "--connections",
        "1",
        "--answer-ms",
        "500",
    ];
    let service = Service::start(&args).await;
    counter.set_mode(Mode::Silent);
    let (status, _) = service.visitor.visit("home").await.unwrap();
    assert_eq!(status, StatusCode::GATEWAY_TIMEOUT);

    // The only place in the pool is free again.
    counter.set_mode(Mode::Answers);
    service.expect_answer("home", StatusCode::OK, "2\n").await;
    assert_eq!(service.end(Signal::TERM).await, closed());
    assert_eq!(counter.expect_closed_once().await.len(), 2);
}

/// The limit of the request is shorter here, and cancels the handler while it waits for the counter.
// ANCHOR: cancelled
#[tokio::test]
async fn a_handler_that_is_cancelled_leaves_no_connection_behind() {
    let counter = Counter::start().await;
    let args = ["--counter", &counter.address, "--request-ms", "500"];
    let service = Service::start(&args).await;
    counter.set_mode(Mode::Silent);
    let (status, _) = service.visitor.visit("home").await.unwrap();
    assert_eq!(status, StatusCode::GATEWAY_TIMEOUT);

    // The reaper has begun to close the connection that the handler used.
    let said_goodbye = |heard: &Heard| heard[&0].contains(&"QUIT".to_owned());
    counter.until("the goodbye", said_goodbye).await;
    counter.set_mode(Mode::Answers);
    assert_eq!(service.end(Signal::TERM).await, closed());
    counter.expect_heard(&[&["INCR home", "QUIT", "end"]]).await;
}
// ANCHOR_END: cancelled

#[tokio::test]
async fn what_it_cannot_begin_with_is_one_line_and_exit_status_1() {
    for (args, error) in [
        (["--port", "1"], "invalid option '--port' (usage: "),
        (["--connections", "0"], "cannot parse argument \"0\": "),
        (["--addr", "nonsense"], "cannot listen on nonsense: "),
    ] {
        let mut program = Command::new(env!("CARGO_BIN_EXE_http_service"));
        let output = within("the program to end", program.args(args).output());
        let output = output.await.unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        let start = format!("ERROR http_service: {error}");
        assert!(stderr.starts_with(&start), "{stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        assert_eq!((output.stdout.len(), output.status.code()), (0, Some(1)));
    }
}

#[tokio::test]
async fn the_pool_opens_no_more_connections_than_it_may() {
    let counter = Counter::start().await;
    let service = Service::start(&["--counter", &counter.address, "--connections", "2"]).await;
    counter.set_mode(Mode::Silent);
    let mut visits = service.spawn_visits(10);
    counter
        .until("two commands", |heard| commands(heard) == 2)
        .await;
    counter.set_mode(Mode::Answers);
    while let Some(visit) = visits.join_next().await {
        assert_eq!(visit.unwrap().unwrap().0, StatusCode::OK);
    }
    assert_eq!(service.end(Signal::TERM).await, closed());
    let heard = counter.expect_closed_once().await;
    assert_eq!((heard.len(), commands(&heard)), (2, 10));
}

// ANCHOR: hangs_up
#[tokio::test]
async fn a_client_that_hangs_up_costs_its_connection_and_nothing_else() {
    let counter = Counter::start().await;
    let service = Service::start(&["--counter", &counter.address, "--connections", "1"]).await;
    counter.set_mode(Mode::Silent);
    let mut visits = service.spawn_visits(1);
    counter
        .until("the command", |heard| commands(heard) == 1)
        .await;
    visits.shutdown().await;

    // The handler is gone, and the reaper has begun to close the connection.
    // The counter hasn't answered yet.
    let said_goodbye = |heard: &Heard| heard[&0].contains(&"QUIT".to_owned());
    counter.until("the goodbye", said_goodbye).await;

    // The only place in the pool is free again.
    counter.set_mode(Mode::Answers);
    service.expect_answer("home", StatusCode::OK, "2\n").await;
    assert_eq!(service.end(Signal::TERM).await, closed());
    counter
        .expect_heard(&[&["INCR home", "QUIT", "end"], &["INCR home", "QUIT", "end"]])
        .await;
}
// ANCHOR_END: hangs_up

#[tokio::test]
async fn a_request_that_waits_at_sigterm_is_answered() {
    let counter = Counter::start().await;
    let args = [
        "--counter",
        &counter.address,
        "--connections",
        "16",
        "--deadline-ms",
        "60000",
    ];
    let service = Service::start(&args).await;
    counter.set_mode(Mode::Silent);
    let mut visits = service.spawn_visits(16);
    counter
        .until("every command", |heard| commands(heard) == 16)
        .await;

    service.signal(Signal::TERM);
    service.until_nobody_is_let_in().await;
    counter.set_mode(Mode::Answers);
    while let Some(visit) = visits.join_next().await {
        assert_eq!(visit.unwrap().unwrap().0, StatusCode::OK);
    }
    assert_eq!(service.ended().await, closed());
    assert_eq!(counter.expect_closed_once().await.len(), 16);
}

#[tokio::test]
async fn sigterm_under_load_loses_no_answer() {
    let counter = Counter::start().await;
    let args = [
        "--counter",
        &counter.address,
        "--connections",
        "4",
        "--deadline-ms",
        "60000",
    ];
    let service = Service::start(&args).await;
    let mut clients = JoinSet::new();
    for _ in 0..32 {
        let visitor = service.visitor.clone();
        clients.spawn(async move {
            let mut answers = 0;
            // Until there is nobody left to talk to.
            while let Ok((status, _)) = visitor.visit("home").await {
                assert_eq!(status, StatusCode::OK);
                answers += 1;
            }
            answers
        });
    }
    counter
        .until("some load", |heard| commands(heard) >= 500)
        .await;
    service.signal(Signal::TERM);
    let answers: usize = within("the clients", clients.join_all()).await.iter().sum();

    assert_eq!(service.ended().await, closed());
    let heard = counter.expect_closed_once().await;
    // What was counted was answered, and what was answered was counted.
    assert_eq!(commands(&heard), answers);
    assert!(heard.len() <= 4, "{} connections", heard.len());
}

// ANCHOR: named
#[tokio::test]
async fn a_connection_that_cannot_be_closed_in_time_is_named() {
    let counter = Counter::start().await;
    let args = [
        "--counter",
        &counter.address,
        "--connections",
        "3",
        "--deadline-ms",
        "2000",
    ];
    let service = Service::start(&args).await;
    counter.set_mode(Mode::Silent);
    let mut visits = service.spawn_visits(5);
    counter
        .until("the commands", |heard| commands(heard) == 3)
        .await;
    // Clients are let in one after the other, so all five were let in before this one.
    let (status, _) = service.visitor.visit("a%20b").await.unwrap();
    assert_eq!(status, StatusCode::BAD_REQUEST);
    service.signal(Signal::TERM);

    // Those that waited for a place in the pool are answered, too.
    while let Some(visit) = visits.join_next().await {
        assert_eq!(visit.unwrap().unwrap().0, StatusCode::SERVICE_UNAVAILABLE);
    }
    let end = service.ended().await;
    assert_eq!(end.status, Some(1));
    assert_eq!(end.stdout, "");
    assert!(
        end.stderr
            .starts_with("ERROR http_service: not all values were gone after "),
        "{}",
        end.stderr
    );
    let expected = "3 still being cleaned up (http_service::pool::Connection, created at ";
    assert!(end.stderr.contains(expected), "{}", end.stderr);
}
// ANCHOR_END: named

#[tokio::test]
async fn a_counter_that_does_not_say_goodbye_is_an_error() {
    let counter = Counter::start().await;
    let args = ["--counter", &counter.address, "--deadline-ms", "60000"];
    let service = Service::start(&args).await;
    service.expect_answer("home", StatusCode::OK, "1\n").await;
    counter.set_mode(Mode::Silent);
    let end = service.end(Signal::TERM).await;
    assert_eq!(end.status, Some(1));
    let expected = "1 of 1 cleanups failed: http_service::pool::Connection, created at ";
    assert!(end.stderr.contains(expected), "{}", end.stderr);
    assert!(end.stderr.contains("timed out"), "{}", end.stderr);
}

#[tokio::test]
async fn a_client_that_never_finishes_its_request_does_not_hold_up_the_end() {
    let counter = Counter::start().await;
    let args = ["--counter", &counter.address, "--deadline-ms", "2000"];
    let service = Service::start(&args).await;
    let mut client = TcpStream::connect(&service.address).await.unwrap();
    client
        .write_all(b"POST /visits/home HTTP/1.1\r\nHo")
        .await
        .unwrap();
    // Clients are let in one after the other, so that the one above was let in before this one.
    service.expect_answer("home", StatusCode::OK, "1\n").await;
    let end = service.end(Signal::TERM).await;
    assert_eq!(end.status, Some(0));
    assert_eq!(end.stdout, "every connection is closed\n");
    let expected = " WARN http_service: a client neither finished its request nor hung up\n";
    assert_eq!(end.stderr, expected);
    counter.expect_heard(&[&["INCR home", "QUIT", "end"]]).await;
}

/// What the counter heard on each of its connections, line by line, and `end` when the service had hung up.
type Heard = BTreeMap<usize, Vec<String>>;

#[derive(Clone, Copy, PartialEq)]
enum Mode {
    Answers,
    Silent,
}

/// A counter that speaks the same commands as Redis, and can be told to keep its answers back.
struct Counter {
    address: String,
    mode: watch::Sender<Mode>,
    heard: watch::Sender<Heard>,
    tasks: JoinSet<()>,
}

impl Counter {
    async fn start() -> Self {
        Self::start_at("127.0.0.1:0").await
    }

    async fn start_at(address: &str) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (mode, heard) = (
            watch::Sender::new(Mode::Answers),
            watch::Sender::new(Heard::new()),
        );
        let counts = watch::Sender::new(BTreeMap::new());
        let mut tasks = JoinSet::new();
        let (modes, diary) = (mode.clone(), heard.clone());
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            for number in 0.. {
                let (stream, _) = listener.accept().await.unwrap();
                let (modes, diary) = (modes.clone(), diary.clone());
                connections.spawn(Self::talk(number, stream, modes, diary, counts.clone()));
            }
        });
        Self {
            address,
            mode,
            heard,
            tasks,
        }
    }

    /// Listens and answers at the same time, so that it hears a goodbye also while it is silent.
    async fn talk(
        number: usize,
        stream: TcpStream,
        mode: watch::Sender<Mode>,
        heard: watch::Sender<Heard>,
        counts: watch::Sender<BTreeMap<String, u64>>,
    ) {
        let (from_service, mut to_service) = stream.into_split();
        let (questions, mut to_answer) = mpsc::unbounded_channel::<String>();
        let write = |line: &str| {
            heard.send_modify(|heard| heard.entry(number).or_default().push(line.to_owned()));
        };
        let listen = async {
            let mut lines = BufReader::new(from_service).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                write(&line);
                let _ = questions.send(line);
            }
            write("end");
            drop(questions);
        };
        let answer = async move {
            let mut modes = mode.subscribe();
            while let Some(line) = to_answer.recv().await {
                let _ = modes.wait_for(|mode| *mode == Mode::Answers).await;
                let answer = if let Some(page) = line.strip_prefix("INCR ") {
                    let mut count = 0;
                    counts.send_modify(|counts| {
                        let entry = counts.entry(page.to_owned()).or_default();
                        *entry += 1;
                        count = *entry;
                    });
                    format!(":{count}\r\n")
                } else {
                    "+OK\r\n".to_owned()
                };
                if to_service.write_all(answer.as_bytes()).await.is_err() || line == "QUIT" {
                    break;
                }
            }
            // Redis hangs up after a goodbye. This half is closed by being dropped.
        };
        tokio::join!(listen, answer);
    }

    fn set_mode(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    /// Hangs up on everybody, and listens no more.
    async fn stop(&mut self) {
        self.tasks.shutdown().await;
    }

    async fn until(&self, what: &str, condition: impl Fn(&Heard) -> bool) {
        let mut heard = self.heard.subscribe();
        let _ = within(what, heard.wait_for(|heard| condition(heard))).await;
    }

    /// What was heard in all, once every connection has ended.
    async fn all_heard(&self) -> Heard {
        let ended = |heard: &Heard| {
            heard
                .values()
                .all(|lines| lines.ends_with(&["end".to_owned()]))
        };
        self.until("the connections to end", ended).await;
        self.heard.borrow().clone()
    }

    async fn expect_heard(&self, expected: &[&[&str]]) {
        let heard: Vec<_> = self.all_heard().await.into_values().collect();
        assert_eq!(heard, expected);
    }

    /// Each connection was said goodbye on once, as the last thing, and then closed.
    async fn expect_closed_once(&self) -> Heard {
        let heard = self.all_heard().await;
        for lines in heard.values() {
            let (before, last) = lines.split_last_chunk::<2>().unwrap();
            assert_eq!(last, &["QUIT", "end"]);
            assert!(before.iter().all(|line| line == "INCR home"), "{before:?}");
        }
        heard
    }
}

/// How many visits the counter heard of.
fn commands(heard: &Heard) -> usize {
    let lines = heard.values().flatten();
    lines.filter(|line| line.starts_with("INCR ")).count()
}

/// The running program. It is killed when a test ends before it does.
struct Service {
    child: Child,
    stdout: BufReader<ChildStdout>,
    address: String,
    visitor: Visitor,
}

type Answer = reqwest::Result<(StatusCode, String)>;

/// A client of the program.
#[derive(Clone)]
struct Visitor {
    client: Client,
    pages: String,
}

impl Visitor {
    async fn visit(&self, page: &str) -> Answer {
        let visit = async {
            let response = self
                .client
                .post(format!("{}/{page}", self.pages))
                .send()
                .await?;
            Ok((response.status(), response.text().await?))
        };
        within("an answer", visit).await
    }
}

/// How the program ended. `stdout` is without the line that says where it listens.
#[derive(Debug, PartialEq)]
struct End {
    status: Option<i32>,
    stdout: String,
    stderr: String,
}

/// The good end.
fn closed() -> End {
    End {
        status: Some(0),
        stdout: "every connection is closed\n".to_owned(),
        stderr: String::new(),
    }
}

impl Service {
    async fn start(args: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_http_service"))
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        within("the program to start", stdout.read_line(&mut line))
            .await
            .unwrap();
        let address = line
            .trim_end()
            .strip_prefix("listening on ")
            .unwrap()
            .to_owned();
        let visitor = Visitor {
            // A proxy of the machine's has no business here.
            client: Client::builder().no_proxy().build().unwrap(),
            pages: format!("http://{address}/visits"),
        };
        Self {
            child,
            stdout,
            address,
            visitor,
        }
    }

    async fn expect_answer(&self, page: &str, status: StatusCode, text: &str) {
        let answer = self.visitor.visit(page).await.unwrap();
        assert_eq!(answer, (status, text.to_owned()));
    }

    /// That many clients, each of which visits `home` at the same time.
    fn spawn_visits(&self, count: usize) -> JoinSet<Answer> {
        (0..count)
            .map(|_| {
                let visitor = self.visitor.clone();
                async move { visitor.visit("home").await }
            })
            .collect()
    }

    fn signal(&self, signal: Signal) {
        let id = self.child.id().expect("it runs") as i32;
        kill_process(Pid::from_raw(id).unwrap(), signal).unwrap();
    }

    async fn until_nobody_is_let_in(&self) {
        let refused = async {
            while TcpStream::connect(&self.address).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        within("the listener to close", refused).await;
    }

    async fn ended(mut self) -> End {
        let end = async {
            let mut stdout = String::new();
            self.stdout.read_to_string(&mut stdout).await?;
            let output = self.child.wait_with_output().await?;
            io::Result::Ok(End {
                status: output.status.code(),
                stdout,
                stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            })
        };
        within("the program to end", end).await.unwrap()
    }

    async fn end(self, signal: Signal) -> End {
        self.signal(signal);
        self.ended().await
    }
}

async fn within<F: Future>(what: &str, future: F) -> F::Output {
    match timeout(PATIENCE, future).await {
        Ok(output) => output,
        Err(_elapsed) => panic!("waited {PATIENCE:?} in vain for {what}"),
    }
}
