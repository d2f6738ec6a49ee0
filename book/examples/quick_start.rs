use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait, with_async_drop_2};
use std::io;
use std::path::Path;
use tokio::fs::{self, File};
use tokio::io::{AsyncWriteExt, BufWriter};

#[derive(Debug)]
struct OrderLog {
    out: BufWriter<File>,
}

impl OrderLog {
    async fn create(path: &Path) -> io::Result<AsyncDropGuard<Self>> {
        let out = BufWriter::new(File::create(path).await?);
        Ok(AsyncDropGuard::new(Self { out }))
    }

    async fn add(&mut self, order: &str) -> io::Result<()> {
        self.out.write_all(order.as_bytes()).await?;
        self.out.write_all(b"\n").await
    }
}

#[async_trait]
impl AsyncDrop for OrderLog {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        self.out.flush().await?;
        self.out.get_ref().sync_all().await
    }
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("orders.log");

    let log = OrderLog::create(&path).await?;
    let orders = with_async_drop_2!(log, {
        log.add("3 kg of apples").await?;
        log.add("a dozen eggs").await?;
        io::Result::Ok(2)
    })?;

    let text = fs::read_to_string(&path).await?;
    println!("{orders} orders, {} lines in the log", text.lines().count());
    Ok(())
}
