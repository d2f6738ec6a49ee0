use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, OnceLock};
use std::{mem, process};

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

#[derive(Debug)]
struct Page {
    _counter: AsyncDropGuard<Counter>,
    links: Mutex<Vec<Arc<Page>>>,
}

impl Page {
    fn new(hits: u32) -> Arc<Self> {
        Arc::new(Self {
            _counter: Counter::of(hits),
            links: Mutex::default(),
        })
    }
}

// ANCHOR: shown
static STARTS: OnceLock<AsyncDropGuard<Counter>> = OnceLock::new();

// ANCHOR_END: shown
#[tokio::main(flavor = "current_thread")]
async fn main() {
    // ANCHOR: shown
    // A static is never dropped.
    STARTS.get_or_init(|| Counter::of(1));

    // Nor is what you forget or leak.
    mem::forget(Counter::of(20));

    // Two pages that own each other keep each other alive.
    let (home, shop) = (Page::new(300), Page::new(300));
    home.links.lock().unwrap().push(Arc::clone(&shop));
    shop.links.lock().unwrap().push(Arc::clone(&home));
    drop((home, shop));

    // And `exit` drops nothing.
    let _news = Counter::of(4000);
    println!("hits: {}", TOTAL.lock().await);
    process::exit(0);
    // ANCHOR_END: shown
}
