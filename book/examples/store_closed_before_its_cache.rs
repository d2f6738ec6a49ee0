use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use tokio::fs::{self, File};
use tokio::io::AsyncWriteExt;
use tokio::sync::Mutex;

/// `None` once the store is closed.
type Shared = Arc<Mutex<Option<File>>>;

#[derive(Debug)]
struct Store(Shared);

#[async_trait]
impl AsyncDrop for Store {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        let mut file = self.0.lock().await;
        if let Some(open) = file.as_mut() {
            open.sync_all().await?;
        }
        *file = None;
        Ok(())
    }
}

/// Keeps rows in memory. The cleanup writes them to the store.
#[derive(Debug)]
struct Cache {
    rows: VecDeque<u8>,
    file: Shared,
}

#[async_trait]
impl AsyncDrop for Cache {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        let mut file = self.file.lock().await;
        let Some(file) = file.as_mut() else {
            return Err(io::Error::other("the store is closed"));
        };
        file.write_all_buf(&mut self.rows).await?;
        file.flush().await
    }
}

#[derive(Debug)]
struct Shop {
    store: AsyncDropGuard<Store>,
    cache: AsyncDropGuard<Cache>,
}

#[async_trait]
impl AsyncDrop for Shop {
    type Error = io::Error;

    // ANCHOR: shown
    async fn async_drop_impl(&mut self) -> io::Result<()> {
        let store = self.store.async_drop().await;
        let cache = self.cache.async_drop().await;
        match (cache, store) {
            (Err(cache), Err(store)) => Err(io::Error::other(format!("{cache}; {store}"))),
            (cache, store) => cache.and(store),
        }
    }
    // ANCHOR_END: shown
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("sales.csv");
    let file = Arc::new(Mutex::new(Some(File::create(&path).await?)));

    let rows = VecDeque::from(*b"20\n5\n12\n");
    let mut shop = AsyncDropGuard::new(Shop {
        store: AsyncDropGuard::new(Store(Arc::clone(&file))),
        cache: AsyncDropGuard::new(Cache { rows, file }),
    });
    println!("cleanup: {:?}", shop.async_drop().await);

    let sales = fs::read_to_string(&path).await?;
    println!("{} of 3 sales on disk", sales.lines().count());
    Ok(())
}
