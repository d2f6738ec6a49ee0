// fails with: left: BrokenPipe
// ANCHOR: problem
use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
use std::io::{self, ErrorKind};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

#[derive(Debug)]
pub struct Upload {
    store: DuplexStream,
    quit: &'static [u8],
}

impl Upload {
    pub fn new(store: DuplexStream) -> AsyncDropGuard<Self> {
        let quit = b"QUIT";
        AsyncDropGuard::new(Self { store, quit })
    }

    /// Sends one part. The store answers `+` to take it, or `-` when it is full.
    async fn send(&mut self, part: &[u8]) -> io::Result<()> {
        self.store.write_all(part).await?;
        match self.store.read_u8().await? {
            b'+' => Ok(()),
            _ => Err(io::Error::new(ErrorKind::StorageFull, "the store is full")),
        }
    }
}

#[async_trait]
impl AsyncDrop for Upload {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        self.store.write_all_buf(&mut self.quit).await
    }
}

pub async fn send_all(mut upload: AsyncDropGuard<Upload>, parts: &[&[u8]]) -> io::Result<()> {
    for part in parts {
        if let Err(error) = upload.send(part).await {
            upload.async_drop().await?;
            return Err(error);
        }
    }
    upload.async_drop().await
}
// ANCHOR_END: problem

// ANCHOR: solution
use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait, with_async_drop_2};
use std::io::{self, ErrorKind};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

#[derive(Debug)]
pub struct Upload {
    store: DuplexStream,
    quit: &'static [u8],
}

impl Upload {
    pub fn new(store: DuplexStream) -> AsyncDropGuard<Self> {
        let quit = b"QUIT";
        AsyncDropGuard::new(Self { store, quit })
    }

    /// Sends one part. The store answers `+` to take it, or `-` when it is full.
    async fn send(&mut self, part: &[u8]) -> io::Result<()> {
        self.store.write_all(part).await?;
        match self.store.read_u8().await? {
            b'+' => Ok(()),
            _ => Err(io::Error::new(ErrorKind::StorageFull, "the store is full")),
        }
    }
}

#[async_trait]
impl AsyncDrop for Upload {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        self.store.write_all_buf(&mut self.quit).await
    }
}

pub async fn send_all(upload: AsyncDropGuard<Upload>, parts: &[&[u8]]) -> io::Result<()> {
    with_async_drop_2!(upload, {
        for part in parts {
            upload.send(part).await?;
        }
        Ok(())
    })
}
// ANCHOR_END: solution

// ANCHOR: tests
#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_full_store_is_reported_as_full_even_if_it_hangs_up() {
        let (ours, mut store) = tokio::io::duplex(64);
        let store = tokio::spawn(async move {
            store.read_exact(&mut [0; 4]).await?;
            store.write_all(b"-").await
            // Here the store hangs up, so the cleanup fails, too.
        });

        let upload = Upload::new(ours);
        let error = send_all(upload, &[b"film"]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::StorageFull);
        store.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn a_store_that_hangs_up_before_the_end_is_an_error() {
        let (ours, store) = tokio::io::duplex(64);
        drop(store);
        let error = send_all(Upload::new(ours), &[]).await;
        assert_eq!(error.unwrap_err().kind(), ErrorKind::BrokenPipe);
    }
}
// ANCHOR_END: tests
