use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait, with_async_drop_2};
use std::io;
use tokio::sync::Mutex;

/// The customers that a worker is busy with.
static BUSY: Mutex<Vec<&str>> = Mutex::const_new(Vec::new());

/// Keeps the other workers away from a customer.
#[derive(Debug)]
struct Lease {
    customer: &'static str,
}

impl Lease {
    async fn on(customer: &'static str) -> AsyncDropGuard<Self> {
        BUSY.lock().await.push(customer);
        AsyncDropGuard::new(Self { customer })
    }

    async fn has_paid(&self) -> io::Result<bool> {
        Ok(self.customer == "acme")
    }
}

#[async_trait]
impl AsyncDrop for Lease {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        BUSY.lock().await.retain(|busy| *busy != self.customer);
        Ok(())
    }
}

// ANCHOR: remind
async fn remind(customer: &'static str) -> io::Result<()> {
    let lease = Lease::on(customer).await;
    let paid = with_async_drop_2!(lease, { lease.has_paid().await })?;
    if paid {
        return Ok(());
    }
    println!("{customer} has not paid");
    println!("a reminder goes to {customer}");
    Ok(())
}
// ANCHOR_END: remind

#[tokio::main]
async fn main() -> io::Result<()> {
    remind("acme").await?;
    remind("initech").await
}
