//! The signals that tell a process to end.

use std::io;

use tokio_util::sync::CancellationToken;

/// A token that SIGTERM and Ctrl-C cancel. From the call on neither ends the process by itself.
///
/// # Errors
///
/// When the system refuses the handler of a signal.
///
/// # Panics
///
/// Outside of a runtime of tokio.
pub fn cancelled_by_a_signal() -> io::Result<CancellationToken> {
    let told_to_end = told_to_end()?;
    let token = CancellationToken::new();
    let cancelled = token.clone();
    tokio::spawn(async move {
        told_to_end.await;
        token.cancel();
    });
    Ok(cancelled)
}

#[cfg(unix)]
fn told_to_end() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};

    // Both handlers are there when this returns, and not only after the first poll.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

#[cfg(windows)]
fn told_to_end() -> io::Result<impl Future<Output = ()>> {
    let mut interrupt = tokio::signal::windows::ctrl_c()?;
    Ok(async move {
        interrupt.recv().await;
    })
}
