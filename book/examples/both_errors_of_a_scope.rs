use asyncdrop::{AsyncDrop, AsyncDropGuard, ScopeError, async_trait, with_async_drop_both_errors};
use std::{error::Error, io};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

/// A counter on a server, locked for us.
#[derive(Debug)]
struct Counter(DuplexStream);

#[async_trait]
impl AsyncDrop for Counter {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        self.0.write_all(b"unlock").await
    }
}

async fn read(server: DuplexStream) -> Result<u32, ScopeError<io::Error, io::Error>> {
    let counter = AsyncDropGuard::new(Counter(server));
    with_async_drop_both_errors(counter, async |counter| {
        let mut digits = [0; 3];
        counter.0.read_exact(&mut digits).await?;
        let digits = String::from_utf8_lossy(&digits);
        digits.parse().map_err(io::Error::other)
    })
    .await
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    for (answer, hang_up) in [("042", false), ("4.2", false), ("042", true), ("4.2", true)] {
        let (ours, mut server) = tokio::io::duplex(64);
        server.write_all(answer.as_bytes()).await?;
        let _server = (!hang_up).then_some(server);

        match read(ours).await {
            Ok(count) => println!("{count}"),
            Err(ScopeError::Body(error)) => println!("{error}; unlocked"),
            Err(ScopeError::Cleanup(error)) => println!("read, and still locked: {error}"),
            Err(both @ ScopeError::Both { .. }) => {
                println!("{both}");
                println!("body: {:?}", both.body().map(io::Error::kind));
                println!("cleanup: {:?}", both.cleanup().map(io::Error::kind));
                println!("source: {:?}", both.source().map(ToString::to_string));
            }
        }
    }
    Ok(())
}
