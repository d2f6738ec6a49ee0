//! A slow peer changes nothing, even if each cleanup is interrupted.
//!
//! Each stream is a [`Trickle`](asyncdrop::testing::Trickle): a message that is torn between two of its bytes shows.

use std::ffi::OsString;
use std::{env, fs};

use asyncdrop_book_gates::root;
use libtest_mimic::{Failed, Trial};

use crate::{ALL, copied, log_of, recorded, stand_in, transcript};

/// The programs that differ with slow peers, and why that is right. Names are given by how they begin.
const LEFT_OUT: [(&str, &str); 6] = [
    (
        "a_long_row_of_savepoints",
        "it has no stream, and interrupting 100,000 cleanups within each other takes minutes",
    ),
    (
        "a_pool_of_guards",
        "it closes one connection while it uses the next, and which of the two prints first is up to their pace",
    ),
    (
        "docs_testing_sweep_",
        "it names the operations at which it was cut",
    ),
    (
        "page_patterns_guards_in_fields_",
        "its first interruption has to come after its first error",
    ),
    (
        "tutorial_5",
        "it gives its client one second for 100,000 bytes",
    ),
    (
        "tutorial_6",
        "it gives its client one second for 100,000 bytes",
    ),
];

/// They count how often they are interrupted, up to their own last operation, so beyond it there is nothing to count.
const INTERRUPT_THEMSELVES: [&str; 2] = ["docs_testing_interruptions_", "page_helpers_testing_"];

/// The operations before which cleanups are interrupted in a bare `cargo test`.
const FEW: usize = 3;
/// No cleanup has that many operations, one for each byte.
const MANY: usize = 400;

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for name in copied() {
        trials.push(Trial::test(format!("interrupted: {name}"), move || {
            // The programs of the book have the test `interruptions`, which compares what they print as they are.
            match recorded(name) {
                Some(_) => Ok(()),
                None => is_the_same(name, false),
            }
        }));
        if LEFT_OUT.iter().all(|(begin, _)| !name.starts_with(begin)) {
            trials.push(Trial::test(format!("slow peers: {name}"), move || {
                is_the_same(name, true)
            }));
        }
    }
    trials.push(Trial::test(
        "slow peers show a torn goodbye",
        a_torn_goodbye_shows,
    ));
    trials
}

/// Runs the program as it is, and then with its cleanups interrupted before their first operation, their second, ..
fn is_the_same(name: &str, slow: bool) -> Result<(), Failed> {
    let interrupts_itself = INTERRUPT_THEMSELVES
        .iter()
        .any(|begin| name.starts_with(begin));
    let last = if env::var_os(ALL).is_some() && !interrupts_itself {
        MANY
    } else {
        FEW
    };
    for operation in 0..=last {
        let kind = if slow { "slow" } else { "usual" };
        let log = log_of(name, &format!("{kind}-{operation}"))?;
        let mut conditions: Vec<(&str, OsString)> = Vec::new();
        if slow {
            conditions.push((stand_in::SLOW, "1".into()));
        }
        if operation > 0 {
            conditions.push(("ASYNCDROP_INTERRUPT", operation.to_string().into()));
            conditions.push(("ASYNCDROP_INTERRUPT_LOG", log.clone().into()));
        }
        let printed = transcript(name, &conditions)?;
        let same = match recorded(name) {
            Some(recorded) => printed == recorded,
            None => !printed.contains("\n[exit status: ") && !printed.contains("\n[signal: "),
        };
        if !same {
            return Err(Failed::from(format!(
                "with{} slow peers, and cleanups interrupted before operation {operation} (0: none), it prints\n{printed}",
                if slow { "" } else { "out" }
            )));
        }
        let interrupted = fs::read_to_string(&log).unwrap_or_default();
        let _ = fs::remove_file(&log);
        if operation > 0 && interrupted.is_empty() {
            return Ok(());
        }
    }
    if last == MANY {
        return Err(format!("{name} still has cleanups of {MANY} operations").into());
    }
    Ok(())
}

/// This program of the book shows it on purpose, so it must not pass.
fn a_torn_goodbye_shows() -> Result<(), Failed> {
    let wrong = "cleanup_that_forgets_its_rest";
    assert!(root().join(format!("book/examples/{wrong}.rs")).exists());
    match is_the_same(wrong, true) {
        Ok(()) => Err(format!("{wrong} tears nothing: the streams are not slow").into()),
        Err(_) => Ok(()),
    }
}
