use asyncdrop::{
    AsyncDrop, AsyncDropGuard, AsyncDropResult, AsyncDropShared, AsyncDropSharedGet, async_trait,
};
use futures::future::poll_immediate;
use rusqlite::Connection;
use std::sync::Mutex;
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, spawn_blocking};

#[derive(Debug)]
struct Database {
    connection: Mutex<Option<Connection>>,
    closing: Option<JoinHandle<rusqlite::Result<()>>>,
}

impl Database {
    async fn open(path: &'static str) -> rusqlite::Result<AsyncDropGuard<Self>> {
        let opening = spawn_blocking(move || Connection::open(path)).await;
        let connection = opening.expect("SQLite does not panic")?;
        connection.execute_batch("CREATE TABLE visits (user TEXT)")?;
        Ok(AsyncDropGuard::new(Self {
            connection: Mutex::new(Some(connection)),
            closing: None,
        }))
    }

    fn visit(&self, user: &str) -> rusqlite::Result<i64> {
        let connection = self.connection.lock().unwrap();
        let connection = connection.as_ref().expect("it is closed at the end");
        connection.execute("INSERT INTO visits VALUES (?1)", [user])?;
        connection.query_row("SELECT COUNT(*) FROM visits", [], |row| row.get(0))
    }
}

#[async_trait]
impl AsyncDrop for Database {
    type Error = rusqlite::Error;

    async fn async_drop_impl(&mut self) -> rusqlite::Result<()> {
        if let Some(connection) = self.connection.get_mut().unwrap().take() {
            println!("closing");
            let close = || connection.close().map_err(|(_, error)| error);
            self.closing = Some(spawn_blocking(close));
        }
        match &mut self.closing {
            // Kept in a field: after an interruption this goes on waiting.
            Some(closing) => closing.await.expect("SQLite does not panic"),
            None => Ok(()),
        }
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let (configure, path) = oneshot::channel();
    // Opening can fail. Then all who wait get to see the error.
    let opening = async {
        println!("opening");
        let path = path.await.expect("somebody sends the path");
        AsyncDropResult::new(Database::open(path).await)
    };
    let mut first = AsyncDropShared::new(opening);
    let mut second = AsyncDropShared::clone(&first);
    println!("created: {}", first.peek().is_some());

    // This one begins, and is cancelled after its first poll.
    let get: AsyncDropSharedGet<'_, _, _> = first.get();
    println!("cancelled: {}", poll_immediate(get).await.is_none());
    configure
        .send(":memory:")
        .expect("the opening waits for it");

    // The others go on with what it began.
    let (mut ada, mut bob) = tokio::join!(first.get(), async { (&*second).await });
    println!("created: {}", first.peek().is_some());
    for (user, database) in [("ada", &ada), ("bob", &bob)] {
        match database.ok() {
            Some(database) => println!("visits with {user}: {}", database.visit(user)?),
            None => println!("no database for {user}: {:?}", database.err()),
        }
    }

    ada.async_drop().await?;
    first.async_drop().await?;
    second.async_drop().await?;
    println!("bob is the last");
    bob.async_drop().await?;
    Ok(())
}
