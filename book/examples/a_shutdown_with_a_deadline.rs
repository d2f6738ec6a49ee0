use asyncdrop::{AsyncDrop, AsyncDropGuard, AsyncDropReaper, async_trait};
use asyncdrop::{ShutdownError, ValueOrigin};
use std::{io, time::Duration};
use tokio::io::{AsyncWriteExt, DuplexStream};

#[derive(Debug)]
struct Consumer {
    topic: &'static str,
    broker: DuplexStream,
    goodbye: &'static [u8],
}

impl Consumer {
    #[track_caller]
    fn new(topic: &'static str, broker: DuplexStream) -> AsyncDropGuard<Self> {
        let goodbye = b"leaving the group";
        AsyncDropGuard::new(Self {
            topic,
            broker,
            goodbye,
        })
    }
}

#[async_trait]
impl AsyncDrop for Consumer {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        self.broker.write_all_buf(&mut self.goodbye).await
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        println!("{} is dropped", self.topic);
    }
}

// ANCHOR: shown
fn list(what: &str, values: &[ValueOrigin]) {
    for value in values {
        let (name, line) = (value.type_name(), value.location().line());
        println!("{what}: {name}, line {line}");
    }
}

fn show(error: &ShutdownError) {
    list("in use", error.in_use());
    list("being cleaned up", error.being_cleaned_up());
    if let Some(errors) = error.errors() {
        println!("failed: {errors}");
    }
}
// ANCHOR_END: shown

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    // ANCHOR: shown

    // In main:
    let reaper = AsyncDropReaper::new();
    let (to_orders, gone) = tokio::io::duplex(64);
    drop(gone);
    let (to_mail, _reads_nothing) = tokio::io::duplex(4);
    let (to_audit, _still_there) = tokio::io::duplex(64);
    drop(reaper.adopt(Consumer::new("orders", to_orders)));
    drop(reaper.adopt(Consumer::new("mail", to_mail)));
    let mut audit = reaper.adopt(Consumer::new("audit", to_audit));

    let limit = Duration::from_secs(5);
    if let Err(error) = AsyncDropReaper::shutdown(reaper, limit).await {
        show(&error);
    }

    // Its owner can still clean it up.
    println!("audit, in place: {:?}", audit.async_drop().await);
    // ANCHOR_END: shown
}
