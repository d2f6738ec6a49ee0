use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
use std::io;
use tokio::sync::Mutex;

/// The leases that the coordinator has given away.
static HELD: Mutex<Vec<&str>> = Mutex::const_new(Vec::new());

#[derive(Debug)]
struct Lease {
    table: &'static str,
}

impl Lease {
    async fn on(table: &'static str) -> AsyncDropGuard<Self> {
        HELD.lock().await.push(table);
        AsyncDropGuard::new(Self { table })
    }
}

#[async_trait]
impl AsyncDrop for Lease {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        let mut held = HELD.lock().await;
        let Some(place) = held.iter().position(|table| *table == self.table) else {
            let text = format!("the lease on {} has expired", self.table);
            return Err(io::Error::other(text));
        };
        held.remove(place);
        Ok(())
    }
}

// ANCHOR: shown
#[derive(Debug, AsyncDrop)]
struct Backup {
    orders: AsyncDropGuard<Lease>,
    stock: AsyncDropGuard<Lease>,
}
// ANCHOR_END: shown

#[tokio::main]
async fn main() {
    let mut backup = AsyncDropGuard::new(Backup {
        orders: Lease::on("orders").await,
        stock: Lease::on("stock").await,
    });

    // The backup took so long that one lease has expired.
    HELD.lock().await.retain(|table| *table != "orders");

    if let Err(errors) = backup.async_drop().await {
        println!("{errors}");
    }
    println!("still held: {:?}", HELD.lock().await);
}
