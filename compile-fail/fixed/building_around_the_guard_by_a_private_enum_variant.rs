// Only the constructor makes a job, and it returns a guard.
mod job {
    use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
    use tokio::task::{JoinError, JoinHandle};

    #[derive(Debug)]
    enum State {
        Queued,
        Running(JoinHandle<()>),
    }

    #[derive(Debug)]
    pub struct Job(State);

    impl Job {
        pub fn queued() -> AsyncDropGuard<Self> {
            AsyncDropGuard::new(Self(State::Queued))
        }

        pub fn start(&mut self) {
            if let State::Queued = self.0 {
                self.0 = State::Running(tokio::spawn(async {}));
            }
        }
    }

    #[async_trait]
    impl AsyncDrop for Job {
        type Error = JoinError;

        async fn async_drop_impl(&mut self) -> Result<(), JoinError> {
            match &mut self.0 {
                State::Queued => Ok(()),
                State::Running(task) => task.await,
            }
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), tokio::task::JoinError> {
    let mut job = job::Job::queued();
    job.start();
    job.async_drop().await
}
