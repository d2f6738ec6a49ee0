//! Runs the tests of a binary on one server.

use std::env;
use std::fmt::{self, Debug};
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use asyncdrop::{AsyncDropReaper, Reaped, ReaperHandle};
use futures::FutureExt;
use libtest_mimic::{Arguments, Conclusion, Failed, Trial};
use support::cancelled_by_a_signal;
use tokio::runtime::{Handle, Runtime};
use tokio::sync::Mutex;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::database::TestDatabase;
use crate::server::{Server, installed};

/// How long one test may take, unless it is said otherwise.
const TEST_LIMIT: Duration = Duration::from_secs(60);

/// How long the server may take to start, for which the first test waits.
const START_LIMIT: Duration = Duration::from_secs(120);

/// How long the cleanup of one test may take, and that of the server.
const CLEANUP_LIMIT: Duration = Duration::from_secs(30);

/// How long we wait after Ctrl-C for tests that block their thread, and so cannot be cancelled.
const GRACE: Duration = Duration::from_secs(5);

/// If the environment has this, tests fail where they would be skipped for want of a server.
const REQUIRED: &str = "ASYNCDROP_REQUIRE_POSTGRES";

const NOT_INSTALLED: &str = "PostgreSQL is not installed: \
    there is no `initdb` in /usr/lib/postgresql/*/bin, nor in the PATH";

type Test = Box<dyn FnOnce(&Suite) -> anyhow::Result<()> + Send>;

/// The tests of one binary.
#[must_use = "the tests do nothing until you `run` them"]
pub struct Tests {
    migrations: &'static [&'static str],
    limit: Duration,
    tests: Vec<(&'static str, Test)>,
}

/// What the tests share while they run.
struct Suite {
    runtime: Handle,
    server: SharedServer,
    /// Cancelled at Ctrl-C and SIGTERM.
    told_to_end: CancellationToken,
    migrations: &'static [&'static str],
    limit: Duration,
}

impl Tests {
    /// Each test gets a database on which these statements were executed.
    pub fn with_migrations(migrations: &'static [&'static str]) -> Self {
        Self {
            migrations,
            limit: TEST_LIMIT,
            tests: Vec::new(),
        }
    }

    /// How long one test may take. One that blocks its thread cannot be stopped by it.
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Adds a test.
    pub fn test<F>(mut self, name: &'static str, test: F) -> Self
    where
        F: AsyncFnOnce(&mut TestDatabase) -> anyhow::Result<()> + Send + 'static,
    {
        let run = move |suite: &Suite| suite.runtime.block_on(suite.run_test(test));
        self.tests.push((name, Box::new(run)));
        self
    }

    /// Runs the tests that the arguments of the process ask for, then stops the server.
    pub fn run(self) -> ExitCode {
        let arguments = Arguments::from_args();
        let run = Runtime::new()
            .map_err(Into::into)
            .and_then(|runtime| runtime.block_on(self.run_with(arguments)));
        match run {
            Ok(conclusion) => conclusion.exit_code(),
            Err(error) => {
                eprintln!("{error:#}");
                ExitCode::FAILURE
            }
        }
    }

    // ANCHOR: run
    async fn run_with(self, arguments: Arguments) -> anyhow::Result<Conclusion> {
        let told_to_end = cancelled_by_a_signal()?;
        let reaper = AsyncDropReaper::new();
        let suite = Arc::new(Suite {
            runtime: Handle::current(),
            server: SharedServer {
                reaper: reaper.handle(),
                server: Mutex::new(None),
            },
            told_to_end: told_to_end.clone(),
            migrations: self.migrations,
            limit: self.limit,
        });
        let trials = trials(self.tests, &suite);
        let mut tests = tokio::task::spawn_blocking(move || libtest_mimic::run(&arguments, trials));
        let ran = tokio::select! {
            ran = &mut tests => Some(ran),
            () = told_to_end.cancelled() => timeout(GRACE, &mut tests).await.ok(),
        };

        // No test needs the server any more, or we don't wait for those that do.
        suite.server.close().await;
        let stopped = AsyncDropReaper::shutdown(reaper, CLEANUP_LIMIT).await;
        if let Err(error) = &stopped {
            eprintln!("the cleanup after the tests failed: {error}");
        }
        let Some(ran) = ran else {
            // Returning would wait for the thread of such a test.
            std::process::exit(1);
        };
        let conclusion = ran?;
        stopped?;
        Ok(conclusion)
    }
    // ANCHOR_END: run
}

impl Suite {
    // ANCHOR: run_test
    /// Runs a test, then waits until its database is dropped.
    async fn run_test<F>(&self, test: F) -> anyhow::Result<()>
    where
        F: AsyncFnOnce(&mut TestDatabase) -> anyhow::Result<()>,
    {
        let reaper = AsyncDropReaper::new();
        let test = async {
            // The time that this takes is not the fault of the test that comes first.
            let server = self.server.folder().await?;
            let test = async {
                let mut database = TestDatabase::create(&reaper, &server, self.migrations).await?;
                test(&mut database).await
            };
            let limit = self.limit;
            let ended = timeout(limit, test).await;
            ended.unwrap_or_else(|_| bail!("the test was not done after {limit:?}"))
        };
        let test = self.told_to_end.run_until_cancelled(test);
        // This line drops the future of the test, and so hands over its database.
        let ended = AssertUnwindSafe(test).catch_unwind().await;

        let cleaned_up = AsyncDropReaper::shutdown(reaper, CLEANUP_LIMIT).await;
        if let Err(error) = &cleaned_up {
            // The failure of the test comes first below, and must not hide this one.
            eprintln!("the cleanup after the test failed: {error}");
        }
        match ended {
            Ok(Some(result)) => result.and(cleaned_up.map_err(Into::into)),
            Ok(None) => bail!("the tests were told to end"),
            Err(panic) => resume_unwind(panic),
        }
    }
    // ANCHOR_END: run_test
}

// ANCHOR: shared
/// One server for all tests, which is started for the first one that asks.
struct SharedServer {
    reaper: ReaperHandle,
    server: Mutex<Option<Reaped<Server>>>,
}

impl SharedServer {
    /// The folder of the server.
    async fn folder(&self) -> anyhow::Result<PathBuf> {
        // Tests that come while it is started wait here.
        let mut server = self.server.lock().await;
        if server.is_none() {
            let programs = installed().context(NOT_INSTALLED)?;
            let start = timeout(START_LIMIT, Server::start(&self.reaper, &programs)).await;
            *server = Some(start.context("the server did not start in time")??);
        }
        let server = server.as_ref().expect("it was started");
        Ok(server.folder().to_owned())
    }

    /// Hands the server to the reaper, which stops it.
    async fn close(&self) {
        self.server.lock().await.take();
    }
}
// ANCHOR_END: shared

/// What `libtest_mimic` runs. Without PostgreSQL the tests are ignored, unless it is required.
fn trials(tests: Vec<(&'static str, Test)>, suite: &Arc<Suite>) -> Vec<Trial> {
    let skipped = installed().is_none() && env::var_os(REQUIRED).is_none();
    if skipped {
        eprintln!("SKIPPED: {NOT_INSTALLED}");
    }
    let trial = |(name, test): (&'static str, Test)| {
        let suite = Arc::clone(suite);
        let run = move || test(&suite).map_err(|error| Failed::from(format!("{error:#}")));
        Trial::test(name, run).with_ignored_flag(skipped)
    };
    tests.into_iter().map(trial).collect()
}

impl Debug for Tests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.tests.iter().map(|(name, _)| name).collect();
        f.debug_struct("Tests")
            .field("tests", &names)
            .finish_non_exhaustive()
    }
}
