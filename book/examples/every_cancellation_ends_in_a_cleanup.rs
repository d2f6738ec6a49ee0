use asyncdrop::{AsyncDrop, AsyncDropGuard, AsyncDropReaper, async_trait};
use asyncdrop::{Reaped, ReaperHandle};
use std::{error::Error, future, time::Duration};
use tokio::sync::mpsc::{self, Receiver, Sender, error::SendError};
use tokio::time::{sleep, timeout};

/// Somebody in a chat room. The others are told when they leave.
#[derive(Debug)]
struct Member {
    name: &'static str,
    room: Sender<String>,
}

#[async_trait]
impl AsyncDrop for Member {
    type Error = SendError<String>;

    async fn async_drop_impl(&mut self) -> Result<(), SendError<String>> {
        self.room.send(format!("{} has left", self.name)).await
    }
}

struct Room {
    reaper: ReaperHandle,
    sender: Sender<String>,
    lines: Receiver<String>,
}

impl Room {
    fn join(&self, name: &'static str) -> AsyncDropGuard<Member> {
        let room = self.sender.clone();
        AsyncDropGuard::new(Member { name, room })
    }

    async fn hear(&mut self, what: &str) {
        let line = self.lines.recv().await.expect("we have a sender ourselves");
        println!("{what}: {line}");
    }
}

async fn chat(member: &Member) -> Result<(), SendError<String>> {
    assert_ne!(member.name, "dan", "dan is not on the list");
    future::pending().await
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), Box<dyn Error>> {
    let reaper = AsyncDropReaper::new();
    let (sender, lines) = mpsc::channel(1);
    let mut room = Room {
        reaper: reaper.handle(),
        sender,
        lines,
    };

    let mut ada: Reaped<Member> = reaper.adopt(room.join("ada"));
    println!("{} is in, pending: {}", ada.name, reaper.pending());
    ada.async_drop().await?;
    room.hear("in place").await;

    let bob = room
        .reaper
        .scope(room.join("bob"), async |bob| chat(bob).await);
    assert!(timeout(Duration::from_secs(60), bob).await.is_err());
    room.hear("timeout").await;

    let cyd = room
        .reaper
        .scope(room.join("cyd"), async |cyd| chat(cyd).await);
    tokio::select! {
        left = cyd => left?,
        () = sleep(Duration::from_secs(60)) => {}
    }
    room.hear("select!").await;

    let dan = reaper.scope(room.join("dan"), async |dan| chat(dan).await);
    assert!(tokio::spawn(dan).await.unwrap_err().is_panic());
    room.hear("panic").await;

    let eve = tokio::spawn(reaper.scope(room.join("eve"), async |eve| chat(eve).await));
    eve.abort();
    room.hear("abort, before the first poll").await;

    println!("pending: {}", room.reaper.pending());
    AsyncDropReaper::shutdown(reaper, Duration::from_secs(5)).await?;
    Ok(())
}
