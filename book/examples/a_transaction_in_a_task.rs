// A transaction borrows its connection, and a spawned task runs it.
use asyncdrop::{AsyncDrop, AsyncDropGuard, async_drop_on_err, async_trait, with_async_drop_2};
use std::io;
use tokio::task::yield_now;

/// Stands in for the client of a database: it prints what it sends.
#[derive(Debug)]
struct Connection;

impl Connection {
    async fn execute(&mut self, sql: &str) -> io::Result<()> {
        yield_now().await;
        println!("{sql}");
        match sql {
            "INSERT 'beer'" => Err(io::Error::other("we are out of beer")),
            _ => Ok(()),
        }
    }
}

#[derive(Debug)]
struct Transaction<'c> {
    connection: &'c mut Connection,
    open: bool,
}

#[async_trait]
impl AsyncDrop for Transaction<'_> {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        if self.open {
            self.connection.execute("ROLLBACK").await?;
            self.open = false;
        }
        Ok(())
    }
}

// ANCHOR: scopes
impl<'c> Transaction<'c> {
    async fn begin(connection: &'c mut Connection) -> io::Result<AsyncDropGuard<Self>> {
        let open = true;
        let transaction = AsyncDropGuard::new(Self { connection, open });
        let (transaction, ()) = async_drop_on_err!(transaction, {
            transaction.connection.execute("BEGIN").await?;
            transaction.connection.execute("SET ROLE bar").await
        })?;
        Ok(transaction)
    }
    // ANCHOR_END: scopes

    async fn commit(&mut self) -> io::Result<()> {
        self.connection.execute("COMMIT").await?;
        self.open = false;
        Ok(())
    }
    // ANCHOR: scopes
}

async fn order(connection: &mut Connection, drink: &str) -> io::Result<()> {
    with_async_drop_2!(transaction = Transaction::begin(connection).await?, {
        let sql = format!("INSERT '{drink}'");
        transaction.connection.execute(&sql).await?;
        transaction.commit().await
    })
}
// ANCHOR_END: scopes

#[tokio::main]
async fn main() -> io::Result<()> {
    let task = tokio::spawn(async {
        let mut connection = Connection;
        order(&mut connection, "tea").await?;
        order(&mut connection, "beer").await
    });
    println!("{:?}", task.await?);
    Ok(())
}
