//! Tests that end in every bad way. `tests/left_behind.rs` runs them and looks at what they leave.

use std::io::{self, Write};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use anyhow::{Result, bail};
use test_database::{TestDatabase, Tests};

fn main() -> ExitCode {
    Tests::with_migrations(&["CREATE TABLE note (title TEXT PRIMARY KEY)"])
        .limit(Duration::from_secs(5))
        .test("succeeds", async |database| say_where(database).await)
        .test("fails", async |database| {
            say_where(database).await?;
            bail!("the note was not found")
        })
        .test("panics", async |database| {
            say_where(database).await?;
            panic!("one of its assertions failed");
        })
        .test("hangs", async |database| {
            say_where(database).await?;
            // In the middle of a query.
            let query = "SELECT pg_sleep(3600)";
            Ok(database.client().batch_execute(query).await?)
        })
        .test("blocks_its_thread", async |database| {
            say_where(database).await?;
            thread::sleep(Duration::from_secs(3600));
            Ok(())
        })
        .run()
}

/// Prints the number of the server's process, and the name of the database.
async fn say_where(database: &mut TestDatabase) -> Result<()> {
    let query = "SELECT current_database()::text, \
                 split_part(pg_read_file('postmaster.pid'), E'\\n', 1)";
    let row = database.client().query_one(query, &[]).await?;
    let (name, server): (String, String) = (row.get(0), row.get(1));
    // The line in which the test is named goes on meanwhile.
    writeln!(io::stdout(), "\n{name} of {server}")?;
    Ok(())
}
