use asyncdrop::{AsyncDrop, AsyncDropGuard, async_drop_on_err, async_trait};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use tokio::fs::{self, File};
use tokio::io::{AsyncWriteExt, BufWriter};

/// A page that is written beside its place, and removed unless it is published.
#[derive(Debug)]
struct Draft {
    out: BufWriter<File>,
    path: PathBuf,
}

impl Draft {
    async fn create(path: PathBuf) -> io::Result<AsyncDropGuard<Self>> {
        let out = BufWriter::new(File::create_new(&path).await?);
        Ok(AsyncDropGuard::new(Self { out, path }))
    }

    /// Moves the page to its place. The draft is gone afterwards, also after an error.
    async fn publish(this: AsyncDropGuard<Self>, place: &Path) -> io::Result<()> {
        let (this, ()) = async_drop_on_err(this, async |draft| {
            draft.out.flush().await?;
            draft.out.get_ref().sync_all().await?;
            fs::rename(&draft.path, place).await
        })
        .await?;

        // There is no draft any more, and no guard in its fields.
        drop(this.unsafe_into_inner_dont_drop());
        Ok(())
    }
}

#[async_trait]
impl AsyncDrop for Draft {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        match fs::remove_file(&self.path).await {
            // An interrupted first run has removed it.
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            result => result,
        }
    }
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let site = tempfile::tempdir()?;
    let path = site.path().join("index.draft");

    for place in ["index.html", "no such folder/index.html"] {
        let mut draft = Draft::create(path.clone()).await?;
        draft.out.write_all(b"<h1>Apples</h1>").await?;
        match Draft::publish(draft, &site.path().join(place)).await {
            Ok(()) => println!("published {place}"),
            Err(error) => println!("not published: {error}"),
        }
    }

    println!("the draft is left: {}", path.exists());
    println!(
        "{}",
        fs::read_to_string(site.path().join("index.html")).await?
    );
    Ok(())
}
