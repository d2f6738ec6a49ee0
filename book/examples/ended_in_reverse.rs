use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::task::JoinHandle;

#[derive(Debug)]
struct Connection(DuplexStream);

#[async_trait]
impl AsyncDrop for Connection {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        println!("connection: saying goodbye");
        self.0.write_all(b"goodbye").await
    }
}

#[derive(Debug)]
struct Server(JoinHandle<io::Result<String>>);

#[async_trait]
impl AsyncDrop for Server {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        let heard = (&mut self.0).await??;
        println!("server: heard {heard:?}");
        Ok(())
    }
}

/// Whatever it is, it can be ended.
type Part = AsyncDropGuard<Box<dyn AsyncDrop<Error = io::Error> + Send>>;

fn part<T>(guard: AsyncDropGuard<T>) -> Part
where
    T: AsyncDrop<Error = io::Error> + std::fmt::Debug + Send + 'static,
{
    guard.into_box().map_unsafe(|it| it as _)
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let (ours, mut theirs) = tokio::io::duplex(64);
    let server = tokio::spawn(async move {
        let mut heard = String::new();
        theirs.read_to_string(&mut heard).await?;
        Ok(heard)
    });

    let mut parts = vec![
        part(AsyncDropGuard::new(Server(server))),
        part(AsyncDropGuard::new(Connection(ours))),
    ];

    let mut errors = Vec::new();
    while let Some(mut part) = parts.pop() {
        errors.extend(part.async_drop().await.err());
    }
    println!("errors: {errors:?}");
}
