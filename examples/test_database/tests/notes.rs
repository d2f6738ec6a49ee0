//! The tests of a program that keeps notes, each on a database of its own.

use std::process::ExitCode;

use anyhow::Result;
use test_database::{TestDatabase, Tests};

// ANCHOR: main
const MIGRATIONS: [&str; 2] = [
    "CREATE TABLE note (title TEXT PRIMARY KEY)",
    "ALTER TABLE note ADD COLUMN text TEXT NOT NULL DEFAULT ''",
];

fn main() -> ExitCode {
    Tests::with_migrations(&MIGRATIONS)
        .test("a_note_is_kept", a_note_is_kept)
        .test("no_two_notes_have_one_title", no_two_notes_have_one_title)
        .test("there_are_no_notes_at_first", there_are_no_notes_at_first)
        .run()
}
// ANCHOR_END: main

// ANCHOR: test
async fn a_note_is_kept(database: &mut TestDatabase) -> Result<()> {
    let insert = "INSERT INTO note VALUES ('shopping', 'bread')";
    database.client().batch_execute(insert).await?;

    // The code under test would do this.
    let client = database.connect().await?;
    let row = client.query_one("SELECT text FROM note", &[]).await?;
    assert_eq!(row.get::<_, String>(0), "bread");
    Ok(())
}
// ANCHOR_END: test

async fn no_two_notes_have_one_title(database: &mut TestDatabase) -> Result<()> {
    let insert = "INSERT INTO note VALUES ('shopping')";
    database.client().batch_execute(insert).await?;
    let twice = database.client().batch_execute(insert).await;
    let error = twice.unwrap_err();
    assert!(error.code().is_some(), "the server refuses it: {error}");
    Ok(())
}

async fn there_are_no_notes_at_first(database: &mut TestDatabase) -> Result<()> {
    let query = "SELECT count(*) FROM note";
    let row = database.client().query_one(query, &[]).await?;
    assert_eq!(row.get::<_, i64>(0), 0);
    Ok(())
}
