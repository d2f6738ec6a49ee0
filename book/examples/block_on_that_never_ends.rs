use std::io;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

// ANCHOR: shown
struct Session(TcpStream);

impl Drop for Session {
    fn drop(&mut self) {
        println!("waiting for the server's goodbye");
        let _ = futures::executor::block_on(async {
            self.0.write_all(b"goodbye\n").await?;
            self.0.read_u8().await
        });
    }
}
// ANCHOR_END: shown

#[tokio::main(flavor = "current_thread")]
async fn visit() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let session = Session(TcpStream::connect(listener.local_addr()?).await?);
    let (mut client, _) = listener.accept().await?;
    client.write_all(b"goodbye\n").await?;
    drop(session);
    Ok(())
}

fn main() {
    let (done, ended) = mpsc::channel();
    thread::spawn(move || done.send(visit()));

    // Without this limit the program would wait forever.
    let ended = ended.recv_timeout(Duration::from_millis(300));
    assert!(matches!(ended, Err(RecvTimeoutError::Timeout)));
    println!("still waiting after 300 ms, with the answer in the socket");
}
