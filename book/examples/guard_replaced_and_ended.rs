use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait, with_async_drop_2_infallible};
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

// ANCHOR: shown
/// Puts a new session into the place of one whose connection broke.
async fn log_in_again(session: &mut AsyncDropGuard<Session>, number: u32) {
    let new = Session::log_in(number).await;
    let mut old = mem::replace(session, new);
    let Ok(()) = old.async_drop().await;
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let session = Session::log_in(1).await;
    with_async_drop_2_infallible!(session, {
        log_in_again(&mut session, 2).await;
        println!("the server keeps open: {:?}", OPEN.lock().await);
    });
    println!("the server keeps open: {:?}", OPEN.lock().await);
}
// ANCHOR_END: shown
