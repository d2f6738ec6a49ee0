use anyhow::Context;
use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
use asyncdrop::{with_async_drop_2, with_async_drop_2_infallible};
use std::{convert::Infallible, io, path::Path};
use tokio::fs::{self, File};
use tokio::io::{AsyncWriteExt, BufWriter};
use tokio::sync::mpsc;

/// The log of a job, which is buffered.
#[derive(Debug)]
struct JobLog(BufWriter<File>);

impl JobLog {
    async fn open(path: &Path) -> io::Result<AsyncDropGuard<Self>> {
        let file = File::options().append(true).create(true).open(path).await?;
        Ok(AsyncDropGuard::new(Self(BufWriter::new(file))))
    }
}

#[async_trait]
impl AsyncDrop for JobLog {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        self.0.flush().await
    }
}

/// A job's place among those that may run at the same time.
#[derive(Debug)]
struct Slot {
    number: u32,
    scheduler: mpsc::Sender<u32>,
}

#[async_trait]
impl AsyncDrop for Slot {
    type Error = Infallible;

    async fn async_drop_impl(&mut self) -> Result<(), Infallible> {
        // A scheduler that is gone does not need the slot any more.
        let _ = self.scheduler.send(self.number).await;
        Ok(())
    }
}

// ANCHOR: run
async fn run(slot: AsyncDropGuard<Slot>, log: &Path) -> anyhow::Result<usize> {
    with_async_drop_2_infallible!(slot, {
        let log = JobLog::open(log).await.context("no log")?;
        with_async_drop_2!(
            log,
            {
                let line = format!("slot {}: 7 tables copied\n", slot.number);
                log.0.write_all(line.as_bytes()).await?;
                Ok(7)
            },
            |error| anyhow::Error::new(error).context("the log is not complete")
        )
    })
}
// ANCHOR_END: run

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let (scheduler, mut free) = mpsc::channel(1);

    for (number, file) in [(1, "job.log"), (2, "no such folder/job.log")] {
        let scheduler = scheduler.clone();
        let slot = AsyncDropGuard::new(Slot { number, scheduler });
        match run(slot, &folder.path().join(file)).await {
            Ok(tables) => println!("{tables} tables"),
            Err(error) => println!("not run: {error:#}"),
        }
        if let Some(number) = free.recv().await {
            println!("slot {number} is free again");
        }
    }

    let path = folder.path().join("job.log");
    // ANCHOR: plain
    let log = JobLog::open(&path).await?;
    with_async_drop_2!(log, { log.0.write_all(b"all jobs are done\n").await })?;
    // ANCHOR_END: plain
    print!("{}", fs::read_to_string(path).await?);
    Ok(())
}
