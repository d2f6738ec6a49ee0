//! Async cleanup that cannot be forgotten in silence.
//!
//! Rust runs [`Drop`] when your value goes out of scope, but `Drop` cannot `.await`.
//! So if a connection must say goodbye, a file must be flushed or a task must be awaited,
//! you cannot finish that work there.
//!
//! With this crate you wrap such a value in an [`AsyncDropGuard`].
//! The guard derefs to the value, you clean it up with `guard.async_drop().await`, and it panics if you forget.
//! If a cleanup is forgotten or interrupted, or if its error cannot be returned to you, an [`incident`] says so.
//!
//! ```
//! use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
//! use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
//!
//! #[derive(Debug)]
//! struct Connection {
//!     stream: DuplexStream,
//!     /// What is still to be said.
//!     goodbye: &'static [u8],
//! }
//!
//! impl Connection {
//!     fn new(stream: DuplexStream) -> AsyncDropGuard<Self> {
//!         AsyncDropGuard::new(Self { stream, goodbye: b"goodbye\n" })
//!     }
//! }
//!
//! #[async_trait]
//! impl AsyncDrop for Connection {
//!     type Error = std::io::Error;
//!
//!     async fn async_drop_impl(&mut self) -> Result<(), Self::Error> {
//!         // After an interruption this continues with the bytes that are left.
//!         self.stream.write_all_buf(&mut self.goodbye).await?;
//!         self.stream.shutdown().await
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> std::io::Result<()> {
//! let (ours, mut theirs) = tokio::io::duplex(64);
//! let mut connection = Connection::new(ours);
//! let sent = connection.stream.write_all(b"hello\n").await;
//! connection.async_drop().await?;
//! sent?;
//!
//! let mut heard = String::new();
//! theirs.read_to_string(&mut heard).await?;
//! assert_eq!(heard, "hello\ngoodbye\n");
//! # Ok(())
//! # }
//! ```
//!
//! A `?` directly after `write_all` would drop the guard before its cleanup, and the guard would panic.
//! So we keep the result in `sent`, clean up, and return the error after that.
//! The scope [`with_async_drop_2!`] does this for you.
//!
//! # What is in the crate
//!
//! | to | use |
//! |---|---|
//! | say how a type is cleaned up | [`AsyncDrop`] |
//! | make sure that it is | [`AsyncDropGuard`] |
//! | clean up at the end of a block, whether it succeeded or failed | [`with_async_drop_2!`], [`with_async_drop_2_infallible!`], [`with_async_drop`] |
//! | do so, and get both errors if the block and the cleanup fail | [`with_async_drop_both_errors`] |
//! | clean up only if a step between creating a value and returning it fails | [`async_drop_on_err!`], [`async_drop_on_err()`], [`flatten_async_drop()`] |
//! | clean up a value whose type isn't yours, with one closure | [`AsyncDropWith`] |
//! | clean up values of different types, the last one first | [`AsyncDropStack`] |
//! | clean up many values at once | [`async_drop_all`], [`AsyncDropHashMap`], with every error in [`DropErrors`] |
//! | clean up every guard in the fields of a type | `#[derive(AsyncDrop)]`, with the feature `derive` |
//! | clean up even after a cancellation or a panic, and wait for all of it at the end | [`AsyncDropReaper`] |
//! | share one value between owners | [`AsyncDropArc`], [`AsyncDropWeak`] |
//! | change it from several tasks | `AsyncDropTokioMutex`, with the feature `tokio` |
//! | hold a value or the error that came instead | [`AsyncDropResult`] |
//! | let several tasks wait for one value to be created | [`AsyncDropShared`] |
//! | give a cleanup no more than so much time | `AsyncDropGuard::async_drop_within`, with the feature `tokio` |
//! | log, count or abort where the default is to panic | [`incident::set_hook`] |
//! | clean up in a test that has no `.await` to spare | [`SyncDrop`] |
//! | test that a cleanup survives every return, panic and interruption | `testing`, with the feature `testing` |
//!
//! # Runtimes and features
//!
//! A cleanup runs when you await it, on any runtime.
//!
//! | feature | what it adds |
//! |---|---|
//! | `tokio`, on by default | `AsyncDropTokioMutex`, `AsyncDropGuard::async_drop_within`, and a reaper that needs no spawner. With it comes the crate tokio |
//! | `derive` | `#[derive(AsyncDrop)]`, a macro with the name of the trait |
//! | `tracing` | a span for each cleanup in a reaper. With it comes the crate tracing |
//! | `testing` | the module `testing`, for your dev-dependencies. It turns `tokio` on |
//!
//! If you set `default-features = false`, nothing of tokio is built.
//!
//! The macro [`async_trait`](macro@async_trait) is re-exported, so you need no second dependency to implement [`AsyncDrop`].
//!
//! # What the crate cannot catch
//!
//! If a value is never dropped, the guard cannot tell you that its cleanup is missing.
//! So [`std::mem::forget`], a cycle of [`Arc`](std::sync::Arc)s, [`std::process::exit`] and a killed process skip the guard
//! as they skip every `Drop` in Rust.
//!
//! The same is true if your value leaves its guard some other way.
//! A guard derefs mutably, so `mem::replace(&mut *guard, other)` takes the value out and leaves `other` in the guard,
//! and for a `Clone` type `(*guard).clone()` makes a copy without a guard.

#![cfg_attr(docsrs, feature(doc_cfg))]
#![warn(missing_docs)]

mod async_drop;
mod guard;
mod held_error;
pub mod incident;
mod kept_error;
mod no_clone;
mod origin;
mod panics;
mod type_names;
mod unshared;

#[cfg(feature = "testing")]
mod interruption;
#[cfg(feature = "testing")]
mod operations;
#[cfg(feature = "testing")]
pub mod testing;
#[cfg(feature = "testing")]
mod whereabouts;

#[cfg(feature = "tokio")]
mod deadline;
mod macros;
mod scope;

mod all;
mod cleanup_error;
mod errors;
mod flatten;
mod many;
mod stack;

#[cfg(feature = "derive")]
mod derive;

mod arc;
mod hash_map;
mod owner;
mod result;
mod shared;
mod sync_drop;
#[cfg(feature = "tokio")]
mod tokio_mutex;
mod with;

mod reaper;

#[doc(no_inline)]
pub use async_trait::async_trait;

pub use crate::all::async_drop_all;
pub use crate::arc::{AsyncDropArc, AsyncDropWeak};
pub use crate::async_drop::AsyncDrop;
pub use crate::cleanup_error::{CleanupError, CleanupErrors};
#[cfg(feature = "tokio")]
pub use crate::deadline::DeadlineError;
pub use crate::errors::DropErrors;
pub use crate::flatten::flatten_async_drop;
pub use crate::guard::AsyncDropGuard;
pub use crate::hash_map::{AsyncDropHashMap, TryInsertError};
pub use crate::origin::ValueOrigin;
pub use crate::reaper::{AsyncDropReaper, Reaped, ReaperBuilder, ReaperHandle, ShutdownError};
pub use crate::result::AsyncDropResult;
pub use crate::scope::{
    ScopeError, async_drop_on_err, with_async_drop, with_async_drop_both_errors,
};
pub use crate::shared::{AsyncDropShared, AsyncDropSharedGet};
pub use crate::stack::{AsyncDropStack, StackKey};
pub use crate::sync_drop::SyncDrop;
#[cfg(feature = "tokio")]
pub use crate::tokio_mutex::AsyncDropTokioMutex;

pub use crate::with::{AsyncDropWith, BoxedAsyncDropWith};

#[cfg(feature = "derive")]
pub use crate::derive::AsyncDrop;

#[cfg(feature = "derive")]
#[doc(hidden)]
pub use crate::derive::__derive;
#[doc(hidden)]
pub use crate::scope::__private;

/// The example of the README is a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
