use asyncdrop::{AsyncDrop, AsyncDropGuard, AsyncDropReaper, async_trait, incident};
use asyncdrop::{CleanupError, CleanupErrors, ValueOrigin};
use std::{io, time::Duration};
use tokio::{fs, time::timeout};

/// A scratch file. Those below don't exist, and one has no name.
#[derive(Debug)]
struct Scratch {
    path: &'static str,
    delay: Duration,
}

impl Scratch {
    #[track_caller]
    fn named(path: &'static str, seconds: u64) -> AsyncDropGuard<Self> {
        let delay = Duration::from_secs(seconds);
        AsyncDropGuard::new(Self { path, delay })
    }
}

#[async_trait]
impl AsyncDrop for Scratch {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        assert_ne!(self.path, "", "a file has a name");
        tokio::time::sleep(self.delay).await;
        fs::remove_file(self.path).await
    }
}

// ANCHOR: shown
fn log(origin: &ValueOrigin, error: &CleanupError) {
    let line = origin.location().line();
    println!("{} of line {line}:", origin.type_name());
    match error {
        CleanupError::Failed(_) => match error.downcast_ref::<io::Error>() {
            Some(error) => println!("  {:?}", error.kind()),
            None => println!("  {error}"),
        },
        CleanupError::Panicked(_) => println!("  it panicked"),
        CleanupError::RuntimeEnded => println!("  its runtime ended"),
        _ => println!("  {error}"),
    }
}
// ANCHOR_END: shown

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    incident::set_hook(Box::new(|incident| {
        println!("incident: {:?} {}", incident.kind(), incident.type_name());
    }));
    // ANCHOR: shown

    // In main:
    let mut reaper = AsyncDropReaper::new();
    let handle = reaper.handle();
    drop(handle.adopt(Scratch::named("gone/1.tmp", 1)));
    drop(handle.adopt(Scratch::named("gone/2.tmp", 60)));
    drop(handle.adopt(Scratch::named("", 0)));

    let limit = Duration::from_secs(10);
    assert!(timeout(limit, reaper.async_drop()).await.is_err());
    println!("after {limit:?} still pending: {}", reaper.pending());
    let errors: CleanupErrors = reaper.async_drop().await.unwrap_err();
    println!("{} of {} failed", errors.len(), errors.total());
    for (origin, error) in &errors {
        log(origin, error);
    }
    // ANCHOR_END: shown

    // The reaper has ended. What it adopts now works in place, or is an incident.
    let mut late = handle.adopt(Scratch::named("gone/4.tmp", 0));
    println!(
        "in place: {:?}",
        late.async_drop().await.map_err(|it| it.kind())
    );
    drop(handle.adopt(Scratch::named("gone/5.tmp", 0)));
}
