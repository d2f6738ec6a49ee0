use asyncdrop::{AsyncDropReaper, AsyncDropWith, ReaperHandle};
use smol::future::or;
use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::net::{SocketAddr, TcpListener, TcpStream};
use smol::{Timer, spawn};
use std::{io, time::Duration};

// ANCHOR: shown
async fn leave(mut stream: TcpStream) -> io::Result<()> {
    stream.write_all(b"LEAVE\n").await?;
    stream.close().await
}

/// Joins a group of consumers, and waits for a message.
async fn consume(reaper: &ReaperHandle, broker: SocketAddr) -> io::Result<u8> {
    let stream = TcpStream::connect(broker).await?;
    let mut group = reaper.adopt_as("group", AsyncDropWith::new(stream, leave));
    group.write_all(b"JOIN\n").await?;
    let mut message = [0];
    group.read_exact(&mut message).await?;
    group.async_drop().await?;
    Ok(message[0])
}

async fn run(broker: SocketAddr) -> anyhow::Result<()> {
    let reaper = AsyncDropReaper::builder()
        .spawner(|cleanup| spawn(cleanup).detach())
        .build();

    let limit = async {
        Timer::after(Duration::from_millis(500)).await;
        Err(io::ErrorKind::TimedOut.into())
    };
    match or(consume(&reaper, broker), limit).await {
        Ok(message) => println!("message: {message}"),
        Err(error) => println!("no message: {error}"),
    }

    let deadline = async {
        Timer::after(Duration::from_secs(5)).await;
    };
    AsyncDropReaper::shutdown_by(reaper, deadline).await?;
    Ok(())
}
// ANCHOR_END: shown

fn main() -> anyhow::Result<()> {
    smol::block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let broker = listener.local_addr()?;
        // It never has a message.
        let heard = spawn(async move {
            let (mut stream, _) = listener.accept().await?;
            let mut heard = String::new();
            stream.read_to_string(&mut heard).await?;
            io::Result::Ok(heard)
        });
        run(broker).await?;
        print!("the broker heard:\n{}", heard.await?);
        Ok(())
    })
}
