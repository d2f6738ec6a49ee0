use std::path::Path;
use std::{fs, io};
use tokio::fs::File;
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Writes titles to a file, in a task of its own.
#[derive(Debug)]
pub struct Index {
    queue: mpsc::UnboundedSender<String>,
    writer: JoinHandle<io::Result<()>>,
}

impl Index {
    pub async fn create(path: &Path) -> io::Result<Self> {
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
        Ok(Self { queue, writer })
    }

    pub fn add(&self, title: &str) -> io::Result<()> {
        if title.is_empty() {
            return Err(io::Error::other("a page has no title"));
        }
        let line = format!("{title}\n");
        self.queue.send(line).map_err(io::Error::other)
    }

    // ANCHOR: close
    /// Without this call the titles may not be on the disk.
    pub async fn close(self) -> io::Result<()> {
        drop(self.queue);
        self.writer.await?
    }
    // ANCHOR_END: close
}
// ANCHOR: close

async fn index_pages(path: &Path, titles: &[&str]) -> io::Result<()> {
    let index = Index::create(path).await?;
    for title in titles {
        index.add(title)?;
    }
    index.close().await
}
// ANCHOR_END: close

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("index.txt");

    // ANCHOR: close

    // In `main`:
    let error = index_pages(&path, &["Tea", "Coffee", ""])
        .await
        .unwrap_err();
    println!("{error}");
    println!("on the disk: {:?}", fs::read_to_string(&path)?);
    // ANCHOR_END: close
    Ok(())
}
