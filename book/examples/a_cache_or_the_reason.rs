use asyncdrop::{AsyncDrop, AsyncDropGuard, AsyncDropResult, async_trait, with_async_drop_2};
use std::io;
use std::net::SocketAddr;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

#[derive(Debug)]
struct Cache(TcpStream);

impl Cache {
    async fn connect(server: SocketAddr) -> io::Result<AsyncDropGuard<Self>> {
        let stream = TcpStream::connect(server).await?;
        Ok(AsyncDropGuard::new(Self(stream)))
    }
}

#[async_trait]
impl AsyncDrop for Cache {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        self.0.shutdown().await?;
        println!("the cache is closed");
        Ok(())
    }
}

// ANCHOR: shown
/// A website that works without its cache, and knows why it has to.
#[derive(Debug)]
struct Site {
    cache: AsyncDropGuard<AsyncDropResult<Cache, io::Error>>,
}

impl Site {
    async fn open(cache: SocketAddr) -> AsyncDropGuard<Self> {
        let cache = AsyncDropResult::new(Cache::connect(cache).await);
        AsyncDropGuard::new(Self { cache })
    }

    /// Puts the page into the cache, if there is one.
    async fn keep(&mut self, page: &str) -> io::Result<()> {
        if let Ok(cache) = self.cache.as_mut() {
            println!("caching {page}");
            cache.0.write_all(page.as_bytes()).await?;
        }
        Ok(())
    }

    fn status(&self) -> String {
        match self.cache.as_ref() {
            Ok(_) => "with a cache".to_owned(),
            Err(error) => format!("without a cache: {}", error.kind()),
        }
    }
}

#[async_trait]
impl AsyncDrop for Site {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        self.cache.async_drop().await
    }
}
// ANCHOR_END: shown

#[tokio::main]
async fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let here = listener.local_addr()?;
    let nowhere = TcpListener::bind("127.0.0.1:0").await?.local_addr()?;
    // ANCHOR: shown

    // In main:
    for server in [here, nowhere] {
        let site = Site::open(server).await;
        with_async_drop_2!(site, {
            println!("{}", site.status());
            site.keep("/index.html").await
        })?;
    }
    // ANCHOR_END: shown
    Ok(())
}
