use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
use std::io;
use tokio::io::{AsyncWriteExt, DuplexStream};

#[derive(Debug)]
struct Session(DuplexStream);

#[async_trait]
impl AsyncDrop for Session {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        self.0.write_all(b"goodbye\n").await
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        println!("the session is dropped");
    }
}

#[tokio::main]
#[allow(unused_must_use)]
async fn main() {
    let (ours, theirs) = tokio::io::duplex(64);
    let mut session = AsyncDropGuard::new(Session(ours));
    // The other end hangs up first.
    drop(theirs);

    // A future that nobody polls. Without the `allow` above, the compiler warns.
    session.async_drop();
    println!("cleaned up: {}", session.is_dropped());

    let error = session.async_drop().await.unwrap_err();
    println!("the goodbye failed: {error}");
    println!("cleaned up: {}", session.is_dropped());

    session.async_drop().await.unwrap();
    println!("the second call had nothing to do");
}
