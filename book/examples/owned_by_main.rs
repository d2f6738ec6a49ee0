use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
use std::convert::Infallible;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, Weak};

static TOTAL: tokio::sync::Mutex<u32> = tokio::sync::Mutex::const_new(0);

/// Counts the hits of a page, and adds them to the total in its cleanup.
#[derive(Debug)]
struct Counter {
    hits: u32,
}

impl Counter {
    fn of(hits: u32) -> AsyncDropGuard<Self> {
        AsyncDropGuard::new(Self { hits })
    }
}

#[async_trait]
impl AsyncDrop for Counter {
    type Error = Infallible;

    async fn async_drop_impl(&mut self) -> Result<(), Infallible> {
        *TOTAL.lock().await += self.hits;
        Ok(())
    }
}

// ANCHOR: shown
#[derive(Debug, Default)]
struct Page {
    hits: u32,
    /// A link owns nothing.
    links: Mutex<Vec<Weak<Page>>>,
}

fn page(hits: u32) -> Arc<Page> {
    Arc::new(Page {
        hits,
        ..Page::default()
    })
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let mut counter = Counter::of(1);

    let (home, shop) = (page(300), page(300));
    home.links.lock().unwrap().push(Arc::downgrade(&shop));
    shop.links.lock().unwrap().push(Arc::downgrade(&home));
    counter.hits += home.hits + shop.hits;

    let Ok(()) = counter.async_drop().await;
    println!("hits: {}", TOTAL.lock().await);
    ExitCode::SUCCESS
}
// ANCHOR_END: shown
