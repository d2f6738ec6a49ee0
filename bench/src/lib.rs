//! The contenders of the benchmark, and what measures them. `README.md` says how to read the figures.

pub mod contender;
pub mod groups;
pub mod measure;
pub mod session;

pub mod environment;
pub mod report;
pub mod targets;
