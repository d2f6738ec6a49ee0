use asyncdrop::incident::IncidentKind;
use asyncdrop::testing::Incidents;
use asyncdrop::{AsyncDrop, AsyncDropGuard, AsyncDropReaper, async_trait};
use std::{convert::Infallible, time::Duration};
use tokio::runtime::{Builder, Runtime};
use tokio::time::{sleep, timeout};

#[derive(Debug)]
struct Lease;

#[async_trait]
impl AsyncDrop for Lease {
    type Error = Infallible;

    async fn async_drop_impl(&mut self) -> Result<(), Infallible> {
        sleep(Duration::from_secs(10)).await;
        println!("given back");
        Ok(())
    }
}

async fn work(lease: AsyncDropGuard<Lease>, reaper: &AsyncDropReaper) {
    let work = reaper.scope(lease, async |_| {
        sleep(Duration::from_secs(60)).await;
        Ok::<_, Infallible>(())
    });
    let done = timeout(Duration::from_secs(30), work).await;
    println!("cancelled: {}", done.is_err());
}

fn runtime() -> Runtime {
    let mut builder = Builder::new_current_thread();
    builder.enable_all().start_paused(true).build().unwrap()
}

// ANCHOR: shown
// In your crate this is a #[test].
fn main() {
    let incidents = Incidents::collect();
    let lease = AsyncDropGuard::new(Lease);
    let runtime = runtime();
    let mut reaper = runtime.block_on(async {
        let reaper = AsyncDropReaper::new();
        work(lease, &reaper).await;
        reaper
    });
    // No one has waited for the reaper, so its cleanup is cut off.
    drop(runtime);

    let kinds: Vec<_> = incidents.iter().map(|it| it.kind()).collect();
    assert_eq!(kinds, [IncidentKind::Forgotten]);
    let reaped = futures::executor::block_on(reaper.async_drop());
    println!("cut off: {}", reaped.unwrap_err());
}
// ANCHOR_END: shown
