use asyncdrop::{AsyncDrop, AsyncDropGuard, async_drop_all, async_trait};
use std::io;
use std::time::Duration;
use tokio::time::sleep;

#[derive(Debug)]
struct Consumer {
    topic: &'static str,
    seconds: u64,
}

#[async_trait]
impl AsyncDrop for Consumer {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        sleep(Duration::from_secs(self.seconds)).await;
        if self.topic == "orders" {
            return Err(io::Error::other("the broker is gone"));
        }
        println!("{}: unsubscribed", self.topic);
        Ok(())
    }
}

fn consumer(topic: &'static str, seconds: u64) -> AsyncDropGuard<Consumer> {
    AsyncDropGuard::new(Consumer { topic, seconds })
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let orders = consumer("orders", 1);
    let stock = consumer("stock", 2);
    // ANCHOR: all
    let ended = async_drop_all([("orders", orders), ("stock", stock)]).await;
    // ANCHOR_END: all
    if let Err(errors) = ended {
        println!("{errors}");
    }
}
