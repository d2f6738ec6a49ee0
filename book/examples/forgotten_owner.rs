use asyncdrop::{AsyncDrop, AsyncDropArc, AsyncDropGuard, async_trait};
use std::fmt::{self, Debug};
use std::io;
use std::panic::resume_unwind;
use tokio::io::{AsyncWriteExt, DuplexStream};

struct Session {
    user: &'static str,
    stream: DuplexStream,
}

impl Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the session of {}", self.user)
    }
}

#[async_trait]
impl AsyncDrop for Session {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        println!("logging {} out", self.user);
        self.stream.write_all(b"goodbye").await
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let (stream, _server) = tokio::io::duplex(64);
    let session = Session {
        user: "ada",
        stream,
    };
    let mut ours = AsyncDropArc::new(AsyncDropGuard::new(session));

    let theirs = AsyncDropArc::clone(&ours);
    let task = tokio::spawn(async move {
        println!("working for {}", theirs.user);
        // `theirs` is dropped here, and nobody called `async_drop`.
    });
    let outcome = task.await;

    // Ours is the last owner now.
    ours.async_drop().await?;
    if let Err(error) = outcome {
        resume_unwind(error.into_panic());
    }
    Ok(())
}
