use asyncdrop::{AsyncDrop, AsyncDropGuard, async_drop_all, async_trait, flatten_async_drop};
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

#[derive(Debug)]
struct Link {
    name: &'static str,
    stream: DuplexStream,
}

impl Link {
    /// Waits for the greeting, one byte, of the other side.
    async fn open(
        name: &'static str,
        mut stream: DuplexStream,
    ) -> io::Result<AsyncDropGuard<Self>> {
        stream.read_u8().await?;
        Ok(AsyncDropGuard::new(Self { name, stream }))
    }
}

#[async_trait]
impl AsyncDrop for Link {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        self.stream.shutdown().await?;
        println!("the {} is closed", self.name);
        Ok(())
    }
}

// ANCHOR: shown
type Links = (AsyncDropGuard<Link>, AsyncDropGuard<Link>);

async fn open_both(source: DuplexStream, target: DuplexStream) -> anyhow::Result<Links> {
    let (source, target) = tokio::join!(Link::open("source", source), Link::open("target", target));
    flatten_async_drop(source, target).await
}

async fn copy(source: DuplexStream, target: DuplexStream) -> anyhow::Result<()> {
    let (source, target) = open_both(source, target).await?;
    println!("copying from {} to {}", source.name, target.name);
    async_drop_all([("target", target), ("source", source)]).await?;
    Ok(())
}
// ANCHOR_END: shown

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    for (source_is_up, target_is_up) in [(true, true), (true, false), (false, false)] {
        let (source, mut from) = tokio::io::duplex(8);
        let (target, mut to) = tokio::io::duplex(8);
        println!("up: source {source_is_up}, target {target_is_up}");
        if source_is_up {
            from.write_u8(1).await?;
        }
        if target_is_up {
            to.write_u8(1).await?;
        }
        drop((from, to));
        if let Err(error) = copy(source, target).await {
            println!("error: {error}");
        }
    }
    Ok(())
}
