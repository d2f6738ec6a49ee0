use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait, with_async_drop_2};
use std::fmt;
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
async fn render(page: AsyncDropGuard<Page>) -> Result<(), RecvError> {
    with_async_drop_2!(page, {
        println!("200 OK");
        Ok(())
    })
}

async fn handle_request() -> Result<(), RecvError> {
    let (done, sent) = oneshot::channel();
    let send = async { done.send(()).is_ok() };
    let (rendered, sent) = tokio::join!(render(Page::new(sent)), send);
    println!("the client has the page: {sent}");
    rendered
}
// ANCHOR_END: shown

#[tokio::main(worker_threads = 4)]
async fn main() {
    let request = tokio::spawn(handle_request());
    println!("the request ended: {:?}", request.await);
}
