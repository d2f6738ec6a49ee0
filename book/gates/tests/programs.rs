//! Every program of the book, run and compared with the output that the pages show.
//!
//! `cargo record` writes that output down again.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs};

use asyncdrop_book_gates::{arguments, files, program, root};
use libtest_mimic::{Failed, Trial};
use similar::TextDiff;

fn main() -> ExitCode {
    let executables = program::build_examples();
    let mut trials = Vec::new();
    for name in stems("book/examples", "rs") {
        let executable = executables.get(&name).cloned();
        trials.push(Trial::test(format!("book/output/{name}.txt"), move || {
            compare(&name, executable)
        }));
    }
    trials.push(Trial::test(
        "every_output_has_a_program",
        every_output_has_a_program,
    ));
    libtest_mimic::run(&arguments(), trials).exit_code()
}

fn compare(name: &str, executable: Option<PathBuf>) -> Result<(), Failed> {
    let executable =
        executable.ok_or_else(|| format!("cargo did not build the example `{name}`"))?;
    let recorded_in = root().join(format!("book/output/{name}.txt"));
    let now = program::transcript(name, &executable, &root())?;
    if env::var_os("RECORD").is_some() {
        fs::create_dir_all(root().join("book/output"))?;
        fs::write(&recorded_in, &now)?;
        return Ok(());
    }
    let recorded = fs::read_to_string(&recorded_in).unwrap_or_default();
    if now == recorded {
        return Ok(());
    }
    let diff = TextDiff::from_lines(&recorded, &now);
    let diff = diff
        .unified_diff()
        .header("recorded", "this run")
        .to_string();
    Err(Failed::from(format!(
        "`cargo run --example {name}` does not print what book/output/{name}.txt says.\n\
         After a deliberate change, `cargo record` writes it down again.\n{diff}"
    )))
}

fn every_output_has_a_program() -> Result<(), Failed> {
    let programs = stems("book/examples", "rs");
    let orphans: Vec<_> = stems("book/output", "txt")
        .difference(&programs)
        .cloned()
        .collect();
    if orphans.is_empty() {
        return Ok(());
    }
    Err(Failed::from(format!(
        "remove from book/output, since no program in book/examples prints it: {orphans:?}"
    )))
}

/// The names of the files in a folder that have this extension.
fn stems(folder: &str, extension: &str) -> BTreeSet<String> {
    let stem = |file: String| Some(Path::new(&file).file_stem()?.to_str()?.to_owned());
    files(folder, extension)
        .into_iter()
        .filter_map(stem)
        .collect()
}
