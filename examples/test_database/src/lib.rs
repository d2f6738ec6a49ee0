//! One PostgreSQL server for all tests of a binary, and a database for each of them.
//!
//! ```text
//! cargo test -p asyncdrop-example-test-database
//! ```
//!
//! [`Tests`] runs the tests. It owns the [`Server`], which it starts for the first test and stops after the last,
//! and it gives each test a [`TestDatabase`]. Nothing is left of either, even if a test fails, panics, hangs,
//! or is interrupted with Ctrl-C.

mod database;
mod server;
mod tests;

pub use database::TestDatabase;
pub use server::{Server, installed};
pub use tests::Tests;
