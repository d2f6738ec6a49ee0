use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
use std::fmt;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use tokio::fs;

/// A job file under another name, so that no other worker takes it.
struct Claim {
    job: PathBuf,
    busy: PathBuf,
}

impl Claim {
    async fn take(job: PathBuf) -> io::Result<AsyncDropGuard<Self>> {
        let busy = job.with_extension("busy");
        fs::rename(&job, &busy).await?;
        Ok(AsyncDropGuard::new(Self { job, busy }))
    }
}

#[async_trait]
impl AsyncDrop for Claim {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        match fs::rename(&self.busy, &self.job).await {
            // A first run that was interrupted has done it.
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            renamed => renamed,
        }
    }
}

impl fmt::Debug for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Claim({:?})", self.job.file_name())
    }
}

// ANCHOR: shown
async fn run_all(folder: &Path, names: &[&str]) -> io::Result<()> {
    for name in names {
        let mut claim = Claim::take(folder.join(name)).await?;
        let text = fs::read_to_string(&claim.busy).await?;
        if text.is_empty() {
            continue;
        }
        println!("{name}: {text}");
        claim.async_drop().await?;
    }
    Ok(())
}
// ANCHOR_END: shown

#[tokio::main]
async fn main() -> io::Result<()> {
    let folder = tempfile::tempdir()?;
    let names = ["a.txt", "b.txt", "c.txt"];
    for (name, text) in names.into_iter().zip(["resize", "", "upload"]) {
        fs::write(folder.path().join(name), text).await?;
    }
    run_all(folder.path(), &names).await
}
