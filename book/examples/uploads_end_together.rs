use asyncdrop::{AsyncDrop, AsyncDropGuard, AsyncDropHashMap, async_trait};
use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::time::{Instant, sleep};

#[derive(Debug)]
struct Upload {
    server: DuplexStream,
}

#[async_trait]
impl AsyncDrop for Upload {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        self.server.read_u8().await.map(drop)
    }
}

/// Starts an upload to a server that confirms it after some time, or goes away.
fn start(millis: u64, confirms: bool) -> AsyncDropGuard<Upload> {
    let (server, mut theirs) = tokio::io::duplex(8);
    tokio::spawn(async move {
        sleep(Duration::from_millis(millis)).await;
        match confirms {
            true => theirs.write_u8(b'k').await,
            false => Ok(()),
        }
    });
    AsyncDropGuard::new(Upload { server })
}

// ANCHOR: shown
// The clock is paused: it jumps ahead whenever all tasks wait for it.
#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let begin = Instant::now();
    let mut uploads = AsyncDropHashMap::new();
    for (file, upload) in [
        ("photo.jpg", start(100, true)),
        ("film.mp4", start(200, false)),
        ("song.ogg", start(300, true)),
    ] {
        assert!(uploads.insert(file, upload).is_none());
    }
    if let Err(errors) = uploads.async_drop().await {
        println!("after {:?}: {errors}", begin.elapsed());
    }
}
// ANCHOR_END: shown
