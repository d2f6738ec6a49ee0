use asyncdrop::{AsyncDrop, AsyncDropGuard, async_drop_on_err, async_trait};
use std::io;
use std::path::{Path, PathBuf};
use tokio::fs;

/// A job's folder with copies of its inputs, removed when the job is done.
#[derive(Debug)]
struct Workspace {
    folder: PathBuf,
}

// ANCHOR: set_up
impl Workspace {
    async fn set_up(folder: PathBuf, inputs: &[PathBuf]) -> io::Result<AsyncDropGuard<Self>> {
        // Without `.await`, so that nothing can come between the folder and its guard.
        std::fs::create_dir(&folder)?;
        let workspace = AsyncDropGuard::new(Self { folder });

        let (workspace, ()) = async_drop_on_err(workspace, async |workspace| {
            for input in inputs {
                workspace.copy_in(input).await?;
            }
            io::Result::Ok(())
        })
        .await?;
        Ok(workspace)
    }
    // ANCHOR_END: set_up

    async fn copy_in(&mut self, input: &Path) -> io::Result<()> {
        let name = input.file_name().unwrap_or_default();
        fs::copy(input, self.folder.join(name)).await?;
        Ok(())
    }
    // ANCHOR: set_up
}
// ANCHOR_END: set_up

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
    let schema = disk.path().join("schema.sql");
    let rows = disk.path().join("rows.csv");
    let folder = disk.path().join("job-17");
    fs::write(&schema, "CREATE TABLE stock (article, pieces)").await?;

    // ANCHOR: set_up

    // In `main`:
    let inputs = [schema, rows.clone()];
    match Workspace::set_up(folder.clone(), &inputs).await {
        Ok(mut workspace) => workspace.async_drop().await?,
        Err(error) => println!("no workspace: {}", error.kind()),
    }
    println!("is there a folder? {}", folder.exists());

    fs::write(&rows, "4711,3").await?;
    let mut workspace = Workspace::set_up(folder.clone(), &inputs).await?;
    println!("is there a folder? {}", folder.exists());
    workspace.async_drop().await?;
    println!("is there a folder? {}", folder.exists());
    // ANCHOR_END: set_up
    Ok(())
}
