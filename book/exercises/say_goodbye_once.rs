// fails with: left: "all is well\nquit\nquit\n"
// ANCHOR: problem
use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
use std::io;
use tokio::io::{AsyncWriteExt, DuplexStream};

#[derive(Debug)]
pub struct Session {
    server: DuplexStream,
    /// What is left to send of the goodbye.
    goodbye: &'static [u8],
}

impl Session {
    pub fn new(server: DuplexStream) -> AsyncDropGuard<Self> {
        AsyncDropGuard::new(Self { server, goodbye: b"quit\n" })
    }

    pub async fn send(&mut self, line: &str) -> io::Result<()> {
        self.server.write_all(line.as_bytes()).await
    }

    pub async fn close(&mut self) -> io::Result<()> {
        self.server.write_all(b"quit\n").await
    }
}

#[async_trait]
impl AsyncDrop for Session {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        self.close().await
    }
}

pub async fn report(server: DuplexStream) -> io::Result<()> {
    let mut session = Session::new(server);
    session.send("all is well\n").await?;
    session.close().await?;
    session.async_drop().await
}
// ANCHOR_END: problem

// ANCHOR: solution
use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait, with_async_drop_2};
use std::io;
use tokio::io::{AsyncWriteExt, DuplexStream};

#[derive(Debug)]
pub struct Session {
    server: DuplexStream,
    /// What is left to send of the goodbye.
    goodbye: &'static [u8],
}

impl Session {
    pub fn new(server: DuplexStream) -> AsyncDropGuard<Self> {
        AsyncDropGuard::new(Self { server, goodbye: b"quit\n" })
    }

    pub async fn send(&mut self, line: &str) -> io::Result<()> {
        self.server.write_all(line.as_bytes()).await
    }
}

#[async_trait]
impl AsyncDrop for Session {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        self.server.write_all_buf(&mut self.goodbye).await
    }
}

pub async fn report(server: DuplexStream) -> io::Result<()> {
    let session = Session::new(server);
    with_async_drop_2!(session, { session.send("all is well\n").await })
}
// ANCHOR_END: solution

// ANCHOR: tests
#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt;

    #[tokio::test]
    async fn the_server_hears_one_goodbye() {
        let (ours, mut server) = tokio::io::duplex(64);
        report(ours).await.unwrap();

        let mut heard = String::new();
        server.read_to_string(&mut heard).await.unwrap();
        assert_eq!(heard, "all is well\nquit\n");
    }

    #[tokio::test]
    async fn a_report_that_cannot_be_sent_is_an_error() {
        let (ours, server) = tokio::io::duplex(64);
        drop(server);
        let error = report(ours).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }
}
// ANCHOR_END: tests
