// The cleanup can fail, and the author did not want to think about an error type.
use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
use tokio::sync::mpsc::{self, Sender};

#[derive(Debug)]
struct Outbox {
    mails: Sender<String>,
}

#[async_trait]
impl AsyncDrop for Outbox {
    type Error = ();

    async fn async_drop_impl(&mut self) -> Result<(), ()> {
        self.mails.send("bye".to_owned()).await.map_err(|_| ())
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let (mails, _relay) = mpsc::channel(8);
    let mut outbox = AsyncDropGuard::new(Outbox { mails });
    outbox.async_drop().await?;
    Ok(())
}
