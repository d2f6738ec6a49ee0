//! Nothing of a server or a database is left, whatever a test, the programs of PostgreSQL or the disk did.

#![cfg(target_os = "linux")]

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Once;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use asyncdrop::AsyncDropReaper;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use test_database::{Server, TestDatabase, installed};
use tokio::time::timeout;

/// Only a test that would hang for ever takes this long.
const PATIENCE: Duration = Duration::from_secs(120);

/// The tests of the suite.
const TESTS: [&str; 5] = ["succeeds", "fails", "panics", "hangs", "blocks_its_thread"];

#[test]
fn tests_of_a_binary_share_one_server_and_no_database() {
    let Some(suite) = Suite::new() else { return };
    let ended = suite.run(&["succeeds", "fails", "panics"]);
    let [databases, servers] = said(&ended);
    assert_eq!((databases.len(), servers.len()), (3, 1), "{ended:?}");
    suite.assert_nothing_is_left();
}

#[test]
fn a_test_that_fails_or_panics_or_takes_too_long_fails_alone() {
    let Some(suite) = Suite::new() else { return };
    let ended = suite.run(&["succeeds", "fails", "panics", "hangs"]);
    assert!(!ended.status.success());
    let stdout = String::from_utf8_lossy(&ended.stdout);
    for part in [
        "the note was not found",
        "one of its assertions failed",
        "the test was not done after 5s",
        "1 passed; 3 failed",
    ] {
        assert!(stdout.contains(part), "{part:?} is not in {stdout}");
    }
    suite.assert_nothing_is_left();
}

#[test]
fn a_test_that_succeeds_is_a_success() {
    let Some(suite) = Suite::new() else { return };
    let ended = suite.run(&["succeeds"]);
    assert!(ended.status.success(), "{ended:?}");
    assert_eq!(String::from_utf8_lossy(&ended.stderr), "");
    suite.assert_nothing_is_left();
}

#[test]
fn to_list_the_tests_starts_no_server() {
    let Some(suite) = Suite::new() else { return };
    let ended = suite.command().arg("--list").output().unwrap();
    assert!(ended.status.success(), "{ended:?}");
    assert_eq!(suite.entries(), 0, "a folder of a server is there");
    suite.assert_nothing_is_left();
}

#[test]
fn ctrl_c_and_sigterm_stop_the_server() {
    for (signal, tests) in [
        (Signal::INT, "hangs"),
        (Signal::TERM, "hangs"),
        // It cannot be cancelled, and its database goes with the server.
        (Signal::INT, "blocks_its_thread"),
    ] {
        let Some(suite) = Suite::new() else { return };
        let mut running = suite.only(&[tests]).spawn().unwrap();
        // From then on the test hangs.
        let mut said = BufReader::new(running.stdout.as_mut().unwrap()).lines();
        assert!(said.any(|line| line.unwrap().starts_with("test_1 of ")));
        assert_ne!(processes_now(suite.0.path()), [""; 0]);
        let id = Pid::from_raw(running.id() as i32).unwrap();
        kill_process(id, signal).unwrap();
        let ended = running.wait_with_output().unwrap();
        assert_eq!(ended.status.code().map(|code| code == 0), Some(false));
        suite.assert_nothing_is_left();
    }
}

#[tokio::test]
async fn a_database_is_dropped_when_its_migration_fails_or_its_task_is_aborted() -> Result<()> {
    let Some(programs) = postgres_or_say_why_not() else {
        return Ok(());
    };
    let reaper = AsyncDropReaper::new();
    let server = Server::start(&reaper, &programs).await?;
    let databases = AsyncDropReaper::new();

    let failed = TestDatabase::create(&databases, server.folder(), &["CREATE A TABLE"]).await;
    assert!(format!("{:?}", failed.unwrap_err()).contains("syntax error"));
    let mut aborted = TestDatabase::create(&databases, server.folder(), &[]).await?;
    let task = tokio::spawn(async move {
        let endless = aborted.client().batch_execute("SELECT pg_sleep(3600)");
        endless.await
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
    // Before it does anything, and then somewhere in the middle.
    for limit in [0, 10, 40].map(Duration::from_millis) {
        let create = TestDatabase::create(&databases, server.folder(), &[]);
        drop(timeout(limit, create).await);
    }

    AsyncDropReaper::shutdown(databases, PATIENCE).await?;
    assert_eq!(TestDatabase::all(server.folder()).await?, [""; 0]);
    drop(server);
    AsyncDropReaper::shutdown(reaper, PATIENCE).await?;
    Ok(())
}

#[tokio::test]
async fn a_start_that_is_cut_off_is_cleaned_up() -> Result<()> {
    let Some(programs) = postgres_or_say_why_not() else {
        return Ok(());
    };
    // Before it does anything, while `initdb` runs, and then perhaps while `postgres` starts.
    for limit in [0, 100, 300, 600].map(Duration::from_millis) {
        let reaper = AsyncDropReaper::new();
        drop(timeout(limit, Server::start(&reaper, &programs)).await);
        // A process that cannot be stopped, or a folder that cannot be deleted, would be an error here.
        AsyncDropReaper::shutdown(reaper, PATIENCE).await?;
    }
    Ok(())
}

#[tokio::test]
async fn an_initdb_that_fails_says_why_and_leaves_nothing() -> Result<()> {
    let programs = Programs::new("mkdir data; echo no space left; exit 1", "exit 1");
    let reaper = AsyncDropReaper::new();
    let error = Server::start(&reaper, programs.path()).await;
    let error = format!("{:#}", error.unwrap_err());
    assert!(error.contains("no space left"), "{error}");
    AsyncDropReaper::shutdown(reaper, PATIENCE).await?;
    programs.assert_nothing_is_left();
    Ok(())
}

#[tokio::test]
async fn programs_that_are_missing_are_named_and_leave_nothing() -> Result<()> {
    let programs = Programs::new("exit 0", "exit 0");
    fs::remove_file(programs.path().join("initdb"))?;
    let reaper = AsyncDropReaper::new();
    let error = Server::start(&reaper, programs.path()).await;
    let error = format!("{:#}", error.unwrap_err());
    assert!(error.starts_with("cannot run /"), "{error}");
    AsyncDropReaper::shutdown(reaper, PATIENCE).await?;
    programs.assert_nothing_is_left();
    Ok(())
}

/// It ignores the signals that can be ignored, and so does its child, which would go on writing.
#[tokio::test]
async fn a_program_that_does_not_stop_is_killed_with_its_children() -> Result<()> {
    const DEAF: &str = "trap '' INT TERM; while :; do echo >> data; sleep 0.1; done & \
                        while :; do sleep 1; done";
    for (initdb, postgres) in [(DEAF, "exit 1"), ("exit 0", DEAF)] {
        let programs = Programs::new(initdb, postgres);
        let reaper = AsyncDropReaper::new();
        let start = Server::start(&reaper, programs.path());
        drop(timeout(Duration::from_secs(1), start).await);
        AsyncDropReaper::shutdown(reaper, PATIENCE).await?;
        programs.assert_nothing_is_left();
    }
    Ok(())
}

#[tokio::test]
async fn a_server_that_hangs_is_killed_and_named() -> Result<()> {
    let Some(programs) = postgres_or_say_why_not() else {
        return Ok(());
    };
    let reaper = AsyncDropReaper::new();
    let server = Server::start(&reaper, &programs).await?;
    let folder = server.folder().to_owned();
    let file = fs::read_to_string(folder.join("data/postmaster.pid"))?;
    let id = file.lines().next().unwrap_or_default().parse()?;
    // It gets no other signal until it goes on.
    kill_process(Pid::from_raw(id).expect("no process has 0"), Signal::STOP)?;
    drop(server);
    let error = AsyncDropReaper::shutdown(reaper, PATIENCE).await;
    let error = error.unwrap_err().to_string();
    let expected = "it ran on for 10s, and was killed";
    assert!(error.contains(expected), "{error}");
    assert!(!folder.exists());
    assert_eq!(processes_of(&folder), [""; 0]);
    Ok(())
}

/// Something that the server has started still writes, when the server has ended.
#[tokio::test]
async fn a_folder_that_still_fills_is_deleted_again() -> Result<()> {
    const WRITES: &str =
        "(i=0; while [ $i -lt 3000 ]; do i=$((i + 1)); : > f$i; done) 2>/dev/null &
                          exit 1";
    let programs = Programs::new(WRITES, "exit 1");
    for _ in 0..10 {
        let reaper = AsyncDropReaper::new();
        let started = Server::start(&reaper, programs.path()).await;
        assert!(started.is_err());
        AsyncDropReaper::shutdown(reaper, PATIENCE).await?;
    }
    programs.assert_no_folder_is_left();
    Ok(())
}

#[tokio::test]
async fn a_folder_that_cannot_be_deleted_is_named_and_its_server_has_stopped() -> Result<()> {
    let Some(programs) = postgres_or_say_why_not() else {
        return Ok(());
    };
    let reaper = AsyncDropReaper::new();
    let server = Server::start(&reaper, &programs).await?;
    let folder = server.folder().to_owned();
    let elsewhere = TempDir::new()?;
    // A file has its name, and the folder another one.
    fs::rename(&folder, elsewhere.path().join("moved"))?;
    fs::write(&folder, "not a folder")?;
    drop(server);
    let error = AsyncDropReaper::shutdown(reaper, PATIENCE).await;
    let error = error.unwrap_err().to_string();
    fs::remove_file(&folder)?;
    let expected = format!("cannot delete {}: Not a directory", folder.display());
    assert!(error.contains(&expected), "{error}");
    assert_eq!(processes_of(&folder), [""; 0]);
    Ok(())
}

/// The suite in which all goes wrong, with a folder for temporary files of its own.
struct Suite(TempDir);

impl Suite {
    fn new() -> Option<Self> {
        postgres_or_say_why_not()?;
        let folder = TempDir::new().unwrap();
        open_to_all(folder.path());
        Some(Self(folder))
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_unhappy_suite"));
        // One after the other: in between, no test has a database.
        command.args(["--test-threads=1", "--exact"]);
        command.env("TMPDIR", self.0.path()).stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// The others are skipped.
    fn only(&self, tests: &[&str]) -> Command {
        let mut command = self.command();
        for test in TESTS.iter().filter(|test| !tests.contains(test)) {
            command.args(["--skip", test]);
        }
        command
    }

    fn run(&self, tests: &[&str]) -> Output {
        self.only(tests).output().unwrap()
    }

    fn entries(&self) -> usize {
        fs::read_dir(self.0.path()).unwrap().count()
    }

    #[track_caller]
    fn assert_nothing_is_left(&self) {
        assert_eq!(self.entries(), 0, "a folder is left");
        assert_eq!(processes_of(self.0.path()), [""; 0]);
    }
}

/// Scripts in place of the programs of PostgreSQL.
struct Programs(TempDir);

impl Programs {
    /// Both run in the folder of the server.
    fn new(initdb: &str, postgres: &str) -> Self {
        let folder = TempDir::new().unwrap();
        open_to_all(folder.path());
        for (name, script) in [("initdb", initdb), ("postgres", postgres)] {
            let path = folder.path().join(name);
            let say_where = "pwd >> \"$0.where\"";
            fs::write(&path, format!("#!/bin/sh\n{say_where}\n{script}\n")).unwrap();
            open_to_all(&path);
            let place = folder.path().join(format!("{name}.where"));
            fs::write(&place, "").unwrap();
            fs::set_permissions(&place, fs::Permissions::from_mode(0o666)).unwrap();
        }
        Self(folder)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    #[track_caller]
    fn assert_nothing_is_left(&self) {
        self.assert_no_folder_is_left();
        // A script is in the command line of its process.
        assert_eq!(processes_of(self.path()), [""; 0]);
    }

    #[track_caller]
    fn assert_no_folder_is_left(&self) {
        for name in ["initdb.where", "postgres.where"] {
            for folder in fs::read_to_string(self.path().join(name)).unwrap().lines() {
                assert!(!Path::new(folder).exists(), "{folder} is left");
            }
        }
    }
}

/// The command lines of all processes that have the folder in them. One that was killed has a moment to go.
fn processes_of(folder: &Path) -> Vec<String> {
    let limit = Instant::now() + Duration::from_secs(5);
    loop {
        let processes = processes_now(folder);
        if processes.is_empty() || Instant::now() > limit {
            return processes;
        }
        thread::sleep(Duration::from_millis(20));
    }
}

fn processes_now(folder: &Path) -> Vec<String> {
    let folder = folder.to_str().unwrap();
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let lines = processes.filter_map(|process| fs::read(process.path().join("cmdline")).ok());
    lines
        .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
        .filter(|line| line.contains(folder))
        .collect()
}

/// The databases, and the servers, of which the tests of the suite have spoken.
fn said(ended: &Output) -> [BTreeSet<String>; 2] {
    let stdout = String::from_utf8_lossy(&ended.stdout);
    let lines = stdout.lines().filter_map(|line| line.split_once(" of "));
    let lines = lines.filter(|(database, _)| database.starts_with("test_"));
    let (databases, servers) = lines
        .map(|(database, server)| (database.to_owned(), server.to_owned()))
        .unzip();
    [databases, servers]
}

/// PostgreSQL runs as another user if the tests are run by root.
fn open_to_all(path: &Path) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// The folder with the programs of PostgreSQL. Without it these tests can only say so.
fn postgres_or_say_why_not() -> Option<PathBuf> {
    const WHY: &str = "SKIPPED: PostgreSQL is not installed\n";

    static ONCE: Once = Once::new();

    let programs = installed();
    if programs.is_none() {
        assert!(
            env::var_os("ASYNCDROP_REQUIRE_POSTGRES").is_none(),
            "PostgreSQL is not installed, and ASYNCDROP_REQUIRE_POSTGRES demands it"
        );
        // `eprintln!` would be swallowed, as all output of a test that succeeds.
        ONCE.call_once(|| io::stderr().write_all(WHY.as_bytes()).unwrap());
    }
    programs
}
