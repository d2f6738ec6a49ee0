use asyncdrop::{AsyncDrop, AsyncDropGuard, SyncDrop, async_trait};
use std::{fmt, time::Duration};
use tokio::task::{self, JoinError, JoinHandle};

/// Resizes a photo in the background.
struct Resize {
    photo: &'static str,
    task: JoinHandle<()>,
}

impl Resize {
    fn start(photo: &'static str) -> AsyncDropGuard<Self> {
        let task = tokio::spawn(task::yield_now());
        AsyncDropGuard::new(Self { photo, task })
    }
}

#[async_trait]
impl AsyncDrop for Resize {
    type Error = JoinError;

    async fn async_drop_impl(&mut self) -> Result<(), JoinError> {
        (&mut self.task).await
    }
}

impl fmt::Debug for Resize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Resize({})", self.photo)
    }
}

async fn handle_request() {
    let limit = Duration::from_millis(50); // 10 s unless it is set
    let _resize = SyncDrop::with_time_limit(Resize::start("cat.jpg"), limit);
    println!("200 OK");
}

#[tokio::main(worker_threads = 4)]
async fn main() {
    let request = tokio::spawn(handle_request());
    if request.await.is_err() {
        println!("the request has panicked");
    }
}
