//! What a reader can do with the guard on the page about it is what the library does: each answer in its table is recorded here.
//!
//! `cargo record` writes the table down again.

use std::fmt::Write;
use std::future::Future;
use std::panic::{self, AssertUnwindSafe};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::{env, fs, future, mem};

use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
use asyncdrop_book_gates::root;

/// Not in `book/src`, from where mdBook would copy it as a page of its own.
const TABLE: &str = "book/output/life-of-a-guard.html";

/// How often the cleanup began, and whether it is to fail. Each thread of the tests would need its own, so there is one test.
static BEGUN: AtomicUsize = AtomicUsize::new(0);
static FAILS: AtomicBool = AtomicBool::new(false);

#[derive(Debug)]
struct Connection {
    name: &'static str,
}

#[async_trait]
impl AsyncDrop for Connection {
    type Error = &'static str;

    async fn async_drop_impl(&mut self) -> Result<(), &'static str> {
        BEGUN.fetch_add(1, Ordering::Relaxed);
        // It waits once, so there is a moment at which it can be cancelled.
        let mut waited = false;
        future::poll_fn(|_| match mem::replace(&mut waited, true) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        })
        .await;
        match FAILS.load(Ordering::Relaxed) {
            true => Err("connection reset"),
            false => Ok(()),
        }
    }
}

/// What a reader does, as the button says it.
#[derive(Clone, Copy, PartialEq)]
enum Step {
    New,
    Use,
    AsyncDrop,
    Finish,
    Fail,
    Cancel,
    Drop,
}

impl Step {
    fn code(self) -> &'static str {
        match self {
            Self::New => "AsyncDropGuard::new",
            Self::Use => "guard.name",
            Self::AsyncDrop => "guard.async_drop().await",
            Self::Finish => "the cleanup succeeds",
            Self::Fail => "the cleanup fails",
            Self::Cancel => "cancelled",
            Self::Drop => "drop(guard)",
        }
    }
}

use Step::{AsyncDrop as Clean, Cancel, Drop as Gone, Fail, Finish, New, Use};

/// The shortest way to each state in which a reader has a choice, and what the compiler lets them do there.
///
/// While the cleanup runs, its future borrows the guard, so only the future can do something.
const CHOICES: [(&[Step], &[Step]); 5] = [
    (&[], &[New]),
    (&[New], &[Use, Clean, Gone]),
    (&[New, Clean], &[Finish, Fail, Cancel]),
    (&[New, Clean, Cancel], &[Use, Clean, Gone]),
    (&[New, Clean, Finish], &[Use, Clean, Gone]),
];

/// What was seen of the last of these steps, and the state that it led to.
fn run(steps: &[Step]) -> (String, &'static str) {
    BEGUN.store(0, Ordering::Relaxed);
    FAILS.store(false, Ordering::Relaxed);
    let mut guard = None;
    let mut running = false;
    let mut seen = String::new();
    let mut steps = steps.iter().copied();
    while let Some(step) = steps.next() {
        seen = match step {
            New => {
                guard = Some(AsyncDropGuard::new(Connection { name: "db" }));
                "The guard owns the connection.".to_owned()
            }
            Use => {
                let guard = guard.as_ref().expect("a guard to use");
                attempt(|| format!("It is <code>{:?}</code>.", guard.name))
            }
            Gone => {
                let guard = guard.take().expect("a guard to drop");
                attempt(|| {
                    drop(guard);
                    "Nothing happens.".to_owned()
                })
            }
            Clean => {
                let guard = guard.as_mut().expect("a guard to clean up");
                let mut cleanup = pin!(guard.async_drop());
                match poll(cleanup.as_mut()) {
                    Poll::Ready(result) => format!("It returns <code>{result:?}</code> at once."),
                    Poll::Pending => match steps.next() {
                        None => {
                            running = true;
                            match BEGUN.load(Ordering::Relaxed) {
                                1 => "The cleanup begins.".to_owned(),
                                _ => "The cleanup begins again, from its beginning.".to_owned(),
                            }
                        }
                        Some(Cancel) => {
                            "The future is dropped, and the guard keeps the connection.".to_owned()
                        }
                        Some(end) => {
                            FAILS.store(end == Fail, Ordering::Relaxed);
                            let Poll::Ready(result) = poll(cleanup.as_mut()) else {
                                panic!("the cleanup waits once");
                            };
                            format!(
                                "It returns <code>{result:?}</code>, and the connection is dropped."
                            )
                        }
                    },
                }
            }
            Finish | Fail | Cancel => unreachable!("these follow an `async_drop`"),
        };
    }
    let state = match &guard {
        None => "no guard",
        Some(_) if running => "cleaning up",
        Some(guard) if guard.is_dropped() => "done",
        Some(_) if BEGUN.load(Ordering::Relaxed) > 0 => "interrupted",
        Some(_) => "armed",
    };
    // Its message would stand between the lines of this test.
    mem::forget(guard);
    (seen, state)
}

fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// What it says, or the message of its panic up to the place, which is a line of this file.
fn attempt(step: impl FnOnce() -> String) -> String {
    // Its panic is what is asked for, so it stays away from standard error.
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let outcome = panic::catch_unwind(AssertUnwindSafe(step));
    panic::set_hook(hook);
    outcome.unwrap_or_else(|payload| {
        let message = payload.downcast::<String>().expect("the library's message");
        let what = message.split(" created at ").next().unwrap_or_default();
        let what = what
            .trim_end_matches(',')
            .replace('<', "&lt;")
            .replace('>', "&gt;");
        let what = what.replace("simulator::", "");
        format!("<strong>It panics:</strong> <code>{what}, ..</code>")
    })
}

#[test]
fn the_table_of_the_guard_says_what_the_library_does() {
    let mut now = String::from(
        "<div class=\"table-wrapper\"><table class=\"life-of-a-guard\">\n\
         <thead><tr><th>the guard is</th><th>what you do</th><th>what happens</th><th>afterwards it is</th></tr></thead>\n<tbody>\n",
    );
    for (way, choices) in CHOICES {
        let state = run(way).1;
        for choice in choices {
            let steps: Vec<_> = way.iter().chain([choice]).copied().collect();
            let (seen, after) = run(&steps);
            let code = match choice {
                Finish | Fail | Cancel => choice.code().to_owned(),
                _ => format!("<code>{}</code>", choice.code()),
            };
            let after = if after == "no guard" { "gone" } else { after };
            let state = if state == "no guard" {
                "not there yet"
            } else {
                state
            };
            writeln!(
                now,
                "<tr><td>{state}</td><td>{code}</td><td>{seen}</td><td>{after}</td></tr>"
            )
            .expect("a string takes everything");
        }
    }
    now.push_str("</tbody></table></div>\n");
    let file = root().join(TABLE);
    if env::var_os("RECORD").is_some() {
        fs::write(&file, &now).expect("the table can be written");
        return;
    }
    let written = fs::read_to_string(&file).unwrap_or_default();
    assert!(
        written == now,
        "{TABLE} is not what the library does now:\n{}",
        similar::TextDiff::from_lines(&written, &now).unified_diff()
    );
}
