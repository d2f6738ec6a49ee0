//! A test whose values are cleaned up, even if it fails.

use std::fmt::{self, Display};
use std::future::Future;
use std::panic::{AssertUnwindSafe, Location, resume_unwind};
use std::time::Duration;

use futures_util::FutureExt;

use crate::reaper::AsyncDropReaper;
use crate::testing::incidents::Incidents;

/// Runs the body of your test, and then cleans up everything that you have given to the reaper.
///
/// A failed assertion is a panic, and a panic skips every cleanup after it.
/// So if your test starts a server and then fails, it leaves the server, its port and its files to the tests after it.
/// But if you let the reaper adopt what you start, it is cleaned up even after an early return, an error or a panic.
///
/// The test fails, with a panic that names all of it, if
///
/// - a cleanup failed,
/// - not everything was cleaned up within the limit,
/// - or there was an [incident](mod@crate::incident): a guard that was forgotten, say.
///
/// If your body itself fails, then you get its own error or panic, because it comes first and is often the cause.
/// The rest is printed to standard error.
///
/// It works in a `#[tokio::test]` as it is, on its one thread, and in every other task of tokio.
/// Tests that use it take turns, as all tests do that [collect incidents](Incidents).
///
/// # Errors
///
/// The error of the body.
///
/// # Panics
///
/// If the body panics, you get its panic, and otherwise it panics if something else went wrong, as said above.
/// The reaper needs a runtime of tokio with a clock, so it also panics without one.
///
/// # Cancel safety
///
/// If you drop the future, the body is dropped and the cleanups are not waited for, so the reaper reports itself as forgotten.
/// The incidents that were collected until then are printed.
///
/// # Examples
///
/// ```
/// use asyncdrop::testing;
/// use asyncdrop::AsyncDropWith;
/// use std::time::Duration;
/// use tokio::net::TcpListener;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// // The body of a `#[tokio::test]` that returns an `io::Result<()>`.
/// testing::run(Duration::from_secs(5), async |reaper| {
///     let listener = TcpListener::bind("127.0.0.1:0").await?;
///     let server = reaper.adopt(AsyncDropWith::new(listener, async |listener| {
///         drop(listener);
///         Ok::<_, std::io::Error>(())
///     }));
///     // If this fails, the server is still stopped.
///     assert_ne!(server.local_addr()?.port(), 0);
///     Ok(())
/// })
/// .await
/// # }
/// ```
#[track_caller]
pub fn run<R, E>(
    limit: Duration,
    body: impl AsyncFnOnce(&AsyncDropReaper) -> Result<R, E>,
) -> impl Future<Output = Result<R, E>> {
    run_called_at(Location::caller(), limit, body)
}

async fn run_called_at<R, E>(
    called_at: &'static Location<'static>,
    limit: Duration,
    body: impl AsyncFnOnce(&AsyncDropReaper) -> Result<R, E>,
) -> Result<R, E> {
    // The reaper comes first, so that it is dropped last: after a cancellation it reports itself to the hook that was there before.
    let reaper = AsyncDropReaper::new();
    let collected = Collected(Incidents::collect());
    let ending = AssertUnwindSafe(async { body(&reaper).await })
        .catch_unwind()
        .await;
    let shutdown = AsyncDropReaper::shutdown(reaper, limit).await;

    let mut failures: Vec<_> = shutdown
        .err()
        .map(|error| error.to_string())
        .into_iter()
        .collect();
    failures.extend(collected.0.take().iter().map(ToString::to_string));
    let failures = Failures {
        called_at,
        failures,
    };
    match ending {
        Ok(Ok(result)) => {
            assert!(failures.failures.is_empty(), "{failures}");
            Ok(result)
        }
        Ok(Err(error)) => {
            failures.print();
            Err(error)
        }
        Err(panic) => {
            failures.print();
            resume_unwind(panic)
        }
    }
}

/// What else went wrong, beside the body.
struct Failures {
    called_at: &'static Location<'static>,
    failures: Vec<String>,
}

impl Failures {
    fn print(&self) {
        if !self.failures.is_empty() {
            eprintln!("{self}");
        }
    }
}

impl Display for Failures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            called_at,
            failures,
        } = self;
        write!(f, "The test at {called_at} did not clean up:")?;
        for failure in failures {
            write!(f, "\n- {failure}")?;
        }
        Ok(())
    }
}

/// Prints what it has collected if the test is cancelled, because it is lost otherwise.
struct Collected(Incidents);

impl Drop for Collected {
    fn drop(&mut self) {
        for incident in self.0.iter() {
            eprintln!("{incident}");
        }
    }
}
