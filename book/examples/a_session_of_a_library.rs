use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use vault::Session;

pub mod vault {
    use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
    use std::{fmt, io};
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

    /// A login at the vault. Its token is valid until the session is ended.
    ///
    /// # Cancel safety
    ///
    /// An interrupted `async_drop` can be called again. The vault ignores a second log-out.
    pub struct Session {
        user: String,
        token: String,
        stream: DuplexStream,
    }

    impl Session {
        /// Takes a session up, with the token that the vault has issued.
        #[track_caller]
        pub fn resume(stream: DuplexStream, user: &str, token: &str) -> AsyncDropGuard<Self> {
            AsyncDropGuard::new(Self {
                user: user.to_owned(),
                token: token.to_owned(),
                stream,
            })
        }

        /// The pin of this door.
        ///
        /// # Cancel safety
        ///
        /// None: after a dropped future the next question gets the answer to this one. End the session.
        pub async fn pin(&mut self, door: &str) -> io::Result<u16> {
            self.stream
                .write_all(format!("pin {door}\n").as_bytes())
                .await?;
            self.stream.read_u16().await
        }
    }

    #[async_trait]
    impl AsyncDrop for Session {
        type Error = io::Error;

        async fn async_drop_impl(&mut self) -> io::Result<()> {
            let line = format!("log out {}\n", self.token);
            self.stream.write_all(line.as_bytes()).await
        }
    }

    /// Without the token.
    impl fmt::Debug for Session {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.debug_struct("Session")
                .field("user", &self.user)
                .finish_non_exhaustive()
        }
    }
}

/// Borrows the session, so it owes no cleanup.
async fn open_the_door(session: &mut Session) -> io::Result<()> {
    println!("pin: {}", session.pin("cellar").await?);
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let (ours, mut vault) = duplex(64);
    vault.write_u16(4711).await?;

    let mut session = Session::resume(ours, "ada", "s3cr3t");
    println!("{session:?}");
    let opened = open_the_door(&mut session).await;
    let ended = session.async_drop().await;
    drop(session);
    opened.and(ended)?;

    let mut heard = String::new();
    vault.read_to_string(&mut heard).await?;
    print!("the vault heard:\n{heard}");
    Ok(())
}
