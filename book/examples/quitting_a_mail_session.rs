use smtp::Session;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, duplex};
use tokio::time::{sleep, timeout};

// ANCHOR: session
pub mod smtp {
    // ANCHOR_END: session
    use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
    use std::io;
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream};

    // ANCHOR: session
    /// A session with a mail server, which wants to hear `QUIT` and confirms it.
    #[derive(Debug)]
    pub struct Session {
        stream: BufReader<DuplexStream>,
        /// What is left to send of the goodbye.
        goodbye: &'static [u8],
        /// What has come of the answer to it.
        answer: Vec<u8>,
    }

    impl Session {
        // ANCHOR_END: session
        /// Reads the greeting of the server, which speaks first.
        // ANCHOR: session
        pub async fn open(stream: DuplexStream) -> io::Result<AsyncDropGuard<Self>> {
            let mut stream = BufReader::new(stream);
            // Before the server has greeted us, there is nothing to say goodbye to.
            expect(b"220", &mut stream).await?;
            Ok(AsyncDropGuard::new(Self {
                stream,
                goodbye: b"QUIT\r\n",
                answer: Vec::new(),
            }))
        }
        // ANCHOR_END: session

        pub async fn greet(&mut self) -> io::Result<()> {
            self.stream.write_all(b"HELO shop.example\r\n").await?;
            expect(b"250", &mut self.stream).await
        }
        // ANCHOR: session
    }
    // ANCHOR_END: session

    // ANCHOR: cleanup
    #[async_trait]
    impl AsyncDrop for Session {
        type Error = io::Error;

        async fn async_drop_impl(&mut self) -> io::Result<()> {
            self.stream.write_all_buf(&mut self.goodbye).await?;
            self.stream.read_until(b'\n', &mut self.answer).await?;
            confirmed(b"221", &self.answer)
        }
    }
    // ANCHOR_END: cleanup

    async fn expect(code: &[u8], stream: &mut BufReader<DuplexStream>) -> io::Result<()> {
        let mut answer = Vec::new();
        stream.read_until(b'\n', &mut answer).await?;
        confirmed(code, &answer)
    }

    fn confirmed(code: &[u8], answer: &[u8]) -> io::Result<()> {
        if answer.starts_with(code) {
            return Ok(());
        }
        let answer = String::from_utf8_lossy(answer);
        Err(io::Error::other(format!("the server said {answer:?}")))
    }
    // ANCHOR: session
}
// ANCHOR_END: session

/// A server that takes three seconds to say goodbye.
async fn slow_server(stream: DuplexStream) -> io::Result<Vec<String>> {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 mail.example\r\n").await?;
    let mut heard = Vec::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(heard);
        }
        let answer: &[u8] = if line == "QUIT\r\n" {
            sleep(Duration::from_secs(3)).await;
            b"221 bye\r\n"
        } else {
            b"250 at your service\r\n"
        };
        heard.push(line);
        stream.write_all(answer).await?;
    }
}

// The clock is paused: it jumps to the next timer as soon as every task waits for one.
#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> io::Result<()> {
    let (ours, theirs) = duplex(64);
    let server = tokio::spawn(slow_server(theirs));
    // ANCHOR: quit
    let mut session = Session::open(ours).await?;
    let greeted = session.greet().await;

    let limit = Duration::from_secs(2);
    let quit = match timeout(limit, session.async_drop()).await {
        Ok(quit) => quit,
        Err(_) => {
            println!("no answer to QUIT within {limit:?}");
            session.async_drop().await
        }
    };
    println!("greeted: {greeted:?}, quit: {quit:?}");
    println!("the server heard {:?}", server.await??);
    // ANCHOR_END: quit
    Ok(())
}
