//! What the tests share, a file a subject.

#![allow(
    dead_code,
    unreachable_pub,
    unused_imports,
    reason = "several test binaries compile this module, and not all of them use all of it"
)]

mod by_hand;
mod crate_of_its_own;
mod incidents;
#[cfg(feature = "tokio")]
mod paused_clock;
mod process;
mod program;
mod session;

pub use by_hand::{abandon_after, message_of_panic, poll_once, wait};
pub use crate_of_its_own::run_crate;
pub use incidents::{Recorded, listen, record};
#[cfg(feature = "tokio")]
pub use paused_clock::{run, run_without_incident, runtime};
pub use process::{Outcome, run_in_new_process};
pub use program::build_program;
pub use session::{CLEANED_UP, Diary, Ending, Session, ada, failing};
