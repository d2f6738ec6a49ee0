use asyncdrop::{AsyncDropGuard, AsyncDropReaper, AsyncDropWith, BoxedAsyncDropWith};
use asyncdrop::{Reaped, ReaperHandle, ShutdownError};
use std::{io, time::Duration};
use tokio::time::{Instant, sleep};

type Upload = AsyncDropGuard<BoxedAsyncDropWith<Vec<u8>, io::Error>>;

/// The store keeps the parts of an upload, and bills them, until we complete or abort it.
fn begin(name: &'static str) -> Upload {
    AsyncDropWith::boxed(Vec::new(), async move |_parts| {
        sleep(Duration::from_secs(1)).await;
        match name {
            "film.mp4" => Err(io::Error::other("no such upload")),
            _ => Ok(()),
        }
    })
}

/// In your program this runs once a minute, in a task that has a handle.
fn log_what_failed(reaper: &ReaperHandle) {
    for (upload, error) in reaper.take_errors().into_iter().flatten() {
        println!("{:?} may still cost money: {error}", upload.name());
    }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let reaper = AsyncDropReaper::builder().max_concurrent(2).build();
    let start = Instant::now();

    // Four clients go away in the middle of their uploads.
    for name in ["photo.jpg", "film.mp4", "song.ogg", "book.pdf"] {
        let mut upload = reaper.adopt_as(name, begin(name));
        upload.extend([1, 2, 3]);
    }

    // This one is complete, so its parts leave the guard, and there is nothing to abort.
    let mut upload = reaper.adopt_as("talk.pdf", begin("talk.pdf"));
    upload.extend([4, 5, 6]);
    let parts = AsyncDropWith::into_inner(Reaped::into_guard(upload));
    println!("complete: {} parts", parts.len());

    while reaper.pending() > 0 {
        sleep(Duration::from_millis(100)).await;
    }
    let seconds = start.elapsed().as_secs();
    println!("four aborted, two at a time, in {seconds} s");
    log_what_failed(&reaper);

    // The second Ctrl-C of an impatient user is a deadline, too.
    let second_signal = sleep(Duration::from_millis(500));
    drop(reaper.adopt_as("late.zip", begin("late.zip")));
    let ended: Result<(), ShutdownError> =
        AsyncDropReaper::shutdown_by(reaper, second_signal).await;
    if let Err(error) = ended {
        for upload in error.being_cleaned_up() {
            println!("given up: {:?}", upload.name());
        }
        println!("not dropped yet: {}", error.left());
    }
}
