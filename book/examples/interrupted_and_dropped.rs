use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
use std::fmt;
use std::time::Duration;
use tokio::task::{JoinError, JoinHandle};
use tokio::time::{sleep, timeout};

struct Upload {
    file: &'static str,
    task: JoinHandle<()>,
}

impl Upload {
    fn start(file: &'static str) -> AsyncDropGuard<Self> {
        let task = tokio::spawn(sleep(Duration::from_millis(300)));
        AsyncDropGuard::new(Self { file, task })
    }
}

#[async_trait]
impl AsyncDrop for Upload {
    type Error = JoinError;

    async fn async_drop_impl(&mut self) -> Result<(), JoinError> {
        (&mut self.task).await
    }
}

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upload")
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}

// ANCHOR: main
#[tokio::main]
async fn main() {
    let mut film = Upload::start("film.mp4");

    let limit = Duration::from_millis(20);
    if timeout(limit, film.async_drop()).await.is_err() {
        println!("not done after 20 ms");
    }
}
// ANCHOR_END: main
