//! Cleanups that are interrupted and begun again, all those of a test.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::interruption;

/// Interrupts every cleanup of your test once: drops it before its `n`th operation of tokio, and begins it again.
///
/// If a cleanup can be [run again](crate::AsyncDrop#what-an-implementor-promises), the interruption makes no difference,
/// so your test must pass with `n` = 1, 2, 3, .., until no cleanup is [reached](Interruptions::interrupted).
/// But if one says goodbye twice, say, or fails because the first half is done already, you find out.
///
/// The interruptions last until you drop what this function returns. If you ask twice, the later request counts until it is dropped.
///
/// # A whole process
///
/// The environment variable `ASYNCDROP_INTERRUPT=n` does the same for every cleanup of a process that was built with the
/// feature `testing`. So you can run a whole test suite, or a program, as it is:
///
/// ```sh
/// ASYNCDROP_INTERRUPT=1 cargo test
/// ```
///
/// With `ASYNCDROP_INTERRUPT_LOG=file` each interruption adds a line to that file. When it gets none, your `n` was large enough.
///
/// # What is interrupted
///
/// - The cleanups that run in the runtime in which you called this function, and those on the same thread.
///   The tests beside this one are not disturbed.
/// - If a cleanup cleans up another guard, both are interrupted, and each by its own count.
/// - A cleanup with fewer operations runs as always. [`Sweep`](crate::testing::Sweep) says what an operation is.
/// - In a task that tokio doesn't run, operations can't be counted, so a cleanup is interrupted at its `n`th wait instead.
///
/// # Panics
///
/// If `n` is 0.
///
/// # Examples
///
/// ```
/// use asyncdrop::testing::interrupt_cleanups;
/// use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
/// use std::io;
/// use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
///
/// #[derive(Debug)]
/// struct Connection {
///     stream: DuplexStream,
///     /// What is still to be said.
///     goodbye: &'static [u8],
/// }
///
/// #[async_trait]
/// impl AsyncDrop for Connection {
///     type Error = io::Error;
///
///     async fn async_drop_impl(&mut self) -> io::Result<()> {
///         // After an interruption this continues with the bytes that are left.
///         self.stream.write_all_buf(&mut self.goodbye).await?;
///         self.stream.shutdown().await
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> io::Result<()> {
/// for n in 1.. {
///     let interruptions = interrupt_cleanups(n);
///     let (stream, mut server) = tokio::io::duplex(64);
///     let mut connection = AsyncDropGuard::new(Connection { stream, goodbye: b"goodbye" });
///     connection.async_drop().await?;
///
///     let mut heard = String::new();
///     server.read_to_string(&mut heard).await?;
///     assert_eq!(heard, "goodbye", "interrupted before operation {n}");
///     if interruptions.interrupted() == 0 {
///         break;
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[track_caller]
pub fn interrupt_cleanups(n: usize) -> Interruptions {
    if n == 0 {
        panic!("interrupt_cleanups(0): the first operation has the number 1");
    }
    Interruptions {
        interrupted: interruption::ask(n),
    }
}

/// Cleanups are interrupted until you drop this. You get it from [`interrupt_cleanups`].
#[derive(Debug)]
#[must_use = "cleanups are interrupted until this is dropped, which `let _ = ..` does at once"]
pub struct Interruptions {
    interrupted: Arc<AtomicUsize>,
}

impl Interruptions {
    /// Tells you how many cleanups were interrupted so far.
    ///
    /// It is 0 if none had that many operations, or if no cleanup ran at all.
    ///
    /// # Examples
    ///
    /// ```
    /// use asyncdrop::AsyncDropWith;
    /// use asyncdrop::testing::interrupt_cleanups;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let interruptions = interrupt_cleanups(1);
    /// let mut file = AsyncDropWith::new("report.txt", async |_| {
    ///     tokio::task::yield_now().await;
    ///     Ok::<_, std::io::Error>(())
    /// });
    /// file.async_drop().await.unwrap();
    /// assert_eq!(interruptions.interrupted(), 1);
    /// # }
    /// ```
    #[must_use]
    pub fn interrupted(&self) -> usize {
        self.interrupted.load(Ordering::Relaxed)
    }
}

impl Drop for Interruptions {
    fn drop(&mut self) {
        interruption::withdraw(&self.interrupted);
    }
}
