use std::future;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::fs;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::timeout;

// ANCHOR: shown
/// A folder for one import, removed by the reaper.
struct Folder {
    path: PathBuf,
    reaper: UnboundedSender<PathBuf>,
}

impl Drop for Folder {
    fn drop(&mut self) {
        // It fails only if the reaper has ended.
        let _ = self.reaper.send(std::mem::take(&mut self.path));
    }
}

/// Removes what it gets until there are no senders left.
async fn reap(mut folders: UnboundedReceiver<PathBuf>) -> Vec<(PathBuf, io::Result<()>)> {
    let mut results = Vec::new();
    while let Some(path) = folders.recv().await {
        let result = fs::remove_dir_all(&path).await;
        results.push((path, result));
    }
    results
}
// ANCHOR_END: shown

async fn import(path: PathBuf, reaper: UnboundedSender<PathBuf>) -> io::Result<()> {
    fs::create_dir(&path).await?;
    let folder = Folder { path, reaper };
    if folder.path.ends_with("refused") {
        return Err(io::Error::other("no header"));
    } else if folder.path.ends_with("endless") {
        future::pending::<()>().await;
    } else if folder.path.ends_with("broken") {
        panic!("the header is no header");
    } else if folder.path.ends_with("vanished") {
        fs::remove_dir(&folder.path).await?;
    }
    Ok(())
}

async fn import_all(root: &Path) {
    let (sender, folders) = unbounded_channel();
    let reaper = tokio::spawn(reap(folders));
    for name in ["good", "refused", "endless", "broken", "vanished"] {
        let import = import(root.join(name), sender.clone());
        let _ = tokio::spawn(timeout(Duration::from_millis(200), import)).await;
    }
    drop(sender);
    for (path, result) in reaper.await.expect("it does not panic") {
        let name = path.file_name().unwrap_or_default().display();
        match result {
            Ok(()) => println!("{name}: removed"),
            Err(error) => println!("{name}: {:?}", error.kind()),
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let root = tempfile::tempdir()?;
    import_all(root.path()).await;
    Ok(())
}
