use anyhow::Context;
use asyncdrop::{AsyncDropGuard, AsyncDropWith, BoxedAsyncDropWith, DropErrors, async_drop_all};
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

type Client = BoxedAsyncDropWith<DuplexStream, io::Error>;

async fn say_goodbye(mut stream: DuplexStream) -> io::Result<()> {
    stream.write_all(b"goodbye\n").await?;
    stream.shutdown().await
}

// ANCHOR: shut_down
async fn shut_down(clients: Vec<(&'static str, AsyncDropGuard<Client>)>) -> anyhow::Result<()> {
    let closed = async_drop_all(clients).await;
    closed.context("not every service heard a goodbye")
}
// ANCHOR_END: shut_down

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let (to_broker, mut broker) = duplex(64);
    let (to_mail, _) = duplex(64);
    let (to_search, _) = duplex(64);
    let client = |name, stream| (name, AsyncDropWith::boxed(stream, say_goodbye));
    let clients = vec![
        client("broker", to_broker),
        client("mail", to_mail),
        client("search", to_search),
    ];
    // ANCHOR: shut_down
    // In `main`, where the mail and the search are gone:
    let error = shut_down(clients).await.unwrap_err();
    println!("{error:#}\n");

    if let Some(errors) = error.downcast_ref::<DropErrors<&str, io::Error>>() {
        for (name, error) in errors.iter() {
            println!("to be looked at: {name} ({:?})", error.kind());
        }
    }
    // ANCHOR_END: shut_down
    let mut heard = String::new();
    broker.read_to_string(&mut heard).await?;
    print!("the broker heard {heard}");
    Ok(())
}
