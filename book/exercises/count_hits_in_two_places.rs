// fails with: an `AsyncDropGuard` cannot be cloned
// ANCHOR: problem
use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::fs;

/// Counts requests, and writes their number to a file when it is cleaned up.
#[derive(Debug)]
pub struct Hits {
    count: AtomicU32,
    path: PathBuf,
}

impl Hits {
    pub fn new(path: PathBuf) -> AsyncDropGuard<Self> {
        let count = AtomicU32::new(0);
        AsyncDropGuard::new(Self { count, path })
    }
}

#[async_trait]
impl AsyncDrop for Hits {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        fs::write(&self.path, self.count.get_mut().to_string()).await
    }
}

async fn serve(mut hits: AsyncDropGuard<Hits>, requests: u32) -> io::Result<()> {
    for _ in 0..requests {
        hits.count.fetch_add(1, Ordering::Relaxed);
        tokio::task::yield_now().await;
    }
    hits.async_drop().await
}

pub async fn serve_both(path: PathBuf) -> io::Result<()> {
    let web = Hits::new(path);
    let api = web.clone();
    let (web, api) = tokio::join!(serve(web, 2), serve(api, 3));
    web.and(api)
}
// ANCHOR_END: problem

// ANCHOR: solution
use asyncdrop::{AsyncDrop, AsyncDropArc, AsyncDropGuard, async_trait};
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::fs;

/// Counts requests, and writes their number to a file when it is cleaned up.
#[derive(Debug)]
pub struct Hits {
    count: AtomicU32,
    path: PathBuf,
}

impl Hits {
    pub fn new(path: PathBuf) -> AsyncDropGuard<Self> {
        let count = AtomicU32::new(0);
        AsyncDropGuard::new(Self { count, path })
    }
}

#[async_trait]
impl AsyncDrop for Hits {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        fs::write(&self.path, self.count.get_mut().to_string()).await
    }
}

async fn serve(mut hits: AsyncDropGuard<AsyncDropArc<Hits>>, requests: u32) -> io::Result<()> {
    for _ in 0..requests {
        hits.count.fetch_add(1, Ordering::Relaxed);
        tokio::task::yield_now().await;
    }
    hits.async_drop().await
}

pub async fn serve_both(path: PathBuf) -> io::Result<()> {
    let web = AsyncDropArc::new(Hits::new(path));
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
        serve_both(path.clone()).await.unwrap();
        assert_eq!(fs::read_to_string(path).await.unwrap(), "5");
    }
}
// ANCHOR_END: tests
