use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait, with_async_drop_2_infallible};
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

#[derive(Debug)]
struct Client {
    session: Option<AsyncDropGuard<Session>>,
}

// ANCHOR: shown
impl Client {
    async fn log_in_again(&mut self, number: u32) {
        let new = Session::log_in(number).await;
        if let Some(mut old) = self.session.replace(new) {
            let Ok(()) = old.async_drop().await;
        }
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
async fn main() {
    let session = Some(Session::log_in(1).await);
    let client = AsyncDropGuard::new(Client { session });
    with_async_drop_2_infallible!(client, {
        client.log_in_again(2).await;
        println!("the server keeps open: {:?}", OPEN.lock().await);
    });
    println!("the server keeps open: {:?}", OPEN.lock().await);
}
