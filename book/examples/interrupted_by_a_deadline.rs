use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;
use tokio::sync::mpsc::{self, error::SendError};
use tokio::time::{error::Elapsed, sleep, timeout};

type Event = &'static str;

// ANCHOR: shown
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

// ANCHOR_END: shown
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
async fn main() -> Result<(), Elapsed> {
    let (broker, events) = mpsc::channel(1);
    tokio::spawn(accept(events));

    let events = VecDeque::from(["paid", "packed", "sent", "billed"]);
    let mut outbox = AsyncDropGuard::new(Outbox { events, broker });

    // ANCHOR: shown
    let limit = Duration::from_millis(500);
    let sent = timeout(limit, outbox.async_drop()).await?;
    println!("all sent: {}", sent.is_ok());
    // ANCHOR_END: shown
    Ok(())
}
