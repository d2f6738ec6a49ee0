use asyncdrop::{AsyncDropWith, DropErrors, async_drop_all};
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

async fn leave(mut broker: DuplexStream) -> io::Result<()> {
    broker.write_all(b"leave").await?;
    broker.shutdown().await
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let (orders, mut at_orders) = duplex(8);
    let (mail, _) = duplex(8);
    let (audit, _) = duplex(8);
    // ANCHOR: shown
    // In main: of the three brokers only the one for orders is still there.
    let consumers = [("orders", orders), ("mail", mail), ("audit", audit)]
        .map(|(topic, broker)| (topic, AsyncDropWith::new(broker, leave)));

    let left: Result<(), DropErrors<&str, io::Error>> = async_drop_all(consumers).await;
    if let Err(errors) = left {
        println!("{errors}");
        println!("{} of {}", errors.len(), errors.total());
        for (topic, error) in errors.iter() {
            println!("{topic}: {:?}", error.kind());
        }
        let topics: Vec<_> = errors.into_iter().map(|(topic, _)| topic).collect();
        println!("to be looked at: {topics:?}");
    }
    // ANCHOR_END: shown
    let mut heard = String::new();
    let read = at_orders.read_to_string(&mut heard).await;
    println!("orders heard {:?}", read.map(|_| heard));
}
