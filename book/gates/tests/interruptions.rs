//! Every program that a page labels *Works* prints the same when its cleanups are interrupted.
//!
//! `ASYNCDROP_INTERRUPT=n` drops each cleanup of a program once, before its `n`th operation, and begins it again.
//! A cleanup that can be run again shows no difference, for n = 1, 2, 3, .. until no cleanup has that many operations.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;

use asyncdrop_book_gates::{arguments, program, root, scratch};
use libtest_mimic::{Failed, Trial};
use similar::TextDiff;

/// No cleanup of the book has that many operations: a program that is still reached there would never come to an end.
const MANY: usize = 64;

fn main() -> ExitCode {
    let executables = program::build_examples();
    let programs = program::works();
    let mut trials = Vec::new();
    for name in &programs {
        let Some(executable) = executables.get(name).cloned() else {
            continue;
        };
        let name = name.clone();
        trials.push(Trial::test(format!("book/examples/{name}.rs"), move || {
            prints_the_same(&name, &executable)
        }));
    }
    trials.push(Trial::test("programs_are_interrupted", move || {
        let reached = programs
            .iter()
            .filter_map(|name| executables.get(name).map(|executable| (name, executable)))
            .filter(|(name, executable)| {
                run(name, executable, 1).is_ok_and(|(_, reached)| reached > 0)
            })
            .count();
        // Were the variable ignored, all programs would print the same, and nothing would have been tried.
        if reached < 10 {
            return Err(Failed::from(format!(
                "only {reached} programs have a cleanup that was interrupted"
            )));
        }
        Ok(())
    }));
    libtest_mimic::run(&arguments(), trials).exit_code()
}

fn prints_the_same(name: &str, executable: &Path) -> Result<(), Failed> {
    let recorded_in = root().join(format!("book/output/{name}.txt"));
    let recorded = fs::read_to_string(recorded_in)?;
    // Many programs have no second operation. One that has is run on all cores, because one takes longer than all others.
    let mut next = 1;
    while next <= MANY {
        let operations = if next == 1 { 1..2 } else { next..next + 2 };
        next = operations.end;
        let runs = thread::scope(|scope| {
            let start =
                |operation| scope.spawn(move || (operation, run(name, executable, operation)));
            let started: Vec<_> = operations.map(start).collect();
            started
                .into_iter()
                .map(|run| run.join())
                .collect::<Vec<_>>()
        });
        for run in runs {
            let (operation, outcome) = run.map_err(|_| "a run panicked")?;
            let (now, reached) = outcome?;
            if now != recorded {
                let diff = TextDiff::from_lines(&recorded, &now);
                let diff = diff
                    .unified_diff()
                    .header("recorded", "interrupted")
                    .to_string();
                return Err(Failed::from(format!(
                    "{name} prints something else when its cleanups are interrupted before operation {operation}\n{diff}"
                )));
            }
            if reached == 0 {
                return Ok(());
            }
        }
    }
    Err(Failed::from(format!(
        "{name} still has cleanups of {MANY} operations"
    )))
}

/// What the program prints when its cleanups are interrupted before that operation, and how many were.
fn run(name: &str, executable: &Path, operation: usize) -> Result<(String, usize), Failed> {
    let log = log_of(name, operation)?;
    let now = program::transcript_with(
        name,
        executable,
        &root(),
        &[
            ("ASYNCDROP_INTERRUPT", OsStr::new(&operation.to_string())),
            ("ASYNCDROP_INTERRUPT_LOG", log.as_os_str()),
        ],
    )?;
    let reached = fs::read_to_string(&log).unwrap_or_default().lines().count();
    Ok((now, reached))
}

/// A file that does not exist yet. Trials run at the same time, and two of them run the same program.
fn log_of(name: &str, operation: usize) -> Result<PathBuf, Failed> {
    let by = thread::current().id();
    let log = scratch("interruptions").join(format!("{name}-{operation}-{by:?}.log"));
    match fs::remove_file(&log) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(log),
    }
}
