//! Guards in the state of axum and in its handlers.
//!
//! ```text
//! cargo run -p asyncdrop-example-recipes --bin guard_in_axum_state
//! ```

use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use asyncdrop::{
    AsyncDropGuard, AsyncDropReaper, AsyncDropWith, BoxedAsyncDropWith, Reaped, ReaperHandle,
};
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::put;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// A lock in a service that all instances of ours share.
type Lock = BoxedAsyncDropWith<String, io::Error>;

async fn lock(name: String) -> io::Result<AsyncDropGuard<Lock>> {
    println!("locked: {name}");
    Ok(AsyncDropWith::boxed(name, async |name| {
        println!("released: {name}");
        Ok(())
    }))
}

static BEGUN: Notify = Notify::const_new();

/// Writes a document. One of them never gets written.
async fn write(document: &str) {
    if document == "slow" {
        BEGUN.notify_one();
        pending::<()>().await;
    }
}

// ANCHOR: handler
struct App {
    /// This instance serves that part of the documents, and no other does.
    shard: Reaped<Lock>,
    reaper: ReaperHandle,
}

fn failed(error: io::Error) -> (StatusCode, String) {
    (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n"))
}

async fn save(
    State(app): State<Arc<App>>,
    Path(document): Path<String>,
) -> Result<String, (StatusCode, String)> {
    let lock = lock(format!("document {document}")).await.map_err(failed)?;
    let mut lock = app.reaper.adopt(lock);
    // If the client hangs up here, axum drops this future, and the reaper releases the lock.
    write(&document).await;
    lock.async_drop().await.map_err(failed)?;
    Ok(format!("saved {document} in {}\n", app.shard.as_str()))
}
// ANCHOR_END: handler

// ANCHOR: serve
/// How long requests may still take once we were told to stop.
const LIMIT: Duration = Duration::from_secs(20);

async fn serve(
    listener: TcpListener,
    reaper: ReaperHandle,
    stop: CancellationToken,
) -> io::Result<()> {
    let shard = reaper.adopt_as("shard 7", lock("shard 7".to_owned()).await?);
    let app = Router::new()
        .route("/documents/{document}", put(save))
        .with_state(Arc::new(App { shard, reaper }));
    let serving = axum::serve(listener, app).with_graceful_shutdown(stop.clone().cancelled_owned());
    let late = async {
        stop.cancelled().await;
        sleep(LIMIT).await;
    };
    tokio::select! {
        served = serving.into_future() => served,
        () = late => Err(io::ErrorKind::TimedOut.into()),
    }
}
// ANCHOR_END: serve

async fn send(address: SocketAddr, document: &str) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!(
        "PUT /documents/{document} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    Ok(stream)
}

async fn clients_then_stop(address: SocketAddr, reaper: ReaperHandle, stop: CancellationToken) {
    match clients(address, reaper).await {
        Ok(()) => println!("told to stop"),
        Err(error) => eprintln!("a client: {error}"),
    }
    stop.cancel();
}

/// One client waits for its answer, the other hangs up.
async fn clients(address: SocketAddr, reaper: ReaperHandle) -> io::Result<()> {
    let mut stream = send(address, "quick").await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let answer = answer.lines().last().unwrap_or_default();
    println!("the client got: {answer}");

    let stream = send(address, "slow").await?;
    BEGUN.notified().await;
    println!("the client hangs up");
    drop(stream);
    // All that is left is the lock of the shard.
    while reaper.pending() > 1 {
        sleep(Duration::from_millis(1)).await;
    }
    Ok(())
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let stop = CancellationToken::new();
    // ANCHOR: main
    let reaper = AsyncDropReaper::new();
    // In your service: a future that waits for a signal, and cancels `stop`.
    let stopping = clients_then_stop(address, reaper.handle(), stop.clone());
    let (served, ()) = tokio::join!(serve(listener, reaper.handle(), stop), stopping);
    // The state was dropped with the server, so the reaper has the lock of the shard, too.
    let released = AsyncDropReaper::shutdown(reaper, Duration::from_secs(5)).await;
    if let (Err(_), Err(error)) = (&served, &released) {
        eprintln!("{error}");
    }
    served?;
    released?;
    // ANCHOR_END: main
    Ok(())
}
