use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
use std::convert::Infallible;
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
#[derive(Debug)]
struct Client {
    session: Option<AsyncDropGuard<Session>>,
}

impl Client {
    async fn log_in_again(&mut self, number: u32) {
        self.session = Some(Session::log_in(number).await);
    }
}
// ANCHOR_END: shown

#[async_trait]
impl AsyncDrop for Client {
    type Error = Infallible;

    async fn async_drop_impl(&mut self) -> Result<(), Infallible> {
        match &mut self.session {
            Some(session) => session.async_drop().await,
            None => Ok(()),
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Infallible> {
    let session = Some(Session::log_in(1).await);
    let mut client = AsyncDropGuard::new(Client { session });
    client.log_in_again(2).await;
    client.async_drop().await
}
