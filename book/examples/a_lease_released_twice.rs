use asyncdrop::testing::interrupt_cleanups;
use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
use std::io;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, DuplexStream};

// ANCHOR: shown
#[derive(Debug)]
struct Lease {
    registry: DuplexStream,
}

#[async_trait]
impl AsyncDrop for Lease {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        self.registry.write_all(b"release 7\n").await?;
        // The registry confirms it with a byte.
        self.registry.read_u8().await?;
        Ok(())
    }
}
// ANCHOR_END: shown

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

// ANCHOR: shown
// In your crate this is a #[tokio::test].
#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    for n in 1.. {
        let interruptions = interrupt_cleanups(n);
        let (ours, theirs) = tokio::io::duplex(64);
        let registry = tokio::spawn(registry(theirs));

        let mut lease = AsyncDropGuard::new(Lease { registry: ours });
        lease.async_drop().await?;
        assert_eq!(
            registry.await??,
            ["release 7"],
            "interrupted before operation {n}"
        );
        println!("interrupted before operation {n}: released once");
        if interruptions.interrupted() == 0 {
            break;
        }
    }
    Ok(())
}
// ANCHOR_END: shown
