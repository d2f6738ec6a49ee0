use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
use std::convert::Infallible;
use std::mem;
use tokio::sync::Mutex;

/// The sessions that the server keeps open.
static OPEN: Mutex<Vec<u32>> = Mutex::const_new(Vec::new());

#[derive(Debug)]
struct Session {
    number: u32,
}

impl Session {
    async fn log_in(number: u32) -> AsyncDropGuard<Self> {
        OPEN.lock().await.push(number);
        AsyncDropGuard::new(Self { number })
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
    let mut session = Session::log_in(1).await;

    // The connection broke: log in again. The old session comes out in its guard.
    let mut old = mem::replace(&mut session, Session::log_in(2).await);
    old.async_drop().await?;
    println!("the server keeps open: {:?}", OPEN.lock().await);

    session.async_drop().await?;
    println!("the server keeps open: {:?}", OPEN.lock().await);
    Ok(())
}
