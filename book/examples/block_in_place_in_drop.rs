use std::future;
use std::io;
use std::time::Duration;
use tokio::runtime::{Builder, Handle};
use tokio::task::block_in_place;
use tokio::time::{sleep, timeout};

// ANCHOR: shown
struct Upload {
    file: &'static str,
}

impl Drop for Upload {
    fn drop(&mut self) {
        block_in_place(|| {
            Handle::current().block_on(async {
                sleep(Duration::from_millis(5)).await;
                println!("{}: closed", self.file);
            });
        });
    }
}
// ANCHOR_END: shown

async fn send(file: &'static str) -> io::Result<()> {
    let _upload = Upload { file };
    match file {
        "refused.mp4" => Err(io::Error::other("refused")),
        "endless.mp4" => future::pending().await,
        "broken.mp4" => panic!("broken.mp4 has no frames"),
        _ => Ok(()),
    }
}

fn main() -> io::Result<()> {
    let threads = Builder::new_multi_thread().enable_time().build()?;
    threads.block_on(async {
        for file in ["film.mp4", "refused.mp4", "endless.mp4", "broken.mp4"] {
            let limit = Duration::from_millis(20);
            let _ = tokio::spawn(timeout(limit, send(file))).await;
        }
    });

    println!("and on a current-thread runtime:");
    let thread = Builder::new_current_thread().enable_time().build()?;
    thread.block_on(send("film.mp4"))
}
