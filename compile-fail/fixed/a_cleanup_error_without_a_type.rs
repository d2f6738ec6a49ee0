// The error of the channel says what went wrong, and `?` can convert it.
use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
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
    let mut outbox = AsyncDropGuard::new(Outbox { mails });
    outbox.async_drop().await?;
    Ok(())
}
