use asyncdrop::{AsyncDrop, AsyncDropGuard, async_drop_on_err, async_trait};
use std::io;
use std::path::{Path, PathBuf};
use tokio::fs;

/// A folder of copies to work on, removed in the end.
#[derive(Debug)]
struct Workspace {
    folder: PathBuf,
}

impl Workspace {
    async fn set_up(folder: PathBuf, files: &[PathBuf]) -> io::Result<AsyncDropGuard<Self>> {
        // There is no guard yet, so `?` is enough.
        fs::create_dir(&folder).await?;

        let workspace = AsyncDropGuard::new(Self { folder });
        let (workspace, ()) = async_drop_on_err(workspace, async |workspace| {
            for file in files {
                workspace.copy_in(file).await?;
            }
            io::Result::Ok(())
        })
        .await?;
        Ok(workspace)
    }

    async fn copy_in(&mut self, file: &Path) -> io::Result<()> {
        let name = file.file_name().unwrap_or_default();
        fs::copy(file, self.folder.join(name)).await?;
        Ok(())
    }
}

#[async_trait]
impl AsyncDrop for Workspace {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        match fs::remove_dir_all(&self.folder).await {
            // An earlier run was interrupted, and the removal went on without it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            result => result,
        }
    }
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let disk = tempfile::tempdir()?;
    let plan = disk.path().join("plan.txt");
    let photo = disk.path().join("photo.jpg");
    let folder = disk.path().join("workspace");
    fs::write(&plan, "two rooms, one kitchen").await?;

    let files = [plan, photo.clone()];
    if let Err(error) = Workspace::set_up(folder.clone(), &files).await {
        println!("no workspace: {}", error.kind());
    }
    println!("is there a folder? {}", folder.exists());

    fs::write(&photo, "the south wall").await?;
    let mut workspace = Workspace::set_up(folder.clone(), &files).await?;
    println!("is there a folder? {}", folder.exists());
    workspace.async_drop().await?;
    println!("is there a folder? {}", folder.exists());
    Ok(())
}
