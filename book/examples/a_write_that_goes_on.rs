use std::{env, io, path::Path, process, time::Duration};
use tokio::fs;
use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

// ANCHOR: shown
async fn save(path: &Path) -> io::Result<()> {
    let limit = Duration::from_millis(50);
    if timeout(limit, fs::write(path, "old")).await.is_err() {
        println!("too slow: we save something else, in another way");
        std::fs::write(path, "new")?;
    }
    Ok(())
}
// ANCHOR_END: shown

fn main() -> io::Result<()> {
    let path = env::temp_dir().join(format!("a_write_that_goes_on-{}", process::id()));
    // One thread does all that blocks, so that we know what runs first.
    let runtime = Builder::new_current_thread()
        .enable_time()
        .max_blocking_threads(1)
        .build()?;
    runtime.block_on(async {
        // The disk is busy until we are done.
        let (done, busy) = oneshot::channel::<()>();
        let disk = spawn_blocking(|| busy.blocking_recv());
        save(&path).await?;
        println!("now the file says {}", std::fs::read_to_string(&path)?);
        let _ = done.send(());
        let _ = disk.await?;
        println!("later it says {}", fs::read_to_string(&path).await?);
        fs::remove_file(&path).await
    })
}
