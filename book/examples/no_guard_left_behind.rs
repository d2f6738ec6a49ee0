use asyncdrop::incident::IncidentKind;
use asyncdrop::testing::Incidents;
use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait, with_async_drop_2_infallible};
use std::convert::Infallible;
use std::time::Duration;
use tokio::time::{sleep, timeout};

#[derive(Debug)]
struct Upload;

#[async_trait]
impl AsyncDrop for Upload {
    type Error = Infallible;

    async fn async_drop_impl(&mut self) -> Result<(), Infallible> {
        sleep(Duration::from_secs(60)).await;
        Ok(())
    }
}

/// The code under test.
async fn upload() {
    let upload = AsyncDropGuard::new(Upload);
    with_async_drop_2_infallible!(upload, {
        sleep(Duration::from_secs(60)).await;
    });
}

// ANCHOR: collect
async fn incidents_of_an_upload_within(limit: Duration) -> Vec<IncidentKind> {
    let incidents = Incidents::collect();
    let _ = timeout(limit, upload()).await;
    incidents.iter().map(|it| it.kind()).collect()
}
// ANCHOR_END: collect

// In your crate each of the three is a #[tokio::test(start_paused = true)].
#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let expected = [
        (200, vec![]),
        (90, vec![IncidentKind::Interrupted]),
        (30, vec![IncidentKind::Forgotten]),
    ];
    for (seconds, expected) in expected {
        let limit = Duration::from_secs(seconds);
        let kinds = incidents_of_an_upload_within(limit).await;
        assert_eq!(kinds, expected);
        println!("given {limit:?}: {kinds:?}");
    }
}
