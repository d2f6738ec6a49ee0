// A trait object names no type parameter, so the circle of bounds is open.
use std::fmt::Debug;

use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
use tokio::task::{JoinError, JoinHandle};

#[derive(Debug, AsyncDrop)]
#[async_drop(error = "JoinError")]
struct Folder<T: Debug> {
    entries: Vec<AsyncDropGuard<Entry<T>>>,
}

#[derive(Debug, AsyncDrop)]
#[async_drop(error = "JoinError")]
struct Entry<T: Debug> {
    watcher: AsyncDropGuard<T>,
    folder: Option<AsyncDropGuard<Box<dyn AsyncDrop<Error = JoinError> + Send>>>,
}

#[derive(Debug)]
struct Watcher(JoinHandle<()>);

#[async_trait]
impl AsyncDrop for Watcher {
    type Error = JoinError;

    async fn async_drop_impl(&mut self) -> Result<(), JoinError> {
        (&mut self.0).await
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), JoinError> {
    let watcher = AsyncDropGuard::new(Watcher(tokio::spawn(async {})));
    let entry = AsyncDropGuard::new(Entry { watcher, folder: None });
    let mut root = AsyncDropGuard::new(Folder { entries: vec![entry] });
    root.async_drop().await
}
