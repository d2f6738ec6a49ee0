use asyncdrop::{AsyncDrop, AsyncDropArc, AsyncDropGuard, AsyncDropTokioMutex, async_trait};
use std::{io, time::Duration};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream};
use tokio::time::{sleep, timeout};

// ANCHOR: shown
/// The server answers in order, so an answer belongs to the oldest question that has none.
#[derive(Debug)]
struct Connection {
    stream: BufReader<DuplexStream>,
    /// A question was sent, and its answer was not read to the end.
    in_flight: bool,
    goodbye: &'static [u8],
}

impl Connection {
    async fn ask(&mut self, question: &str) -> io::Result<String> {
        if self.in_flight {
            return Err(io::Error::other("an old answer is still on its way"));
        }
        self.in_flight = true;
        let line = format!("{question}\n");
        self.stream.write_all(line.as_bytes()).await?;
        let mut answer = String::new();
        self.stream.read_line(&mut answer).await?;
        self.in_flight = false;
        Ok(answer.trim_end().to_owned())
    }
}

#[async_trait]
impl AsyncDrop for Connection {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        if !self.in_flight {
            self.stream.write_all_buf(&mut self.goodbye).await?;
        }
        self.stream.shutdown().await
    }
}

type Shared = AsyncDropGuard<AsyncDropArc<AsyncDropTokioMutex<Connection>>>;

async fn handle(question: &str, mut shared: Shared) -> io::Result<()> {
    // The lock is held until the answer is there, or until the time is up.
    let limit = Duration::from_secs(1);
    let answer = timeout(limit, async { shared.lock().await.ask(question).await }).await;
    match answer {
        Ok(Ok(answer)) => println!("{question}: {answer}"),
        Ok(Err(error)) => println!("{question}: {error}"),
        Err(_) => println!("{question}: no answer within {limit:?}"),
    }
    shared.async_drop().await
}
// ANCHOR_END: shown

async fn serve(stream: DuplexStream) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    while stream.read_line(&mut line).await? > 0 {
        if line.starts_with("slow") {
            sleep(Duration::from_millis(1500)).await;
        }
        let answer = format!("the answer to {line}");
        stream.write_all(answer.as_bytes()).await?;
        line.clear();
    }
    Ok(())
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let (ours, theirs) = tokio::io::duplex(64);
    let server = tokio::spawn(serve(theirs));
    let connection = AsyncDropGuard::new(Connection {
        stream: BufReader::new(ours),
        in_flight: false,
        goodbye: b"quit\n",
    });
    let mut shared: Shared = AsyncDropArc::new(AsyncDropTokioMutex::new(connection));

    let handlers = ["one", "two", "slow", "four"]
        .map(|question| tokio::spawn(handle(question, AsyncDropArc::clone(&shared))));
    println!("main: {:?}", shared.async_drop().await);
    for handler in handlers {
        match handler.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => println!("the connection: {error}"),
            Err(panicked) => println!("a handler: {panicked}"),
        }
    }
    server.abort();
}
