use asyncdrop::{AsyncDrop, AsyncDropGuard, AsyncDropHashMap, async_trait};
use tokio::sync::mpsc::{self, error::SendError};

#[derive(Debug)]
struct Subscriber {
    news: mpsc::Sender<&'static str>,
}

#[async_trait]
impl AsyncDrop for Subscriber {
    type Error = SendError<&'static str>;

    async fn async_drop_impl(&mut self) -> Result<(), Self::Error> {
        // Waits for a free place in the queue of a slow reader.
        self.news.send("the end").await
    }
}

#[tokio::main]
async fn main() {
    let mut subscribers = AsyncDropHashMap::new();
    let mut readers = Vec::new();

    for (name, device) in [("ada", "laptop"), ("bob", "desk"), ("ada", "phone")] {
        let (news, reader) = mpsc::channel(8);
        readers.push((device, reader));
        let subscriber = AsyncDropGuard::new(Subscriber { news });
        if let Some(mut before) = subscribers.insert(name, subscriber) {
            println!("{name} is here again, on the {device}");
            let told = before.async_drop().await;
            told.expect("the laptop listens");
        }
    }

    for subscriber in subscribers.values() {
        // Whoever has hung up gets no news.
        let _ = subscriber.news.send("rain").await;
    }

    // Bob hangs up without a word.
    drop(readers.remove(1));

    if let Err(errors) = subscribers.async_drop().await {
        for (name, error) in errors {
            println!("{name} was not told: {error}");
        }
    }
    for (device, mut reader) in readers {
        while let Some(line) = reader.recv().await {
            println!("on the {device}: {line}");
        }
    }
}
