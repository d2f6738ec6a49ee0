use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::timeout;

type Registry = Arc<Mutex<Vec<&'static str>>>;

/// A player, whose name is taken off the list by the cleanup.
#[derive(Debug)]
struct Player {
    name: &'static str,
    online: Registry,
}

impl Player {
    async fn join(name: &'static str, online: &Registry) -> AsyncDropGuard<Self> {
        online.lock().await.push(name);
        let online = Arc::clone(online);
        AsyncDropGuard::new(Self { name, online })
    }
}

#[async_trait]
impl AsyncDrop for Player {
    type Error = Infallible;

    async fn async_drop_impl(&mut self) -> Result<(), Infallible> {
        self.online.lock().await.retain(|it| *it != self.name);
        Ok(())
    }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), Infallible> {
    let registry = Registry::new(Mutex::new(vec!["bob"]));
    let mut ada = Player::join("ada", &registry).await;

    let online = registry.lock().await;
    println!("{} leaves {online:?}", ada.name);
    let limit = Duration::from_secs(30);
    if timeout(limit, ada.async_drop()).await.is_err() {
        println!("still waiting after 30 s");
    }
    drop(online);

    ada.async_drop().await?;
    println!("online: {:?}", registry.lock().await);
    Ok(())
}
