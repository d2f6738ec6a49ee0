use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait, with_async_drop_2};
use std::io;
use std::path::{Path, PathBuf};
use tokio::fs::{self, File};

#[derive(Debug)]
struct LockFile {
    path: PathBuf,
}

impl LockFile {
    async fn take(path: PathBuf) -> io::Result<AsyncDropGuard<Self>> {
        File::create_new(&path).await?;
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

/// The work is a function of its own, and its `?` cannot get past the cleanup.
async fn add_up(amounts: &Path) -> anyhow::Result<i32> {
    let text = fs::read_to_string(amounts).await?;
    let mut sum = 0;
    for line in text.lines() {
        sum += line.parse::<i32>()?;
    }
    Ok(sum)
}

/// Right.
async fn import_by_hand(amounts: &Path) -> anyhow::Result<i32> {
    let mut lock = LockFile::take(amounts.with_extension("lock")).await?;
    let sum = add_up(amounts).await;
    let released = lock.async_drop().await;
    let sum = sum?;
    released?;
    Ok(sum)
}

/// Better.
async fn import(amounts: &Path) -> anyhow::Result<i32> {
    let lock = LockFile::take(amounts.with_extension("lock")).await?;
    with_async_drop_2!(lock, { add_up(amounts).await })
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let amounts = folder.path().join("amounts.txt");

    fs::write(&amounts, "12\nthirty\n").await?;
    println!("by hand: {}", import_by_hand(&amounts).await.unwrap_err());
    println!("in a scope: {}", import(&amounts).await.unwrap_err());

    fs::write(&amounts, "12\n30\n").await?;
    println!("by hand: {} euros", import_by_hand(&amounts).await?);
    println!("in a scope: {} euros", import(&amounts).await?);
    Ok(())
}
