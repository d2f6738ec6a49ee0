use asyncdrop::{AsyncDrop, AsyncDropGuard, AsyncDropHashMap, async_trait};
use futures::FutureExt;
use std::io;
use std::panic::AssertUnwindSafe;
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
        match self.server.read_u8().await? {
            b'k' => Ok(()),
            answer => panic!("the server says {:?}", char::from(answer)),
        }
    }
}

/// Starts an upload to a server that sends its answer after some time, or goes away without one.
fn start(millis: u64, answer: Option<u8>) -> AsyncDropGuard<Upload> {
    let (server, mut theirs) = tokio::io::duplex(8);
    tokio::spawn(async move {
        sleep(Duration::from_millis(millis)).await;
        match answer {
            Some(answer) => theirs.write_u8(answer).await,
            None => Ok(()),
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
        ("photo.jpg", start(100, Some(b'k'))),
        ("film.mp4", start(200, None)),
        ("song.ogg", start(300, Some(b'k'))),
    ] {
        assert!(uploads.insert(file, upload).is_none());
    }
    let errors = uploads.async_drop().await.unwrap_err();
    println!("after {:?}: {errors}", begin.elapsed());

    let begin = Instant::now();
    let mut uploads = AsyncDropHashMap::new();
    assert!(uploads.insert("scan.pdf", start(100, Some(b'?'))).is_none());
    assert!(uploads.insert("note.txt", start(300, None)).is_none());
    let outcome = AssertUnwindSafe(uploads.async_drop()).catch_unwind().await;
    println!(
        "after {:?}: panicked: {}",
        begin.elapsed(),
        outcome.is_err()
    );
    // The map still has the error of the note, and the upload whose cleanup panicked.
    let errors = uploads.async_drop().await.unwrap_err();
    println!("again: {} of {} failed", errors.len(), errors.total());
}
// ANCHOR_END: shown
