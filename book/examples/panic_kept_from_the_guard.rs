use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait, with_async_drop_2};
use futures::FutureExt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::{fmt, io};
use tokio::io::{AsyncWriteExt, DuplexStream};
use tokio::sync::Mutex;

type Pool = Arc<Mutex<Vec<DuplexStream>>>;

/// A connection of a pool. The cleanup gives it back.
struct Borrowed {
    connection: Option<DuplexStream>,
    pool: Pool,
}

impl Borrowed {
    async fn take_from(pool: Pool) -> AsyncDropGuard<Self> {
        let connection = pool.lock().await.pop();
        AsyncDropGuard::new(Self { connection, pool })
    }
}

#[async_trait]
impl AsyncDrop for Borrowed {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        self.pool.lock().await.extend(self.connection.take());
        Ok(())
    }
}

impl fmt::Debug for Borrowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Borrowed")
    }
}

// ANCHOR: shown
fn price_of(article: usize) -> u8 {
    [3, 12, 5][article]
}

async fn answer(pool: Pool, article: usize) -> io::Result<()> {
    let borrowed = Borrowed::take_from(pool).await;
    with_async_drop_2!(borrowed, {
        let work = async {
            let price = price_of(article);
            if let Some(connection) = &mut borrowed.connection {
                connection.write_u8(price).await?;
            }
            Ok(())
        };
        match AssertUnwindSafe(work).catch_unwind().await {
            Ok(answered) => answered,
            Err(_) => Err(io::Error::other("the handler panicked")),
        }
    })
}
// ANCHOR_END: shown

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let (connection, _server) = tokio::io::duplex(64);
    let pool = Pool::new(Mutex::new(vec![connection]));

    for article in [1, 7] {
        let request = tokio::spawn(answer(Arc::clone(&pool), article));
        match request.await {
            Ok(answered) => println!("article {article}, answered: {}", answered.is_ok()),
            Err(_) => println!("article {article}, panicked"),
        }
        println!("connections in the pool: {}", pool.lock().await.len());
    }
}
