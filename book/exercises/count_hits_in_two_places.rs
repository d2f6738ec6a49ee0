// fails with: an `AsyncDropGuard` cannot be cloned
// ANCHOR: problem
use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::fs::File;
use tokio::io::{AsyncSeekExt, AsyncWriteExt};

/// Counts requests, and writes their number to a file when it is cleaned up.
#[derive(Debug)]
pub struct Hits {
    count: AtomicU32,
    file: File,
}

impl Hits {
    pub fn new(file: File) -> AsyncDropGuard<Self> {
        let count = AtomicU32::new(0);
        AsyncDropGuard::new(Self { count, file })
    }
}

#[async_trait]
impl AsyncDrop for Hits {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        let count = self.count.get_mut().to_string();
        self.file.rewind().await?;
        self.file.write_all(count.as_bytes()).await?;
        self.file.flush().await
    }
}

async fn serve(mut hits: AsyncDropGuard<Hits>, requests: u32) -> io::Result<()> {
    for _ in 0..requests {
        hits.count.fetch_add(1, Ordering::Relaxed);
        tokio::task::yield_now().await;
    }
    hits.async_drop().await
}

pub async fn serve_both(file: File) -> io::Result<()> {
    let web = Hits::new(file);
    let api = web.clone();
    let (web, api) = tokio::join!(serve(web, 2), serve(api, 3));
    web.and(api)
}
// ANCHOR_END: problem

// ANCHOR: solution
use asyncdrop::{AsyncDrop, AsyncDropArc, AsyncDropGuard, async_trait};
use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::fs::File;
use tokio::io::{AsyncSeekExt, AsyncWriteExt};

/// Counts requests, and writes their number to a file when it is cleaned up.
#[derive(Debug)]
pub struct Hits {
    count: AtomicU32,
    file: File,
}

impl Hits {
    pub fn new(file: File) -> AsyncDropGuard<Self> {
        let count = AtomicU32::new(0);
        AsyncDropGuard::new(Self { count, file })
    }
}

#[async_trait]
impl AsyncDrop for Hits {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        let count = self.count.get_mut().to_string();
        self.file.rewind().await?;
        self.file.write_all(count.as_bytes()).await?;
        self.file.flush().await
    }
}

async fn serve(mut hits: AsyncDropGuard<AsyncDropArc<Hits>>, requests: u32) -> io::Result<()> {
    for _ in 0..requests {
        hits.count.fetch_add(1, Ordering::Relaxed);
        tokio::task::yield_now().await;
    }
    hits.async_drop().await
}

pub async fn serve_both(file: File) -> io::Result<()> {
    let web = AsyncDropArc::new(Hits::new(file));
    let api = AsyncDropArc::clone(&web);
    let (web, api) = tokio::join!(serve(web, 2), serve(api, 3));
    web.and(api)
}
// ANCHOR_END: solution

// ANCHOR: tests
#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_hits_of_both_are_written_down() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hits.txt");
        serve_both(File::create(&path).await.unwrap()).await.unwrap();
        assert_eq!(std::fs::read_to_string(path).unwrap(), "5");
    }
}
// ANCHOR_END: tests
