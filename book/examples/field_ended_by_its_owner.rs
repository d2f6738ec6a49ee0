use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait, with_async_drop_2};
use std::{fmt, io};
use tokio::fs::{self, File};
use tokio::io::{AsyncWriteExt, BufWriter};
use tokio::net::{TcpListener, TcpStream};

struct AccessLog {
    name: &'static str,
    out: BufWriter<File>,
}

#[async_trait]
impl AsyncDrop for AccessLog {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        self.out.flush().await
    }
}

impl fmt::Debug for AccessLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AccessLog({})", self.name)
    }
}

#[derive(Debug)]
struct Client {
    stream: TcpStream,
    log: AsyncDropGuard<AccessLog>,
}

#[async_trait]
impl AsyncDrop for Client {
    type Error = io::Error;

    // ANCHOR: shown
    async fn async_drop_impl(&mut self) -> io::Result<()> {
        let stream = self.stream.shutdown().await;
        let log = self.log.async_drop().await;
        println!("goodbye: {stream:?}, log: {log:?}");
        match (stream, log) {
            (Err(stream), Err(log)) => Err(io::Error::other(format!("{stream}; {log}"))),
            (stream, log) => stream.and(log),
        }
    }
    // ANCHOR_END: shown
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let server = TcpListener::bind("127.0.0.1:0").await?;
    let name = "access.log";
    let folder = tempfile::tempdir()?;
    let path = folder.path().join(name);
    let out = BufWriter::new(File::create(&path).await?);

    let client = AsyncDropGuard::new(Client {
        stream: TcpStream::connect(server.local_addr()?).await?,
        log: AsyncDropGuard::new(AccessLog { name, out }),
    });
    with_async_drop_2!(client, { client.log.out.write_all(b"GET /prices\n").await })?;

    print!("{name}: {}", fs::read_to_string(&path).await?);
    Ok(())
}
