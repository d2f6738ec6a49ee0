use asyncdrop::{AsyncDrop, AsyncDropGuard, AsyncDropReaper, async_trait};
use asyncdrop::{ShutdownError, ValueOrigin};
use std::{io, time::Duration};
use tokio::io::{AsyncWriteExt, DuplexStream};

#[derive(Debug)]
struct Player {
    name: &'static str,
    connection: DuplexStream,
}

impl Player {
    #[track_caller]
    fn new(name: &'static str, connection: DuplexStream) -> AsyncDropGuard<Self> {
        AsyncDropGuard::new(Self { name, connection })
    }
}

#[async_trait]
impl AsyncDrop for Player {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        self.connection.write_all(b"the game is over").await
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        println!("{} is gone", self.name);
    }
}

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

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let reaper = AsyncDropReaper::new();
    let (to_ada, gone) = tokio::io::duplex(64);
    drop(gone);
    let (to_bob, _reads_nothing) = tokio::io::duplex(4);
    let (to_cyd, _still_playing) = tokio::io::duplex(64);
    drop(reaper.adopt(Player::new("ada", to_ada)));
    drop(reaper.adopt(Player::new("bob", to_bob)));
    let mut cyd = reaper.adopt(Player::new("cyd", to_cyd));

    let limit = Duration::from_secs(5);
    if let Err(error) = AsyncDropReaper::shutdown(reaper, limit).await {
        show(&error);
    }

    // Its owner can still end it.
    println!("cyd, in place: {:?}", cyd.async_drop().await);
}
