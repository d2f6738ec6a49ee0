// A connection should be either plain or compressed, in the same memory.
use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
use std::io;
use std::mem::ManuallyDrop;
use tokio::io::{AsyncWriteExt, DuplexStream};

#[derive(Debug)]
struct Connection(DuplexStream);

#[async_trait]
impl AsyncDrop for Connection {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        self.0.shutdown().await
    }
}

#[derive(AsyncDrop)]
union Transport {
    plain: ManuallyDrop<AsyncDropGuard<Connection>>,
    compressed: ManuallyDrop<AsyncDropGuard<Connection>>,
}

fn main() {
    println!("{} bytes", size_of::<Transport>());
}
