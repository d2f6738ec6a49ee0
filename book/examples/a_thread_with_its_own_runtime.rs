use std::net::SocketAddr;
use std::{io, thread};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;

// ANCHOR: shown
struct Lease {
    coordinator: SocketAddr,
}

impl Drop for Lease {
    fn drop(&mut self) {
        let coordinator = self.coordinator;
        let cleanup = thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_io().build()?;
            runtime.block_on(async {
                let mut connection = TcpStream::connect(coordinator).await?;
                connection.write_all(b"release").await
            })
        });
        let released: io::Result<()> = cleanup.join().expect("it does not panic");
        println!("released: {released:?}");
    }
}
// ANCHOR_END: shown

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let coordinator = listener.local_addr()?;
    drop(Lease { coordinator });

    let (mut connection, _) = listener.accept().await?;
    let mut heard = String::new();
    connection.read_to_string(&mut heard).await?;
    println!("the coordinator heard {heard:?}");
    Ok(())
}
