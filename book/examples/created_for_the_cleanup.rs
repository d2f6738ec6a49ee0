use asyncdrop::{AsyncDrop, AsyncDropGuard, AsyncDropShared, async_trait};
use std::io;
use std::path::PathBuf;
use tokio::fs;

#[derive(Debug)]
struct Scratch(PathBuf);

#[async_trait]
impl AsyncDrop for Scratch {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        match fs::remove_dir_all(&self.0).await {
            // An interrupted removal goes on in the background, and may be done by now.
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => println!("the folder is removed"),
        }
        Ok(())
    }
}

/// Lies in a folder of its own.
#[derive(Debug)]
struct Index {
    scratch: AsyncDropGuard<Scratch>,
}

#[async_trait]
impl AsyncDrop for Index {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        self.scratch.async_drop().await
    }
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let outer = tempfile::tempdir()?;
    let path = outer.path().join("index");
    fs::create_dir(&path).await?;
    let scratch = AsyncDropGuard::new(Scratch(path.clone()));

    // ANCHOR: shown
    // In main. The future owns `scratch`, the guard of a folder.
    let mut index = AsyncDropShared::new(async move {
        println!("building the index");
        AsyncDropGuard::new(Index { scratch })
    });

    println!("no one needs it");
    index.async_drop().await?;
    println!("the folder is there: {}", path.exists());
    // ANCHOR_END: shown
    Ok(())
}
