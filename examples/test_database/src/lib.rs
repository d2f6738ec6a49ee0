//! A temporary database for every test, gone when the test is over, however it ended.
//!
//! ```text
//! cargo test -p asyncdrop-example-test-database
//! ```
//!
//! [`run_test`] is the frame of a test. [`sqlite`] and [`postgres`] have the databases.

pub mod postgres;
pub mod sqlite;

use std::collections::hash_map::RandomState;
use std::env;
use std::hash::{BuildHasher, Hasher};
use std::io::{self, ErrorKind};
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::bail;
use asyncdrop::{AsyncDropReaper, ReaperHandle};
use futures::FutureExt;
use tokio::runtime::Builder;
use tokio::time::timeout;

/// How long the cleanup of one test may take, all of its databases together.
const CLEANUP_LIMIT: Duration = Duration::from_secs(60);

// ANCHOR: run_test
/// Runs a test that may take `limit`, then waits until everything that it adopted is cleaned up.
///
/// A test that blocks its thread cannot be stopped by the limit.
///
/// # Errors
///
/// The error of the test. If there is none, the error of the cleanup.
///
/// # Panics
///
/// A panic of the test goes on, after the cleanup.
pub fn run_test<F>(limit: Duration, test: F) -> anyhow::Result<()>
where
    F: AsyncFnOnce(ReaperHandle) -> anyhow::Result<()>,
{
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let reaper = AsyncDropReaper::new();
        let test = timeout(limit, test(reaper.handle()));
        // This line drops the future of the test, and so hands over whatever it still owned.
        let ended = AssertUnwindSafe(test).catch_unwind().await;

        let cleaned_up = AsyncDropReaper::shutdown(reaper, CLEANUP_LIMIT).await;
        if let Err(error) = &cleaned_up {
            // The failure of the test comes first below, and must not hide this one.
            eprintln!("the cleanup after the test failed: {error}");
        }
        match ended {
            Ok(Ok(result)) => result.and(cleaned_up.map_err(Into::into)),
            Ok(Err(_elapsed)) => bail!("the test was not done after {limit:?}"),
            Err(panic) => resume_unwind(panic),
        }
    })
}
// ANCHOR_END: run_test

/// A path in the folder for temporary files at which there is nothing yet.
fn unused_path() -> PathBuf {
    // Every `RandomState` begins with keys of its own, so that this is a random number.
    let random = RandomState::new().build_hasher().finish();
    env::temp_dir().join(format!("asyncdrop-test-{random:016x}"))
}

/// Deletes a folder. There may be none: its creation can fail, and an interrupted cleanup can have deleted it already.
async fn delete_folder(folder: &Path) -> io::Result<()> {
    match tokio::fs::remove_dir_all(folder).await {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        result => result,
    }
}
