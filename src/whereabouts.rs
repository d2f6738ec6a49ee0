//! The place in which a test runs, so that what it asks for does not reach the tests beside it.

use std::thread::{self, ThreadId};

use tokio::runtime::{self, Handle};

/// The runtime and the thread in which something was asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Whereabouts {
    runtime: Option<runtime::Id>,
    thread: ThreadId,
}

impl Whereabouts {
    pub(crate) fn here() -> Self {
        Self {
            runtime: Handle::try_current().ok().map(|handle| handle.id()),
            thread: thread::current().id(),
        }
    }

    /// Whether this code runs on behalf of the same test: in its runtime, on its thread,
    /// or on a thread that belongs to no runtime and has no name.
    ///
    /// The test harness names the thread of each test, so a thread without a name was started by one of them.
    /// We can't tell by which, and take it for ours.
    pub(crate) fn reach_here(&self) -> bool {
        let here = Self::here();
        self.is_same(&here) || here.runtime.is_none() && thread::current().name().is_none()
    }

    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.thread == other.thread || self.runtime.is_some() && self.runtime == other.runtime
    }
}
