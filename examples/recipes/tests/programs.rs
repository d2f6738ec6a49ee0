//! Every program prints what the book shows, and prints it again when its cleanups are interrupted.
//!
//! `RECORD=1 cargo test -p asyncdrop-example-recipes` writes it down again.
//!
//! With the feature `asyncdrop/testing` the variable `ASYNCDROP_INTERRUPT` reaches the programs, and changes nothing.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::io::{self, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, ensure};
use asyncdrop::{AsyncDropReaper, ReaperHandle};
use test_database::Server;

/// Runs a program and compares what it printed, on both streams, with its file in `output/`.
fn prints_what_the_book_shows(
    name: &str,
    program: &str,
    variables: &[(&str, &str)],
) -> anyhow::Result<()> {
    // One pipe keeps the lines of both streams in their order.
    let (mut reader, writer) = io::pipe()?;
    let mut child = Command::new(program)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."))
        .env_remove("RUST_BACKTRACE")
        .env_remove("RUST_LIB_BACKTRACE")
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .stdout(writer.try_clone()?)
        .stderr(writer)
        .spawn()?;
    let mut printed = format!("$ cargo run -q -p asyncdrop-example-recipes --bin {name}\n");
    reader.read_to_string(&mut printed)?;
    let status = child.wait()?;
    ensure!(status.success(), "{name} failed: {status}\n{printed}");

    let output = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("output/{name}.txt"));
    if env::var_os("RECORD").is_some() {
        return Ok(fs::write(output, printed)?);
    }
    let recorded = fs::read_to_string(&output).unwrap_or_default();
    ensure!(
        recorded == printed,
        "{name} prints something else now\n--- recorded\n{recorded}\n--- this run\n{printed}"
    );
    Ok(())
}

#[test]
fn the_state_of_axum() -> anyhow::Result<()> {
    let program = env!("CARGO_BIN_EXE_guard_in_axum_state");
    prints_what_the_book_shows("guard_in_axum_state", program, &[])
}

#[test]
fn the_multipart_upload() -> anyhow::Result<()> {
    let program = env!("CARGO_BIN_EXE_multipart_upload");
    prints_what_the_book_shows("multipart_upload", program, &[])
}

#[tokio::test]
async fn the_transaction_of_sqlx() -> anyhow::Result<()> {
    let Some(programs) = test_database::installed() else {
        assert!(
            env::var_os("ASYNCDROP_REQUIRE_POSTGRES").is_none(),
            "there is no PostgreSQL, and ASYNCDROP_REQUIRE_POSTGRES asks for it"
        );
        // Past the harness, which keeps what a test that passes has printed.
        writeln!(io::stderr(), "skipped: there is no PostgreSQL")?;
        return Ok(());
    };
    let reaper = AsyncDropReaper::new();
    let compared = on_a_server(&reaper, &programs).await;
    let stopped = AsyncDropReaper::shutdown(reaper, Duration::from_secs(60)).await;
    if let (Err(_), Err(error)) = (&compared, &stopped) {
        eprintln!("{error}");
    }
    compared?;
    stopped?;
    Ok(())
}

async fn on_a_server(reaper: &ReaperHandle, programs: &Path) -> anyhow::Result<()> {
    let server = Server::start(reaper, programs).await?;
    let folder = server.folder().to_str();
    let folder = folder.context("the folder's name is not UTF-8")?;
    let url = format!("postgres://postgres@localhost/postgres?host={folder}");
    let program = env!("CARGO_BIN_EXE_sqlx_transaction");
    // It blocks the thread, on which nothing else has to run.
    prints_what_the_book_shows("sqlx_transaction", program, &[("DATABASE_URL", &url)])
}

/// Without this, a page could show what no program has printed for a long time.
#[test]
fn every_output_has_a_program() -> io::Result<()> {
    let stems = |folder| -> io::Result<BTreeSet<_>> {
        fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder))?
            .map(|entry| Ok(entry?.path().file_stem().map(ToOwned::to_owned)))
            .collect()
    };
    let (outputs, programs) = (stems("output")?, stems("src/bin")?);
    let orphans: Vec<_> = outputs.difference(&programs).collect();
    assert!(orphans.is_empty(), "no program prints {orphans:?}");
    Ok(())
}
