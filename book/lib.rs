//! The programs of The AsyncDrop Book are the examples of this package: `cargo run --example <name>`.
//!
//! The library itself is empty. It is there so that a build of the package builds every crate that a snippet may use.
