use std::path::Path;
use std::time::Duration;
use std::{fs, future, io};
use tokio::runtime::Builder;
use tokio::time::{sleep, timeout};

// ANCHOR: shown
async fn import(folder: &Path, name: &str) -> io::Result<()> {
    let lock = folder.join(name);
    fs::write(&lock, "locked")?;
    let _unlock = scopeguard::guard(lock.clone(), |lock| {
        tokio::spawn(tokio::fs::remove_file(lock));
    });
    match name {
        "refused" => Err(io::Error::other("no header")),
        "endless" => future::pending().await,
        "broken" => panic!("the header is no header"),
        // The cleanup will find no lock, and fail.
        "vanished" => fs::remove_file(&lock),
        _ => Ok(()),
    }
}
// ANCHOR_END: shown

fn main() -> io::Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path();
    let locks = || fs::read_dir(path).map(Iterator::count);

    let runtime = Builder::new_current_thread().enable_time().build()?;
    runtime.block_on(async {
        for name in ["good", "refused", "endless", "broken", "vanished"] {
            let path = path.to_owned();
            let import = async move { import(&path, name).await };
            let limit = Duration::from_millis(20);
            match tokio::spawn(timeout(limit, import)).await {
                Ok(Ok(result)) => println!("{name}: {result:?}"),
                Ok(Err(_)) => println!("{name}: cancelled after 20 ms"),
                Err(_) => println!("{name}: panicked"),
            }
        }
        while locks()? > 0 {
            sleep(Duration::from_millis(1)).await;
        }
        println!("after a while: {} locks", locks()?);

        import(path, "the last one").await
    })?;
    drop(runtime);
    println!("after the runtime: {} lock", locks()?);
    Ok(())
}
