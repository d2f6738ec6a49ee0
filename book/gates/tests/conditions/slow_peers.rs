//! A slow peer changes nothing, even if each cleanup is interrupted.
//!
//! Each stream is a [`Trickle`](asyncdrop::testing::Trickle): a message that is torn between two of its bytes shows.

use std::ffi::OsString;
use std::{env, fs, thread};

use libtest_mimic::{Failed, Trial};

use crate::{ALL, SECONDS, copied, log_of, recorded, stand_in, transcript};

/// The programs that are not tried with slow peers, and why that is right. Names are given by how they begin.
const LEFT_OUT: [(&str, &str); 1] = [(
    "docs_testing_sweep_",
    "it names the operations at which it was cut",
)];

/// They print how many waits there are, so other peers mean other numbers.
const COUNT_THE_WAITS: [&str; 1] = ["sweep_over_every_wait"];

/// How many programs need a pipe with room, by how their names begin.
///
/// One task is both ends of their pipes, one after the other: it cleans up a session, and reads what the server heard after that.
/// The session is right, but over a pipe that takes one byte it waits for a reader that comes later.
const ONE_TASK_IS_BOTH_ENDS: [(&str, usize); 40] = [
    ("a_cleanup_with_a_deadline", 1),
    ("a_session_of_a_library", 1),
    ("a_shutdown_with_a_deadline", 1),
    ("both_errors_of_a_scope", 1),
    ("cleanup_derived_from_the_fields", 1),
    ("connection_kept_or_ended", 1),
    ("docs_all_", 1),
    ("docs_derive_", 1),
    ("docs_hash_map_", 1),
    ("docs_lib_", 1),
    ("docs_macros_", 2),
    ("docs_reaper_handle_", 2),
    ("docs_reaper_mod_", 1),
    ("docs_scope_", 3),
    ("docs_stack_", 1),
    ("docs_testing_interruptions_", 1),
    ("docs_testing_sweep_", 1),
    ("docs_testing_trickle_", 1),
    ("docs_tokio_mutex_", 1),
    ("docs_with_", 2),
    ("early_return_inside_a_scope", 1),
    ("every_error_of_a_shutdown", 1),
    ("exercise_end_the_session_that_was_refused", 2),
    ("exercise_log_out_the_older_session", 1),
    ("exercise_name_every_replica_that_failed", 1),
    ("exercise_say_goodbye_once", 1),
    ("exercise_say_how_it_is_cleaned_up", 1),
    ("exercise_take_the_upload_apart", 2),
    ("fixed_closing_through_the_guard", 1),
    ("fixed_continue_inside_the_macro", 1),
    ("fixed_ignoring_what_insert_pushed_out", 1),
    ("fixed_spawning_a_scope_that_borrows", 1),
    ("handed_out_when_ready", 1),
    ("hanging_up_on_all", 1),
    ("page_first_steps_the_rules_", 1),
    ("page_patterns_every_way_out_by_hand_", 1),
    ("page_patterns_handing_a_guard_on_", 1),
    ("page_patterns_the_scope_macro_", 1),
    ("sessions_by_user", 1),
    ("types_of_others", 1),
];

/// So long a program waits for itself.
const HANGS_AFTER: u64 = 8;

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
                None => is_the_same(name, Peers::Usual),
            }
        }));
        if LEFT_OUT.iter().all(|(begin, _)| !name.starts_with(begin)) {
            trials.push(Trial::test(format!("slow peers: {name}"), move || {
                is_the_same(name, Peers::Slow)
            }));
        }
        if is_both_ends(name).is_none() {
            trials.push(Trial::test(format!("narrow pipes: {name}"), move || {
                is_the_same(name, Peers::Narrow)
            }));
        }
    }
    trials.push(Trial::test(
        "narrow pipes: programs that are both ends",
        the_others_are_the_same,
    ));
    trials.push(Trial::test(
        "slow peers show a torn goodbye",
        a_torn_goodbye_shows,
    ));
    trials
}

/// What the other ends of the program's streams are like.
#[derive(Clone, Copy, PartialEq)]
enum Peers {
    /// As the program made them.
    Usual,
    /// Each stream gives and takes one byte at a time.
    Slow,
    /// Each pipe has room for one byte.
    Narrow,
}

impl Peers {
    const fn name(self) -> &'static str {
        match self {
            Self::Usual => "usual",
            Self::Slow => "slow",
            Self::Narrow => "narrow",
        }
    }
}

/// Runs the program as it is, and then with its cleanups interrupted before their first operation, their second, ..
fn is_the_same(name: &str, peers: Peers) -> Result<(), Failed> {
    let interrupts_itself = INTERRUPT_THEMSELVES
        .iter()
        .any(|begin| name.starts_with(begin));
    let last = if env::var_os(ALL).is_some() && !interrupts_itself {
        MANY
    } else {
        FEW
    };
    for operation in 0..=last {
        let kind = peers.name();
        let log = log_of(name, &format!("{kind}-{operation}"))?;
        let streams = log_of(name, &format!("{kind}-{operation}-streams"))?;
        let mut conditions: Vec<(&str, OsString)> = Vec::new();
        match peers {
            Peers::Usual => {}
            Peers::Slow => conditions.push((stand_in::SLOW, streams.clone().into())),
            Peers::Narrow => {
                conditions.push((stand_in::NARROW, streams.clone().into()));
                conditions.push((SECONDS, HANGS_AFTER.to_string().into()));
            }
        }
        if operation > 0 {
            conditions.push(("ASYNCDROP_INTERRUPT", operation.to_string().into()));
            conditions.push(("ASYNCDROP_INTERRUPT_LOG", log.clone().into()));
        }
        let printed = transcript(name, &conditions)?;
        let same = match recorded(name) {
            Some(recorded) if COUNT_THE_WAITS.contains(&name) => {
                without_numbers(&printed) == without_numbers(&recorded)
            }
            Some(recorded) => printed == recorded,
            None => !printed.contains("\n[exit status: ") && !printed.contains("\n[signal: "),
        };
        if !same {
            return Err(Failed::from(format!(
                "with {kind} peers, and cleanups interrupted before operation {operation} (0: none), it prints\n{printed}"
            )));
        }
        if peers != Peers::Usual && fs::remove_file(&streams).is_err() {
            // It has no stream, so its peers change nothing.
            return Ok(());
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

fn without_numbers(text: &str) -> String {
    text.chars().filter(|char| !char.is_ascii_digit()).collect()
}

fn is_both_ends(name: &str) -> Option<usize> {
    ONE_TASK_IS_BOTH_ENDS
        .iter()
        .position(|(begin, _)| name.starts_with(begin))
}

/// As many programs as are listed need their room, and no more: one that does not has to pass.
fn the_others_are_the_same() -> Result<(), Failed> {
    // They wait most of the time, so they wait together.
    let runs: Vec<_> = copied()
        .into_iter()
        .filter_map(|name| Some((is_both_ends(name)?, name)))
        .map(|(entry, name)| {
            let run = thread::spawn(move || is_the_same(name, Peers::Narrow).is_ok());
            (entry, name, run)
        })
        .collect();
    let mut need_room = vec![Vec::new(); ONE_TASK_IS_BOTH_ENDS.len()];
    for (entry, name, run) in runs {
        if !run.join().expect("a run that fails says so") {
            need_room[entry].push(name);
        }
    }
    for ((begin, listed), found) in ONE_TASK_IS_BOTH_ENDS.iter().zip(&need_room) {
        if *listed != found.len() {
            return Err(format!(
                "of {begin}, {listed} should need a pipe with room, and these do: {found:?}"
            )
            .into());
        }
    }
    Ok(())
}

/// This program of the book begins its release again after an interruption, so it must not pass.
fn a_torn_goodbye_shows() -> Result<(), Failed> {
    let wrong = "a_lease_released_twice";
    for peers in [Peers::Slow, Peers::Narrow] {
        if is_the_same(wrong, peers).is_ok() {
            let kind = peers.name();
            return Err(format!("{wrong} tears nothing: its peers are not {kind}").into());
        }
    }
    Ok(())
}
