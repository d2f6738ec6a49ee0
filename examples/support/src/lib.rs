//! What the services among the examples have in common: the signals that end them, their log,
//! and how they live with clients that cannot be accepted.

mod accept;
mod log;
mod signals;

pub use accept::accept;
pub use log::{report_incident, start_log};
pub use signals::cancelled_by_a_signal;
