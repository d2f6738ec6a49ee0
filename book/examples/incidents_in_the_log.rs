use asyncdrop::incident::{self, Incident, IncidentKind};
use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait, with_async_drop};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use std::{fmt, io};
use tokio::io::{AsyncWriteExt, DuplexStream, duplex};
use tokio::time::timeout;

// ANCHOR: hook
// What the monitoring reads.
static MISSED: AtomicU64 = AtomicU64::new(0);
static SUPPRESSED: AtomicU64 = AtomicU64::new(0);

fn log_and_count(incident: &Incident<'_>) {
    let value = incident.type_name();
    match incident.kind() {
        IncidentKind::Suppressed => {
            SUPPRESSED.fetch_add(1, Relaxed);
            tracing::warn!(value, "{incident}");
        }
        kind => {
            MISSED.fetch_add(1, Relaxed);
            tracing::error!(value, ?kind, "{incident}");
        }
    }
}
// ANCHOR_END: hook

struct Session {
    user: &'static str,
    stream: DuplexStream,
    /// What is left to send of the goodbye.
    goodbye: &'static [u8],
}

impl Session {
    #[track_caller]
    fn new(user: &'static str, stream: DuplexStream) -> AsyncDropGuard<Self> {
        let goodbye = b"goodbye\n";
        AsyncDropGuard::new(Self {
            user,
            stream,
            goodbye,
        })
    }
}

#[async_trait]
impl AsyncDrop for Session {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        self.stream.write_all_buf(&mut self.goodbye).await
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Session({})", self.user)
    }
}

/// The `?` leaves without a goodbye.
async fn forgets(stream: DuplexStream) -> io::Result<()> {
    let mut session = Session::new("billing", stream);
    session.stream.write_all(b"hello\n").await?;
    session.async_drop().await
}

/// The goodbye is given up halfway.
async fn gives_up(stream: DuplexStream) {
    let mut session = Session::new("search", stream);
    let limit = Duration::from_secs(5);
    let _ = timeout(limit, session.async_drop()).await;
}

/// Both the hello and the goodbye fail.
async fn fails_twice(stream: DuplexStream) -> io::Result<()> {
    let session = Session::new("mail", stream);
    with_async_drop(session, async |session| {
        session.stream.write_all(b"hello\n").await
    })
    .await
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    // ANCHOR: hook

    // First thing in `main`:
    tracing_subscriber::fmt().without_time().init();
    incident::set_hook(Box::new(log_and_count));
    // ANCHOR_END: hook

    let hung_up = || duplex(64).0;
    // It has room for 4 bytes, and no one reads them.
    let (busy, _server) = duplex(4);
    forgets(hung_up()).await.unwrap_err();
    gives_up(busy).await;
    fails_twice(hung_up()).await.unwrap_err();

    println!("cleanups missed: {}", MISSED.load(Relaxed));
    println!("errors suppressed: {}", SUPPRESSED.load(Relaxed));
}
