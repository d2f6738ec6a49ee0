use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
use std::convert::Infallible;

#[derive(Debug)]
struct Cache {
    entries: Vec<String>,
}

#[async_trait]
impl AsyncDrop for Cache {
    type Error = Infallible;

    async fn async_drop_impl(&mut self) -> Result<(), Infallible> {
        tokio::task::yield_now().await;
        Ok(())
    }
}

// ANCHOR: main
#[tokio::main]
async fn main() {
    let mut cache = AsyncDropGuard::new(Cache {
        entries: vec!["apples".to_string()],
    });

    cache.async_drop().await.unwrap();
    cache.async_drop().await.unwrap();
    println!("the second call did nothing");

    println!("{} entries", cache.entries.len());
}
// ANCHOR_END: main
