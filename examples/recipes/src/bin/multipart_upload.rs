//! A multipart upload that is aborted unless it was completed.
//!
//! ```text
//! cargo run -p asyncdrop-example-recipes --bin multipart_upload
//! ```

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use asyncdrop::{AsyncDropReaper, AsyncDropWith, Reaped, ReaperHandle, async_trait};
use object_store::memory::InMemory;
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path;
use object_store::{Error, MultipartId, PutPayload, PutResult, Result};
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf, repeat};
use tokio::time::timeout;

// ANCHOR: upload
/// S3 takes no smaller part, except for the last one.
const PART: u64 = 5 * 1024 * 1024;

struct Upload {
    store: Arc<dyn MultipartStore>,
    path: Path,
    id: MultipartId,
}

impl Upload {
    async fn send(&self, mut body: impl AsyncRead + Unpin) -> anyhow::Result<()> {
        let mut parts = Vec::new();
        loop {
            let mut part = Vec::new();
            (&mut body).take(PART).read_to_end(&mut part).await?;
            if part.is_empty() {
                break;
            }
            let sent = self
                .store
                .put_part(&self.path, &self.id, parts.len(), part.into());
            parts.push(sent.await?);
        }
        self.store
            .complete_multipart(&self.path, &self.id, parts)
            .await?;
        Ok(())
    }

    async fn abort(self) -> Result<()> {
        match self.store.abort_multipart(&self.path, &self.id).await {
            // The store has completed it, but we never got the answer.
            Err(Error::NotFound { .. }) => Ok(()),
            result => result,
        }
    }
}
// ANCHOR_END: upload

// ANCHOR: back_up
async fn back_up(
    reaper: &ReaperHandle,
    store: Arc<dyn MultipartStore>,
    path: Path,
    body: impl AsyncRead + Unpin,
) -> anyhow::Result<()> {
    let id = store.create_multipart(&path).await?;
    let name = format!("upload {id} of {path}");
    let upload = Upload { store, path, id };
    let upload = reaper.adopt_as(name, AsyncDropWith::new(upload, Upload::abort));
    upload.send(body).await?;
    // It is complete, so there is nothing to abort.
    AsyncDropWith::into_inner(Reaped::into_guard(upload));
    Ok(())
}
// ANCHOR_END: back_up

/// A store in memory, which says what it does, and can't abort the upload of Wednesday.
#[derive(Debug, Default)]
struct Bucket(InMemory);

#[async_trait]
impl MultipartStore for Bucket {
    async fn create_multipart(&self, path: &Path) -> Result<MultipartId> {
        let id = self.0.create_multipart(path).await?;
        println!("{path}: upload {id} begins");
        Ok(id)
    }

    async fn put_part(
        &self,
        path: &Path,
        id: &MultipartId,
        index: usize,
        data: PutPayload,
    ) -> Result<PartId> {
        println!("{path}: part {index} has {} bytes", data.content_length());
        self.0.put_part(path, id, index, data).await
    }

    async fn complete_multipart(
        &self,
        path: &Path,
        id: &MultipartId,
        parts: Vec<PartId>,
    ) -> Result<PutResult> {
        let result = self.0.complete_multipart(path, id, parts).await?;
        println!("{path}: completed");
        Ok(result)
    }

    async fn abort_multipart(&self, path: &Path, id: &MultipartId) -> Result<()> {
        if path.as_ref().ends_with("wednesday") {
            let source = "the network is down".into();
            let store = "Bucket";
            return Err(Error::Generic { store, source });
        }
        self.0.abort_multipart(path, id).await?;
        println!("{path}: aborted");
        Ok(())
    }
}

/// The rest of a body whose sender has hung up, or is silent.
enum Rest {
    Broken,
    Silent,
}

impl AsyncRead for Rest {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match *self {
            Self::Broken => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
            Self::Silent => Poll::Pending,
        }
    }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let reaper = AsyncDropReaper::new();
    let store: Arc<dyn MultipartStore> = Arc::new(Bucket::default());
    let bodies: [(&str, Box<dyn AsyncRead + Unpin>); 3] = [
        ("monday", Box::new(repeat(1).take(2 * PART + 1))),
        (
            "tuesday",
            Box::new(repeat(2).take(PART).chain(Rest::Broken)),
        ),
        (
            "wednesday",
            Box::new(repeat(3).take(PART).chain(Rest::Silent)),
        ),
    ];
    for (day, body) in bodies {
        let path = Path::from(format!("backups/{day}"));
        let upload = back_up(&reaper, store.clone(), path, body);
        match timeout(Duration::from_secs(60), upload).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => println!("failed: {error}"),
            Err(_) => println!("given up"),
        }
    }
    if let Err(error) = AsyncDropReaper::shutdown(reaper, Duration::from_secs(5)).await {
        println!("{error}");
    }
}
