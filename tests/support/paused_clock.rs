//! A runtime of tokio whose clock goes on only when nobody has anything left to do.

use std::future::Future;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

use super::incidents::{Recorded, record};

pub fn runtime() -> Runtime {
    Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap()
}

/// Runs a test in a runtime of its own, and returns the incidents with its result.
///
/// Where nobody has anything left to do, and the test still waits, the clock goes on until this gives up.
pub fn run<F: Future>(test: F) -> (F::Output, Vec<Recorded>) {
    let limit = Duration::from_secs(3600);
    let test = async { timeout(limit, test).await.expect("nobody wakes it") };
    record(|| runtime().block_on(test))
}

/// Runs a test that must leave no incident.
#[track_caller]
pub fn run_without_incident<F: Future>(test: F) -> F::Output {
    let (output, incidents) = run(test);
    assert_eq!(incidents, []);
    output
}
