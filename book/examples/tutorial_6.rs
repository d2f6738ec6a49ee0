use anyhow::Context;
use asyncdrop::{
    AsyncDrop, AsyncDropGuard, AsyncDropReaper, AsyncDropWith, ReaperHandle, async_trait,
    with_async_drop_2,
};
use std::net::SocketAddr;
use std::{future::Future, io, path::Path, pin::pin, time::Duration};
use store::Store;
use tokio::fs::{self, File};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, BufWriter};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep, timeout, timeout_at};

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
async fn receive(
    client: &mut Client,
    store: &Store,
    reaper: &ReaperHandle,
) -> anyhow::Result<String> {
    let (name, mut left) = read_header(client).await?;
    let upload = Upload::new(store, &name);
    let stored: anyhow::Result<()> = reaper
        .scope(upload, async |upload| {
            while left > 0 {
                let mut part = vec![0; left.min(64 * 1024)];
                let read = client.read_exact(&mut part).await;
                read.context("reading from the client")?;
                upload.append(&part).await.context("sending a part")?;
                left -= part.len();
            }
            upload.complete().await.context("completing the upload")
        })
        .await;
    stored.with_context(|| name.clone())?;
    client.write_all(b"stored\n").await?;
    Ok(name)
}

/// How long we wait for an upload.
const LIMIT: Duration = Duration::from_secs(30);

/// Serves one client, and returns its line for the log.
async fn handle(client: TcpStream, store: Store, reaper: ReaperHandle) -> String {
    let mut client = BufReader::new(client);
    match timeout(LIMIT, receive(&mut client, &store, &reaper)).await {
        Ok(Ok(name)) => format!("{name}: stored\n"),
        Ok(Err(error)) => format!("failed: {error:#}\n"),
        Err(_) => "failed: too slow\n".to_owned(),
    }
}

// ANCHOR: line
/// Writes a client's line.
async fn write(log: &mut Log, line: Result<String, JoinError>) -> io::Result<()> {
    let line = match line {
        Ok(line) => line,
        Err(error) if error.is_cancelled() => "failed: the server was stopped\n".to_owned(),
        Err(_) => "failed: its task panicked\n".to_owned(),
    };
    log.write_all(line.as_bytes()).await
}
// ANCHOR_END: line

// ANCHOR: finish
/// How long the clients have, when the server is stopped, to finish their uploads.
const GRACE: Duration = Duration::from_secs(1);

// ANCHOR_END: finish
// ANCHOR: stop_or_client
/// Serves all clients that come until `stop`.
async fn serve(
    listener: TcpListener,
    store: &Store,
    reaper: &AsyncDropReaper,
    log: &mut Log,
    stop: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let mut clients = JoinSet::new();
    let mut stop = pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => break,
            accepted = listener.accept() => {
                let (client, _) = accepted?;
                clients.spawn(handle(client, store.clone(), reaper.handle()));
            }
            // ANCHOR_END: stop_or_client
            // ANCHOR: line

            // In the `select!`:
            Some(line) = clients.join_next() => write(log, line).await?,
            // ANCHOR_END: line
            // ANCHOR: stop_or_client
        }
    }
    // ANCHOR_END: stop_or_client
    // ANCHOR: finish
    drop(listener);
    let deadline = Instant::now() + GRACE;
    while let Ok(Some(line)) = timeout_at(deadline, clients.join_next()).await {
        write(log, line).await?;
    }
    clients.abort_all();
    while let Some(line) = clients.join_next().await {
        write(log, line).await?;
    }
    Ok(())
}
// ANCHOR_END: finish

// ANCHOR: run
/// How long the cleanups of all uploads may take in the end.
const CLEANUP: Duration = Duration::from_secs(5);

/// Runs the server until `stop`, and leaves nothing behind.
async fn run(
    listener: TcpListener,
    store: &Store,
    path: &Path,
    stop: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let file = File::create(path).await?;
    let log = AsyncDropWith::new(BufWriter::new(file), close);
    with_async_drop_2!(
        log,
        {
            let reaper = AsyncDropReaper::new();
            let served = serve(listener, store, &reaper, &mut log, stop).await;
            let reaped = AsyncDropReaper::shutdown(reaper, CLEANUP).await;
            match (served, reaped) {
                // An error and its context: none of the two is lost.
                (Err(error), Err(left)) => Err(error.context(left)),
                (served, Ok(())) => served,
                (Ok(()), Err(left)) => Err(left.into()),
            }
        },
        |error| anyhow::Error::new(error).context("closing the log")
    )
}
// ANCHOR_END: run

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("uploads.log");
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let server = listener.local_addr()?;
    let (stop, stopped) = oneshot::channel::<()>();
    let clients = tokio::spawn(async move {
        // This one falls silent in the middle.
        let mut photo = TcpStream::connect(server).await?;
        photo.write_all(b"photo.jpg 100000\nthe beginning").await?;
        send(server, "report.csv 10000\n", 10_000).await?;
        let _ = stop.send(());
        photo.read_to_end(&mut Vec::new()).await
    });

    let store = Store::default();
    // ANCHOR: main
    let stop = async {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = stopped => {}
        }
    };
    run(listener, &store, &path, stop).await?;
    // ANCHOR_END: main

    clients.await??;
    print!("{}", fs::read_to_string(&path).await?);
    println!("stored: {:?}", store.objects());
    println!("unfinished uploads: {}", store.unfinished());
    Ok(())
}

// ANCHOR: tests
#[cfg(test)]
mod tests {
    use super::*;

    // ANCHOR: again
    #[tokio::test(start_paused = true)]
    async fn an_interrupted_abort_can_run_again() {
        let store = Store::default();
        let mut upload = Upload::new(&store, "photo.jpg");
        upload.append(b"the beginning").await.unwrap();
        for _ in 0..3 {
            let limit = Duration::from_millis(7);
            timeout(limit, upload.async_drop()).await.unwrap_err();
        }
        upload.async_drop().await.unwrap();
        assert_eq!(store.unfinished(), 0);
    }
    // ANCHOR_END: again

    // ANCHOR: cut
    #[tokio::test(start_paused = true)]
    async fn an_upload_that_is_cut_off_leaves_nothing() {
        let mut stored = 0;
        for limit in 1..50 {
            let store = Store::default();
            let mut reaper = AsyncDropReaper::new();
            let upload = Upload::new(&store, "photo.jpg");
            let upload = reaper.scope(upload, async |upload| {
                upload.append(b"the beginning").await?;
                upload.append(b"the end").await?;
                upload.complete().await
            });
            if let Ok(result) = timeout(Duration::from_millis(limit), upload).await {
                result.unwrap();
                assert_eq!(store.objects(), ["photo.jpg"]);
                stored += 1;
            }
            reaper.async_drop().await.unwrap();
            assert_eq!(store.unfinished(), 0, "cut off after {limit} ms");
        }
        // Some were cut off, and some were not.
        assert!((1..49).contains(&stored), "{stored} were stored");
    }
    // ANCHOR_END: cut

    // ANCHOR: stop
    #[tokio::test]
    async fn a_server_that_is_stopped_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("uploads.log");
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = listener.local_addr().unwrap();
        let store = Store::default();

        let mut photo = TcpStream::connect(server).await.unwrap();
        let stop = async {
            photo.write_all(b"photo.jpg 100000\n").await.unwrap();
            photo.write_all(&[b'x'; 70_000]).await.unwrap();
            // The store has the first part.
            while store.unfinished() == 0 {
                sleep(Duration::from_millis(1)).await;
            }
        };
        run(listener, &store, &path, stop).await.unwrap();

        let log = fs::read_to_string(&path).await.unwrap();
        assert_eq!(log, "failed: the server was stopped\n");
        assert_eq!(store.unfinished(), 0);
        TcpStream::connect(server).await.unwrap_err();
    }
    // ANCHOR_END: stop
}
// ANCHOR_END: tests

/// What a client does.
async fn send(server: SocketAddr, header: &str, bytes: usize) -> io::Result<String> {
    let mut stream = TcpStream::connect(server).await?;
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
