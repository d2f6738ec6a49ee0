use asyncdrop::{AsyncDrop, AsyncDropGuard, AsyncDropReaper, async_trait};
use std::{error::Error, io, path::Path, time::Duration};
use tokio::fs::{self, File};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{JoinError, JoinHandle, JoinSet};
use tokio::time::timeout;

/// Who was served, in a file that one task writes.
#[derive(Debug)]
struct Journal {
    lines: Option<mpsc::Sender<String>>,
    writer: JoinHandle<io::Result<()>>,
}

impl Journal {
    async fn create(path: &Path) -> io::Result<AsyncDropGuard<Self>> {
        let mut file = File::create(path).await?;
        let (lines, mut queue) = mpsc::channel::<String>(16);
        let writer = tokio::spawn(async move {
            while let Some(line) = queue.recv().await {
                file.write_all(line.as_bytes()).await?;
            }
            file.sync_all().await
        });
        let lines = Some(lines);
        Ok(AsyncDropGuard::new(Self { lines, writer }))
    }
}

#[async_trait]
impl AsyncDrop for Journal {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        // The queue ends with its last sender. Each session has one.
        self.lines = None;
        (&mut self.writer).await?
    }
}

#[derive(Debug)]
struct Session {
    client: TcpStream,
    name: char,
    journal: mpsc::Sender<String>,
}

impl Session {
    async fn greet(&mut self) -> io::Result<()> {
        self.client.write_all(b"your name? ").await?;
        self.name = char::from(self.client.read_u8().await?);
        self.client.write_all(b"hello, ").await
    }

    async fn talk_until(&mut self, mut stopping: watch::Receiver<bool>) -> io::Result<()> {
        tokio::select! {
            byte = self.client.read_u8() => byte.map(drop),
            _ = stopping.changed() => Ok(()),
        }
    }
}

#[async_trait]
impl AsyncDrop for Session {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        self.client.write_all(b"goodbye").await?;
        self.client.shutdown().await?;
        let line = format!("{}\n", self.name);
        self.journal.send(line).await.map_err(io::Error::other)
    }
}

fn log(ended: Result<io::Result<()>, JoinError>) {
    if let Ok(Err(error)) = ended {
        eprintln!("a session failed: {error}");
    }
}

/// Owns the listener, so that nobody can connect when it has returned.
async fn accept(
    listener: TcpListener,
    mut stop: oneshot::Receiver<()>,
    mut start: impl FnMut(TcpStream),
) -> io::Result<()> {
    loop {
        tokio::select! {
            accepted = listener.accept() => start(accepted?.0),
            _ = &mut stop => return Ok(()),
        }
    }
}

async fn serve(
    listener: TcpListener,
    stop: oneshot::Receiver<()>,
    path: &Path,
) -> Result<(), Box<dyn Error>> {
    let mut journal = Journal::create(path).await?;
    let reaper = AsyncDropReaper::new();
    let (stopping, _) = watch::channel(false);
    let mut tasks = JoinSet::new();

    let accepted = accept(listener, stop, |client| {
        while let Some(ended) = tasks.try_join_next() {
            log(ended);
        }
        let (name, journal) = ('?', journal.lines.clone().expect("it is open"));
        let session = Session {
            client,
            name,
            journal,
        };
        let stopping = stopping.subscribe();
        let session = AsyncDropGuard::new(session);
        tasks.spawn(reaper.scope(session, async move |session| {
            session.greet().await?;
            session.talk_until(stopping).await
        }));
    })
    .await;

    println!("1. stop accepting");
    println!("2. tell {} tasks", tasks.len());
    stopping.send_replace(true);
    let all = async {
        while let Some(ended) = tasks.join_next().await {
            log(ended);
        }
    };
    let _ = timeout(Duration::from_secs(5), all).await;
    println!("3. wait for them, and abort {}", tasks.len());
    tasks.shutdown().await;
    println!("4. reap");
    let reaped = AsyncDropReaper::shutdown(reaper, Duration::from_secs(5)).await;
    println!("5. close what they used");
    let closed = journal.async_drop_within(Duration::from_secs(2)).await;
    accepted?;
    reaped?;
    Ok(closed?)
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("journal");
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let (stop, stopped) = oneshot::channel();
    let clients = async {
        let mut ada = TcpStream::connect(address).await?;
        ada.write_all(b"a").await?;
        ada.read_exact(&mut [0; "your name? hello, ".len()]).await?;
        // This one never says who it is.
        let mut silent = TcpStream::connect(address).await?;
        silent.read_exact(&mut [0; "your name? ".len()]).await?;
        let _ = stop.send(());
        let mut heard = [String::new(), String::new()];
        ada.read_to_string(&mut heard[0]).await?;
        silent.read_to_string(&mut heard[1]).await?;
        io::Result::Ok(heard)
    };
    let (served, heard) = tokio::join!(serve(listener, stopped, &path), clients);
    served?;
    println!("ada and the silent one heard {:?}", heard?);
    let journal = fs::read_to_string(&path).await?;
    println!("journal: {:?}", journal.lines().collect::<Vec<_>>());
    Ok(())
}
