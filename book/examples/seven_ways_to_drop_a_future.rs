use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait, incident, with_async_drop};
use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::runtime::{Builder, Runtime};
use tokio::task::{self, JoinSet};
use tokio::time::{sleep, timeout};

#[derive(Debug)]
struct Transaction(DuplexStream);

#[async_trait]
impl AsyncDrop for Transaction {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        self.0.write_all(b" ROLLBACK").await
    }
}

fn begin() -> (AsyncDropGuard<Transaction>, DuplexStream) {
    let (ours, database) = tokio::io::duplex(64);
    (AsyncDropGuard::new(Transaction(ours)), database)
}

// ANCHOR: shown
/// Waits for an answer that never comes.
async fn query(transaction: AsyncDropGuard<Transaction>) -> io::Result<u8> {
    with_async_drop(transaction, async |transaction| {
        transaction.0.write_all(b"BEGIN").await?;
        transaction.0.read_u8().await
    })
    .await
}
// ANCHOR_END: shown

async fn show(what: &str, mut database: DuplexStream) -> io::Result<()> {
    let mut heard = String::new();
    database.read_to_string(&mut heard).await?;
    println!("{what}: the database heard {heard:?}");
    Ok(())
}

async fn ways() -> io::Result<DuplexStream> {
    let (transaction, database) = begin();
    tokio::select! {
        _ = query(transaction) => {}
        () = sleep(Duration::from_secs(1)) => {}
    }
    show("another branch of select! was first", database).await?;

    // ANCHOR: shown
    // In an async function:
    let (transaction, database) = begin();
    let _ = timeout(Duration::from_secs(1), query(transaction)).await;
    show("timeout", database).await?;
    // ANCHOR_END: shown

    let (transaction, database) = begin();
    let refused = async { Err::<u8, _>(io::Error::other("no such user")) };
    let _ = tokio::try_join!(query(transaction), refused);
    show("the other one in try_join! failed", database).await?;

    let (transaction, database) = begin();
    let task = tokio::spawn(query(transaction));
    task::yield_now().await;
    task.abort();
    show("abort", database).await?;

    let (transaction, database) = begin();
    let mut tasks = JoinSet::new();
    tasks.spawn(query(transaction));
    drop(tasks);
    show("the JoinSet is dropped, before the first poll", database).await?;

    let (transaction, database) = begin();
    let (mut client, hung_up) = tokio::io::duplex(64);
    tokio::spawn(async move {
        tokio::select! {
            answer = query(transaction) => client.write_u8(answer?).await,
            closed = client.read_u8() => closed.map(drop),
        }
    });
    task::yield_now().await;
    drop(hung_up);
    show("the client hangs up", database).await?;

    let (transaction, database) = begin();
    tokio::spawn(query(transaction));
    task::yield_now().await;
    Ok(database)
}

fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
}

fn main() -> io::Result<()> {
    incident::set_hook(Box::new(|it| println!("incident: {:?}", it.kind())));
    let first = runtime()?;
    let database = first.block_on(ways())?;
    drop(first);
    runtime()?.block_on(show("the runtime ends", database))
}
