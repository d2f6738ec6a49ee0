use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait, with_async_drop_2};
use std::io;
use std::path::{Path, PathBuf};
use tokio::fs::{self, File};
use tokio::io::AsyncWriteExt;

// ANCHOR: export
/// A file that gets its name when it is complete.
#[derive(Debug)]
struct Export {
    out: File,
    draft: PathBuf,
    place: PathBuf,
}

#[async_trait]
impl AsyncDrop for Export {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        self.out.flush().await?;
        fs::rename(&self.draft, &self.place).await
    }
}

async fn export(export: AsyncDropGuard<Export>, rows: &[Result<&str, &str>]) -> io::Result<()> {
    with_async_drop_2!(export, {
        for row in rows {
            let row = row.map_err(io::Error::other)?;
            export.out.write_all(row.as_bytes()).await?;
        }
        Ok(())
    })
}
// ANCHOR_END: export

impl Export {
    fn create(folder: &Path) -> io::Result<AsyncDropGuard<Self>> {
        let draft = folder.join("prices.draft");
        let out = File::from_std(std::fs::File::create(&draft)?);
        let place = folder.join("prices.csv");
        Ok(AsyncDropGuard::new(Self { out, draft, place }))
    }
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let folder = tempfile::tempdir()?;
    // ANCHOR: export

    // In `main`:
    let rows = [Ok("tea,3\n"), Err("the database is gone"), Ok("salt,1\n")];
    let exported = export(Export::create(folder.path())?, &rows).await;
    println!("{}", exported.unwrap_err());
    let prices = fs::read_to_string(folder.path().join("prices.csv")).await;
    println!("prices.csv: {prices:?}");
    // ANCHOR_END: export
    Ok(())
}
