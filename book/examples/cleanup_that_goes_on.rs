use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
use std::collections::VecDeque;
use std::time::Duration;
use tokio::sync::mpsc::{self, error::SendError};
use tokio::time::{sleep, timeout};

type Event = &'static str;

// ANCHOR: outbox
#[derive(Debug)]
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

    // ANCHOR: again
    let limit = Duration::from_millis(500);
    let sent = match timeout(limit, outbox.async_drop()).await {
        Ok(sent) => sent,
        Err(_) => {
            println!("not done after {limit:?}");
            outbox.async_drop().await
        }
    };
    // ANCHOR_END: again

    task.await?;
    sent?;
    println!("all sent");
    Ok(())
}
