use asyncdrop::{AsyncDropHashMap, AsyncDropWith, BoxedAsyncDropWith, with_async_drop_2};
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

async fn log_out(mut stream: DuplexStream) -> io::Result<()> {
    stream.write_all(b"logged out").await?;
    stream.shutdown().await
}

// ANCHOR: shown
type Sessions = AsyncDropHashMap<&'static str, BoxedAsyncDropWith<DuplexStream, io::Error>>;

/// A user has one session: the newest.
async fn log_in(
    sessions: &mut Sessions,
    user: &'static str,
    stream: DuplexStream,
) -> io::Result<()> {
    let session = AsyncDropWith::boxed(stream, log_out);
    match sessions.insert(user, session) {
        Some(mut older) => older.async_drop().await,
        None => Ok(()),
    }
}
// ANCHOR_END: shown

async fn leave(sessions: &mut Sessions, user: &str) -> io::Result<()> {
    match sessions.remove(user) {
        Some(mut session) => session.async_drop().await,
        None => Ok(()),
    }
}

async fn heard(who: &str, mut client: DuplexStream) {
    let mut heard = String::new();
    let read = client.read_to_string(&mut heard).await;
    println!("{who}: {:?}", read.map(|_| heard));
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let (laptop, at_laptop) = duplex(64);
    let (phone, at_phone) = duplex(64);
    let (web, at_web) = duplex(64);
    let (desk, at_desk) = duplex(64);
    // ANCHOR: shown

    // In main:
    let sessions = Sessions::new();
    let served: anyhow::Result<()> = with_async_drop_2!(sessions, {
        log_in(&mut sessions, "mia", laptop).await?;
        log_in(&mut sessions, "mia", phone).await?;
        heard("the laptop of mia", at_laptop).await;
        log_in(&mut sessions, "ole", web).await?;
        leave(&mut sessions, "ole").await?;
        heard("ole", at_web).await;
        log_in(&mut sessions, "eve", desk).await?;
        // Eve's machine has crashed, and our server stops.
        drop(at_desk);
        Ok(())
    });
    heard("the phone of mia", at_phone).await;
    if let Err(errors) = served {
        println!("{errors}");
    }
    // ANCHOR_END: shown
}
