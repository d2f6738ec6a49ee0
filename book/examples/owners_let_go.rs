use asyncdrop::{AsyncDrop, AsyncDropArc, AsyncDropGuard, async_trait};
use std::io;
use tokio::io::{AsyncWriteExt, DuplexStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Sends lines to a server, in a task of its own.
#[derive(Debug)]
struct AuditLog {
    lines: Option<mpsc::Sender<String>>,
    sending: JoinHandle<io::Result<()>>,
}

impl AuditLog {
    fn start(mut server: DuplexStream) -> AsyncDropGuard<Self> {
        let (lines, mut queue) = mpsc::channel::<String>(8);
        let sending = tokio::spawn(async move {
            while let Some(line) = queue.recv().await {
                server.write_all(line.as_bytes()).await?;
            }
            Ok(())
        });
        let lines = Some(lines);
        AsyncDropGuard::new(Self { lines, sending })
    }

    async fn note(&self, line: &str) {
        if let Some(lines) = &self.lines {
            // If the task is gone, the cleanup says why.
            let _ = lines.send(line.to_owned()).await;
        }
    }
}

#[async_trait]
impl AsyncDrop for AuditLog {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        // The task ends when the queue has no sender.
        self.lines = None;
        let sent = (&mut self.sending).await?;
        println!("the log is closed");
        sent
    }
}

// ANCHOR: shown
async fn handle(request: &str, mut log: AsyncDropGuard<AsyncDropArc<AuditLog>>) -> io::Result<()> {
    log.note(request).await;
    log.async_drop().await
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let (ours, server) = tokio::io::duplex(64);
    // The server of the log is gone, so one of the owners will get an error.
    drop(server);

    let mut log = AsyncDropArc::new(AuditLog::start(ours));
    let handlers = ["GET /", "PUT /a", "GET /a"].map(|request| {
        let log = AsyncDropArc::clone(&log);
        tokio::spawn(handle(request, log))
    });
    println!("owners: {}", AsyncDropArc::strong_count(&log));

    println!("main is done: {:?}", log.async_drop().await);
    for handler in handlers {
        match handler.await {
            Ok(outcome) => println!("a handler is done: {outcome:?}"),
            Err(panicked) => println!("a handler: {panicked}"),
        }
    }
}
// ANCHOR_END: shown
