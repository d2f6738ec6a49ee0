use asyncdrop::{AsyncDrop, AsyncDropArc, AsyncDropGuard, async_trait, with_async_drop_2};
use std::{io, path::Path};
use tokio::fs::{self, File};
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Duration, sleep};

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
            // Without it the error of the last write would be lost.
            file.flush().await?;
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

// ANCHOR: owners
async fn pay(log: AsyncDropGuard<AsyncDropArc<AuditLog>>, order: u64) -> io::Result<()> {
    with_async_drop_2!(log, {
        if order == 17 {
            return Err(io::Error::other("order 17 has no price"));
        }
        // The bank takes its time.
        sleep(Duration::from_secs(order)).await;
        log.note(format!("order {order} is paid\n"))
    })
}
// ANCHOR_END: owners

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> io::Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("audit.log");
    // ANCHOR: owners
    // In `main`:
    let log = AsyncDropArc::new(AuditLog::create(&path).await?);
    with_async_drop_2!(log, {
        let pay = |order| tokio::spawn(pay(AsyncDropArc::clone(&log), order));
        let tasks = [pay(17), pay(18), pay(19)];
        println!("owners: {}", AsyncDropArc::strong_count(&log));
        for task in tasks {
            // No `?`: it would leave while the other tasks still own the log.
            match task.await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => println!("not paid: {error}"),
                Err(panicked) => println!("not paid: {panicked}"),
            }
        }
        println!("owners left: {}", AsyncDropArc::strong_count(&log));
        io::Result::Ok(())
    })?;
    print!("{}", fs::read_to_string(&path).await?);
    // ANCHOR_END: owners
    Ok(())
}
