use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
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
async fn main() -> io::Result<()> {
    let mut orders = consumer("orders", 1);
    let mut stock = consumer("stock", 2);
    // ANCHOR: join
    tokio::try_join!(orders.async_drop(), stock.async_drop())?;
    // ANCHOR_END: join
    Ok(())
}
