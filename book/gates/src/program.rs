//! Runs a program the way a reader does, and writes down what a terminal would show.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::{cargo, chapters, files, markdown, root};

/// Builds all programs of `book/examples`, with the features that `cargo test` gave them already, and says where each is.
///
/// # Panics
///
/// When one cannot be built.
pub fn build_examples() -> BTreeMap<String, PathBuf> {
    let output = Command::new(env!("CARGO"))
        .current_dir(root())
        .args([
            "build",
            "--examples",
            "--message-format",
            "json-render-diagnostics",
        ])
        .stderr(Stdio::inherit())
        .output()
        .expect("cargo runs this test");
    assert!(output.status.success(), "`cargo build --examples` failed");
    let in_the_book = root().join("book/examples");
    cargo::messages(&output.stdout)
        .filter(|message| {
            let source = message["target"]["src_path"].as_str().unwrap_or_default();
            Path::new(source).parent() == Some(&in_the_book)
        })
        .filter_map(|message| {
            let name = message["target"]["name"].as_str()?.to_owned();
            Some((name, PathBuf::from(message["executable"].as_str()?)))
        })
        .collect()
}

/// The programs of `book/examples` under the label *Works*.
pub fn works() -> BTreeSet<String> {
    let blocks = chapters()
        .into_iter()
        .flat_map(|chapter| markdown::listings(&chapter).blocks);
    blocks
        .filter(|block| {
            let figure = block.figure.as_ref();
            figure.is_some_and(|figure| figure.kind == "works")
        })
        .flat_map(|block| block.includes)
        .filter_map(|file| {
            let name = file.strip_prefix("book/examples/")?.strip_suffix(".rs")?;
            Some(name.to_owned())
        })
        .collect()
}

/// The programs of `book/examples` that show a mistake, and that no reader should copy.
pub fn mistakes() -> BTreeSet<String> {
    let works = works();
    let all = files("book/examples", "rs");
    let names = all
        .iter()
        .filter_map(|file| Path::new(file).file_stem()?.to_str());
    names
        .filter(|name| !works.contains(*name))
        .map(str::to_owned)
        .collect()
}

/// What stands in `book/output/<name>.txt`: the command, what it printed, and how it ended.
///
/// # Errors
///
/// When the program cannot be run, or prints something that is not text.
pub fn transcript(name: &str, program: &Path, folder: &Path) -> io::Result<String> {
    transcript_with(name, program, folder, &[])
}

/// The same with variables in the environment of the program.
///
/// # Errors
///
/// When the program cannot be run, or prints something that is not text.
pub fn transcript_with(
    name: &str,
    program: &Path,
    folder: &Path,
    variables: &[(&str, &OsStr)],
) -> io::Result<String> {
    // One pipe for both streams keeps their lines in the order in which they were written.
    let (mut reader, writer) = io::pipe()?;
    let mut command = Command::new(program);
    command
        .current_dir(folder)
        .env_remove("RUST_BACKTRACE")
        .env_remove("RUST_LIB_BACKTRACE")
        .env_remove("RUST_LOG")
        .env("NO_COLOR", "1")
        .envs(variables.iter().copied())
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
