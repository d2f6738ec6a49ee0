// fails with: oslo is missing in: broken pipe
// ANCHOR: problem
use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
use std::io;
use tokio::io::{AsyncWriteExt, DuplexStream};

#[derive(Debug)]
pub struct Replica(pub DuplexStream);

#[async_trait]
impl AsyncDrop for Replica {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        self.0.write_all(b"COMMIT\n").await
    }
}

pub type Replicas = Vec<(&'static str, AsyncDropGuard<Replica>)>;

/// Commits on all replicas, and names those that did not hear of it.
pub async fn commit(replicas: Replicas) -> anyhow::Result<()> {
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

#[derive(Debug)]
pub struct Replica(pub DuplexStream);

#[async_trait]
impl AsyncDrop for Replica {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        self.0.write_all(b"COMMIT\n").await
    }
}

pub type Replicas = Vec<(&'static str, AsyncDropGuard<Replica>)>;

/// Commits on all replicas, and names those that did not hear of it.
pub async fn commit(replicas: Replicas) -> anyhow::Result<()> {
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
        let guarded = replicas.map(|(city, to)| (city, AsyncDropGuard::new(Replica(to))));

        let error = commit(guarded.into()).await.unwrap_err().to_string();
        for city in ["oslo", "rome"] {
            assert!(error.contains(city), "{city} is missing in: {error}");
        }

        let mut heard = String::new();
        lima.read_to_string(&mut heard).await.unwrap();
        assert_eq!(heard, "COMMIT\n");
    }
}
// ANCHOR_END: tests
