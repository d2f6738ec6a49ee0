use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait, with_async_drop_2};
use std::io;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

#[derive(Debug)]
struct Session {
    stream: BufReader<TcpStream>,
}

impl Session {
    async fn ask(&mut self, question: &str) -> io::Result<u32> {
        self.stream.write_all(question.as_bytes()).await?;
        let mut answer = String::new();
        self.stream.read_line(&mut answer).await?;
        answer.trim().parse().map_err(io::Error::other)
    }
}

#[async_trait]
impl AsyncDrop for Session {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        println!("saying goodbye");
        self.stream.write_all(b"goodbye\n").await?;
        self.stream.shutdown().await
    }
}

async fn stock(session: AsyncDropGuard<Session>) -> io::Result<u32> {
    with_async_drop_2!(session, {
        let apples = session.ask("apples?\n").await?;
        let eggs = session.ask("eggs?\n").await?;
        Ok(apples + eggs)
    })
}

/// A server that answers each question in turn.
async fn answer(listener: TcpListener, answers: [&str; 2]) -> io::Result<()> {
    let (stream, _) = listener.accept().await?;
    let mut stream = BufReader::new(stream);
    for answer in answers {
        stream.read_line(&mut String::new()).await?;
        stream.write_all(answer.as_bytes()).await?;
    }
    Ok(())
}

#[tokio::main]
async fn main() -> io::Result<()> {
    for answers in [["3\n", "12\n"], ["3\n", "sold out\n"]] {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let stream = TcpStream::connect(listener.local_addr()?).await?;
        let server = tokio::spawn(answer(listener, answers));

        let stream = BufReader::new(stream);
        let session = AsyncDropGuard::new(Session { stream });
        match stock(session).await {
            Ok(pieces) => println!("{pieces} pieces in stock"),
            Err(error) => println!("no answer: {error}"),
        }
        server.await??;
    }
    Ok(())
}
