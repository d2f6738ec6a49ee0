//! What the tests share, a file a subject.

#![allow(
    dead_code,
    unreachable_pub,
    unused_imports,
    reason = "every test binary compiles this module, and none uses all of it"
)]

mod by_hand;
mod crate_of_its_own;
mod incidents;
#[cfg(feature = "tokio")]
mod paused_clock;
mod process;
mod session;

pub use by_hand::{abandon_after, message_of_panic, poll_once, wait};
pub use crate_of_its_own::run_crate;
pub use incidents::{Recorded, record};
#[cfg(feature = "tokio")]
pub use paused_clock::{run, run_without_incident, runtime};
pub use process::{Outcome, run_in_new_process};
pub use session::{CLEANED_UP, Diary, Ending, Session, ada, failing};
