use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;
use std::{future, thread};
use tokio::runtime::{Builder, Handle};
use tokio::task::block_in_place;
use tokio::time::sleep;

struct Upload;

impl Drop for Upload {
    fn drop(&mut self) {
        block_in_place(|| Handle::current().block_on(sleep(Duration::from_millis(5))));
        println!("closed");
    }
}

fn serve() {
    let runtime = Builder::new_multi_thread().enable_time().build();
    let runtime = runtime.expect("there are threads");
    // ANCHOR: shown
    runtime.block_on(async {
        tokio::spawn(async {
            let _upload = Upload;
            future::pending::<()>().await;
        });
        sleep(Duration::from_millis(50)).await;
    });
    drop(runtime);
    // ANCHOR_END: shown
}

fn main() {
    let (done, ended) = mpsc::channel();
    thread::spawn(move || {
        serve();
        done.send(())
    });

    let ended = ended.recv_timeout(Duration::from_secs(2));
    assert!(matches!(ended, Err(RecvTimeoutError::Timeout)));
    println!("after 2 s the runtime is still waiting");
}
