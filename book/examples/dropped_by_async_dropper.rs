use async_dropper_simple::{AsyncDrop, AsyncDropper};
use asyncdrop::async_trait;
use std::time::Duration;
use std::{future, io};
use tokio::time::{sleep, timeout};

// ANCHOR: shown
/// A seat that was reserved and should be given back.
#[derive(Default)]
struct Seat {
    passenger: &'static str,
}

#[async_trait]
impl AsyncDrop for Seat {
    async fn async_drop(&mut self) {
        sleep(Duration::from_millis(5)).await;
        println!("{}: seat given back", self.passenger);
    }
}

async fn book(passenger: &'static str) -> io::Result<()> {
    let _seat = AsyncDropper::new(Seat { passenger });
    match passenger {
        "bob" => Err(io::Error::other("no passport")),
        "cleo" => future::pending().await,
        "dan" => panic!("dan has no name"),
        _ => Ok(()),
    }
}
// ANCHOR_END: shown

#[tokio::main]
async fn main() {
    for passenger in ["ada", "bob", "cleo", "dan"] {
        let limit = Duration::from_millis(20);
        match tokio::spawn(timeout(limit, book(passenger))).await {
            Ok(Ok(result)) => println!("{passenger}: {result:?}"),
            Ok(Err(_)) => println!("{passenger}: cancelled after 20 ms"),
            Err(_) => println!("{passenger}: panicked"),
        }
    }
}
