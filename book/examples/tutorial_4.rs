use anyhow::Context;
use asyncdrop::{AsyncDrop, AsyncDropGuard, AsyncDropWith, async_trait, with_async_drop_2};
use std::{io, time::Duration};
use store::Store;
use tokio::fs::{self, File};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, BufWriter};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

type Log = BufWriter<File>;

/// What has to happen before the log may go.
async fn close(mut log: Log) -> io::Result<()> {
    log.flush().await?;
    log.get_ref().sync_all().await
}

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

    async fn append(&mut self, part: &[u8]) -> io::Result<()> {
        self.store.append(self.id, part).await
    }

    async fn complete(&mut self) -> io::Result<()> {
        self.store.complete(self.id, &self.name).await?;
        self.is_completed = true;
        Ok(())
    }
}

#[async_trait]
impl AsyncDrop for Upload {
    type Error = io::Error;

    // ANCHOR: retry
    async fn async_drop_impl(&mut self) -> io::Result<()> {
        if self.is_completed {
            return Ok(());
        }
        let mut attempts = 1;
        loop {
            match self.store.abort(self.id).await {
                Err(_) if attempts < 3 => attempts += 1,
                result => return result,
            }
            sleep(Duration::from_millis(100)).await;
        }
    }
    // ANCHOR_END: retry
}

type Client = BufReader<TcpStream>;

/// `report.csv 1024`: a name, and how many bytes follow.
async fn read_header(client: &mut Client) -> io::Result<(String, usize)> {
    let mut line = String::new();
    client.take(256).read_line(&mut line).await?;
    let parsed = line.trim_end().split_once(' ');
    parsed
        .and_then(|(name, length)| Some((name.to_owned(), length.parse().ok()?)))
        .ok_or_else(|| io::Error::other("the first line is not a name and a length"))
}

/// Sends what a client uploads on to the store, in parts.
async fn receive(client: &mut Client, store: &Store) -> anyhow::Result<String> {
    let (name, mut left) = read_header(client).await?;
    let upload = Upload::new(store, &name);
    // ANCHOR: name
    let stored: anyhow::Result<()> = with_async_drop_2!(upload, {
        // The steps with their contexts.
        // ANCHOR_END: name
        // ANCHOR: steps
        while left > 0 {
            let mut part = vec![0; left.min(64 * 1024)];
            let read = client.read_exact(&mut part).await;
            read.context("reading from the client")?;
            upload.append(&part).await.context("sending a part")?;
            left -= part.len();
        }
        upload.complete().await.context("completing the upload")
        // ANCHOR_END: steps
        // ANCHOR: name
    });
    stored.with_context(|| name.clone())?;
    // ANCHOR_END: name
    client.write_all(b"stored\n").await?;
    Ok(name)
}

/// Serves two clients, one after the other. The log has a line for each.
async fn serve(listener: TcpListener, store: &Store, log: &mut Log) -> anyhow::Result<()> {
    for _ in 0..2 {
        let (client, _) = listener.accept().await?;
        let line = match receive(&mut BufReader::new(client), store).await {
            Ok(name) => format!("{name}: stored\n"),
            // ANCHOR: failed
            Err(error) => format!("failed: {error:#}\n"),
            // ANCHOR_END: failed
        };
        log.write_all(line.as_bytes()).await?;
    }
    Ok(())
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("uploads.log");
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let server = listener.local_addr()?;
    let store = Store::default();
    let clients = tokio::spawn({
        let store = store.clone();
        async move {
            let photo = TcpStream::connect(server).await?;
            let film = TcpStream::connect(server).await?;
            // This one goes away in the middle.
            send(photo, "photo.jpg 100000\n", 70_000).await?;
            // The store takes the first part of this one, and then it goes down.
            store.go_down_after(1);
            send(film, "film.mp4 100000\n", 100_000).await
        }
    });

    // ANCHOR: main
    let file = File::create(&path).await?;
    let log = AsyncDropWith::new(BufWriter::new(file), close);
    with_async_drop_2!(log, { serve(listener, &store, &mut log).await }, |error| {
        anyhow::Error::new(error).context("closing the log")
    })?;
    // ANCHOR_END: main

    clients.await??;
    print!("{}", fs::read_to_string(&path).await?);
    println!("unfinished uploads: {}", store.unfinished());
    Ok(())
}

/// What a client does.
async fn send(mut stream: TcpStream, header: &str, bytes: usize) -> io::Result<String> {
    stream.write_all(header.as_bytes()).await?;
    stream.write_all(&vec![b'x'; bytes]).await?;
    stream.shutdown().await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

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
