use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;
use tokio::sync::mpsc::{self, error::SendError};
use tokio::time::sleep;

type Event = &'static str;

// ANCHOR: outbox
struct Outbox {
    events: VecDeque<Event>,
    broker: mpsc::Sender<Event>,
}

#[async_trait]
impl AsyncDrop for Outbox {
    type Error = SendError<Event>;

    async fn async_drop_impl(&mut self) -> Result<(), SendError<Event>> {
        while let Some(event) = self.events.front() {
            self.broker.send(event).await?;
            self.events.pop_front();
        }
        Ok(())
    }
}
// ANCHOR_END: outbox

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox")
            .field("events", &self.events)
            .finish_non_exhaustive()
    }
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

    // ANCHOR: within
    let limit = Duration::from_millis(500);
    if let Err(error) = outbox.async_drop_within(limit).await {
        println!("{error}");
    }
    // ANCHOR_END: within

    task.await?;
    Ok(())
}
