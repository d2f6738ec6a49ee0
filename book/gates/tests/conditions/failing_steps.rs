//! Each step of a program fails once: a read, a write, a file that is made, synced or renamed, a message that is waited for.
//!
//! Whatever fails, no guard is forgotten, no cleanup is dropped in its middle, nothing hangs,
//! and what is published, committed or confirmed is whole.

use std::ffi::OsString;
use std::{env, fs};

use asyncdrop_book_gates::{files, root};
use libtest_mimic::{Failed, Trial};

use crate::{ALL, copied, log_of, recorded, stand_in, transcript};

/// A program that publishes, commits or completes something.
struct Publisher {
    name: &'static str,
    /// How the lines begin in which it prints that. Each must be one of the recorded lines, or not be there.
    says: &'static [&'static str],
    /// What it may say beside the recorded lines: that nothing was published.
    nothing: &'static [&'static str],
}

const fn publisher(name: &'static str, says: &'static [&'static str]) -> Publisher {
    let nothing = &["stored: []"];
    Publisher {
        name,
        says,
        nothing,
    }
}

const PUBLISHERS: [Publisher; 8] = [
    publisher("a_transaction_in_a_task", &["COMMIT"]),
    publisher("committed_at_the_end_of_the_work", &["prices.csv: "]),
    publisher("publishing_a_draft", &["published ", "<h"]),
    publisher("tutorial_2", &["stored: "]),
    publisher("tutorial_3", &["stored: "]),
    publisher("tutorial_4", &["stored: "]),
    publisher("tutorial_5", &["stored: "]),
    publisher("tutorial_6", &["stored: "]),
];

/// The program of the book whose cleanup publishes: it must not pass.
const PUBLISHES_BY_HALVES: Publisher = publisher("committed_by_its_cleanup", &["prices.csv: "]);

/// How a program does it.
const WORDS: [&str; 4] = ["fn publish(", "fn commit(", "fn complete(", "\"COMMIT"];

/// So many steps fail in a bare `cargo test`, one in each run.
const FEW: usize = 12;
/// No program of the book has that many.
const MANY: usize = 2000;

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials: Vec<_> = copied()
        .into_iter()
        .map(|name| {
            Trial::test(format!("failing steps: {name}"), move || {
                survives(name, PUBLISHERS.iter().find(|known| known.name == name))
            })
        })
        .collect();
    trials.push(Trial::test(
        "failing steps: all programs that publish are known",
        all_are_known,
    ));
    trials.push(Trial::test(
        "failing steps show a commit in the cleanup",
        a_commit_in_the_cleanup_shows,
    ));
    trials
}

/// Lets one step after the other fail, until a run has no more.
fn survives(name: &str, publisher: Option<&Publisher>) -> Result<(), Failed> {
    let recorded = recorded(name);
    let last = if env::var_os(ALL).is_some() {
        MANY
    } else {
        FEW
    };
    for failing in 1..=last {
        let log = log_of(name, &format!("failing-{failing}"))?;
        let printed = transcript(
            name,
            &[
                (stand_in::FAIL, OsString::from(failing.to_string())),
                (stand_in::FAIL_LOG, log.clone().into()),
            ],
        )?;
        let Ok(step) = fs::read_to_string(&log) else {
            return Ok(());
        };
        let _ = fs::remove_file(&log);
        if let Some(wrong) = what_is_wrong(&printed, recorded.as_deref(), publisher) {
            return Err(Failed::from(format!(
                "step {failing}, {step}, fails, and {wrong}:\n{printed}"
            )));
        }
    }
    if last == MANY {
        return Err(format!("{name} still has steps after {MANY}").into());
    }
    Ok(())
}

fn what_is_wrong(
    printed: &str,
    recorded: Option<&str>,
    publisher: Option<&Publisher>,
) -> Option<String> {
    if printed.contains("it hangs\n") {
        return Some("the program hangs".to_owned());
    }
    let Some(recorded) = recorded else {
        // The assertions of an example or a test fail with its step, and what they unwind through is a line of the library's.
        // But it must not be the library that panics first.
        let first = printed.find(" panicked at ")?;
        return printed[first..]
            .starts_with(" panicked at src/incident.rs")
            .then(|| "a guard is lost".to_owned());
    };
    for incident in [
        "Forgot to call async_drop",
        "was interrupted before it finished",
    ] {
        if printed.contains(incident) && !recorded.contains(incident) {
            return Some("a guard is lost".to_owned());
        }
    }
    let Publisher { says, nothing, .. } = publisher?;
    let known: Vec<_> = recorded.lines().collect();
    printed
        .lines()
        .filter(|line| says.iter().any(|begin| line.starts_with(begin)))
        .find(|line| !known.contains(line) && !nothing.contains(line))
        .map(|line| format!("{line:?} is no line of a whole run"))
}

fn all_are_known() -> Result<(), Failed> {
    let shown = copied();
    for file in files("book/examples", "rs") {
        let source = fs::read_to_string(root().join(&file))?;
        let name = file
            .trim_start_matches("book/examples/")
            .trim_end_matches(".rs");
        let publishes = WORDS.iter().find(|word| source.contains(**word));
        let known = PUBLISHERS.iter().any(|known| known.name == name);
        if let Some(word) = publishes
            && shown.contains(&name)
            && !known
        {
            return Err(format!(
                "{file} has `{word}`: add it to `PUBLISHERS`, with the lines that say what was published"
            )
            .into());
        }
        if known && publishes.is_none() {
            return Err(format!("{file} is in `PUBLISHERS`, but has none of {WORDS:?}").into());
        }
    }
    Ok(())
}

fn a_commit_in_the_cleanup_shows() -> Result<(), Failed> {
    let name = PUBLISHES_BY_HALVES.name;
    match survives(name, Some(&PUBLISHES_BY_HALVES)) {
        Ok(()) => Err(format!("{name} publishes by halves, and nobody has seen it").into()),
        Err(_) => Ok(()),
    }
}
