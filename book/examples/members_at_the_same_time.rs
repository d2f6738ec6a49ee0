use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
use std::{io, time::Duration};
use thiserror::Error;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::time::{Instant, sleep};

#[derive(Debug)]
struct Connection(DuplexStream);

#[async_trait]
impl AsyncDrop for Connection {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        self.0.write_all(b"goodbye\n").await?;
        // The server confirms it with a byte.
        self.0.read_u8().await.map(|_| ())
    }
}

#[derive(Debug)]
struct Shop {
    stock: AsyncDropGuard<Connection>,
    mail: AsyncDropGuard<Connection>,
}

/// Every error, with the name of its connection.
#[derive(Debug, Error)]
#[error("{0:?}")]
struct CloseErrors(Vec<(&'static str, io::Error)>);

#[async_trait]
impl AsyncDrop for Shop {
    type Error = CloseErrors;

    async fn async_drop_impl(&mut self) -> Result<(), CloseErrors> {
        let stock = self.stock.async_drop();
        let mail = self.mail.async_drop();
        let (stock, mail) = tokio::join!(stock, mail);

        let mut errors = Vec::new();
        for (name, result) in [("stock", stock), ("mail", mail)] {
            if let Err(error) = result {
                errors.push((name, error));
            }
        }
        if errors.is_empty() {
            return Ok(());
        }
        Err(CloseErrors(errors))
    }
}

/// Connects to a server that never confirms a goodbye, and hangs up seconds later.
fn connect(seconds: u64) -> AsyncDropGuard<Connection> {
    let (ours, mut theirs) = tokio::io::duplex(64);
    tokio::spawn(async move {
        let goodbye = theirs.read_u8().await;
        sleep(Duration::from_secs(seconds)).await;
        goodbye
    });
    AsyncDropGuard::new(Connection(ours))
}

// The clock is paused: the seconds pass as soon as everybody waits for them.
#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let begin = Instant::now();
    for mut connection in [connect(2), connect(3)] {
        // Only the time matters here; the errors come below.
        let _ = connection.async_drop().await;
    }
    println!("one after another: {} s", begin.elapsed().as_secs());

    let begin = Instant::now();
    let mut shop = AsyncDropGuard::new(Shop {
        stock: connect(2),
        mail: connect(3),
    });
    let closed = shop.async_drop().await;
    println!("at the same time: {} s", begin.elapsed().as_secs());
    if let Err(CloseErrors(errors)) = closed {
        for (name, error) in errors {
            println!("{name}: {error}");
        }
    }
}
