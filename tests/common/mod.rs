//! What the tests of the contract share: a value that tells what happens to it, a recorder of incidents,
//! polling by hand, and programs that run in a process of their own.

// Every test binary compiles this module, and none uses all of it.
#![allow(dead_code, unreachable_pub)]

use std::cell::RefCell;
use std::fmt::{self, Debug};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::process::Command;
use std::sync::{Arc, Mutex, Once};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use asyncdrop::incident::{self, Incident, IncidentKind};
use asyncdrop::{AsyncDrop, async_trait};

/// What happened, in order. Clones write into the same diary.
#[derive(Debug, Clone, Default)]
pub struct Diary(Arc<Mutex<Vec<String>>>);

impl Diary {
    pub fn write(&self, entry: impl Into<String>) {
        self.0.lock().unwrap().push(entry.into());
    }

    pub fn entries(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    #[track_caller]
    pub fn assert_reads(&self, expected: &[&str]) {
        assert_eq!(*self.0.lock().unwrap(), expected);
    }
}

/// How the cleanup of a [`Session`] ends.
#[derive(Clone, Copy)]
pub enum Ending {
    Well,
    Fails(&'static str),
    Panics(&'static str),
    /// The second time it ends well.
    PanicsOnce(&'static str),
}

/// A value that writes its cleanup and its own `Drop` into a diary.
pub struct Session {
    pub user: &'static str,
    pub diary: Diary,
    pub ending: Ending,
    /// How many polls of the cleanup return `Pending`.
    pub waits: usize,
    /// What its own `Drop` panics with, if it does.
    pub drop_panics: Option<&'static str>,
}

impl Session {
    pub fn of(user: &'static str, diary: &Diary) -> Self {
        Self {
            user,
            diary: diary.clone(),
            ending: Ending::Well,
            waits: 0,
            drop_panics: None,
        }
    }

    pub fn ending(mut self, ending: Ending) -> Self {
        self.ending = ending;
        self
    }

    pub fn waiting(mut self, polls: usize) -> Self {
        self.waits = polls;
        self
    }

    pub fn panicking_in_drop(mut self, message: &'static str) -> Self {
        self.drop_panics = Some(message);
        self
    }
}

impl Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Session").field(&self.user).finish()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.diary.write(format!("{} dropped", self.user));
        if let Some(message) = self.drop_panics {
            panic!("{message}");
        }
    }
}

#[async_trait]
impl AsyncDrop for Session {
    type Error = String;

    async fn async_drop_impl(&mut self) -> Result<(), String> {
        self.diary.write(format!("{} cleanup begins", self.user));
        for _ in 0..self.waits {
            tokio::task::yield_now().await;
        }
        match self.ending {
            Ending::Well => {
                self.diary.write(format!("{} cleanup ends", self.user));
                Ok(())
            }
            Ending::Fails(error) => {
                self.diary.write(format!("{} cleanup fails", self.user));
                Err(error.to_owned())
            }
            Ending::Panics(message) | Ending::PanicsOnce(message) => {
                if matches!(self.ending, Ending::PanicsOnce(_)) {
                    self.ending = Ending::Well;
                }
                self.diary.write(format!("{} cleanup panics", self.user));
                panic!("{message}");
            }
        }
    }
}

/// Gives a type a cleanup that has nothing to do and cannot fail.
#[macro_export]
macro_rules! cleaned_up_at_once {
    ($type:ty) => {
        #[asyncdrop::async_trait]
        impl asyncdrop::AsyncDrop for $type {
            type Error = std::convert::Infallible;

            async fn async_drop_impl(&mut self) -> Result<(), Self::Error> {
                Ok(())
            }
        }
    };
}

/// The text of `location` as an incident shows it, for this file and this line.
#[macro_export]
macro_rules! place {
    ($line:expr, $column:literal) => {
        format!("{}:{}:{}", file!(), $line, $column)
    };
}

/// An incident as the hook saw it, kept for a test to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    pub kind: IncidentKind,
    pub type_name: &'static str,
    pub location: String,
    pub message: String,
}

impl From<&Incident<'_>> for Recorded {
    fn from(incident: &Incident<'_>) -> Self {
        Self {
            kind: incident.kind(),
            type_name: incident.type_name(),
            location: incident.location().to_string(),
            message: incident.to_string(),
        }
    }
}

thread_local! {
    /// `Some` while this thread records its incidents.
    static RECORDING: RefCell<Option<Vec<Recorded>>> = const { RefCell::new(None) };
}

/// Runs `f`, and returns the incidents that happened on this thread meanwhile. They do not panic.
///
/// The hook belongs to the whole process and the tests of a binary share it, so the one that is installed here
/// records on the threads that asked for it, and behaves like the default one on all others.
pub fn record<R>(f: impl FnOnce() -> R) -> (R, Vec<Recorded>) {
    static INSTALL: Once = Once::new();
    INSTALL.call_once(|| {
        let default = incident::take_hook();
        incident::set_hook(Box::new(move |incident| {
            let recorded = RECORDING.with_borrow_mut(|recording| match recording {
                Some(incidents) => {
                    incidents.push(incident.into());
                    true
                }
                None => false,
            });
            if !recorded {
                default(incident);
            }
        }));
    });

    /// Ends the recording, also when `f` panics.
    struct Recording;
    impl Drop for Recording {
        fn drop(&mut self) {
            RECORDING.take();
        }
    }

    let outer = RECORDING.replace(Some(Vec::new()));
    assert_eq!(outer, None, "recordings do not nest");
    let recording = Recording;
    let result = f();
    let incidents = RECORDING.take().expect("only `Recording` ends it");
    drop(recording);
    (result, incidents)
}

/// The message of the panic that `f` must end with.
#[track_caller]
pub fn message_of_panic<R>(f: impl FnOnce() -> R) -> String {
    let Err(payload) = catch_unwind(AssertUnwindSafe(f)) else {
        panic!("it did not panic");
    };
    match payload.downcast::<String>() {
        Ok(message) => *message,
        Err(payload) => payload
            .downcast::<&str>()
            .expect("a panic with a message")
            .to_string(),
    }
}

/// Polls `future` once, with a waker that does nothing.
pub fn poll_once<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Polls `future` that many times, each of which must leave it pending, then drops it.
#[track_caller]
pub fn abandon_after<F: Future>(polls: usize, future: F) {
    let mut future = std::pin::pin!(future);
    for _ in 0..polls {
        assert!(poll_once(future.as_mut()).is_pending());
    }
}

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

/// Runs `program` on a thread named `program` in a new process, where the hook is still the default one.
///
/// The new process is this test binary again, asked for this one test; `test` is therefore the name of the test.
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
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
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
