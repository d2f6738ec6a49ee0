//! Every program that a reader copies, under conditions that are worse than those of its page.
//!
//! The programs of the book, its snippets, the solutions of its exercises, the repaired twins of `compile-fail`
//! and the examples in the library's docs are modules of this test (`build/programs.rs` writes them).
//! In each of them `tokio` and `std` are [stand-ins](stand_in), and this executable runs one of them in a process of its own.

mod failing_steps;
mod slow_peers;
// It is as wide as what a program may name of tokio, and public as that is.
#[allow(dead_code, unreachable_pub)]
mod stand_in;

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use std::{env, fs, process, thread};

use asyncdrop_book_gates::{arguments, program, root, scratch};
use libtest_mimic::Failed;

/// What the build script wrote.
#[allow(unreachable_pub, clippy::type_complexity, clippy::unit_arg)]
mod programs {
    use std::process::{ExitCode, Termination};

    fn report(outcome: impl Termination) -> ExitCode {
        outcome.report()
    }

    include!(concat!(env!("OUT_DIR"), "/programs.rs"));
}

/// The program that this process is to run.
const PROGRAM: &str = "ASYNCDROP_GATES_PROGRAM";
/// If it is set, nothing is left out for the sake of time: `.ci/run` does that.
const ALL: &str = "ASYNCDROP_GATES_ALL";
/// A program that still runs after that long hangs.
const LIMIT: Duration = Duration::from_secs(60);
/// Other seconds than those.
const SECONDS: &str = "ASYNCDROP_GATES_SECONDS";

fn main() -> ExitCode {
    if let Ok(name) = env::var(PROGRAM) {
        return run_one(&name);
    }
    let mut trials = slow_peers::trials();
    trials.extend(failing_steps::trials());
    libtest_mimic::run(&arguments(), trials).exit_code()
}

fn run_one(name: &str) -> ExitCode {
    let found = programs::ALL.iter().find(|(known, _)| *known == name);
    let (_, run) = found.unwrap_or_else(|| panic!("no program is called {name}"));
    let seconds = env::var(SECONDS).ok().and_then(|text| text.parse().ok());
    let limit = seconds.map_or(LIMIT, Duration::from_secs);
    thread::spawn(move || {
        thread::sleep(limit);
        eprintln!("it hangs");
        process::exit(124);
    });
    run()
}

/// What readers copy: all programs but those of the book that show a mistake.
fn copied() -> Vec<&'static str> {
    let mistakes = program::mistakes();
    let names = programs::ALL.iter().map(|(name, _)| *name);
    names.filter(|name| !mistakes.contains(*name)).collect()
}

/// What the book says that the program prints. Other code only has to come to its end.
fn recorded(name: &str) -> Option<String> {
    fs::read_to_string(root().join(format!("book/output/{name}.txt"))).ok()
}

/// What the program prints under these conditions.
fn transcript(name: &str, conditions: &[(&str, OsString)]) -> Result<String, Failed> {
    let mut variables: Vec<(&str, &OsStr)> = conditions
        .iter()
        .map(|(variable, value)| (*variable, value.as_os_str()))
        .collect();
    variables.push((PROGRAM, OsStr::new(name)));
    let printed = program::transcript_with(name, &env::current_exe()?, &root(), &variables)?;
    Ok(printed
        .lines()
        .flat_map(|line| [as_in_the_book(line), "\n".to_owned()])
        .collect())
}

/// A module of this test calls itself what the program would.
fn as_in_the_book(line: &str) -> String {
    let line = line.replace("conditions::programs::", "");
    match line.split_once("/programs/") {
        Some((before, file)) => {
            let begin = before.rfind(' ').map_or(0, |space| space + 1);
            format!("{}book/examples/{file}", &before[..begin])
        }
        None => line,
    }
}

/// A file that does not exist yet.
fn log_of(name: &str, what: &str) -> Result<PathBuf, Failed> {
    let file = format!("{}-{what}.log", name.replace("::", "-"));
    let log = scratch("conditions").join(file);
    match fs::remove_file(&log) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(log),
    }
}
