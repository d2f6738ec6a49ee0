use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
use std::convert::Infallible;
use tokio::sync::mpsc;

/// Tells the dashboard when its job is over.
struct Progress {
    job: &'static str,
    dashboard: mpsc::Sender<String>,
}

#[async_trait]
impl AsyncDrop for Progress {
    type Error = Infallible;

    async fn async_drop_impl(&mut self) -> Result<(), Infallible> {
        let _ = self.dashboard.send(format!("{}: done", self.job)).await;
        Ok(())
    }
}

impl std::fmt::Debug for Progress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Progress({})", self.job)
    }
}

// ANCHOR: test
/// This could be the body of a `#[tokio::test]`.
#[tokio::main(flavor = "current_thread")]
async fn main() {
    let (dashboard, mut lines) = mpsc::channel(8);

    tokio::spawn(async move {
        let job = "import";
        let progress = AsyncDropGuard::new(Progress { job, dashboard });
        let first = format!("{}: 3 rows", progress.job);
        let _ = progress.dashboard.send(first).await;
        // The end of the task, and no cleanup.
    });

    assert_eq!(lines.recv().await.as_deref(), Some("import: 3 rows"));
    println!("the import has begun");
    assert_eq!(lines.recv().await, None);
    println!("the test has passed");
}
// ANCHOR_END: test
