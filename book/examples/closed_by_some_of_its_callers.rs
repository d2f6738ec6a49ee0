use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait, with_async_drop_2};
use std::path::Path;
use std::{fs, io};
use tokio::fs::File;
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

// ANCHOR: both
#[derive(Debug)]
pub struct Index {
    queue: Option<mpsc::UnboundedSender<String>>,
    writer: JoinHandle<io::Result<()>>,
}

#[async_trait]
impl AsyncDrop for Index {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        // The writer stops when the last sender is gone.
        self.queue = None;
        (&mut self.writer).await?
    }
}

impl Index {
    pub async fn create_guarded(path: &Path) -> io::Result<AsyncDropGuard<Self>> {
        #[allow(deprecated)]
        Ok(AsyncDropGuard::new(Self::create(path).await?))
    }

    #[deprecated = "use `create_guarded`, and clean up the guard"]
    pub async fn create(path: &Path) -> io::Result<Self> {
        // As before.
        // ANCHOR_END: both
        let mut file = File::create(path).await?;
        let (queue, mut titles) = mpsc::unbounded_channel::<String>();
        let writer = tokio::spawn(async move {
            while let Some(title) = titles.recv().await {
                file.write_all(title.as_bytes()).await?;
            }
            // Without it the error of the last write would be lost.
            file.flush().await?;
            file.sync_all().await
        });
        Ok(Self {
            queue: Some(queue),
            writer,
        })
        // ANCHOR: both
    }
    // ANCHOR_END: both

    pub fn add(&self, title: &str) -> io::Result<()> {
        if title.is_empty() {
            return Err(io::Error::other("a page has no title"));
        }
        let queue = self.queue.as_ref().ok_or(io::ErrorKind::BrokenPipe)?;
        let line = format!("{title}\n");
        queue.send(line).map_err(io::Error::other)
    }

    // ANCHOR: both

    /// For the callers that still call it.
    pub async fn close(self) -> io::Result<()> {
        AsyncDropGuard::new(self).async_drop().await
    }
}
// ANCHOR_END: both

/// Not changed yet.
#[allow(deprecated)]
async fn index_one_page(path: &Path) -> io::Result<()> {
    let index = Index::create(path).await?;
    index.add("Tea")?;
    index.close().await
}

// ANCHOR: both

// A caller that is changed:
async fn index_pages(path: &Path, titles: &[&str]) -> io::Result<()> {
    let index = Index::create_guarded(path).await?;
    with_async_drop_2!(index, {
        for title in titles {
            index.add(title)?;
        }
        Ok(())
    })
}
// ANCHOR_END: both

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("index.txt");

    index_one_page(&path).await?;
    println!("on the disk: {:?}", fs::read_to_string(&path)?);

    let error = index_pages(&path, &["Tea", "Coffee", ""])
        .await
        .unwrap_err();
    println!("{error}");
    println!("on the disk: {:?}", fs::read_to_string(&path)?);
    Ok(())
}
