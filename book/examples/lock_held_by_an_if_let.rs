use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};

/// A session, whose goodbye takes five seconds.
#[derive(Debug)]
struct Session;

#[async_trait]
impl AsyncDrop for Session {
    type Error = Infallible;

    async fn async_drop_impl(&mut self) -> Result<(), Infallible> {
        sleep(Duration::from_secs(5)).await;
        Ok(())
    }
}

// ANCHOR: shown
type Sessions = Arc<Mutex<HashMap<u32, AsyncDropGuard<Session>>>>;

async fn close(sessions: Sessions, id: u32) -> Result<(), Infallible> {
    if let Some(mut session) = sessions.lock().await.remove(&id) {
        session.async_drop().await?;
    }
    Ok(())
}
// ANCHOR_END: shown

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let open = HashMap::from([(7, AsyncDropGuard::new(Session))]);
    let sessions = Sessions::new(Mutex::new(open));
    let closing = tokio::spawn(close(Arc::clone(&sessions), 7));
    tokio::task::yield_now().await;

    let asked = Instant::now();
    let open = sessions.lock().await.len();
    println!("{open} open; this took {:?}", asked.elapsed());
    closing.await??;
    Ok(())
}
