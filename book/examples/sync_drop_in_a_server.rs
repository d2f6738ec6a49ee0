use asyncdrop::{AsyncDrop, AsyncDropGuard, SyncDrop, async_trait};
use std::fmt;
use std::time::Duration;
use tokio::sync::oneshot::{self, error::RecvError};

/// A page in a temporary file. The cleanup waits until the client has it.
struct Page {
    sent: oneshot::Receiver<()>,
}

impl Page {
    fn new(sent: oneshot::Receiver<()>) -> AsyncDropGuard<Self> {
        AsyncDropGuard::new(Self { sent })
    }
}

#[async_trait]
impl AsyncDrop for Page {
    type Error = RecvError;

    async fn async_drop_impl(&mut self) -> Result<(), RecvError> {
        (&mut self.sent).await
    }
}

impl fmt::Debug for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Page")
    }
}

// ANCHOR: shown
async fn render(_page: SyncDrop<Page>) {
    println!("200 OK");
}

async fn handle_request() {
    let limit = Duration::from_millis(50); // 10 s unless it is set
    let (done, sent) = oneshot::channel();
    let page = SyncDrop::with_time_limit(Page::new(sent), limit);
    let send = async { done.send(()).is_ok() };
    tokio::join!(render(page), send);
}
// ANCHOR_END: shown

#[tokio::main(worker_threads = 4)]
async fn main() {
    let request = tokio::spawn(handle_request());
    if request.await.is_err() {
        println!("the request panicked");
    }
}
