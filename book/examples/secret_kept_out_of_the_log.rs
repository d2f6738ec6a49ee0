use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
use std::convert::Infallible;
use std::fmt;
use tokio::sync::Mutex;

/// The tokens that the server accepts.
static ACCEPTED: Mutex<Vec<Secret>> = Mutex::const_new(Vec::new());

// ANCHOR: shown
/// A text that must not get into a log.
#[derive(Clone, PartialEq)]
struct Secret(String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

#[derive(Debug)]
struct Login {
    user: &'static str,
    token: Secret,
}
// ANCHOR_END: shown

impl Login {
    async fn new(user: &'static str) -> AsyncDropGuard<Self> {
        let token = Secret(format!("let-me-in-{}", user.len()));
        ACCEPTED.lock().await.push(token.clone());
        AsyncDropGuard::new(Self { user, token })
    }
}

#[async_trait]
impl AsyncDrop for Login {
    type Error = Infallible;

    async fn async_drop_impl(&mut self) -> Result<(), Infallible> {
        ACCEPTED.lock().await.retain(|it| *it != self.token);
        Ok(())
    }
}

#[tokio::main]
async fn main() {
    tracing_subscriber::fmt().without_time().init();
    let mut login = Login::new("ops").await;
    tracing::info!("{} is logged in: {login:?}", login.user);
    let Ok(()) = login.async_drop().await;
}
