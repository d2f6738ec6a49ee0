use asyncdrop::with_async_drop_2;
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use vault::Session;

pub mod vault {
    use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
    use std::fmt;
    use std::io::{self, Cursor};
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

    // ANCHOR: session
    /// A login at the vault. Its token is valid until the cleanup logs out.
    ///
    /// # Cancel safety
    ///
    /// You can interrupt `async_drop` and call it again.
    pub struct Session {
        user: String,
        stream: DuplexStream,
        /// What is left to send to log out. It has the token in it.
        log_out: Cursor<Vec<u8>>,
    }

    impl Session {
        /// Continues a session, with the token that the vault has issued.
        #[track_caller]
        pub fn resume(stream: DuplexStream, user: &str, token: &str) -> AsyncDropGuard<Self> {
            let user = user.to_owned();
            let log_out = Cursor::new(format!("log out {token}\n").into_bytes());
            AsyncDropGuard::new(Self {
                user,
                stream,
                log_out,
            })
        }

        /// The version of the secret with this name.
        ///
        /// # Cancel safety
        ///
        /// None: if you drop the future, the next question gets the answer to this one. Clean up the session.
        pub async fn version(&mut self, name: &str) -> io::Result<u16> {
            let question = format!("version {name}\n");
            self.stream.write_all(question.as_bytes()).await?;
            self.stream.read_u16().await
        }
    }

    #[async_trait]
    impl AsyncDrop for Session {
        type Error = io::Error;

        async fn async_drop_impl(&mut self) -> io::Result<()> {
            self.stream.write_all_buf(&mut self.log_out).await
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
    // ANCHOR_END: session
}

// ANCHOR: session

// In a program that uses the library:
async fn migrate(session: &mut Session) -> io::Result<()> {
    println!("version: {}", session.version("database").await?);
    Ok(())
}
// ANCHOR_END: session

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let (ours, mut vault) = duplex(64);
    vault.write_u16(7).await?;

    let session = Session::resume(ours, "deploy", "t0k3n");
    println!("{session:?}");
    with_async_drop_2!(session, { migrate(&mut session).await })?;

    let mut heard = String::new();
    vault.read_to_string(&mut heard).await?;
    print!("the vault heard:\n{heard}");
    Ok(())
}
