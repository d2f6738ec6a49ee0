use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
use std::collections::VecDeque;
use std::mem;
use std::time::Duration;
use tokio::sync::mpsc::{self, error::SendError};
use tokio::time::{sleep, timeout};

type Event = &'static str;

#[derive(Debug)]
struct Outbox {
    events: VecDeque<Event>,
    broker: mpsc::Sender<Event>,
}

#[async_trait]
impl AsyncDrop for Outbox {
    type Error = SendError<Event>;

    // ANCHOR: forgets
    async fn async_drop_impl(&mut self) -> Result<(), SendError<Event>> {
        for event in mem::take(&mut self.events) {
            self.broker.send(event).await?;
        }
        Ok(())
    }
    // ANCHOR_END: forgets
}

/// A broker that needs 400 ms for an event.
async fn accept(mut events: mpsc::Receiver<Event>) {
    while let Some(event) = events.recv().await {
        sleep(Duration::from_millis(400)).await;
        println!("accepted: {event}");
    }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (broker, events) = mpsc::channel(1);
    let task = tokio::spawn(accept(events));

    let events = VecDeque::from(["paid", "packed", "sent", "billed"]);
    let mut outbox = AsyncDropGuard::new(Outbox { events, broker });

    let limit = Duration::from_millis(500);
    if timeout(limit, outbox.async_drop()).await.is_err() {
        println!("not done after {limit:?}");
        println!("the second call: {:?}", outbox.async_drop().await);
    }

    task.await?;
    Ok(())
}
