use asyncdrop::{AsyncDrop, AsyncDropArc, AsyncDropGuard, AsyncDropResult, AsyncDropShared};
use asyncdrop::{AsyncDropSharedGet, async_trait};
use std::sync::atomic::{AtomicU32, Ordering};
use std::{future::Future, io, time::Duration};
use tokio::time::{sleep, timeout};

#[derive(Debug, Default)]
struct Database {
    jobs: AtomicU32,
}

impl Database {
    async fn open() -> io::Result<AsyncDropGuard<Self>> {
        println!("opening");
        sleep(Duration::from_secs(1)).await;
        Ok(AsyncDropGuard::new(Self::default()))
    }
}

#[async_trait]
impl AsyncDrop for Database {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        println!("closing after {:?} jobs", self.jobs);
        Ok(())
    }
}

// ANCHOR: shown
type Opened = AsyncDropResult<Database, io::Error>;
type Shared<F> = AsyncDropGuard<AsyncDropShared<Opened, F>>;

async fn work<F>(name: &str, mut shared: Shared<F>) -> io::Result<()>
where
    F: Future<Output = AsyncDropGuard<Opened>> + Send + 'static,
{
    let mut database: AsyncDropGuard<AsyncDropArc<Opened>> = shared.get().await;
    match database.ok() {
        Some(database) => {
            let job = database.jobs.fetch_add(1, Ordering::Relaxed) + 1;
            println!("{name}: job {job}");
        }
        None => println!("{name}: no database: {:?}", database.err()),
    }
    let database = database.async_drop().await;
    let shared = shared.async_drop().await;
    // Only the very last owner can get an error, so there is at most one.
    database.and(shared)
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let mut shared = AsyncDropShared::new(async { AsyncDropResult::new(Database::open().await) });
    println!("opened: {}", shared.peek().is_some());

    // This request begins to open the database, and is cancelled while it waits.
    let get: AsyncDropSharedGet<'_, _, _> = shared.get();
    match timeout(Duration::from_millis(500), get).await {
        Ok(mut database) => println!("in time: {:?}", database.async_drop().await),
        Err(_) => println!("cancelled"),
    }

    let workers =
        ["orders", "mail"].map(|name| tokio::spawn(work(name, AsyncDropShared::clone(&shared))));
    println!("main: {:?}", shared.async_drop().await);
    for worker in workers {
        match worker.await {
            Ok(outcome) => println!("a worker: {outcome:?}"),
            Err(panicked) => println!("a worker: {panicked}"),
        }
    }
}
// ANCHOR_END: shown
