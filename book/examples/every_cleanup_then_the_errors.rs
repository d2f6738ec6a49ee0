use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
use std::{env, io};
use tokio::fs;

/// A file that tells other processes to stay away.
#[derive(Debug)]
struct LockFile {
    path: &'static str,
}

impl LockFile {
    fn held(path: &'static str) -> AsyncDropGuard<Self> {
        AsyncDropGuard::new(Self { path })
    }
}

#[async_trait]
impl AsyncDrop for LockFile {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        fs::remove_file(self.path).await
    }
}

#[derive(Debug)]
struct Backup {
    orders: AsyncDropGuard<LockFile>,
    stock: AsyncDropGuard<LockFile>,
}

#[async_trait]
impl AsyncDrop for Backup {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        let orders = self.orders.async_drop().await;
        let stock = self.stock.async_drop().await;
        orders.and(stock)
    }
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let folder = tempfile::tempdir()?;
    env::set_current_dir(&folder)?;
    fs::write("orders.lock", "backup").await?;
    fs::write("stock.lock", "backup").await?;
    let mut backup = AsyncDropGuard::new(Backup {
        orders: LockFile::held("orders.lock"),
        stock: LockFile::held("stock.lock"),
    });

    // Somebody tidies up by hand.
    fs::remove_file("orders.lock").await?;

    let ended = backup.async_drop().await;
    println!("the backup ended: {}", ended.unwrap_err());
    println!(
        "stock.lock is left: {}",
        fs::try_exists("stock.lock").await?
    );
    Ok(())
}
