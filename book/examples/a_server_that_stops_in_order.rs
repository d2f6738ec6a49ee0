use asyncdrop::{AsyncDrop, AsyncDropGuard, AsyncDropReaper, async_trait};
use std::{error::Error, future::Future, io, path::Path, pin::pin, time::Duration};
use tokio::fs::{self, File};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{JoinError, JoinHandle, JoinSet};
use tokio::time::{sleep, timeout};

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
        // The queue ends with its last sender, and each session has one.
        self.lines = None;
        (&mut self.writer).await?
    }
}

// ANCHOR: session
#[derive(Debug)]
struct Session {
    client: TcpStream,
    name: char,
    /// `None` as soon as our line is in the queue.
    journal: Option<mpsc::Sender<String>>,
    /// What the client has not been told yet.
    goodbye: &'static [u8],
}
// ANCHOR_END: session

impl Session {
    fn new(client: TcpStream, journal: Option<mpsc::Sender<String>>) -> AsyncDropGuard<Self> {
        AsyncDropGuard::new(Self {
            client,
            name: '?',
            journal,
            goodbye: b"goodbye",
        })
    }

    // ANCHOR: session

    // In `impl Session`:
    async fn note(&mut self) -> io::Result<()> {
        if let Some(journal) = &self.journal {
            let line = format!("{}\n", self.name);
            journal.send(line).await.map_err(io::Error::other)?;
            self.journal = None;
        }
        Ok(())
    }
    // ANCHOR_END: session

    async fn say_goodbye(&mut self) -> io::Result<()> {
        self.client.write_all_buf(&mut self.goodbye).await?;
        self.client.shutdown().await
    }
}

#[async_trait]
impl AsyncDrop for Session {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        let noted = self.note().await;
        let said = self.say_goodbye().await;
        match (noted, said) {
            (Err(noted), Err(said)) => Err(io::Error::other(format!("{noted}; {said}"))),
            (noted, said) => noted.and(said),
        }
    }
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

fn log(ended: Result<io::Result<()>, JoinError>) {
    match ended {
        Ok(Ok(())) => {}
        Ok(Err(error)) => println!("a session failed: {error}"),
        Err(error) => println!("a session did not end: {error}"),
    }
}

/// Owns the listener, so no one can connect after it has returned.
async fn accept(
    listener: TcpListener,
    stop: impl Future<Output = ()>,
    mut start: impl FnMut(TcpStream),
) {
    // ANCHOR: accept
    let mut stop = pin!(stop);
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((client, _)) => start(client),
                Err(error) => {
                    println!("cannot accept: {error}");
                    sleep(Duration::from_millis(100)).await;
                }
            },
            () = &mut stop => return,
        }
    }
    // ANCHOR_END: accept
}

type Failures = Vec<Box<dyn Error>>;

async fn serve(
    listener: TcpListener,
    stop: impl Future<Output = ()>,
    mut journal: AsyncDropGuard<Journal>,
) -> Failures {
    // ANCHOR: accepting
    let reaper = AsyncDropReaper::new();
    let (stopping, _) = watch::channel(false);
    let mut tasks = JoinSet::new();
    accept(listener, stop, |client| {
        while let Some(ended) = tasks.try_join_next() {
            log(ended);
        }
        let session = Session::new(client, journal.lines.clone());
        let stopping = stopping.subscribe();
        tasks.spawn(reaper.scope(session, async move |session| {
            session.greet().await?;
            session.talk_until(stopping).await
        }));
    })
    .await;
    println!("1. stop accepting");
    // ANCHOR_END: accepting

    // ANCHOR: telling
    println!("2. tell {} tasks", tasks.len());
    stopping.send_replace(true);
    let all = async {
        while let Some(ended) = tasks.join_next().await {
            log(ended);
        }
    };
    let in_time = timeout(Duration::from_secs(5), all).await.is_ok();
    println!("3. wait for them: {in_time}, so abort {}", tasks.len());
    tasks.shutdown().await;
    // ANCHOR_END: telling

    // ANCHOR: closing
    println!("4. reap");
    let reaped = AsyncDropReaper::shutdown(reaper, Duration::from_secs(5)).await;
    println!("5. close what they used");
    let closed = journal.async_drop_within(Duration::from_secs(2)).await;

    let mut failures = Failures::new();
    failures.extend(reaped.err().map(Box::from));
    failures.extend(closed.err().map(Box::from));
    failures
    // ANCHOR_END: closing
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> io::Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("journal");
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let (stop, stopped) = oneshot::channel::<()>();
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
    let stop = async {
        // A sender that is gone tells us to stop, too.
        let _ = stopped.await;
    };
    let journal = Journal::create(&path).await?;
    let (failures, heard) = tokio::join!(serve(listener, stop, journal), clients);
    println!("failures: {failures:?}");
    println!("the clients heard {:?}", heard?);
    let journal = fs::read_to_string(&path).await?;
    println!("journal: {:?}", journal.lines().collect::<Vec<_>>());
    Ok(())
}
