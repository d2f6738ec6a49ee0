//! Runs a program the way a reader does, and writes down what a terminal would show.

use std::io::{self, Read};
use std::path::Path;
use std::process::{Command, Stdio};

/// What stands in `book/output/<name>.txt`: the command, what it printed, and how it ended.
///
/// # Errors
///
/// When the program cannot be run, or prints something that is not text.
pub fn transcript(name: &str, program: &Path, folder: &Path) -> io::Result<String> {
    // One pipe for both streams keeps their lines in the order in which they were written.
    let (mut reader, writer) = io::pipe()?;
    let mut command = Command::new(program);
    command
        .current_dir(folder)
        .env_remove("RUST_BACKTRACE")
        .env_remove("RUST_LIB_BACKTRACE")
        .env_remove("RUST_LOG")
        .env("NO_COLOR", "1")
        .stdin(Stdio::null())
        .stdout(writer.try_clone()?)
        .stderr(writer);
    let mut child = command.spawn()?;
    // The command holds this end of the pipe open, and reading would never end.
    drop(command);
    let mut printed = String::new();
    reader.read_to_string(&mut printed)?;
    let status = child.wait()?;

    let mut transcript = format!("$ cargo run -q --example {name}\n");
    for line in printed.lines() {
        transcript.push_str(&normalized(line));
        transcript.push('\n');
    }
    match status.code() {
        Some(0) => {}
        Some(code) => transcript.push_str(&format!("[exit status: {code}]\n")),
        None => transcript.push_str(&format!("[{status}]\n")),
    }
    Ok(transcript)
}

/// Takes out what differs from run to run, or with every edit of the library.
fn normalized(line: &str) -> String {
    let mut line = line.to_owned();
    // thread 'main' (12345) panicked at ..
    if let Some(start) = line.find("' (")
        && let Some(length) = line[start..].find(") panicked at ")
        && line.starts_with("thread '")
    {
        line.replace_range(start + 1..=start + length, "");
    }
    // A program of the book lies in `book/examples/`, so `src/` is the library's.
    if let Some(start) = line.find("panicked at src/")
        && let Some(length) = line[start..].find(".rs:")
    {
        line.truncate(start + length + ".rs:".len());
    }
    line
}
