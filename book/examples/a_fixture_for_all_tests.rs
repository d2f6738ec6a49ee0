use asyncdrop::{AsyncDropArc, AsyncDropWeak, AsyncDropWith, BoxedAsyncDropWith, SyncDrop};
use std::sync::Barrier;
use std::{io, path::PathBuf, thread};
use tokio::fs;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Mutex;

// ANCHOR: shown
/// A folder with test data, which takes long to write.
type Data = BoxedAsyncDropWith<PathBuf, io::Error>;

static DATA: Mutex<Option<AsyncDropWeak<Data>>> = Mutex::const_new(None);

async fn data() -> io::Result<SyncDrop<AsyncDropArc<Data>>> {
    let mut shared = DATA.lock().await;
    if let Some(owner) = shared.as_ref().and_then(AsyncDropWeak::upgrade) {
        return Ok(SyncDrop::new(owner));
    }
    println!("created");
    let folder = tempfile::tempdir()?.keep();
    let owner = AsyncDropArc::new(AsyncDropWith::boxed(folder, async |folder| {
        println!("removed");
        fs::remove_dir_all(folder).await
    }));
    *shared = Some(AsyncDropArc::downgrade(&owner));
    Ok(SyncDrop::new(owner))
}

/// In a test suite: `#[tokio::test]`
async fn has_a_folder() -> io::Result<()> {
    let data = data().await?;
    assert!(data.is_dir());
    Ok(())
}

/// In a test suite: `#[tokio::test]`
async fn has_orders() -> io::Result<()> {
    let data = data().await?;
    assert!(data.join("orders.csv").is_file());
    Ok(())
}
// ANCHOR_END: shown

/// A runtime for each test, as `#[tokio::test]` has it.
fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().build()
}

fn main() -> io::Result<()> {
    println!("two tests at the same time:");
    let together = Barrier::new(2);
    let test = || {
        runtime()?.block_on(async {
            let data = data().await;
            together.wait();
            let _data = data?;
            has_a_folder().await
        })
    };
    thread::scope(|threads| {
        for test in [threads.spawn(test), threads.spawn(test)] {
            if let Err(error) = test.join().expect("the folder is there") {
                println!("a test failed: {error}");
            }
        }
    });

    println!("a test that fails:");
    let runtime = runtime()?;
    let failed = thread::spawn(move || runtime.block_on(has_orders())).join();
    println!("it panicked: {}", failed.is_err());
    Ok(())
}
