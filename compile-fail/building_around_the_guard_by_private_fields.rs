// A folder for intermediate results should be made, and be removed at the end.
mod scratch {
    use std::{io, path::PathBuf};

    use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
    use tokio::fs;

    /// A folder for intermediate results. The cleanup removes it.
    #[derive(Debug)]
    pub struct Scratch {
        folder: PathBuf,
    }

    impl Scratch {
        pub async fn create(folder: PathBuf) -> io::Result<AsyncDropGuard<Self>> {
            fs::create_dir(&folder).await?;
            Ok(AsyncDropGuard::new(Self { folder }))
        }
    }

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

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let outer = tempfile::tempdir()?;
    let folder = outer.path().join("dogs");
    tokio::fs::create_dir(&folder).await?;
    let _scratch = scratch::Scratch { folder };
    Ok(())
}
