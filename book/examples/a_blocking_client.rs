use asyncdrop::{AsyncDropGuard, AsyncDropWith, BoxedAsyncDropWith};
use std::io::{self, Read};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};

// ANCHOR: client
/// A session for callers who have no runtime.
struct Client {
    session: AsyncDropGuard<BoxedAsyncDropWith<TcpStream, io::Error>>,
    runtime: Runtime,
}

impl Client {
    fn connect(server: SocketAddr) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let stream = runtime.block_on(TcpStream::connect(server))?;
        let session = AsyncDropWith::boxed(stream, async |mut stream| {
            stream.write_all(b"goodbye\n").await?;
            stream.shutdown().await
        });
        Ok(Self { session, runtime })
    }

    fn send(&mut self, line: &str) -> io::Result<()> {
        self.runtime
            .block_on(self.session.write_all(line.as_bytes()))
    }

    fn close(mut self) -> io::Result<()> {
        self.runtime.block_on(self.session.async_drop())
    }
}
// ANCHOR_END: client

// ANCHOR: ffi
/// A number is not used again, so closing a client twice doesn't close another one.
static CLIENTS: Mutex<Vec<Option<Client>>> = Mutex::new(Vec::new());

fn clients() -> MutexGuard<'static, Vec<Option<Client>>> {
    CLIENTS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// 0, or 1 if the goodbye failed, or 2 if there is no such client.
extern "C" fn client_close(number: usize) -> i32 {
    // The lock is released before the goodbye, which may take its time.
    let client = clients().get_mut(number).and_then(Option::take);
    match client.map(Client::close) {
        Some(Ok(())) => 0,
        Some(Err(error)) => {
            eprintln!("closing client {number}: {error}");
            1
        }
        None => 2,
    }
}
// ANCHOR_END: ffi

fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let server = thread::spawn(move || {
        let mut heard = String::new();
        for _ in 0..2 {
            listener.accept()?.0.read_to_string(&mut heard)?;
        }
        io::Result::Ok(heard)
    });

    let mut client = Client::connect(address)?;
    println!("sent: {:?}", client.send("hello from Rust\n"));
    println!("closed: {:?}", client.close());

    let mut client = Client::connect(address)?;
    println!("sent: {:?}", client.send("hello from C\n"));
    clients().push(Some(client));
    println!("closed for C: {}", client_close(0));
    println!("closed again: {}", client_close(0));
    print!("{}", server.join().expect("it does not panic")?);
    Ok(())
}
