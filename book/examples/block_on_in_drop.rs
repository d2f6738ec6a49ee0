use std::io;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;

// ANCHOR: shown
struct Session(TcpStream);

impl Drop for Session {
    fn drop(&mut self) {
        let goodbye = self.0.write_all(b"goodbye\n");
        Handle::current()
            .block_on(goodbye)
            .expect("the server listens");
    }
}
// ANCHOR_END: shown

#[tokio::main]
async fn main() -> io::Result<()> {
    let server = TcpListener::bind("127.0.0.1:0").await?;
    let session = Session(TcpStream::connect(server.local_addr()?).await?);
    drop(session);
    println!("said goodbye");
    Ok(())
}
