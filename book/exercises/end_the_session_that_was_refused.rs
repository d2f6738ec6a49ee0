// fails with: Forgot to call async_drop on Session
// ANCHOR: problem
use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
use std::io::{self, ErrorKind};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream};

#[derive(Debug)]
pub struct Session {
    server: BufReader<DuplexStream>,
    /// What is left to send of the goodbye.
    goodbye: &'static [u8],
}

impl Session {
    pub async fn log_in(stream: DuplexStream, user: &str) -> io::Result<AsyncDropGuard<Self>> {
        let server = BufReader::new(stream);
        let mut session = AsyncDropGuard::new(Self { server, goodbye: b"QUIT\n" });

        let hello = format!("USER {user}\n");
        session.server.write_all(hello.as_bytes()).await?;
        let mut answer = String::new();
        session.server.read_line(&mut answer).await?;
        if answer != "WELCOME\n" {
            return Err(io::Error::new(ErrorKind::PermissionDenied, answer));
        }
        Ok(session)
    }
}

#[async_trait]
impl AsyncDrop for Session {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        self.server.write_all_buf(&mut self.goodbye).await
    }
}
// ANCHOR_END: problem

// ANCHOR: solution
use asyncdrop::{AsyncDrop, AsyncDropGuard, async_drop_on_err, async_trait};
use std::io::{self, ErrorKind};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream};

#[derive(Debug)]
pub struct Session {
    server: BufReader<DuplexStream>,
    /// What is left to send of the goodbye.
    goodbye: &'static [u8],
}

impl Session {
    pub async fn log_in(stream: DuplexStream, user: &str) -> io::Result<AsyncDropGuard<Self>> {
        let server = BufReader::new(stream);
        let session = AsyncDropGuard::new(Self { server, goodbye: b"QUIT\n" });

        let (session, ()) = async_drop_on_err(session, async |session| {
            let hello = format!("USER {user}\n");
            session.server.write_all(hello.as_bytes()).await?;
            let mut answer = String::new();
            session.server.read_line(&mut answer).await?;
            if answer != "WELCOME\n" {
                return Err(io::Error::new(ErrorKind::PermissionDenied, answer));
            }
            Ok(())
        })
        .await?;
        Ok(session)
    }
}

#[async_trait]
impl AsyncDrop for Session {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        self.server.write_all_buf(&mut self.goodbye).await
    }
}
// ANCHOR_END: solution

// ANCHOR: tests
#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt;

    async fn heard_when_the_server_says(answer: &str) -> (io::Result<()>, String) {
        let (ours, mut server) = tokio::io::duplex(64);
        server.write_all(answer.as_bytes()).await.unwrap();
        let ended = match Session::log_in(ours, "ada").await {
            Ok(mut session) => {
                assert!(!session.is_dropped());
                session.async_drop().await
            }
            Err(error) => Err(error),
        };
        let mut heard = String::new();
        server.read_to_string(&mut heard).await.unwrap();
        (ended, heard)
    }

    #[tokio::test]
    async fn a_session_that_was_refused_says_quit() {
        let (ended, heard) = heard_when_the_server_says("NO\n").await;
        assert_eq!(ended.unwrap_err().kind(), ErrorKind::PermissionDenied);
        assert_eq!(heard, "USER ada\nQUIT\n");
    }

    #[tokio::test]
    async fn a_session_that_was_accepted_is_left_open() {
        let (ended, heard) = heard_when_the_server_says("WELCOME\n").await;
        ended.unwrap();
        assert_eq!(heard, "USER ada\nQUIT\n");
    }
}
// ANCHOR_END: tests
