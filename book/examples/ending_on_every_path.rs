use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait, with_async_drop_2};
use std::net::SocketAddr;
use std::{fmt, io};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
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

#[async_trait]
impl AsyncDrop for Lease {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        self.coordinator.write_all_buf(&mut self.release).await?;
        self.coordinator.shutdown().await
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lease(shard {})", self.shard)
    }
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;

    // ANCHOR: scope
    let lease = Lease::acquire(address, 7).await?;
    with_async_drop_2!(lease, {
        lease.coordinator.write_all(b"progress 100%\n").await?;
        println!("worked on shard {}", lease.shard);
        io::Result::Ok(())
    })?;
    // ANCHOR_END: scope

    let (mut coordinator, _) = listener.accept().await?;
    let mut heard = String::new();
    coordinator.read_to_string(&mut heard).await?;
    print!("the coordinator heard:\n{heard}");
    Ok(())
}
