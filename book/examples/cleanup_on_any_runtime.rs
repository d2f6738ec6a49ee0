use asyncdrop::{AsyncDrop, AsyncDropGuard, AsyncDropHashMap, async_trait};
use futures::channel::oneshot::{self, Canceled};
use futures::executor::block_on;
use futures::future::poll_immediate;
use std::thread;

/// Its cleanup waits until the server confirms the end.
#[derive(Debug)]
struct Subscription {
    topic: &'static str,
    confirmed: oneshot::Receiver<()>,
}

#[async_trait]
impl AsyncDrop for Subscription {
    type Error = Canceled;

    async fn async_drop_impl(&mut self) -> Result<(), Canceled> {
        let outcome = (&mut self.confirmed).await;
        println!("{}: {outcome:?}", self.topic);
        outcome
    }
}

// ANCHOR: shown
fn main() {
    let (confirm_weather, weather) = oneshot::channel();
    let (confirm_traffic, traffic) = oneshot::channel();
    let mut subscriptions = AsyncDropHashMap::new();
    for (topic, confirmed) in [("weather", weather), ("traffic", traffic)] {
        let subscription = AsyncDropGuard::new(Subscription { topic, confirmed });
        assert!(subscriptions.insert(topic, subscription).is_none());
    }
    // The server of this one is gone, so its cleanup fails at once.
    drop(confirm_traffic);

    // The map goes to another thread, which has an executor without timers or sockets.
    let ending = thread::spawn(move || {
        block_on(async move {
            // One poll and no more: the weather is not confirmed yet.
            let first = poll_immediate(subscriptions.async_drop()).await;
            println!("interrupted: {}", first.is_none());

            if confirm_weather.send(()).is_err() {
                println!("the cleanup does not wait any more");
            }
            subscriptions.async_drop().await
        })
    });
    let errors = ending.join().expect("no cleanup panics").unwrap_err();
    println!("{errors}");
}
// ANCHOR_END: shown
