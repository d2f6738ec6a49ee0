use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait, with_async_drop_2};
use std::io;
use store::Store;

// ANCHOR: new
/// An upload that is completed or, in its cleanup, aborted.
#[derive(Debug)]
struct Upload {
    store: Store,
    id: u64,
    name: String,
    is_completed: bool,
}

impl Upload {
    #[track_caller]
    fn new(store: &Store, name: &str) -> AsyncDropGuard<Self> {
        AsyncDropGuard::new(Self {
            store: store.clone(),
            id: store.new_id(),
            name: name.to_owned(),
            is_completed: false,
        })
    }
    // ANCHOR_END: new

    // ANCHOR: steps
    async fn append(&mut self, part: &[u8]) -> io::Result<()> {
        self.store.append(self.id, part).await
    }

    async fn complete(&mut self) -> io::Result<()> {
        self.store.complete(self.id, &self.name).await?;
        self.is_completed = true;
        Ok(())
    }
    // ANCHOR_END: steps
}

// ANCHOR: cleanup
#[async_trait]
impl AsyncDrop for Upload {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        if self.is_completed {
            return Ok(());
        }
        self.store.abort(self.id).await
    }
}
// ANCHOR_END: cleanup

// ANCHOR: main
#[tokio::main]
async fn main() -> io::Result<()> {
    let store = Store::default();

    let report = Upload::new(&store, "report.csv");
    with_async_drop_2!(report, {
        report.append(b"date,amount\n").await?;
        report.append(b"2026-02-01,12\n").await?;
        report.complete().await
    })?;

    let photo = Upload::new(&store, "photo.jpg");
    let result: io::Result<()> = with_async_drop_2!(photo, {
        photo.append(&[0xff, 0xd8]).await?;
        Err(io::Error::other("the card was taken out"))
    });
    if let Err(error) = result {
        println!("photo.jpg: {error}");
    }

    println!("stored: {:?}", store.objects());
    println!("unfinished uploads: {}", store.unfinished());
    Ok(())
}
// ANCHOR_END: main

// ANCHOR: store
/// Stands in for the client of an object store. A request takes 10 ms.
mod store {
    #![allow(dead_code, unreachable_pub)]
    use std::collections::{BTreeMap, BTreeSet};
    use std::fmt::{self, Debug};
    use std::sync::{Arc, Mutex, PoisonError};
    use std::{io, time::Duration};
    use tokio::time::sleep;

    #[derive(Clone, Default)]
    pub struct Store(Arc<Mutex<Content>>);

    #[derive(Default)]
    struct Content {
        last_id: u64,
        unfinished: BTreeMap<u64, Vec<u8>>,
        objects: BTreeSet<String>,
        requests_left: Option<u32>,
    }

    impl Store {
        /// An id that no other upload has.
        pub fn new_id(&self) -> u64 {
            self.with(|content| {
                content.last_id += 1;
                content.last_id
            })
        }

        /// Adds a part to an upload. The first part begins it.
        pub async fn append(&self, id: u64, part: &[u8]) -> io::Result<()> {
            self.request(|content| content.unfinished.entry(id).or_default().extend(part))
                .await
        }

        /// Makes an object of the parts.
        pub async fn complete(&self, id: u64, name: &str) -> io::Result<()> {
            self.request(|content| {
                content.unfinished.remove(&id);
                content.objects.insert(name.to_owned());
            })
            .await
        }

        /// Deletes the parts. Does nothing if there are none, because the upload is completed or aborted.
        pub async fn abort(&self, id: u64) -> io::Result<()> {
            self.request(|content| drop(content.unfinished.remove(&id)))
                .await
        }

        /// Answers so many requests and no more.
        pub fn go_down_after(&self, requests: u32) {
            self.with(|content| content.requests_left = Some(requests));
        }

        pub fn objects(&self) -> Vec<String> {
            self.with(|content| content.objects.iter().cloned().collect())
        }

        pub fn unfinished(&self) -> usize {
            self.with(|content| content.unfinished.len())
        }

        async fn request(&self, action: impl FnOnce(&mut Content)) -> io::Result<()> {
            sleep(Duration::from_millis(5)).await;
            self.with(|content| {
                match &mut content.requests_left {
                    Some(0) => return Err(io::Error::other("the store does not answer")),
                    Some(left) => *left -= 1,
                    None => {}
                }
                action(content);
                Ok(())
            })?;
            // You can be interrupted when the store has done it, but its answer is not here yet.
            sleep(Duration::from_millis(5)).await;
            Ok(())
        }

        fn with<R>(&self, action: impl FnOnce(&mut Content) -> R) -> R {
            action(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
        }
    }

    impl Debug for Store {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("Store")
        }
    }
}
// ANCHOR_END: store
