use asyncdrop::{AsyncDrop, AsyncDropGuard, async_drop_on_err, async_trait};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use tokio::fs::{self, File};
use tokio::io::{AsyncWriteExt, BufWriter};

// ANCHOR: value
/// A page that is written beside its place, and removed unless it is published.
#[derive(Debug)]
struct Draft {
    out: BufWriter<File>,
    path: PathBuf,
}
// ANCHOR_END: value

impl Draft {
    fn create(path: PathBuf) -> io::Result<AsyncDropGuard<Self>> {
        let file = File::from_std(std::fs::File::create_new(&path)?);
        let out = BufWriter::new(file);
        Ok(AsyncDropGuard::new(Self { out, path }))
    }

    // ANCHOR: publish
    /// Moves the page to its place. Even after an error, no draft is left.
    async fn publish(this: AsyncDropGuard<Self>, place: &Path) -> io::Result<()> {
        let (this, ()) = async_drop_on_err(this, async |draft| {
            draft.out.flush().await?;
            draft.out.get_ref().sync_all().await?;
            fs::rename(&draft.path, place).await
        })
        .await?;

        // There is no draft on the disk any more, and no guard in the fields.
        drop(this.unsafe_into_inner_dont_drop());
        Ok(())
    }
    // ANCHOR_END: publish
}

// ANCHOR: value
#[async_trait]
impl AsyncDrop for Draft {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        match fs::remove_file(&self.path).await {
            // An earlier run was interrupted, and the removal went on without it.
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            result => result,
        }
    }
}
// ANCHOR_END: value

// ANCHOR: used
async fn write_page(draft: PathBuf, place: &Path) -> io::Result<()> {
    let draft = Draft::create(draft)?;
    let (draft, ()) = async_drop_on_err(draft, async |draft| {
        draft.out.write_all(b"<h1>Stock</h1>").await
    })
    .await?;
    Draft::publish(draft, place).await
}
// ANCHOR_END: used

#[tokio::main]
async fn main() -> io::Result<()> {
    let site = tempfile::tempdir()?;
    let path = site.path().join("stock.draft");

    for place in ["stock.html", "no such folder/stock.html"] {
        match write_page(path.clone(), &site.path().join(place)).await {
            Ok(()) => println!("published {place}"),
            Err(error) => println!("not published: {error}"),
        }
    }

    println!("the draft is left: {}", path.exists());
    println!(
        "{}",
        fs::read_to_string(site.path().join("stock.html")).await?
    );
    Ok(())
}
