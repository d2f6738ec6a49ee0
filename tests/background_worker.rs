//! Runs the program `examples/background_worker.rs`, ends it in several ways, and compares its file with what it acknowledged.

// A process elsewhere than on Unix cannot be sent the SIGTERM that these tests are about.
#![cfg(all(unix, feature = "tokio"))]

use std::collections::BTreeMap;
use std::fs;
use std::future::Future;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::OnceLock;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::support::build_program;

/// Only a test that would hang for ever ever waits this long.
const PATIENCE: Duration = Duration::from_secs(30);

/// The file is not written before the end, unless there are more than 64 KiB of lines.
const ONLY_AT_THE_END: [&str; 2] = ["--sync", "3600"];

/// How the library names the journal.
const JOURNAL: &str = "background_worker::Journal, created at examples/background_worker.rs:";

#[tokio::test]
async fn what_was_acknowledged_is_written_on_sigterm() {
    let folder = Folder::new();
    let worker = Worker::start(&folder.file(), &ONLY_AT_THE_END).await;
    let mut client = worker.connect().await;
    for number in 0..100 {
        client.expect_ok(&format!("line {number}\n")).await;
    }
    assert_eq!(folder.lines(), [""; 0], "there is nothing left to flush");

    worker.send(Signal::TERM);
    assert_eq!(client.count_oks().await, 0);
    worker.expect_success().await;
    let expected: Vec<_> = (0..100).map(|number| format!("line {number}")).collect();
    assert_eq!(folder.lines(), expected);
}

#[tokio::test]
async fn ctrl_c_is_as_good_as_sigterm() {
    let folder = Folder::new();
    let worker = Worker::start(&folder.file(), &ONLY_AT_THE_END).await;
    worker.connect().await.expect_ok("hello\n").await;
    worker.send(Signal::INT);
    worker.expect_success().await;
    assert_eq!(folder.lines(), ["hello"]);
}

/// The same file is used three times, so that lines that are there already are seen to stay.
#[tokio::test]
async fn under_load_no_acknowledged_line_is_lost_and_none_is_written_twice() {
    let folder = Folder::new();
    let mut expected = BTreeMap::new();
    for round in 0..3 {
        let worker = Worker::start(&folder.file(), &ONLY_AT_THE_END).await;
        let (acknowledged, mut acknowledgements) = mpsc::unbounded_channel();
        let mut clients = JoinSet::new();
        for number in 0..8 {
            let client = worker.connect().await;
            let name = format!("round {round}, client {number}");
            clients.spawn(client.talk_until_the_end(name, acknowledged.clone()));
        }
        for _ in 0..3000 {
            within("an acknowledgement", acknowledgements.recv()).await;
        }
        // Each of the eight is in the middle of something.
        worker.send(Signal::TERM);
        while let Some(client) = within("the clients", clients.join_next()).await {
            let (name, oks) = client.unwrap();
            expected.insert(name, oks);
        }
        worker.expect_success().await;
    }

    // Each client has numbered its lines. They must be there in order, and as many as it has heard an `ok` for.
    let mut found = BTreeMap::new();
    for line in folder.lines() {
        let (name, number) = line.split_once(", line ").expect(&line);
        let next: &mut usize = found.entry(name.to_owned()).or_default();
        assert_eq!(number, next.to_string(), "{name}");
        *next += 1;
    }
    assert_eq!(found, expected);
}

#[tokio::test]
async fn the_file_is_written_once_a_second() {
    let folder = Folder::new();
    let worker = Worker::start(&folder.file(), &[]).await;
    worker.connect().await.expect_ok("hello\n").await;
    let written = async {
        while folder.lines().is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    within("the line in the file", written).await;
    assert_eq!(folder.lines(), ["hello"]);

    // A process that is killed has no time to write, and needs none for what is written already.
    worker.send(Signal::KILL);
    let end = worker.end().await;
    assert_eq!(end.status, None);
    assert_eq!(folder.lines(), ["hello"]);
}

#[tokio::test]
async fn what_is_no_whole_line_is_neither_acknowledged_nor_written() {
    let folder = Folder::new();
    let worker = Worker::start(&folder.file(), &[]).await;
    let longest = "x".repeat(1023) + "\n";
    let mut long = worker.connect().await;
    long.expect_ok(&longest).await;
    long.send("x".repeat(1024) + "\nafter the long one\n").await;
    long.expect_rest("error: the line is too long\n").await;

    let mut breaks_off = worker.connect().await;
    breaks_off.expect_ok("a line\n").await;
    breaks_off.send("half a l").await;
    breaks_off.0.shutdown().await.unwrap();
    assert_eq!(breaks_off.count_oks().await, 0);

    let mut unfinished = worker.connect().await;
    unfinished.expect_ok("another line\n").await;
    unfinished.send("half a l").await;
    worker.send(Signal::TERM);
    assert_eq!(unfinished.count_oks().await, 0);
    worker.expect_success().await;
    assert_eq!(
        folder.lines(),
        [longest.trim_end(), "a line", "another line"]
    );
}

#[tokio::test]
async fn a_client_that_never_hangs_up_does_not_hold_up_the_end() {
    let folder = Folder::new();
    let worker = Worker::start(&folder.file(), &ONLY_AT_THE_END).await;
    let mut silent = worker.connect().await;
    silent.expect_ok("hello\n").await;
    worker.send(Signal::TERM);
    worker.expect_success().await;
    assert_eq!(folder.lines(), ["hello"]);
    drop(silent);
}

#[tokio::test]
async fn a_client_that_sends_nothing_loses_its_place_and_is_told() {
    let folder = Folder::new();
    let worker = Worker::start(&folder.file(), &["--idle", "1", "--clients", "1"]).await;
    let mut idle = worker.connect().await;
    idle.expect_ok("hello\n").await;
    idle.send("half a l").await;
    let mut next = worker.connect().await;
    next.send("me, too\n").await;
    idle.expect_rest("error: no line came in time\n").await;
    drop(idle);
    // It was not accepted before.
    let mut answer = String::new();
    within("an acknowledgement", next.0.read_line(&mut answer))
        .await
        .unwrap();
    assert_eq!(answer, "ok\n");
    worker.send(Signal::TERM);
    drop(next);
    worker.expect_success().await;
    assert_eq!(folder.lines(), ["hello", "me, too"]);
}

#[tokio::test]
async fn a_client_that_reads_nothing_loses_its_place() {
    let folder = Folder::new();
    let worker = Worker::start(&folder.file(), &["--idle", "1", "--clients", "1"]).await;
    let mut deaf = worker.connect_with_a_small_buffer().await;
    let lines = "\n".repeat(64 * 1024);
    let talk = async { while deaf.0.write_all(lines.as_bytes()).await.is_ok() {} };
    within("the worker to hang up", talk).await;

    worker.connect().await.expect_ok("me, too\n").await;
    worker.send(Signal::TERM);
    let end = worker.end().await;
    let broke_off = " WARN background_worker: a connection broke off: it took no answer\n";
    assert_eq!(end.stderr, broke_off);
    assert_eq!(end.status, Some(0));
}

/// So many acknowledgements are on their way that the worker cannot send the next one. None of them gets lost.
#[tokio::test]
async fn a_client_that_reads_late_hears_of_each_line() {
    let folder = Folder::new();
    let worker = Worker::start(&folder.file(), &ONLY_AT_THE_END).await;
    let mut client = worker.connect_with_a_small_buffer().await;
    // The answers pile up until the worker can send no more, and so reads no more.
    let lines = "\n".repeat(64 * 1024);
    let stuck = Duration::from_secs(2);
    let mut sent = 0;
    while let Ok(taken) = timeout(stuck, client.0.write(lines.as_bytes())).await {
        sent += taken.unwrap();
    }

    worker.send(Signal::TERM);
    let oks = client.count_oks().await;
    drop(client);
    worker.expect_success().await;
    assert_eq!(folder.lines().len(), oks);
    assert!(oks < sent, "the worker was not stuck");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_full_disk_ends_the_worker_and_is_named() {
    let full = Path::new("/dev/full");
    let while_it_runs = Worker::start(full, &[]).await;
    while_it_runs.connect().await.expect_ok("hello\n").await;
    // Nobody tells this one to end.
    let end = while_it_runs.end().await;
    let expected = [
        "ERROR background_worker: the file cannot be written",
        "ERROR background_worker: acknowledged lines may be lost: 1 of ",
    ];
    end.expect_failure(&expected, "No space left on device");

    let at_the_end = Worker::start(full, &ONLY_AT_THE_END).await;
    at_the_end.connect().await.expect_ok("hello\n").await;
    at_the_end.send(Signal::TERM);
    at_the_end
        .end()
        .await
        .expect_failure(&expected[1..], "No space left on device");
}

/// A pipe that nobody reads stands for a disk that hangs.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_disk_that_hangs_is_named_at_the_deadline() {
    let folder = Folder::new();
    let pipe = folder.file();
    let made = Command::new("mkfifo").arg(&pipe).status().await.unwrap();
    assert!(made.success());
    // Open for both, so that it does not wait for somebody to write.
    let keep_open = fs::File::options()
        .read(true)
        .write(true)
        .open(&pipe)
        .unwrap();

    let worker = Worker::start(&pipe, &["--sync", "3600", "--deadline", "1"]).await;
    let mut client = worker.connect().await;
    let line = "x".repeat(1023) + "\n";
    // More than a pipe and a buffer of the writer hold, and less than the queue does.
    for _ in 0..500 {
        client.expect_ok(&line).await;
    }
    worker.send(Signal::TERM);
    client.count_oks().await;
    drop(client);
    let start = "ERROR background_worker: acknowledged lines may be lost: \
                 not all values were gone after 1s: 1 still being cleaned up (";
    worker.end().await.expect_failure(&[start], JOURNAL);
    drop(keep_open);
}

/// The syncs take longer than the period between them, as on a volume without credit.
/// A library that is loaded first makes them so, in the program as it is.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_slow_disk_does_not_starve_the_queue() {
    const SLOW: &str = "#include <unistd.h>\n\
        int fsync(int fd) { (void)fd; usleep(1100000); return 0; }\n\
        int fdatasync(int fd) { return fsync(fd); }\n";
    let folder = Folder::new();
    let source = folder.0.path().join("slow.c");
    let library = folder.0.path().join("slow.so");
    fs::write(&source, SLOW).unwrap();
    let mut cc = Command::new("cc");
    cc.args(["-shared", "-fPIC", "-o"])
        .arg(&library)
        .arg(&source);
    assert!(cc.status().await.unwrap().success());

    let mut program = background_worker();
    program.env("LD_PRELOAD", &library);
    let worker = Worker::start_program(program, &folder.file(), &["--sync", "1"]).await;
    let (acknowledged, mut acknowledgements) = mpsc::unbounded_channel();
    let client = worker.connect().await;
    let client = tokio::spawn(client.talk_until_the_end("client".to_owned(), acknowledged));
    // Before the first sync there is nothing to starve.
    tokio::time::sleep(Duration::from_secs(3)).await;
    while acknowledgements.try_recv().is_ok() {}
    let mut oks = 0;
    let _ = timeout(Duration::from_secs(4), async {
        while acknowledgements.recv().await.is_some() {
            oks += 1;
        }
    })
    .await;
    // Before the end, which takes long when the lines are starved.
    // Some thousands may still have been on their way, or are one queue for each sync.
    // A worker that has its second between two syncs takes hundreds of thousands.
    assert!(oks >= 30_000, "{oks} lines in 4 s");
    worker.send(Signal::TERM);
    let (_, heard) = within("the client", client).await.unwrap();
    worker.expect_success().await;
    assert_eq!(folder.lines().len(), heard);
}

#[tokio::test]
async fn what_cannot_be_opened_is_one_line_and_exit_status_1() {
    let folder = Folder::new();
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let file = folder.file();
    let file = file.to_str().unwrap();
    let missing = format!("{file}/lines.log");
    for (args, start) in [
        (
            ["--file", file, "--addr", &address],
            format!("cannot listen on {address}: Address already in use"),
        ),
        (
            ["--file", file, "--addr", "nonsense"],
            "cannot listen on nonsense: ".to_owned(),
        ),
        (
            ["--file", &missing, "--addr", "127.0.0.1:0"],
            format!("cannot open {missing}: No such file or directory"),
        ),
    ] {
        expect_refusal(&args, &start).await;
    }
}

#[tokio::test]
async fn arguments_that_it_does_not_know_are_one_line_and_exit_status_1() {
    expect_refusal(&[], "missing option '--file' (usage: ").await;
    expect_refusal(&["--port", "1"], "invalid option '--port' (usage: ").await;
    expect_refusal(&["--sync", "0"], "cannot parse argument \"0\": ").await;
}

async fn expect_refusal(args: &[&str], start: &str) {
    let end = refusal(args).await;
    end.expect_failure(&[&format!("ERROR background_worker: {start}")], start);
}

async fn refusal(args: &[&str]) -> End {
    let output = within(
        "the program to end",
        background_worker().args(args).output(),
    )
    .await
    .unwrap();
    End {
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
        status: output.status.code(),
    }
}

/// A folder of its own for each test, with room for the file of the worker.
struct Folder(TempDir);

/// The running program. It is killed when a test ends before it does.
struct Worker {
    child: Child,
    address: SocketAddr,
}

struct End {
    stdout: String,
    stderr: String,
    status: Option<i32>,
}

/// One client. Each thing that it waits for has to come within [`PATIENCE`].
struct Client(BufReader<TcpStream>);

impl Folder {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("lines.log")
    }

    fn lines(&self) -> Vec<String> {
        let text = fs::read_to_string(self.file()).unwrap();
        assert!(text.is_empty() || text.ends_with('\n'), "a line is torn");
        text.lines().map(str::to_owned).collect()
    }
}

impl Worker {
    async fn start(file: &Path, args: &[&str]) -> Self {
        Self::start_program(background_worker(), file, args).await
    }

    async fn start_program(mut program: Command, file: &Path, args: &[&str]) -> Self {
        let mut child = program.arg("--file").arg(file).args(args).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.as_mut().unwrap());
        let mut line = String::new();
        within("the address", stdout.read_line(&mut line))
            .await
            .unwrap();
        assert_eq!(stdout.buffer(), b"");
        let address = line.trim_end().strip_prefix("listening on ").expect(&line);
        Self {
            address: address.parse().expect(&line),
            child,
        }
    }

    async fn connect(&self) -> Client {
        let stream = within("the connection", TcpStream::connect(self.address))
            .await
            .unwrap();
        Client(BufReader::new(stream))
    }

    async fn connect_with_a_small_buffer(&self) -> Client {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        let stream = within("the connection", socket.connect(self.address)).await;
        Client(BufReader::new(stream.unwrap()))
    }

    fn send(&self, signal: Signal) {
        let id = self.child.id().expect("the worker is running");
        let id = Pid::from_raw(id.try_into().unwrap()).unwrap();
        kill_process(id, signal).unwrap();
    }

    async fn end(self) -> End {
        let output = within("the end of the worker", self.child.wait_with_output())
            .await
            .unwrap();
        End {
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
            status: output.status.code(),
        }
    }

    async fn expect_success(self) {
        let end = self.end().await;
        assert_eq!(end.stderr, "");
        assert_eq!(end.stdout, "");
        assert_eq!(end.status, Some(0));
    }
}

impl End {
    /// One line that begins with each of `starts`, of which the last has `needle`, and exit status 1.
    #[track_caller]
    fn expect_failure(&self, starts: &[&str], needle: &str) {
        let lines: Vec<_> = self.stderr.lines().collect();
        let as_expected = lines.len() == starts.len()
            && lines
                .iter()
                .zip(starts)
                .all(|(line, start)| line.starts_with(start))
            && lines.last().is_some_and(|line| line.contains(needle));
        assert!(as_expected, "{lines:#?} is not {starts:#?} with {needle:?}");
        assert_eq!(self.stdout, "");
        assert_eq!(self.status, Some(1));
    }
}

impl Client {
    async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        within("the worker to read", self.0.write_all(bytes.as_ref()))
            .await
            .unwrap();
    }

    async fn expect_ok(&mut self, line: &str) {
        self.send(line).await;
        let mut answer = String::new();
        within("an acknowledgement", self.0.read_line(&mut answer))
            .await
            .unwrap();
        assert_eq!(answer, "ok\n");
    }

    /// Reads until the end of the stream. A reset instead of an end is a failure.
    async fn count_oks(&mut self) -> usize {
        let mut rest = String::new();
        within(
            "the end of the connection",
            self.0.read_to_string(&mut rest),
        )
        .await
        .unwrap();
        assert_eq!(rest.replace("ok\n", ""), "");
        rest.lines().count()
    }

    async fn expect_rest(&mut self, expected: &str) {
        let mut rest = String::new();
        let read = self.0.read_to_string(&mut rest);
        within("the end of the connection", read).await.unwrap();
        assert_eq!(rest, expected);
    }

    /// Sends lines as fast as they are taken, and counts the acknowledgements.
    async fn talk_until_the_end(
        self,
        name: String,
        acknowledged: mpsc::UnboundedSender<()>,
    ) -> (String, usize) {
        let (from_worker, mut to_worker) = self.0.into_inner().into_split();
        let talk = tokio::spawn({
            let name = name.clone();
            async move {
                for number in 0.. {
                    let line = format!("{name}, line {number}\n");
                    if to_worker.write_all(line.as_bytes()).await.is_err() {
                        break;
                    }
                }
            }
        });
        let mut answers = BufReader::new(from_worker).lines();
        let mut oks = 0;
        while let Some(answer) = within("an answer", answers.next_line()).await.unwrap() {
            assert_eq!(answer, "ok");
            oks += 1;
            // Nobody counts any more once the worker was told to end.
            let _ = acknowledged.send(());
        }
        talk.abort();
        let _ = talk.await;
        (name, oks)
    }
}

async fn within<F: Future>(what: &str, future: F) -> F::Output {
    match timeout(PATIENCE, future).await {
        Ok(output) => output,
        Err(_elapsed) => panic!("waited {PATIENCE:?} in vain for {what}"),
    }
}

fn background_worker() -> Command {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    let mut command = Command::new(PROGRAM.get_or_init(|| build_program("background_worker")));
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}
