use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait, with_async_drop_2};
use std::{fmt, io};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

/// Prices in euros, until the feed is told to stop.
struct Ticker {
    metal: &'static str,
    feed: DuplexStream,
}

#[async_trait]
impl AsyncDrop for Ticker {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        self.feed.write_all(b"unsubscribe").await
    }
}

impl fmt::Debug for Ticker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ticker({})", self.metal)
    }
}

/// The first of three prices that is low enough.
async fn bargain(ticker: AsyncDropGuard<Ticker>, limit: u8) -> io::Result<Option<u8>> {
    with_async_drop_2!(ticker, {
        for _ in 0..3 {
            let price = ticker.feed.read_u8().await?;
            if price <= limit {
                return Ok(Some(price));
            }
        }
        Ok(None)
    })
}

#[tokio::main]
async fn main() -> io::Result<()> {
    for limit in [20, 30] {
        let (feed, mut server) = tokio::io::duplex(64);
        server.write_all(&[33, 31, 29]).await?;

        let metal = "silver";
        let ticker = AsyncDropGuard::new(Ticker { metal, feed });
        println!("at most {limit} euros: {:?}", bargain(ticker, limit).await?);

        let mut heard = String::new();
        server.read_to_string(&mut heard).await?;
        println!("the server heard: {heard}");
    }
    Ok(())
}
