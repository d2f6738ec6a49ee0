use asyncdrop::testing::{self, Sweep, Trickle};
use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
use std::{io, time::Duration};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, DuplexStream};

// ANCHOR: shown
#[derive(Debug)]
struct Lease {
    registry: Trickle<DuplexStream>,
    /// What is left of the message that gives the lease back.
    release: &'static [u8],
}
// ANCHOR_END: shown

impl Lease {
    fn new(registry: DuplexStream) -> AsyncDropGuard<Self> {
        AsyncDropGuard::new(Self {
            // In the program it is a TCP stream; the test makes it as slow as it can be.
            registry: Trickle::new(registry),
            release: b"release 7\n",
        })
    }
}

#[async_trait]
impl AsyncDrop for Lease {
    type Error = io::Error;

    // ANCHOR: shown

    // In `impl AsyncDrop for Lease`:
    async fn async_drop_impl(&mut self) -> io::Result<()> {
        // It takes from `release` what it has written, so the next call goes on with the rest.
        self.registry.write_all_buf(&mut self.release).await?;
        self.registry.read_u8().await?;
        Ok(())
    }
    // ANCHOR_END: shown
}

/// Confirms every line, and returns them all when the client is gone.
async fn registry(stream: DuplexStream) -> io::Result<Vec<String>> {
    let mut heard = Vec::new();
    let mut lines = BufReader::new(stream).lines();
    while let Some(line) = lines.next_line().await? {
        heard.push(line);
        lines.get_mut().write_u8(b'k').await?;
    }
    Ok(heard)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    // ANCHOR: shown

    // The test:
    for cut in Sweep::new() {
        let (ours, theirs) = tokio::io::duplex(64);
        let registry = tokio::spawn(registry(theirs));

        testing::run(Duration::from_secs(5), async |reaper| {
            let mut lease = reaper.adopt(Lease::new(ours));
            let released = cut.run(async { lease.async_drop().await }).await;
            released.unwrap_or(Ok(()))
        })
        .await?;
        assert_eq!(registry.await??, ["release 7"], "{cut}");
    }
    // ANCHOR_END: shown
    println!("released once, wherever the task was cancelled");
    Ok(())
}
