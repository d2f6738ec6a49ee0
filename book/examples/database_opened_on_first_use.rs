use orders::Orders;
use rusqlite::Connection;

pub mod orders {
    use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
    use rusqlite::Connection;
    use std::path::PathBuf;
    use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
    use tokio::task::{self, JoinHandle};

    // ANCHOR: states
    /// An order book in a database, which is opened for the first order.
    #[derive(Debug)]
    pub struct Orders(State);

    #[derive(Debug)]
    enum State {
        Unopened(PathBuf),
        /// The queue until the cleanup closes it, and the task that empties it.
        Open(
            Option<UnboundedSender<String>>,
            JoinHandle<rusqlite::Result<()>>,
        ),
    }

    impl Orders {
        pub fn new(database: PathBuf) -> AsyncDropGuard<Self> {
            AsyncDropGuard::new(Self(State::Unopened(database)))
        }
        // ANCHOR_END: states

        pub fn add(&mut self, order: &str) {
            if let State::Unopened(database) = &self.0 {
                let database = database.clone();
                let (queue, queued) = mpsc::unbounded_channel();
                let writer = task::spawn_blocking(|| write(database, queued));
                self.0 = State::Open(Some(queue), writer);
            }
            if let State::Open(Some(queue), _) = &self.0 {
                // It fails only when the writer has failed, and the cleanup says why.
                let _ = queue.send(order.to_owned());
            }
        }
        // ANCHOR: states
    }
    // ANCHOR_END: states

    fn write(database: PathBuf, mut queued: UnboundedReceiver<String>) -> rusqlite::Result<()> {
        let connection = Connection::open(database)?;
        connection.execute("CREATE TABLE orders (text TEXT)", [])?;
        while let Some(order) = queued.blocking_recv() {
            connection.execute("INSERT INTO orders VALUES (?1)", [order])?;
        }
        connection.close().map_err(|(_, error)| error)
    }

    // ANCHOR: states

    #[async_trait]
    impl AsyncDrop for Orders {
        type Error = anyhow::Error;

        async fn async_drop_impl(&mut self) -> anyhow::Result<()> {
            match &mut self.0 {
                State::Unopened(_) => Ok(()),
                State::Open(queue, writer) => {
                    queue.take();
                    Ok(writer.await??)
                }
            }
        }
    }
    // ANCHOR_END: states
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("orders.db");

    let mut unused = Orders::new(path.clone());
    unused.async_drop().await?;
    println!("never used, the database exists: {}", path.exists());

    let mut orders = Orders::new(path.clone());
    orders.add("article 4711: 3 pieces");
    orders.add("article 12: 1 piece");
    orders.async_drop().await?;

    let database = Connection::open(&path)?;
    let rows: u32 = database.query_row("SELECT count(*) FROM orders", [], |row| row.get(0))?;
    println!("orders in the database: {rows}");

    // The table is there already.
    let mut refused = Orders::new(path);
    refused.add("article 7: 2 pieces");
    let error = refused.async_drop().await.unwrap_err();
    println!("not written: {error}");
    Ok(())
}
