use asyncdrop::{AsyncDrop, AsyncDropArc, AsyncDropGuard, AsyncDropWeak, async_trait};
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
            // Should the task be gone, the cleanup says why.
            let _ = lines.send(line.to_owned()).await;
        }
    }
}

#[async_trait]
impl AsyncDrop for AuditLog {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        println!("waiting for the last line");
        self.lines = None;
        (&mut self.sending).await?
    }
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let (ours, server) = tokio::io::duplex(64);
    let mut log = AsyncDropArc::new(AuditLog::start(ours));
    // Nothing can be sent any more. One of the owners will be told.
    drop(server);

    let handlers = ["ada", "bob", "eve"].map(|user| {
        let mut log = AsyncDropArc::clone(&log);
        tokio::spawn(async move {
            log.note(user).await;
            log.async_drop().await
        })
    });
    for handler in handlers {
        println!("a handler lets go: {:?}", handler.await?);
    }
    println!("owners: {}", AsyncDropArc::strong_count(&log));

    let weak: AsyncDropWeak<AuditLog> = AsyncDropArc::downgrade(&log);
    let second = weak.upgrade().expect("there is an owner");
    println!("the same log: {}", AsyncDropArc::ptr_eq(&log, &second));
    let inner = AsyncDropArc::into_inner(second);
    println!("one of two gets nothing: {}", inner.is_none());

    println!("the last one lets go: {:?}", log.async_drop().await);
    println!("upgraded now: {}", weak.upgrade().is_some());
    Ok(())
}
