// fails with: Forgot to call async_drop on Lease
// ANCHOR: problem
use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
use std::io;
use tokio::fs::File;
use tokio::io::{AsyncWriteExt, BufWriter, DuplexStream};

/// The right to write to a file, lent by a store.
#[derive(Debug)]
pub struct Lease {
    store: DuplexStream,
    /// What is left to send when it is released.
    release: &'static [u8],
}

impl Lease {
    pub fn new(store: DuplexStream) -> AsyncDropGuard<Self> {
        let release = b"RELEASE\n";
        AsyncDropGuard::new(Self { store, release })
    }
}

#[async_trait]
impl AsyncDrop for Lease {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        self.store.write_all_buf(&mut self.release).await
    }
}

#[derive(Debug)]
pub struct Upload {
    out: BufWriter<File>,
    lease: AsyncDropGuard<Lease>,
}

impl Upload {
    pub fn new(file: File, lease: AsyncDropGuard<Lease>) -> AsyncDropGuard<Self> {
        let out = BufWriter::new(file);
        AsyncDropGuard::new(Self { out, lease })
    }

    pub async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes).await
    }

    /// Ends the upload, and gives its file back.
    pub async fn into_file(this: AsyncDropGuard<Self>) -> io::Result<File> {
        let mut this = this.unsafe_into_inner_dont_drop();
        this.out.flush().await?;
        Ok(this.out.into_inner())
    }
}

#[async_trait]
impl AsyncDrop for Upload {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        // What was not taken apart is given up, so there is nothing to flush.
        self.lease.async_drop().await
    }
}
// ANCHOR_END: problem

// ANCHOR: solution
use asyncdrop::{AsyncDrop, AsyncDropGuard, async_drop_on_err, async_trait};
use std::io;
use tokio::fs::File;
use tokio::io::{AsyncWriteExt, BufWriter, DuplexStream};

/// The right to write to a file, lent by a store.
#[derive(Debug)]
pub struct Lease {
    store: DuplexStream,
    /// What is left to send when it is released.
    release: &'static [u8],
}

impl Lease {
    pub fn new(store: DuplexStream) -> AsyncDropGuard<Self> {
        let release = b"RELEASE\n";
        AsyncDropGuard::new(Self { store, release })
    }
}

#[async_trait]
impl AsyncDrop for Lease {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        self.store.write_all_buf(&mut self.release).await
    }
}

#[derive(Debug)]
pub struct Upload {
    out: BufWriter<File>,
    lease: AsyncDropGuard<Lease>,
}

impl Upload {
    pub fn new(file: File, lease: AsyncDropGuard<Lease>) -> AsyncDropGuard<Self> {
        let out = BufWriter::new(file);
        AsyncDropGuard::new(Self { out, lease })
    }

    pub async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes).await
    }

    /// Ends the upload, and gives its file back.
    // asyncdrop: allow(dropped-armed): the lease was given back before the upload is taken apart
    pub async fn into_file(this: AsyncDropGuard<Self>) -> io::Result<File> {
        let (this, ()) = async_drop_on_err(this, async |upload| {
            upload.out.flush().await?;
            upload.lease.async_drop().await
        })
        .await?;
        Ok(this.unsafe_into_inner_dont_drop().out.into_inner())
    }
}

#[async_trait]
impl AsyncDrop for Upload {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        // What was not taken apart is given up, so there is nothing to flush.
        self.lease.async_drop().await
    }
}
// ANCHOR_END: solution

// ANCHOR: tests
#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt;

    async fn into_file_releases(path: std::path::PathBuf, writable: bool) -> io::Result<u64> {
        std::fs::write(&path, "")?;
        let (ours, mut store) = tokio::io::duplex(64);
        let file = File::options()
            .read(true)
            .write(writable)
            .open(path)
            .await?;
        let mut upload = Upload::new(file, Lease::new(ours));
        upload.write(b"film").await?;
        let file = Upload::into_file(upload).await;

        let mut heard = String::new();
        store.read_to_string(&mut heard).await?;
        assert_eq!(heard, "RELEASE\n");
        Ok(file?.metadata().await?.len())
    }

    #[tokio::test]
    async fn the_file_comes_back_and_the_lease_is_released() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("film.mp4");
        assert_eq!(into_file_releases(path, true).await.unwrap(), 4);
    }

    #[tokio::test]
    async fn the_lease_is_released_when_the_file_cannot_be_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("film.mp4");
        assert!(into_file_releases(path, false).await.is_err());
    }
}
// ANCHOR_END: tests
