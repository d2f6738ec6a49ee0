use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait, incident};
use std::fmt::Debug;
use std::{io, time::Duration};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::time::timeout;

#[derive(Debug)]
struct Outbox {
    to: DuplexStream,
    left: &'static [u8],
}

fn outbox(to: DuplexStream) -> AsyncDropGuard<Outbox> {
    let left = b"a record";
    AsyncDropGuard::new(Outbox { to, left })
}

#[async_trait]
impl AsyncDrop for Outbox {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        // What was sent is no longer in `left`.
        self.to.write_all_buf(&mut self.left).await
    }
}

// ANCHOR: shown
type Guarded<T> = AsyncDropGuard<T>;

/// How the records leave.
#[derive(Debug, AsyncDrop)]
#[async_drop(concurrent, error = "io::Error")]
enum Route<T: AsyncDrop<Error = io::Error> + Debug> {
    Offline,
    Relayed {
        relays: Vec<AsyncDropGuard<T>>,
        #[async_drop(guard)]
        archive: Guarded<T>,
    },
}
// ANCHOR_END: shown

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> io::Result<()> {
    incident::set_hook(Box::new(|incident| println!("{:?}", incident.kind())));
    AsyncDropGuard::new(Route::<Outbox>::Offline)
        .async_drop()
        .await?;

    // Two relays are gone. The archive takes four bytes, and then nothing for a while.
    let (ours, mut archive) = tokio::io::duplex(4);
    let [first, second] = [64; 2].map(|bytes| tokio::io::duplex(bytes).0);
    let mut route = AsyncDropGuard::new(Route::Relayed {
        relays: vec![outbox(first), outbox(second)],
        archive: outbox(ours),
    });
    // ANCHOR: shown

    // In main:
    let limit = Duration::from_secs(1);
    let in_time = timeout(limit, route.async_drop()).await.is_ok();
    println!("done in time: {in_time}");

    let reader = tokio::spawn(async move {
        let mut heard = String::new();
        archive.read_to_string(&mut heard).await.map(|_| heard)
    });
    println!("called again: {:?}", route.async_drop().await);
    // ANCHOR_END: shown
    println!("the archive heard {:?}", reader.await??);
    Ok(())
}
