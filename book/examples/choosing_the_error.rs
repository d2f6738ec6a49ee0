use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait, with_async_drop_2};
use std::{collections::VecDeque, mem};
use thiserror::Error;
use tokio::sync::mpsc;

// ANCHOR: library
/// What the library returns: what happened, and the mails that would be lost.
#[derive(Debug, Error)]
#[error("{} mails are not sent: the relay is gone", .mails.len())]
pub struct Unsent {
    pub mails: VecDeque<String>,
}
// ANCHOR_END: library

#[derive(Debug)]
pub struct Outbox {
    mails: VecDeque<String>,
    relay: mpsc::Sender<String>,
}

impl Outbox {
    pub fn new(relay: mpsc::Sender<String>) -> AsyncDropGuard<Self> {
        let mails = VecDeque::new();
        AsyncDropGuard::new(Self { mails, relay })
    }

    pub fn add(&mut self, mail: String) {
        self.mails.push_back(mail);
    }
}

// ANCHOR: library

#[async_trait]
impl AsyncDrop for Outbox {
    type Error = Unsent;

    async fn async_drop_impl(&mut self) -> Result<(), Unsent> {
        while let Some(mail) = self.mails.front() {
            if self.relay.send(mail.clone()).await.is_err() {
                let mails = mem::take(&mut self.mails);
                return Err(Unsent { mails });
            }
            // Not earlier: an interrupted `send` has sent nothing.
            self.mails.pop_front();
        }
        Ok(())
    }
}

// ANCHOR_END: library

// ANCHOR: application
async fn confirm(orders: &str, relay: mpsc::Sender<String>) -> anyhow::Result<()> {
    let outbox = Outbox::new(relay);
    with_async_drop_2!(outbox, {
        for order in orders.split(' ') {
            let order: u32 = order.parse()?;
            outbox.add(format!("order {order} is on its way"));
        }
        Ok(())
    })
}

// ANCHOR_END: application

#[tokio::main]
async fn main() {
    let (relay, mut mails) = mpsc::channel(8);
    println!("{:?}", confirm("17 18", relay.clone()).await);
    println!("{:?}", mails.recv().await);

    mails.close();
    // ANCHOR: application
    // In `main`, without a relay:
    let error = confirm("17 18", relay).await.unwrap_err();
    match error.downcast_ref::<Unsent>() {
        Some(Unsent { mails }) => println!("{error}: {mails:?}"),
        None => println!("something else: {error}"),
    }
    // ANCHOR_END: application
}
