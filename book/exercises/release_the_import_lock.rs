// fails with: Forgot to call async_drop on ImportLock
// ANCHOR: problem
use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
use rusqlite::Connection;
use std::sync::Arc;
use tokio::sync::Mutex;

type Database = Arc<Mutex<Connection>>;

/// A row that keeps others from importing at the same time.
#[derive(Debug)]
pub struct ImportLock(Database);

impl ImportLock {
    pub async fn take(database: &Database) -> rusqlite::Result<AsyncDropGuard<Self>> {
        let insert = "INSERT INTO import_lock VALUES (1)";
        database.lock().await.execute(insert, [])?;
        Ok(AsyncDropGuard::new(Self(Arc::clone(database))))
    }
}

#[async_trait]
impl AsyncDrop for ImportLock {
    type Error = rusqlite::Error;

    async fn async_drop_impl(&mut self) -> rusqlite::Result<()> {
        let delete = "DELETE FROM import_lock";
        self.0.lock().await.execute(delete, []).map(|_| ())
    }
}

pub async fn import(database: &Database, prices: &[&str]) -> anyhow::Result<()> {
    let mut lock = ImportLock::take(database).await?;
    for price in prices {
        let cents: u32 = price.parse()?;
        let insert = "INSERT INTO prices VALUES (?1)";
        database.lock().await.execute(insert, [cents])?;
    }
    lock.async_drop().await?;
    Ok(())
}
// ANCHOR_END: problem

// ANCHOR: solution
use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait, with_async_drop_2};
use rusqlite::Connection;
use std::sync::Arc;
use tokio::sync::Mutex;

type Database = Arc<Mutex<Connection>>;

/// A row that keeps others from importing at the same time.
#[derive(Debug)]
pub struct ImportLock(Database);

impl ImportLock {
    pub async fn take(database: &Database) -> rusqlite::Result<AsyncDropGuard<Self>> {
        let insert = "INSERT INTO import_lock VALUES (1)";
        database.lock().await.execute(insert, [])?;
        Ok(AsyncDropGuard::new(Self(Arc::clone(database))))
    }
}

#[async_trait]
impl AsyncDrop for ImportLock {
    type Error = rusqlite::Error;

    async fn async_drop_impl(&mut self) -> rusqlite::Result<()> {
        let delete = "DELETE FROM import_lock";
        self.0.lock().await.execute(delete, []).map(|_| ())
    }
}

pub async fn import(database: &Database, prices: &[&str]) -> anyhow::Result<()> {
    let lock = ImportLock::take(database).await?;
    with_async_drop_2!(lock, {
        for price in prices {
            let cents: u32 = price.parse()?;
            let insert = "INSERT INTO prices VALUES (?1)";
            database.lock().await.execute(insert, [cents])?;
        }
        Ok(())
    })
}
// ANCHOR_END: solution

// ANCHOR: tests
#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_import_that_failed_does_not_lock_out_the_next_one() {
        let database = Connection::open_in_memory().unwrap();
        let tables = "CREATE TABLE import_lock (id INTEGER PRIMARY KEY);
                      CREATE TABLE prices (cents INTEGER)";
        database.execute_batch(tables).unwrap();
        let database = Arc::new(Mutex::new(database));

        let error = import(&database, &["199", "3 euros"]).await.unwrap_err();
        assert!(error.is::<std::num::ParseIntError>(), "{error}");
        import(&database, &["250"]).await.unwrap();
    }
}
// ANCHOR_END: tests
