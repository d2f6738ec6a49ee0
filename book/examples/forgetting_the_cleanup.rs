use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
use std::net::SocketAddr;
use std::{fmt, io};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

/// The right to work on a shard, which the coordinator gives to one worker at a time.
struct Lease {
    shard: u32,
    coordinator: TcpStream,
    /// What the coordinator has not heard yet of our goodbye.
    release: &'static [u8],
}

impl Lease {
    async fn acquire(address: SocketAddr, shard: u32) -> io::Result<AsyncDropGuard<Self>> {
        let mut coordinator = TcpStream::connect(address).await?;
        let acquire = format!("acquire {shard}\n");
        coordinator.write_all(acquire.as_bytes()).await?;
        Ok(AsyncDropGuard::new(Self {
            shard,
            coordinator,
            release: b"release\n",
        }))
    }
}

// ANCHOR: shown
#[async_trait]
impl AsyncDrop for Lease {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        self.coordinator.write_all_buf(&mut self.release).await?;
        self.coordinator.shutdown().await
    }
}

// ANCHOR_END: shown
impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lease(shard {})", self.shard)
    }
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let coordinator = TcpListener::bind("127.0.0.1:0").await?;
    let address = coordinator.local_addr()?;

    // ANCHOR: shown
    let mut lease = Lease::acquire(address, 7).await?;
    lease.coordinator.write_all(b"progress 100%\n").await?;
    println!("worked on shard {}", lease.shard);
    Ok(())
    // ANCHOR_END: shown
}
