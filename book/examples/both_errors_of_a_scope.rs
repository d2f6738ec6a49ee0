use asyncdrop::{AsyncDrop, AsyncDropGuard, ScopeError, async_trait, with_async_drop_both_errors};
use std::{error::Error, io};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

/// A stock on a server, locked for us.
#[derive(Debug)]
struct Stock {
    server: DuplexStream,
    unlock: &'static [u8],
}

#[async_trait]
impl AsyncDrop for Stock {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        self.server.write_all_buf(&mut self.unlock).await
    }
}

// ANCHOR: shown
async fn read(server: DuplexStream) -> Result<u32, ScopeError<io::Error, io::Error>> {
    let unlock = b"unlock";
    let stock = AsyncDropGuard::new(Stock { server, unlock });
    with_async_drop_both_errors(stock, async |stock| {
        let mut digits = [0; 3];
        stock.server.read_exact(&mut digits).await?;
        let digits = String::from_utf8_lossy(&digits);
        digits.parse().map_err(io::Error::other)
    })
    .await
}

fn report(outcome: Result<u32, ScopeError<io::Error, io::Error>>) {
    match outcome {
        Ok(count) => println!("{count} left"),
        Err(ScopeError::Body(error)) => println!("{error}, but unlocked"),
        Err(ScopeError::Cleanup(error)) => println!("still locked: {error}"),
        Err(both @ ScopeError::Both { .. }) => println!("{both}"),
    }
}
// ANCHOR_END: shown

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    for (answer, hang_up) in [("042", false), ("4.2", false), ("042", true), ("4.2", true)] {
        let (ours, mut server) = tokio::io::duplex(64);
        server.write_all(answer.as_bytes()).await?;
        let _server = (!hang_up).then_some(server);

        let outcome = read(ours).await;
        if let Err(error) = &outcome {
            let kinds = [error.body(), error.cleanup()].map(|it| it.map(io::Error::kind));
            assert_ne!(kinds, [None, None]);
            assert!(error.source().is_none(), "the text has said it");
        }
        report(outcome);
    }
    Ok(())
}
