use asyncdrop::{AsyncDropReaper, AsyncDropWith, BoxedAsyncDropWith, Reaped, ReaperHandle};
use deadpool::managed::{self, Metrics, Object, Pool, RecycleError, RecycleResult};
use std::sync::atomic::{AtomicU32, Ordering};
use std::{io, time::Duration};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, duplex};
use tokio::time::{sleep, timeout};

struct Connection {
    stream: BufReader<DuplexStream>,
    /// A command was begun, and its answer isn't there yet.
    busy: bool,
}

// ANCHOR: shown
impl Connection {
    async fn ask(&mut self, command: &str) -> io::Result<String> {
        self.busy = true;
        self.stream.write_all(command.as_bytes()).await?;
        let mut answer = String::new();
        if self.stream.read_line(&mut answer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.busy = false;
        Ok(answer)
    }

    async fn close(mut self) -> io::Result<()> {
        if !self.busy {
            self.stream.write_all(b"QUIT\n").await?;
        }
        self.stream.shutdown().await
    }
}

type Pooled = Reaped<BoxedAsyncDropWith<Connection, io::Error>>;

struct Manager(ReaperHandle);

impl managed::Manager for Manager {
    type Type = Pooled;
    type Error = io::Error;

    async fn create(&self) -> io::Result<Pooled> {
        let connection = AsyncDropWith::boxed(connect().await, Connection::close);
        Ok(self.0.adopt(connection))
    }

    async fn recycle(&self, pooled: &mut Pooled, _: &Metrics) -> RecycleResult<io::Error> {
        // If we reused it, the next request would read this one's answer.
        match pooled.busy {
            true => Err(RecycleError::message("its last command has no answer yet")),
            false => Ok(()),
        }
    }
}
// ANCHOR_END: shown

/// Connects to a server that prints what it hears, and has no answer to `WAIT`.
async fn connect() -> Connection {
    static NUMBER: AtomicU32 = AtomicU32::new(1);

    sleep(Duration::from_millis(10)).await;
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let (ours, theirs) = duplex(64);
    tokio::spawn(async move {
        let mut lines = BufReader::new(theirs).lines();
        while let Some(line) = lines.next_line().await? {
            println!("server, connection {number}: {line}");
            if line == "PING" {
                lines.get_mut().write_all(b"PONG\n").await?;
            }
        }
        println!("server, connection {number}: closed");
        io::Result::Ok(())
    });
    Connection {
        stream: BufReader::new(ours),
        busy: false,
    }
}

async fn request(pool: &Pool<Manager>, command: &str) -> anyhow::Result<()> {
    let mut connection: Object<Manager> = pool.get().await?;
    let answer = timeout(Duration::from_secs(1), connection.ask(command)).await??;
    print!("client: {answer}");
    Ok(())
}

async fn run(reaper: &ReaperHandle) -> anyhow::Result<()> {
    let pool = Pool::builder(Manager(reaper.clone())).max_size(1).build()?;
    for command in ["PING\n", "PING\n", "WAIT\n", "PING\n"] {
        if let Err(error) = request(&pool, command).await {
            println!("client: {error}");
        }
    }
    // It drops the idle connections now, and those in use when they come back.
    pool.close();
    Ok(())
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> anyhow::Result<()> {
    let reaper = AsyncDropReaper::new();
    let ran = run(&reaper).await;
    let closed = AsyncDropReaper::shutdown(reaper, Duration::from_secs(5)).await;
    if let (Err(_), Err(error)) = (&ran, &closed) {
        eprintln!("{error}");
    }
    ran?;
    closed?;
    Ok(())
}
