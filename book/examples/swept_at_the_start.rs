use std::path::Path;
use std::time::{Duration, SystemTime};
use std::{fs::FileTimes, io};
use tokio::fs::{self, File};

// ANCHOR: sweep
/// No job takes longer than that.
const LONGEST_JOB: Duration = Duration::from_secs(60 * 60);

/// Removes the drafts that an earlier process left when it was killed.
async fn sweep(folder: &Path) -> io::Result<u32> {
    let mut removed = 0;
    let mut entries = fs::read_dir(folder).await?;
    while let Some(entry) = entries.next_entry().await? {
        let path = entry.path();
        let age = entry.metadata().await?.modified()?.elapsed();
        // A younger one may belong to a process that is still at work.
        let is_left = age.is_ok_and(|age| age > LONGEST_JOB);
        if is_left
            && path
                .extension()
                .is_some_and(|extension| extension == "draft")
        {
            fs::remove_file(path).await?;
            removed += 1;
        }
    }
    Ok(removed)
}
// ANCHOR_END: sweep

#[tokio::main]
async fn main() -> io::Result<()> {
    let folder = tempfile::tempdir()?;
    // What a process left that was killed two hours ago, and what another one is writing now.
    let two_hours_ago = SystemTime::now() - 2 * LONGEST_JOB;
    for (name, modified) in [
        ("prices.draft", two_hours_ago),
        ("prices.csv", two_hours_ago),
        ("stock.draft", SystemTime::now()),
    ] {
        let file = File::create(folder.path().join(name))
            .await?
            .into_std()
            .await;
        file.set_times(FileTimes::new().set_modified(modified))?;
    }
    // ANCHOR: sweep
    // At the start of the program:
    println!("drafts removed: {}", sweep(folder.path()).await?);
    // ANCHOR_END: sweep

    let mut left = Vec::new();
    let mut entries = fs::read_dir(folder.path()).await?;
    while let Some(entry) = entries.next_entry().await? {
        left.push(entry.file_name());
    }
    left.sort();
    println!("left: {left:?}");
    Ok(())
}
