use anyhow::Context;
use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
use rusqlite::Connection;
use std::sync::Arc;
use tokio::sync::Mutex;

/// `None` once the store is closed.
type Database = Arc<Mutex<Option<Connection>>>;

#[derive(Debug)]
struct Store(Database);

#[async_trait]
impl AsyncDrop for Store {
    type Error = anyhow::Error;

    async fn async_drop_impl(&mut self) -> anyhow::Result<()> {
        match self.0.lock().await.take() {
            Some(database) => database.close().map_err(|(_, error)| error.into()),
            None => Ok(()),
        }
    }
}

/// Keeps sales in memory, and writes them to the store in the end.
#[derive(Debug)]
struct Cache {
    sales: Vec<u32>,
    database: Database,
}

#[async_trait]
impl AsyncDrop for Cache {
    type Error = anyhow::Error;

    async fn async_drop_impl(&mut self) -> anyhow::Result<()> {
        let database = self.database.lock().await;
        let database = database.as_ref().context("the store is closed")?;
        for euros in &self.sales {
            database.execute("INSERT INTO sales VALUES (?1)", [euros])?;
        }
        Ok(())
    }
}

#[derive(Debug)]
struct Shop {
    store: AsyncDropGuard<Store>,
    cache: AsyncDropGuard<Cache>,
}

#[async_trait]
impl AsyncDrop for Shop {
    type Error = anyhow::Error;

    async fn async_drop_impl(&mut self) -> anyhow::Result<()> {
        let store = self.store.async_drop().await;
        let cache = self.cache.async_drop().await;
        cache.and(store)
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("shop.db");
    let database = Connection::open(&path)?;
    database.execute("CREATE TABLE sales (euros INTEGER)", [])?;
    let database = Arc::new(Mutex::new(Some(database)));

    let mut shop = AsyncDropGuard::new(Shop {
        store: AsyncDropGuard::new(Store(Arc::clone(&database))),
        cache: AsyncDropGuard::new(Cache {
            sales: vec![20, 5, 12],
            database,
        }),
    });
    println!(
        "cleanup: {:?}",
        shop.async_drop().await.map_err(|it| it.to_string())
    );

    let count = "SELECT count(*) FROM sales";
    let sales: u32 = Connection::open(&path)?.query_row(count, [], |row| row.get(0))?;
    println!("{sales} of 3 sales on disk");
    Ok(())
}
