use asyncdrop::{AsyncDrop, AsyncDropGuard, AsyncDropReaper, async_trait, incident};
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use tokio::time::{sleep, timeout};

type Diary = Arc<Mutex<Vec<String>>>;

#[derive(Debug)]
struct Lease(Diary);

#[async_trait]
impl AsyncDrop for Lease {
    type Error = Infallible;

    async fn async_drop_impl(&mut self) -> Result<(), Infallible> {
        sleep(Duration::from_secs(10)).await;
        self.0.lock().unwrap().push("given back".into());
        Ok(())
    }
}

async fn work(lease: AsyncDropGuard<Lease>, reaper: &AsyncDropReaper) {
    let work = reaper.scope(lease, async |_| {
        sleep(Duration::from_secs(60)).await;
        Ok::<_, Infallible>(())
    });
    let _ = timeout(Duration::from_secs(30), work).await;
}

fn runtime() -> Runtime {
    let mut builder = Builder::new_current_thread();
    builder.enable_all().start_paused(true).build().unwrap()
}

// ANCHOR: shown
// In your crate each of the two is a #[test].
fn main() {
    let diary = Diary::default();
    let incidents = Diary::default();
    let seen = Arc::clone(&incidents);
    incident::set_hook(Box::new(move |incident| {
        let kind = format!("{:?}", incident.kind());
        seen.lock().unwrap().push(kind);
    }));

    let lease = AsyncDropGuard::new(Lease(Arc::clone(&diary)));
    runtime().block_on(async {
        let reaper = AsyncDropReaper::new();
        work(lease, &reaper).await;
        let limit = Duration::from_secs(20);
        AsyncDropReaper::shutdown(reaper, limit).await.unwrap();
    });
    assert_eq!(*diary.lock().unwrap(), ["given back"]);
    assert!(incidents.lock().unwrap().is_empty());
    println!("in time: {:?}", diary.lock().unwrap());

    let lease = AsyncDropGuard::new(Lease(Arc::clone(&diary)));
    let runtime = runtime();
    let mut reaper = runtime.block_on(async {
        let reaper = AsyncDropReaper::new();
        work(lease, &reaper).await;
        reaper
    });
    // No one waits for the reaper, and its cleanup is cut off.
    drop(runtime);
    let reaped = futures::executor::block_on(reaper.async_drop());
    assert_eq!(*incidents.lock().unwrap(), ["Forgotten"]);
    println!("cut off: {}", reaped.unwrap_err());
}
// ANCHOR_END: shown
