// fails with: oslo is missing in: broken pipe
// ANCHOR: problem
use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
use std::io;
use tokio::io::{AsyncWriteExt, DuplexStream};

/// A replica that holds a lock for us.
#[derive(Debug)]
pub struct Replica {
    stream: DuplexStream,
    unlock: &'static [u8],
}

impl Replica {
    pub fn new(stream: DuplexStream) -> AsyncDropGuard<Self> {
        let unlock = b"UNLOCK\n";
        AsyncDropGuard::new(Self { stream, unlock })
    }
}

#[async_trait]
impl AsyncDrop for Replica {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        self.stream.write_all_buf(&mut self.unlock).await
    }
}

pub type Replicas = Vec<(&'static str, AsyncDropGuard<Replica>)>;

/// Unlocks all replicas, and names those that didn't hear of it.
pub async fn unlock(replicas: Replicas) -> anyhow::Result<()> {
    let mut first = Ok(());
    for (_, mut replica) in replicas {
        let ended = replica.async_drop().await;
        first = first.and(ended);
    }
    Ok(first?)
}
// ANCHOR_END: problem

// ANCHOR: solution
use asyncdrop::{AsyncDrop, AsyncDropGuard, async_drop_all, async_trait};
use std::io;
use tokio::io::{AsyncWriteExt, DuplexStream};

/// A replica that holds a lock for us.
#[derive(Debug)]
pub struct Replica {
    stream: DuplexStream,
    unlock: &'static [u8],
}

impl Replica {
    pub fn new(stream: DuplexStream) -> AsyncDropGuard<Self> {
        let unlock = b"UNLOCK\n";
        AsyncDropGuard::new(Self { stream, unlock })
    }
}

#[async_trait]
impl AsyncDrop for Replica {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        self.stream.write_all_buf(&mut self.unlock).await
    }
}

pub type Replicas = Vec<(&'static str, AsyncDropGuard<Replica>)>;

/// Unlocks all replicas, and names those that didn't hear of it.
pub async fn unlock(replicas: Replicas) -> anyhow::Result<()> {
    Ok(async_drop_all(replicas).await?)
}
// ANCHOR_END: solution

// ANCHOR: tests
#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt;

    #[tokio::test]
    async fn each_replica_that_failed_is_named() {
        let (to_oslo, _) = tokio::io::duplex(64);
        let (to_lima, mut lima) = tokio::io::duplex(64);
        let (to_rome, _) = tokio::io::duplex(64);
        let replicas = [("oslo", to_oslo), ("lima", to_lima), ("rome", to_rome)];
        let guarded = replicas.map(|(city, to)| (city, Replica::new(to)));

        let error = unlock(guarded.into()).await.unwrap_err().to_string();
        for city in ["oslo", "rome"] {
            assert!(error.contains(city), "{city} is missing in: {error}");
        }

        let mut heard = String::new();
        lima.read_to_string(&mut heard).await.unwrap();
        assert_eq!(heard, "UNLOCK\n");
    }
}
// ANCHOR_END: tests
