// As many savepoints as there are, in one stack.
use asyncdrop::{AsyncDropStack, AsyncDropWith, CleanupErrors};
use std::sync::atomic::{AtomicU32, Ordering};
use std::{io, sync::Arc};
use tokio::task::yield_now;

/// Stands in for the round trip to the database.
async fn release(open: Arc<AtomicU32>) -> io::Result<()> {
    yield_now().await;
    open.fetch_sub(1, Ordering::Relaxed);
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), CleanupErrors> {
    let open = Arc::new(AtomicU32::new(0));
    let mut savepoints = AsyncDropStack::new();
    for _ in 0..100_000 {
        open.fetch_add(1, Ordering::Relaxed);
        savepoints.push(AsyncDropWith::new(Arc::clone(&open), release));
    }
    println!("{} savepoints are open", open.load(Ordering::Relaxed));
    savepoints.async_drop().await?;
    println!("{} savepoints are open", open.load(Ordering::Relaxed));
    Ok(())
}
