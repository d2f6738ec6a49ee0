use anyhow::Context;
use asyncdrop::{AsyncDrop, AsyncDropGuard, DropErrors, async_drop_all, async_trait};
use std::io;
use std::path::{Path, PathBuf};
use tokio::fs;

/// A file that gets its name when it is complete.
#[derive(Debug)]
struct Export {
    draft: PathBuf,
    place: PathBuf,
}

impl Export {
    fn new(folder: &Path, name: &str) -> AsyncDropGuard<Self> {
        let draft = folder.join(format!("{name}.draft"));
        let place = folder.join(name);
        AsyncDropGuard::new(Self { draft, place })
    }
}

#[async_trait]
impl AsyncDrop for Export {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        fs::rename(&self.draft, &self.place).await
    }
}

async fn export(folder: &Path) -> anyhow::Result<()> {
    let orders = Export::new(folder, "orders");
    let prices = Export::new(folder, "prices");
    let stock = Export::new(folder, "stock");

    // Only this one is written. The others have no draft that could be renamed.
    let written = fs::write(&prices.draft, "tea: 3 euros\n").await;

    let exports = [("orders", orders), ("prices", prices), ("stock", stock)];
    let ended = async_drop_all(exports).await;
    written?;
    ended.context("the export is not complete")
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let error = export(folder.path()).await.unwrap_err();
    println!("{error:#}\n");

    if let Some(errors) = error.downcast_ref::<DropErrors<&str, io::Error>>() {
        for (name, error) in errors.iter() {
            println!("to be written again: {name} ({:?})", error.kind());
        }
    }
    Ok(())
}
