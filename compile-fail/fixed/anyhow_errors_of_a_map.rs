// An error type that implements `Error` goes to the caller, with all others of the map.
use asyncdrop::{AsyncDrop, AsyncDropGuard, AsyncDropHashMap, async_trait};
use tokio::sync::mpsc::{self, Sender, error::SendError};

#[derive(Debug)]
struct Outbox {
    mails: Sender<String>,
}

#[async_trait]
impl AsyncDrop for Outbox {
    type Error = SendError<String>;

    async fn async_drop_impl(&mut self) -> Result<(), SendError<String>> {
        self.mails.send("bye".to_owned()).await
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let (mails, _relay) = mpsc::channel(8);
    let mut outboxes = AsyncDropHashMap::new();
    let office = AsyncDropGuard::new(Outbox { mails });
    assert!(outboxes.insert("office", office).is_none());
    outboxes.async_drop().await?;
    Ok(())
}
