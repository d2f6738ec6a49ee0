use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait, with_async_drop_2};
use std::io;
use std::path::{Path, PathBuf};
use tokio::fs;

#[derive(Debug)]
struct LockFile {
    path: PathBuf,
}

impl LockFile {
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

// ANCHOR: import
async fn import(amounts: &Path) -> anyhow::Result<i32> {
    let lock = LockFile::take(amounts.with_extension("lock"))?;
    with_async_drop_2!(lock, {
        let text = fs::read_to_string(amounts).await?;
        let mut sum = 0;
        for line in text.lines() {
            sum += line.parse::<i32>()?;
        }
        Ok(sum)
    })
}
// ANCHOR_END: import

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let amounts = folder.path().join("amounts.txt");
    // ANCHOR: import
    fs::write(&amounts, "12\nthirty\n").await?;
    println!("not imported: {}", import(&amounts).await.unwrap_err());

    // There is no lock in the way of the next try.
    fs::write(&amounts, "12\n30\n").await?;
    println!("imported {} euros", import(&amounts).await?);
    // ANCHOR_END: import
    Ok(())
}
