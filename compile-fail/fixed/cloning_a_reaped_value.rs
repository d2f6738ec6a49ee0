// A second task should write to the same mailbox.
use asyncdrop::{AsyncDrop, AsyncDropArc, AsyncDropGuard, AsyncDropReaper, async_trait};
use tokio::sync::mpsc;

#[derive(Debug, Clone)]
struct Mailbox(mpsc::Sender<&'static str>);

#[async_trait]
impl AsyncDrop for Mailbox {
    type Error = mpsc::error::SendError<&'static str>;

    async fn async_drop_impl(&mut self) -> Result<(), Self::Error> {
        self.0.send("goodbye").await
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut reaper = AsyncDropReaper::new();
    let (sender, _receiver) = mpsc::channel(1);
    let shared = AsyncDropArc::new(AsyncDropGuard::new(Mailbox(sender)));
    let second = reaper.adopt(AsyncDropArc::clone(&shared));
    let mailbox = reaper.adopt(shared);
    drop((mailbox, second));
    reaper.async_drop().await.unwrap();
}
