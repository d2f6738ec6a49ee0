//! Programs that run in a process of their own, where the hook is the default one and an abort ends no test.

use std::process::Command;
use std::thread;
use std::time::Duration;

/// The exit status of a program that got to its end: nobody else exits with it.
const LIVED_ON: i32 = 42;

const CHILD: &str = "ASYNCDROP_TEST_CHILD";

/// What a program in a process of its own left behind.
#[derive(Debug, PartialEq, Eq)]
pub struct Outcome {
    /// `false` also when it was killed by a signal, as by an abort.
    pub lived_on: bool,
    pub stderr: String,
}

/// The name by which the test binary knows a test of this module.
#[macro_export]
macro_rules! test_path {
    ($test:expr) => {
        concat!(module_path!(), "::", $test)
    };
}

/// Runs `program` on a thread named `program` in a new process, where the hook is still the default one.
///
/// The new process is this test binary again, asked for this one test; `test` is therefore the [`test_path!`] of the test.
/// The thread may panic: the process lives on unless it was aborted.
#[track_caller]
pub fn run_in_new_process(test: &str, program: fn()) -> Outcome {
    if std::env::var_os(CHILD).is_some() {
        // A program that hangs must fail its test, not hang it too.
        thread::spawn(|| {
            thread::sleep(Duration::from_secs(60));
            eprintln!("the program is still running after a minute");
            std::process::exit(1);
        });
        let thread = thread::Builder::new().name("program".into());
        let _ = thread.spawn(program).unwrap().join();
        std::process::exit(LIVED_ON);
    }
    // The first part is the name of the binary itself.
    let (_, in_the_binary) = test.split_once("::").unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", in_the_binary, "--nocapture"])
        .env(CHILD, test)
        .env_remove("RUST_BACKTRACE")
        .env_remove("RUST_LIB_BACKTRACE")
        .output()
        .unwrap();
    Outcome {
        lived_on: output.status.code() == Some(LIVED_ON),
        stderr: without_changing_parts(&String::from_utf8(output.stderr).unwrap()),
    }
}

/// The number of the thread, and the line in the library that panicked, are nobody's promise.
fn without_changing_parts(stderr: &str) -> String {
    let mut text = String::new();
    let mut in_backtrace = false;
    for line in stderr.lines() {
        // std prints one for every panic during a panic, whatever the environment says.
        in_backtrace = line == "stack backtrace:" || in_backtrace && line.starts_with("  ");
        if in_backtrace {
            continue;
        }
        match line.split_once(" panicked at ") {
            Some((thread, place)) if thread.starts_with("thread '") => {
                let name = thread.split(" (").next().unwrap();
                let file = place.split(':').next().unwrap();
                text.push_str(&format!("{name} panicked at {file}\n"));
            }
            // Printed once after the first panic.
            _ if line.starts_with("note: run with `RUST_BACKTRACE=1`") => {}
            // std separates panics of one process by an empty line.
            _ if line.is_empty() => {}
            _ => {
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    text
}
