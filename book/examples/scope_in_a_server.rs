use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait, with_async_drop_2};
use std::fmt;
use tokio::task::{self, JoinError, JoinHandle};

/// Resizes a photo in the background.
struct Resize {
    photo: &'static str,
    task: JoinHandle<()>,
}

impl Resize {
    fn start(photo: &'static str) -> AsyncDropGuard<Self> {
        let task = tokio::spawn(task::yield_now());
        AsyncDropGuard::new(Self { photo, task })
    }
}

#[async_trait]
impl AsyncDrop for Resize {
    type Error = JoinError;

    async fn async_drop_impl(&mut self) -> Result<(), JoinError> {
        (&mut self.task).await
    }
}

impl fmt::Debug for Resize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Resize({})", self.photo)
    }
}

async fn handle_request() -> Result<(), JoinError> {
    let resize = Resize::start("cat.jpg");
    with_async_drop_2!(resize, {
        println!("200 OK, resizing {}", resize.photo);
        Ok(())
    })
}

#[tokio::main(worker_threads = 4)]
async fn main() -> Result<(), JoinError> {
    tokio::spawn(handle_request()).await??;
    println!("the photo is resized");
    Ok(())
}
