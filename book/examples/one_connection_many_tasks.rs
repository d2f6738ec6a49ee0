use asyncdrop::{AsyncDrop, AsyncDropArc, AsyncDropGuard, AsyncDropTokioMutex, async_trait};
use std::io;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream};

/// One question at a time: the answers come without a number.
#[derive(Debug)]
struct Connection(BufReader<DuplexStream>);

impl Connection {
    async fn ask(&mut self, question: &str) -> io::Result<String> {
        let line = format!("{question}\n");
        self.0.write_all(line.as_bytes()).await?;
        let mut answer = String::new();
        self.0.read_line(&mut answer).await?;
        Ok(answer.trim_end().to_owned())
    }
}

#[async_trait]
impl AsyncDrop for Connection {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        println!("{}", self.ask("quit").await?);
        Ok(())
    }
}

async fn serve(stream: DuplexStream) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    while stream.read_line(&mut line).await? > 0 {
        let answer = format!("the answer to {line}");
        stream.write_all(answer.as_bytes()).await?;
        line.clear();
    }
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let (ours, theirs) = tokio::io::duplex(64);
    let server = tokio::spawn(serve(theirs));
    let connection = AsyncDropGuard::new(Connection(BufReader::new(ours)));
    let mut connection = AsyncDropTokioMutex::new(connection);
    // Nobody else has it yet, so no lock is needed.
    println!("{}", connection.get_mut().ask("log in").await?);

    let mut shared = AsyncDropArc::new(connection);
    let tasks = ["one", "two", "three"].map(|question| {
        let mut shared = AsyncDropArc::clone(&shared);
        tokio::spawn(async move {
            // Locked until the answer is there.
            let answer = shared.lock().await.ask(question).await;
            shared.async_drop().await?;
            answer
        })
    });
    for task in tasks {
        println!("{}", task.await??);
    }

    let held = shared.lock().await;
    println!("locked: {}", shared.try_lock().is_err());
    drop(held);
    println!("free: {}", shared.try_lock().is_ok());

    shared.async_drop().await?;
    server.await?
}
