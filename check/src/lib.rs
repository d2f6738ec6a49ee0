//! The parts of `cargo asyncdrop`, apart from its command line, so that they can be tested.
//!
//! It is no library for others: what is public here may change with every version.

pub mod analysis;
pub mod compile;
pub mod look;
pub mod mir;
pub mod options;
pub mod report;
pub mod source;
pub mod types;
