use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait, with_async_drop_2};
use rusqlite::Connection;
use tokio::task::block_in_place;

/// A look into the customers, in one transaction.
#[derive(Debug)]
struct Ledger {
    db: Connection,
}

impl Ledger {
    fn open() -> rusqlite::Result<AsyncDropGuard<Self>> {
        let db = Connection::open_in_memory()?;
        db.execute_batch(
            "CREATE TABLE customers (name TEXT, paid INTEGER);
             INSERT INTO customers VALUES ('ada', TRUE), ('bob', FALSE);
             BEGIN",
        )?;
        Ok(AsyncDropGuard::new(Self { db }))
    }

    fn has_paid(&self, customer: &str) -> rusqlite::Result<bool> {
        let query = "SELECT paid FROM customers WHERE name = ?1";
        self.db.query_row(query, [customer], |row| row.get(0))
    }
}

#[async_trait]
impl AsyncDrop for Ledger {
    type Error = rusqlite::Error;

    async fn async_drop_impl(&mut self) -> rusqlite::Result<()> {
        block_in_place(|| self.db.execute_batch("COMMIT"))
    }
}

async fn remind(customer: &str) -> rusqlite::Result<()> {
    let ledger = Ledger::open()?;
    let looked_up: rusqlite::Result<()> = with_async_drop_2!(ledger, {
        if ledger.has_paid(customer)? {
            return Ok(());
        }
        println!("{customer} has not paid");
        Ok(())
    });
    looked_up?;
    println!("a reminder goes to {customer}");
    Ok(())
}

#[tokio::main]
async fn main() -> rusqlite::Result<()> {
    remind("ada").await?;
    remind("bob").await
}
