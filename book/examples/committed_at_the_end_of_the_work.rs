use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait, with_async_drop_2};
use std::io;
use std::path::{Path, PathBuf};
use tokio::fs::{self, File};
use tokio::io::AsyncWriteExt;

#[derive(Debug)]
struct Export {
    out: File,
    draft: PathBuf,
    place: PathBuf,
}

// ANCHOR: export
impl Export {
    // ANCHOR_END: export
    fn create(folder: &Path) -> io::Result<AsyncDropGuard<Self>> {
        let draft = folder.join("prices.draft");
        let out = File::from_std(std::fs::File::create(&draft)?);
        let place = folder.join("prices.csv");
        Ok(AsyncDropGuard::new(Self { out, draft, place }))
    }

    // ANCHOR: export
    /// Gives the file its name. Call it when everything is written.
    async fn publish(&mut self) -> io::Result<()> {
        self.out.flush().await?;
        self.out.sync_all().await?;
        fs::rename(&self.draft, &self.place).await
    }
}

#[async_trait]
impl AsyncDrop for Export {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        match fs::remove_file(&self.draft).await {
            // It was published, or an interrupted run has removed it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            result => result,
        }
    }
}

async fn export(export: AsyncDropGuard<Export>, rows: &[Result<&str, &str>]) -> io::Result<()> {
    with_async_drop_2!(export, {
        for row in rows {
            let row = row.map_err(io::Error::other)?;
            export.out.write_all(row.as_bytes()).await?;
        }
        export.publish().await
    })
}
// ANCHOR_END: export

#[tokio::main]
async fn main() -> io::Result<()> {
    let folder = tempfile::tempdir()?;
    let prices = folder.path().join("prices.csv");

    let rows = [Ok("tea,3\n"), Err("the database is gone"), Ok("salt,1\n")];
    let exported = export(Export::create(folder.path())?, &rows).await;
    println!("{}", exported.unwrap_err());
    println!("there is a prices.csv: {}", prices.exists());

    export(Export::create(folder.path())?, &[Ok("tea,3\n")]).await?;
    println!("prices.csv: {:?}", fs::read_to_string(&prices).await?);
    let left = folder.path().join("prices.draft").exists();
    println!("there is a draft: {left}");
    Ok(())
}
