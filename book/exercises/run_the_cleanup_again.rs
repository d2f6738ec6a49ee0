// fails with: left: ["resize cat.png", "resize cat.png", "resize dog.png"]
// ANCHOR: problem
use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
use std::collections::VecDeque;
use tokio::sync::mpsc::{Sender, error::SendError};

/// Jobs that were taken from a queue. What is not done in the end goes back.
#[derive(Debug)]
pub struct Batch {
    jobs: VecDeque<String>,
    queue: Sender<String>,
}

impl Batch {
    pub fn new(jobs: VecDeque<String>, queue: Sender<String>) -> AsyncDropGuard<Self> {
        AsyncDropGuard::new(Self { jobs, queue })
    }
}

#[async_trait]
impl AsyncDrop for Batch {
    type Error = SendError<String>;

    async fn async_drop_impl(&mut self) -> Result<(), Self::Error> {
        for job in &self.jobs {
            self.queue.send(job.clone()).await?;
        }
        Ok(())
    }
}
// ANCHOR_END: problem

// ANCHOR: solution
use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
use std::collections::VecDeque;
use tokio::sync::mpsc::{Sender, error::SendError};

/// Jobs that were taken from a queue. What is not done in the end goes back.
#[derive(Debug)]
pub struct Batch {
    jobs: VecDeque<String>,
    queue: Sender<String>,
}

impl Batch {
    pub fn new(jobs: VecDeque<String>, queue: Sender<String>) -> AsyncDropGuard<Self> {
        AsyncDropGuard::new(Self { jobs, queue })
    }
}

#[async_trait]
impl AsyncDrop for Batch {
    type Error = SendError<String>;

    async fn async_drop_impl(&mut self) -> Result<(), Self::Error> {
        while let Some(job) = self.jobs.front() {
            self.queue.send(job.clone()).await?;
            self.jobs.pop_front();
        }
        Ok(())
    }
}
// ANCHOR_END: solution

// ANCHOR: tests
#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;
    use tokio::sync::mpsc;

    #[tokio::test]
    async fn a_job_goes_back_once_also_when_the_cleanup_was_interrupted() {
        let (queue, mut waiting) = mpsc::channel(1);
        let jobs = ["resize cat.png", "resize dog.png"].map(String::from);
        let mut batch = Batch::new(jobs.into(), queue);

        // The queue has room for one job: this gives up before the second one.
        assert!(batch.async_drop().now_or_never().is_none());

        let worker = tokio::spawn(async move {
            let mut taken = Vec::new();
            while let Some(job) = waiting.recv().await {
                taken.push(job);
            }
            taken
        });
        batch.async_drop().await.unwrap();
        assert_eq!(worker.await.unwrap(), ["resize cat.png", "resize dog.png"]);
    }
}
// ANCHOR_END: tests
