//! The same on a real PostgreSQL server, which these tests start and stop.

use std::env;
use std::fs;
use std::future::pending;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::time::Duration;

use anyhow::Result;
use rustix::process::{Pid, test_kill_process};
use test_database::postgres::{self, Server, TestDatabase};
use test_database::run_test;
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

const MIGRATIONS: [&str; 2] = [
    "CREATE TABLE note (title TEXT PRIMARY KEY)",
    "ALTER TABLE note ADD COLUMN text TEXT NOT NULL DEFAULT ''",
];

/// Only a test that would hang for ever takes this long.
const PATIENCE: Duration = Duration::from_secs(120);

#[test]
fn a_database_is_dropped_whatever_its_test_did() -> Result<()> {
    let Some(programs) = postgres_or_say_why_not() else {
        return Ok(());
    };
    run_test(PATIENCE, async |reaper| {
        let server = Server::start(&reaper, &programs).await?;
        let server_alone = reaper.pending();

        // It is used, and ended.
        let mut ended = TestDatabase::create(&reaper, &server, &MIGRATIONS).await?;
        let insert = "INSERT INTO note VALUES ('shopping', 'bread')";
        ended.client().batch_execute(insert).await?;
        let row = ended
            .client()
            .query_one("SELECT text FROM note", &[])
            .await?;
        assert_eq!(row.get::<_, String>(0), "bread");
        assert_eq!(server.databases().await?.len(), 1);
        ended.async_drop().await?;
        assert_eq!(server.databases().await?, [""; 0]);

        // An early `?` drops it.
        let dropped = TestDatabase::create(&reaper, &server, &MIGRATIONS).await?;
        // Its task panics.
        let panics = TestDatabase::create(&reaper, &server, &MIGRATIONS).await?;
        // Its task is aborted.
        let aborted = TestDatabase::create(&reaper, &server, &MIGRATIONS).await?;
        assert_eq!(server.databases().await?.len(), 3);

        drop(dropped);
        let task = tokio::spawn(async move {
            let _database = panics;
            panic!("one of its assertions failed");
        });
        assert!(task.await.unwrap_err().is_panic());
        let (started, has_started) = oneshot::channel();
        let task = tokio::spawn(async move {
            let mut database = aborted;
            let query = database.client().query("SELECT pg_sleep(3600)", &[]);
            started.send(()).unwrap();
            query.await.map(drop)
        });
        has_started.await?;
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());

        // A migration fails.
        let error = TestDatabase::create(&reaper, &server, &["CREATE A TABLE"]).await;
        assert!(format!("{:?}", error.unwrap_err()).contains("syntax error"));

        while reaper.pending() > server_alone {
            sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(server.databases().await?, [""; 0]);
        Ok(())
    })
}

#[test]
fn the_server_stops_after_the_last_database() -> Result<()> {
    let Some(programs) = postgres_or_say_why_not() else {
        return Ok(());
    };
    let mut folder = PathBuf::new();
    let mut process = None;
    // That this is no error says that the database could still be dropped.
    run_test(PATIENCE, async |reaper| {
        let server = Server::start(&reaper, &programs).await?;
        folder = server.folder().to_owned();
        process = Some(process_of(&folder)?);
        let database = TestDatabase::create(&reaper, &server, &MIGRATIONS).await?;
        // The wrong way round.
        drop(server);
        drop(database);
        Ok(())
    })?;
    assert_ended(&folder, process.unwrap());
    Ok(())
}

#[test]
fn the_server_stops_after_a_test_that_takes_too_long() {
    let Some(programs) = postgres_or_say_why_not() else {
        return;
    };
    let mut started = None;
    for limit in (1..).map(|seconds| Duration::from_secs(5 * seconds)) {
        let result = run_test(limit, async |reaper| {
            let server = Server::start(&reaper, &programs).await?;
            let _database = TestDatabase::create(&reaper, &server, &MIGRATIONS).await?;
            let folder = server.folder().to_owned();
            started = Some((process_of(&folder)?, folder));
            pending().await
        });
        assert!(result.unwrap_err().to_string().contains("not done after"));
        // A busy machine may need more time than the limit for the start alone.
        if started.is_some() {
            break;
        }
    }
    let (process, folder) = started.unwrap();
    assert_ended(&folder, process);
}

#[test]
fn a_start_that_is_cut_off_is_cleaned_up() -> Result<()> {
    let Some(programs) = postgres_or_say_why_not() else {
        return Ok(());
    };
    // Before it does anything, while `initdb` runs, and then perhaps while `postgres` starts.
    for limit in [0, 100, 300, 600].map(Duration::from_millis) {
        // A process that cannot be stopped, or a folder that cannot be deleted, would be an error here.
        run_test(PATIENCE, async |reaper| {
            let _ = timeout(limit, Server::start(&reaper, &programs)).await;
            Ok(())
        })?;
    }
    Ok(())
}

/// The number of the server's process, which it writes into its folder.
fn process_of(folder: &Path) -> Result<Pid> {
    let file = fs::read_to_string(folder.join("data/postmaster.pid"))?;
    let id = file.lines().next().unwrap_or_default().parse()?;
    let process = Pid::from_raw(id).expect("no process has the number 0");
    test_kill_process(process)?;
    Ok(process)
}

#[track_caller]
fn assert_ended(folder: &Path, process: Pid) {
    assert!(!folder.exists(), "{} is still there", folder.display());
    assert!(
        test_kill_process(process).is_err(),
        "{process:?} still runs"
    );
}

/// The folder with the programs of PostgreSQL. Without it these tests can only say so.
fn postgres_or_say_why_not() -> Option<PathBuf> {
    const WHY: &str = "PostgreSQL is not installed: \
        there is no `initdb` in /usr/lib/postgresql/*/bin, nor in the PATH";

    static ONCE: Once = Once::new();

    let programs = postgres::installed();
    if programs.is_none() {
        assert!(
            env::var_os("ASYNCDROP_REQUIRE_POSTGRES").is_none(),
            "{WHY}, and ASYNCDROP_REQUIRE_POSTGRES demands it"
        );
        // `eprintln!` would be swallowed, as all output of a test that succeeds.
        let line = format!("SKIPPED: {WHY}\n");
        ONCE.call_once(|| io::stderr().write_all(line.as_bytes()).unwrap());
    }
    programs
}
