//! Async cleanup that cannot be forgotten in silence.
//!
//! Rust runs [`Drop`] when a value goes out of scope, but `Drop` cannot `.await`.
//! A connection that must say goodbye, a file that must be flushed, a task that must be awaited:
//! none of them can finish its work there.
//!
//! This crate wraps such a value in an [`AsyncDropGuard`].
//! The guard derefs to the value, is ended with `guard.async_drop().await`, and panics when that was forgotten.
//! Where an async cleanup was forgotten, interrupted, or failed behind another error, an [`incident`] says so.
//!
//! ```
//! use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
//! use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
//!
//! #[derive(Debug)]
//! struct Connection {
//!     stream: DuplexStream,
//! }
//!
//! impl Connection {
//!     fn new(stream: DuplexStream) -> AsyncDropGuard<Self> {
//!         AsyncDropGuard::new(Self { stream })
//!     }
//! }
//!
//! #[async_trait]
//! impl AsyncDrop for Connection {
//!     type Error = std::io::Error;
//!
//!     async fn async_drop_impl(&mut self) -> Result<(), Self::Error> {
//!         self.stream.write_all(b"goodbye\n").await?;
//!         self.stream.shutdown().await
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> std::io::Result<()> {
//! let (ours, mut theirs) = tokio::io::duplex(64);
//! let mut connection = Connection::new(ours);
//! connection.stream.write_all(b"hello\n").await?;
//! connection.async_drop().await?;
//!
//! let mut heard = String::new();
//! theirs.read_to_string(&mut heard).await?;
//! assert_eq!(heard, "hello\ngoodbye\n");
//! # Ok(())
//! # }
//! ```
//!
//! # What is in the crate
//!
//! | to | use |
//! |---|---|
//! | say how a type is cleaned up | [`AsyncDrop`] |
//! | make sure that it is | [`AsyncDropGuard`] |
//! | clean up at the end of a block, however it ends | [`with_async_drop_2!`], [`with_async_drop_2_infallible!`], [`with_async_drop`] |
//! | log, count or abort where the default is to panic | [`incident::set_hook`] |
//!
//! The macro [`async_trait`](macro@async_trait) is re-exported, so that a program needs no second dependency to implement [`AsyncDrop`].
//!
//! # What nobody can catch
//!
//! A value that is never dropped is never missed.
//! [`std::mem::forget`], a cycle of [`Arc`](std::sync::Arc)s, [`std::process::exit`] and a killed process skip the guard
//! as they skip every `Drop` in Rust.

#![cfg_attr(docsrs, feature(doc_cfg))]
#![warn(missing_docs)]

mod async_drop;
mod guard;
pub mod incident;
mod macros;
mod scope;

#[doc(no_inline)]
pub use async_trait::async_trait;

pub use crate::async_drop::AsyncDrop;
pub use crate::guard::AsyncDropGuard;
pub use crate::scope::with_async_drop;

#[doc(hidden)]
pub use crate::scope::__private;
