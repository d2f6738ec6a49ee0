use asyncdrop::{AsyncDrop, AsyncDropGuard, AsyncDropHashMap, async_trait, with_async_drop_2};
use tokio::sync::mpsc::{self, error::SendError};

/// A service that follows our feed.
#[derive(Debug)]
struct Subscriber {
    feed: mpsc::Sender<&'static str>,
}

#[async_trait]
impl AsyncDrop for Subscriber {
    type Error = SendError<&'static str>;

    async fn async_drop_impl(&mut self) -> Result<(), Self::Error> {
        // Waits for a free place in the queue of a slow service.
        self.feed.send("end of feed").await
    }
}

// ANCHOR: feed
type Subscribers = AsyncDropHashMap<&'static str, Subscriber>;

async fn subscribe(
    subscribers: &mut Subscribers,
    name: &'static str,
    feed: mpsc::Sender<&'static str>,
) -> Result<(), SendError<&'static str>> {
    let subscriber = AsyncDropGuard::new(Subscriber { feed });
    match subscribers.insert(name, subscriber) {
        // The service has connected again. Its old connection is ours now.
        Some(mut before) => before.async_drop().await,
        None => Ok(()),
    }
}
// ANCHOR_END: feed

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let (billing, mut before) = mpsc::channel(8);
    let (billing_again, mut now) = mpsc::channel(8);
    let (search, gone) = mpsc::channel(8);
    // ANCHOR: feed

    // In `main`:
    let subscribers = AsyncDropHashMap::new();
    let served: anyhow::Result<()> = with_async_drop_2!(subscribers, {
        subscribe(&mut subscribers, "billing", billing).await?;
        subscribe(&mut subscribers, "search", search).await?;
        subscribe(&mut subscribers, "billing", billing_again).await?;
        for subscriber in subscribers.values() {
            subscriber.feed.send("order 4711 is paid").await?;
        }
        // The search is restarted, and its connection is lost.
        drop(gone);
        Ok(())
    });
    println!("{}", served.unwrap_err());
    // ANCHOR_END: feed

    while let Some(line) = before.recv().await {
        println!("billing's first connection: {line}");
    }
    while let Some(line) = now.recv().await {
        println!("billing's second connection: {line}");
    }
}
