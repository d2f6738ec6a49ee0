use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
use std::path::{Path, PathBuf};
use std::{fmt, io};
use tokio::fs;

/// A letter under another name, so that nobody else reads it meanwhile.
struct Claim {
    letter: PathBuf,
    busy: PathBuf,
}

impl Claim {
    async fn take(letter: PathBuf) -> io::Result<AsyncDropGuard<Self>> {
        let busy = letter.with_extension("busy");
        fs::rename(&letter, &busy).await?;
        Ok(AsyncDropGuard::new(Self { letter, busy }))
    }
}

#[async_trait]
impl AsyncDrop for Claim {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        fs::rename(&self.busy, &self.letter).await
    }
}

impl fmt::Debug for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Claim({:?})", self.letter.file_name())
    }
}

async fn read_all(folder: &Path, names: &[&str]) -> io::Result<()> {
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

#[tokio::main]
async fn main() -> io::Result<()> {
    let folder = tempfile::tempdir()?;
    let names = ["ada.txt", "bob.txt", "eve.txt"];
    for (name, text) in names.into_iter().zip(["hello", "", "bye"]) {
        fs::write(folder.path().join(name), text).await?;
    }
    read_all(folder.path(), &names).await
}
