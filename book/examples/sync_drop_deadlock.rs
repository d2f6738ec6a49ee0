use asyncdrop::{AsyncDrop, AsyncDropGuard, SyncDrop, async_trait};
use std::convert::Infallible;
use std::time::Duration;

/// Gives the requests that are on their way some time to end.
#[derive(Debug)]
struct Proxy {
    grace: Duration,
}

#[async_trait]
impl AsyncDrop for Proxy {
    type Error = Infallible;

    async fn async_drop_impl(&mut self) -> Result<(), Infallible> {
        tokio::time::sleep(self.grace).await;
        Ok(())
    }
}

// As in a plain `#[tokio::test]`: this thread drives all timers.
#[tokio::main(flavor = "current_thread")]
async fn main() {
    let grace = Duration::from_millis(10);
    let proxy = AsyncDropGuard::new(Proxy { grace });
    let _proxy = SyncDrop::with_time_limit(proxy, Duration::from_millis(200));
    // Blocks the only thread that could end the sleep.
}
