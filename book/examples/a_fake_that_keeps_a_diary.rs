use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
use std::fmt::Debug;
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::time::{Instant, sleep};

/// The code under test: the replica first, then the primary, whatever came of the replica.
async fn shut_down<T>(
    mut primary: AsyncDropGuard<T>,
    mut replica: AsyncDropGuard<T>,
) -> [Result<(), T::Error>; 2]
where
    T: AsyncDrop + Debug,
{
    let replica = replica.async_drop().await;
    let primary = primary.async_drop().await;
    [replica, primary]
}

// ANCHOR: fake
/// A connection that writes down its cleanup, which ends the way that the test wants.
#[derive(Debug)]
struct FakeConnection {
    name: &'static str,
    ends: Result<(), &'static str>,
    diary: UnboundedSender<&'static str>,
}

#[async_trait]
impl AsyncDrop for FakeConnection {
    type Error = &'static str;

    async fn async_drop_impl(&mut self) -> Result<(), &'static str> {
        sleep(Duration::from_secs(20)).await;
        let _ = self.diary.send(self.name);
        self.ends
    }
}
// ANCHOR_END: fake

// In your crate: #[tokio::test(start_paused = true)]
#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    // ANCHOR: fake

    // In the test, with `#[tokio::test(start_paused = true)]`:
    let (diary, mut entries) = unbounded_channel();
    let fake = |name, ends| {
        let diary = diary.clone();
        AsyncDropGuard::new(FakeConnection { name, ends, diary })
    };
    let primary = fake("primary", Ok(()));
    let replica = fake("replica", Err("no route to host"));
    let start = Instant::now();

    let results = shut_down(primary, replica).await;

    let mut cleaned_up = Vec::new();
    while let Ok(name) = entries.try_recv() {
        cleaned_up.push(name);
    }
    assert_eq!(cleaned_up, ["replica", "primary"]);
    assert_eq!(results, [Err("no route to host"), Ok(())]);
    // ANCHOR_END: fake
    let seconds = start.elapsed().as_secs();
    println!("cleaned up: {cleaned_up:?}, after {seconds} s");
}
