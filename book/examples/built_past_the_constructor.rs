use std::io;

pub mod scratch {
    use std::{io, path::PathBuf};

    use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
    use tokio::fs;

    // ANCHOR: shown
    /// A folder for intermediate results. The cleanup removes it.
    #[derive(Debug)]
    pub struct Scratch {
        pub folder: PathBuf,
    }

    impl Scratch {
        pub async fn create(folder: PathBuf) -> io::Result<AsyncDropGuard<Self>> {
            fs::create_dir(&folder).await?;
            Ok(AsyncDropGuard::new(Self { folder }))
        }
    }

    // ANCHOR_END: shown
    #[async_trait]
    impl AsyncDrop for Scratch {
        type Error = io::Error;

        async fn async_drop_impl(&mut self) -> io::Result<()> {
            match fs::remove_dir_all(&self.folder).await {
                // A first run that was interrupted has done it.
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                removed => removed,
            }
        }
    }
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let outer = tempfile::tempdir()?;

    let first = outer.path().join("first");
    let mut scratch = scratch::Scratch::create(first.clone()).await?;
    scratch.async_drop().await?;
    println!("first left behind: {}", first.exists());

    // ANCHOR: shown
    let second = outer.path().join("second");
    tokio::fs::create_dir(&second).await?;
    let folder = second.clone();
    let scratch = scratch::Scratch { folder };
    drop(scratch);
    // ANCHOR_END: shown
    println!("second left behind: {}", second.exists());
    Ok(())
}
