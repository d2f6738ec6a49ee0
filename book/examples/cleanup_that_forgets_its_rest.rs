use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
use std::mem;
use std::time::Duration;
use tokio::sync::mpsc::{self, error::SendError};
use tokio::time::{sleep, timeout};

type Mail = &'static str;

#[derive(Debug)]
struct Outbox {
    mails: Vec<Mail>,
    server: mpsc::Sender<Mail>,
}

#[async_trait]
impl AsyncDrop for Outbox {
    type Error = SendError<Mail>;

    async fn async_drop_impl(&mut self) -> Result<(), SendError<Mail>> {
        for mail in mem::take(&mut self.mails) {
            self.server.send(mail).await?;
        }
        Ok(())
    }
}

/// A mail server that needs 400 ms for a mail.
async fn deliver(mut mails: mpsc::Receiver<Mail>) {
    while let Some(mail) = mails.recv().await {
        sleep(Duration::from_millis(400)).await;
        println!("delivered: {mail}");
    }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (server, mails) = mpsc::channel(1);
    let task = tokio::spawn(deliver(mails));

    let mails = vec!["to ada", "to bob", "to cleo", "to dora"];
    let mut outbox = AsyncDropGuard::new(Outbox { mails, server });
    let limit = Duration::from_millis(500);
    if timeout(limit, outbox.async_drop()).await.is_err() {
        println!("not done after 500 ms");
        outbox.async_drop().await?;
        println!("the second call returned Ok");
    }

    task.await?;
    Ok(())
}
