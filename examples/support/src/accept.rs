//! Accepting clients, whatever happens to a single one.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

/// How long we wait after `accept` has failed: a lack of file descriptors lasts, so don't spin.
const PAUSE: Duration = Duration::from_millis(100);

/// Waits for the next client. No error ends a service: it is logged, and the next client is waited for.
///
/// # Cancel safety
///
/// No client is lost if the future is dropped.
pub async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(client) => return client,
            Err(error) => {
                tracing::warn!("cannot accept a client: {error}");
                if !is_of_the_client(&error) {
                    sleep(PAUSE).await;
                }
            }
        }
    }
}

/// The client has gone before it was accepted. The next one may be fine.
fn is_of_the_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset};

    matches!(error.kind(), ConnectionAborted | ConnectionReset)
}
