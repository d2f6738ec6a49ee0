//! A SQLite file of a test is gone afterwards, whatever the test did.

use std::fs;
use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, bail};
use asyncdrop::{Reaped, ReaperHandle};
use rusqlite::Connection;
use test_database::run_test;
use test_database::sqlite::TestDatabase;
use tokio::sync::oneshot;

const MIGRATIONS: [&str; 2] = [
    "CREATE TABLE note (title TEXT PRIMARY KEY)",
    "ALTER TABLE note ADD COLUMN text TEXT NOT NULL DEFAULT ''",
];

/// Only a test that would hang for ever takes this long.
const PATIENCE: Duration = Duration::from_secs(60);

// ANCHOR: use
#[test]
fn a_test_has_a_migrated_database() -> Result<()> {
    run_test(PATIENCE, async |reaper| {
        let mut database = TestDatabase::create(&reaper, &MIGRATIONS)?;
        let insert = "INSERT INTO note VALUES ('shopping', 'bread')";
        database.connection().execute(insert, [])?;

        // The code under test would do this.
        let connection = Connection::open(database.path())?;
        let text: String = connection.query_row("SELECT text FROM note", [], |row| row.get(0))?;
        assert_eq!(text, "bread");
        Ok(())
    })
}
// ANCHOR_END: use

#[test]
fn no_two_databases_are_the_same() -> Result<()> {
    run_test(PATIENCE, async |reaper| {
        let mut first = TestDatabase::create(&reaper, &MIGRATIONS)?;
        let mut second = TestDatabase::create(&reaper, &MIGRATIONS)?;
        let insert = "INSERT INTO note VALUES ('shopping', 'bread')";
        first.connection().execute(insert, [])?;
        second.connection().execute(insert, [])?;
        assert_ne!(first.path(), second.path());
        Ok(())
    })
}

#[test]
fn it_is_gone_after_a_test_that_succeeds() {
    let mut folder = PathBuf::new();
    let result = run_test(PATIENCE, async |reaper| {
        let database = used_database(&reaper, &mut folder)?;
        // A journal of SQLite's lies beside the file by now, and goes with it.
        assert!(database.folder().join("test.sqlite-wal").exists());
        Ok(())
    });
    result.unwrap();
    assert_gone(&folder);
}

#[test]
fn it_is_gone_at_once_when_the_test_ends_it() {
    let mut folder = PathBuf::new();
    let result = run_test(PATIENCE, async |reaper| {
        let mut database = used_database(&reaper, &mut folder)?;
        database.async_drop().await?;
        assert_gone(&folder);
        assert_eq!(reaper.pending(), 0);
        Ok(())
    });
    result.unwrap();
}

#[test]
fn it_is_gone_after_a_test_that_fails() {
    let mut folder = PathBuf::new();
    let result = run_test(PATIENCE, async |reaper| {
        let _database = used_database(&reaper, &mut folder)?;
        bail!("the note was not found")
    });
    assert_eq!(result.unwrap_err().to_string(), "the note was not found");
    assert_gone(&folder);
}

// ANCHOR: panic
#[test]
fn it_is_gone_after_a_test_that_panics() {
    let mut folder = PathBuf::new();
    let test = || {
        run_test(PATIENCE, async |reaper| {
            let _database = used_database(&reaper, &mut folder)?;
            panic!("one of its assertions failed");
        })
    };
    let panic = catch_unwind(AssertUnwindSafe(test)).unwrap_err();
    assert_eq!(panic.downcast_ref(), Some(&"one of its assertions failed"));
    assert_gone(&folder);
}
// ANCHOR_END: panic

#[test]
fn it_is_gone_after_a_test_that_takes_too_long() {
    let mut folder = PathBuf::new();
    // However short the limit is, `timeout` lets the test run up to its first `.await`.
    let limit = Duration::from_millis(1);
    let result = run_test(limit, async |reaper| {
        let _database = used_database(&reaper, &mut folder)?;
        pending().await
    });
    let error = result.unwrap_err().to_string();
    assert_eq!(error, "the test was not done after 1ms");
    assert_gone(&folder);
}

#[test]
fn it_is_gone_after_its_task_was_aborted() {
    let mut folder = PathBuf::new();
    let result = run_test(PATIENCE, async |reaper| {
        let database = used_database(&reaper, &mut folder)?;
        let (started, has_started) = oneshot::channel();
        let task = tokio::spawn(async move {
            let _database = database;
            started.send(()).unwrap();
            pending::<()>().await;
        });
        has_started.await?;
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
        Ok(())
    });
    result.unwrap();
    assert_gone(&folder);
}

#[test]
fn a_test_waits_for_a_task_that_has_the_database() {
    let mut folder = PathBuf::new();
    let result = run_test(PATIENCE, async |reaper| {
        let database = used_database(&reaper, &mut folder)?;
        tokio::spawn(async move {
            let _database = database;
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
        });
        Ok(())
    });
    result.unwrap();
    assert_gone(&folder);
}

#[test]
fn a_migration_that_fails_leaves_nothing_behind() {
    let mut folders = 0;
    let result = run_test(PATIENCE, async |reaper| {
        let error = TestDatabase::create(&reaper, &["CREATE A TABLE"]).unwrap_err();
        assert!(error.to_string().contains("syntax error"), "{error}");
        folders = reaper.pending();
        Ok(())
    });
    // The reaper had the folder, and has deleted it.
    assert_eq!(folders, 1);
    result.unwrap();
}

#[test]
fn a_cleanup_that_fails_fails_the_test() {
    let mut folder = PathBuf::new();
    let result = run_test(PATIENCE, async |reaper| {
        let _database = used_database(&reaper, &mut folder)?;
        fs::remove_dir_all(&folder)?;
        fs::write(&folder, "a file, which is no folder")?;
        Ok(())
    });
    let error = result.unwrap_err().to_string();
    fs::remove_file(&folder).unwrap();
    // It names the type, the line that created it, and the reason.
    let expected = [
        "1 of 1 cleanups failed: test_database::sqlite::TestDatabase, created at ",
        file!(),
        "Not a directory",
    ];
    for part in expected {
        assert!(error.contains(part), "{part:?} is not in {error:?}");
    }
}

/// Creates a database with something in it, and keeps the name of its folder.
#[track_caller]
fn used_database(reaper: &ReaperHandle, folder: &mut PathBuf) -> Result<Reaped<TestDatabase>> {
    let mut database = TestDatabase::create(reaper, &MIGRATIONS)?;
    *folder = database.folder().to_owned();
    assert!(database.path().is_file());
    let insert = "PRAGMA journal_mode = WAL; INSERT INTO note VALUES ('shopping', 'bread')";
    database.connection().execute_batch(insert)?;
    Ok(database)
}

#[track_caller]
fn assert_gone(folder: &Path) {
    // Had the test not come so far as to create a database, this would prove nothing.
    assert_ne!(folder, Path::new(""));
    assert!(!folder.exists(), "{} is still there", folder.display());
}
