// fails with: Forgot to call async_drop on Session
// ANCHOR: problem
use asyncdrop::{AsyncDrop, AsyncDropGuard, AsyncDropHashMap, async_trait};
use std::io;
use tokio::io::{AsyncWriteExt, DuplexStream};

#[derive(Debug)]
pub struct Session {
    client: DuplexStream,
    goodbye: &'static [u8],
}

impl Session {
    pub fn new(client: DuplexStream) -> AsyncDropGuard<Self> {
        let goodbye = b"logged out\n";
        AsyncDropGuard::new(Self { client, goodbye })
    }
}

#[async_trait]
impl AsyncDrop for Session {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        self.client.write_all_buf(&mut self.goodbye).await
    }
}

pub type Sessions = AsyncDropHashMap<String, Session>;

/// Each user has one session: the newest one.
pub async fn log_in(sessions: &mut Sessions, user: &str, stream: DuplexStream) -> io::Result<()> {
    let _ = sessions.insert(user.to_owned(), Session::new(stream));
    Ok(())
}
// ANCHOR_END: problem

// ANCHOR: solution
use asyncdrop::{AsyncDrop, AsyncDropGuard, AsyncDropHashMap, async_trait};
use std::io;
use tokio::io::{AsyncWriteExt, DuplexStream};

#[derive(Debug)]
pub struct Session {
    client: DuplexStream,
    goodbye: &'static [u8],
}

impl Session {
    pub fn new(client: DuplexStream) -> AsyncDropGuard<Self> {
        let goodbye = b"logged out\n";
        AsyncDropGuard::new(Self { client, goodbye })
    }
}

#[async_trait]
impl AsyncDrop for Session {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        self.client.write_all_buf(&mut self.goodbye).await
    }
}

pub type Sessions = AsyncDropHashMap<String, Session>;

/// Each user has one session: the newest one.
pub async fn log_in(sessions: &mut Sessions, user: &str, stream: DuplexStream) -> io::Result<()> {
    match sessions.insert(user.to_owned(), Session::new(stream)) {
        Some(mut older) => older.async_drop().await,
        None => Ok(()),
    }
}
// ANCHOR_END: solution

// ANCHOR: tests
#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt;

    #[tokio::test]
    async fn the_older_session_of_a_user_is_logged_out() {
        let mut sessions = Sessions::new();
        let (ours, mut laptop) = tokio::io::duplex(64);
        log_in(&mut sessions, "mia", ours).await.unwrap();
        let (ours, mut phone) = tokio::io::duplex(64);
        log_in(&mut sessions, "mia", ours).await.unwrap();

        let mut heard = String::new();
        laptop.read_to_string(&mut heard).await.unwrap();
        assert_eq!(heard, "logged out\n");

        phone
            .write_all(b"hello\n")
            .await
            .expect("the phone is still logged in");
        sessions.async_drop().await.unwrap();
    }
}
// ANCHOR_END: tests
