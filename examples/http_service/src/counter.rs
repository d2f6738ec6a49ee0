//! Stands in for a Redis server: it knows `INCR` and `QUIT`.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

type Counts = Arc<Mutex<HashMap<String, u64>>>;

/// Starts a counter on a free port.
pub(crate) async fn start() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let counts = Counts::default();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream, Arc::clone(&counts)));
        }
    });
    Ok(address)
}

async fn answer(stream: TcpStream, counts: Counts) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    while stream.read_line(&mut line).await? > 0 {
        let Some(page) = line.trim_end().strip_prefix("INCR ") else {
            return stream.write_all(b"+OK\r\n").await;
        };
        let count = {
            let mut counts = counts.lock().unwrap_or_else(PoisonError::into_inner);
            let count = counts.entry(page.to_owned()).or_default();
            *count += 1;
            *count
        };
        stream.write_all(format!(":{count}\r\n").as_bytes()).await?;
        line.clear();
    }
    Ok(())
}
