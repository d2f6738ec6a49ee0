use std::io;

pub mod scratch {
    use std::{io, path::PathBuf};

    use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
    use tokio::fs;

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

    #[async_trait]
    impl AsyncDrop for Scratch {
        type Error = io::Error;

        async fn async_drop_impl(&mut self) -> io::Result<()> {
            fs::remove_dir_all(&self.folder).await
        }
    }
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let outer = tempfile::tempdir()?;

    let cats = outer.path().join("cats");
    let mut scratch = scratch::Scratch::create(cats.clone()).await?;
    scratch.async_drop().await?;
    println!("cats left behind: {}", cats.exists());

    let dogs = outer.path().join("dogs");
    tokio::fs::create_dir(&dogs).await?;
    let folder = dogs.clone();
    let scratch = scratch::Scratch { folder };
    drop(scratch);
    println!("dogs left behind: {}", dogs.exists());
    Ok(())
}
