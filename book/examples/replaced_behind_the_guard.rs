use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
use std::convert::Infallible;
use std::mem;
use tokio::sync::Mutex;

/// The sessions that the server keeps open.
static OPEN: Mutex<Vec<u32>> = Mutex::const_new(Vec::new());

#[derive(Debug, Clone)]
struct Session {
    number: u32,
}

impl Session {
    async fn log_in(number: u32) -> Self {
        OPEN.lock().await.push(number);
        Self { number }
    }

    async fn is_open(&self) -> bool {
        OPEN.lock().await.contains(&self.number)
    }
}

#[async_trait]
impl AsyncDrop for Session {
    type Error = Infallible;

    async fn async_drop_impl(&mut self) -> Result<(), Infallible> {
        OPEN.lock().await.retain(|open| *open != self.number);
        Ok(())
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Infallible> {
    // ANCHOR: shown
    let mut session = AsyncDropGuard::new(Session::log_in(1).await);

    // The connection broke, so we log in again. From here on the guard has session 2.
    let old = mem::replace(&mut *session, Session::log_in(2).await);
    println!("we don't need session {} any more", old.number);

    let copy = (*session).clone();
    session.async_drop().await?;
    println!("the server keeps open: {:?}", OPEN.lock().await);
    println!("the session of the copy is open: {}", copy.is_open().await);
    // ANCHOR_END: shown
    Ok(())
}
