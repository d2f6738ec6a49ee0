use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
use std::path::{Path, PathBuf};
use std::{fmt, io};
use tokio::fs;

/// Keeps other processes from importing at the same time.
struct LockFile {
    path: PathBuf,
}

impl LockFile {
    /// Not an `async fn`: a cancellation could come between the file and its guard.
    #[track_caller]
    fn take(path: PathBuf) -> io::Result<AsyncDropGuard<Self>> {
        std::fs::File::create_new(&path)?;
        Ok(AsyncDropGuard::new(Self { path }))
    }
}

#[async_trait]
impl AsyncDrop for LockFile {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        match fs::remove_file(&self.path).await {
            // An earlier run was interrupted, and the removal went on without it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            result => result,
        }
    }
}

impl fmt::Debug for LockFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "LockFile({:?})",
            self.path.file_name().unwrap_or_default()
        )
    }
}

// ANCHOR: import
async fn import(amounts: &Path) -> anyhow::Result<i32> {
    let mut lock = LockFile::take(amounts.with_extension("lock"))?;
    let text = fs::read_to_string(amounts).await?;
    let mut sum = 0;
    for line in text.lines() {
        sum += line.parse::<i32>()?;
    }
    lock.async_drop().await?;
    Ok(sum)
}
// ANCHOR_END: import

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let amounts = folder.path().join("amounts.txt");
    // ANCHOR: import
    fs::write(&amounts, "12\nthirty\n").await?;
    match import(&amounts).await {
        Ok(sum) => println!("imported {sum} euros"),
        Err(error) => println!("not imported: {error}"),
    }
    // ANCHOR_END: import
    Ok(())
}
