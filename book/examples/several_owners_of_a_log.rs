use asyncdrop::{AsyncDrop, AsyncDropArc, AsyncDropGuard, async_trait, with_async_drop_2};
use std::{io, path::Path};
use tokio::fs::{self, File};
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

#[derive(Debug)]
struct AuditLog {
    lines: Option<mpsc::UnboundedSender<String>>,
    writer: JoinHandle<io::Result<()>>,
}

impl AuditLog {
    async fn create(path: &Path) -> io::Result<AsyncDropGuard<Self>> {
        let mut file = File::create(path).await?;
        let (lines, mut queue) = mpsc::unbounded_channel::<String>();
        let writer = tokio::spawn(async move {
            while let Some(line) = queue.recv().await {
                file.write_all(line.as_bytes()).await?;
            }
            file.sync_all().await
        });
        let lines = Some(lines);
        Ok(AsyncDropGuard::new(Self { lines, writer }))
    }

    fn note(&self, line: String) -> io::Result<()> {
        let lines = self.lines.as_ref().ok_or(io::ErrorKind::BrokenPipe)?;
        lines.send(line).map_err(io::Error::other)
    }
}

#[async_trait]
impl AsyncDrop for AuditLog {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        // With its only sender gone, the queue ends, and so does the writer.
        self.lines = None;
        (&mut self.writer).await?
    }
}

async fn visit(log: AsyncDropGuard<AsyncDropArc<AuditLog>>, user: &str) -> io::Result<()> {
    with_async_drop_2!(log, { log.note(format!("{user} was here\n")) })
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("audit.log");
    let log = AsyncDropArc::new(AuditLog::create(&path).await?);
    let weak = AsyncDropArc::downgrade(&log);

    with_async_drop_2!(log, {
        let mut tasks = Vec::new();
        for user in ["ada", "bob"] {
            let log = AsyncDropArc::clone(&log);
            tasks.push(tokio::spawn(visit(log, user)));
        }
        println!("owners: {}", AsyncDropArc::strong_count(&log));
        for task in tasks {
            task.await??;
        }
        println!("owners left: {}", AsyncDropArc::strong_count(&log));
        io::Result::Ok(())
    })?;

    let text = fs::read_to_string(&path).await?;
    println!("lines on the disk: {}", text.lines().count());
    println!("still open? {}", weak.upgrade().is_some());
    Ok(())
}
