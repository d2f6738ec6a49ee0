use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
use std::{io, time::Duration};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::time::{Instant, sleep};

#[derive(Debug)]
struct Connection {
    stream: DuplexStream,
    /// What is left to send of the goodbye.
    goodbye: &'static [u8],
}

#[async_trait]
impl AsyncDrop for Connection {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        self.stream.write_all_buf(&mut self.goodbye).await?;
        // The server confirms it with a byte.
        self.stream.read_u8().await.map(|_| ())
    }
}

// ANCHOR: shop
#[derive(Debug, AsyncDrop)]
#[async_drop(concurrent)]
struct Shop {
    stock: AsyncDropGuard<Connection>,
    mail: AsyncDropGuard<Connection>,
}
// ANCHOR_END: shop

/// Connects to a server that never confirms a goodbye, and hangs up seconds later.
fn connect(seconds: u64) -> AsyncDropGuard<Connection> {
    let (stream, mut theirs) = tokio::io::duplex(64);
    tokio::spawn(async move {
        let goodbye = theirs.read_exact(&mut [0; 8]).await;
        sleep(Duration::from_secs(seconds)).await;
        goodbye
    });
    let goodbye = b"goodbye\n";
    AsyncDropGuard::new(Connection { stream, goodbye })
}

// The clock is paused: it jumps to the next timer as soon as every task waits for one.
#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    // ANCHOR: shop

    // In `main`, with servers that hang up after 2 s and 3 s:
    let begin = Instant::now();
    let mut shop = AsyncDropGuard::new(Shop {
        stock: connect(2),
        mail: connect(3),
    });
    let closed = shop.async_drop().await;
    println!("closed after {} s", begin.elapsed().as_secs());
    for (origin, error) in closed.unwrap_err() {
        println!("{}: {error}", origin.name().unwrap_or_default());
    }
    // ANCHOR_END: shop
}
