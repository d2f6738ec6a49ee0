use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
use std::fmt::Debug;
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::time::{Instant, sleep};

/// The code under test: the replica first, then the primary, whatever came of the replica.
async fn shut_down<T>(
    mut primary: AsyncDropGuard<T>,
    mut replica: AsyncDropGuard<T>,
) -> Result<(), T::Error>
where
    T: AsyncDrop + Debug,
{
    let replica = replica.async_drop().await;
    let primary = primary.async_drop().await;
    replica.and(primary)
}

/// A connection that writes down its end, and ends the way that the test wants.
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

// In your crate: #[tokio::test(start_paused = true)]
#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let (diary, mut entries) = unbounded_channel();
    let fake = |name, ends| {
        let diary = diary.clone();
        AsyncDropGuard::new(FakeConnection { name, ends, diary })
    };
    let primary = fake("primary", Ok(()));
    let replica = fake("replica", Err("no route to host"));
    let start = Instant::now();

    let result = shut_down(primary, replica).await;

    let mut ended = Vec::new();
    while let Ok(name) = entries.try_recv() {
        ended.push(name);
    }
    assert_eq!(ended, ["replica", "primary"]);
    assert_eq!(result, Err("no route to host"));
    let seconds = start.elapsed().as_secs();
    println!("ended: {ended:?}, after {seconds} s");
}
