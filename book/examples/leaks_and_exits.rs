use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::{mem, process};

static TOTAL: tokio::sync::Mutex<u32> = tokio::sync::Mutex::const_new(0);

/// Counts the hits of a page, and adds them to the total at the end.
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

#[tokio::main(flavor = "current_thread")]
async fn main() {
    mem::forget(Counter::of(3));

    let (home, shop) = (Page::new(40), Page::new(500));
    home.links.lock().unwrap().push(Arc::clone(&shop));
    shop.links.lock().unwrap().push(Arc::clone(&home));
    drop((home, shop));

    let _news = Counter::of(6000);
    println!("hits: {}", TOTAL.lock().await);
    process::exit(0);
}
