use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait, incident};
use std::convert::Infallible;
use tokio::sync::Mutex;

/// The tokens that the server accepts.
static ACCEPTED: Mutex<Vec<String>> = Mutex::const_new(Vec::new());

// ANCHOR: shown
#[derive(Debug)]
struct Login {
    user: &'static str,
    token: String,
}

// ANCHOR_END: shown
impl Login {
    async fn new(user: &'static str) -> AsyncDropGuard<Self> {
        let token = format!("let-me-in-{}", user.len());
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
    incident::set_hook(Box::new(|incident| tracing::error!("{incident}")));

    // ANCHOR: shown
    let login = Login::new("ops").await;
    tracing::info!("{} is logged in", login.user);
    // ANCHOR_END: shown
}
