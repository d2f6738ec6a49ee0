use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait, with_async_drop_2};
use std::fmt::Debug;
use std::io;
use tokio::fs::{self, File};
use tokio::io::{AsyncWriteExt, BufWriter};
use tokio::sync::mpsc;

// ANCHOR: shown
#[async_trait]
trait Sink: AsyncDrop<Error = io::Error> + Debug + Send {
    async fn put(&mut self, line: &str) -> io::Result<()>;
}

/// Where the log goes, and how each sink is cleaned up: in its own way.
#[derive(Debug, AsyncDrop)]
struct Log {
    sinks: Vec<AsyncDropGuard<Box<dyn Sink>>>,
}

impl Log {
    fn add(&mut self, sink: AsyncDropGuard<impl Sink + 'static>) {
        self.sinks.push(sink.into_box().map_unsafe(|it| it as _));
    }

    async fn put(&mut self, line: &str) -> io::Result<()> {
        for sink in &mut self.sinks {
            sink.put(line).await?;
        }
        Ok(())
    }
}
// ANCHOR_END: shown

#[derive(Debug)]
struct FileSink(BufWriter<File>);

#[async_trait]
impl Sink for FileSink {
    async fn put(&mut self, line: &str) -> io::Result<()> {
        self.0.write_all(line.as_bytes()).await
    }
}

#[async_trait]
impl AsyncDrop for FileSink {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        self.0.flush().await
    }
}

#[derive(Debug)]
struct ChannelSink(mpsc::Sender<String>);

#[async_trait]
impl Sink for ChannelSink {
    async fn put(&mut self, line: &str) -> io::Result<()> {
        let sent = self.0.send(line.to_owned()).await;
        sent.map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

#[async_trait]
impl AsyncDrop for ChannelSink {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        self.put("<end>").await
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("log.txt");
    let (sender, mut receiver) = mpsc::channel(8);
    // ANCHOR: shown

    // In main:
    let file = FileSink(BufWriter::new(File::create(&path).await?));
    let log = AsyncDropGuard::new(Log { sinks: Vec::new() });
    let logged: anyhow::Result<()> = with_async_drop_2!(log, {
        log.add(AsyncDropGuard::new(file));
        log.add(AsyncDropGuard::new(ChannelSink(sender)));
        Ok(log.put("started").await?)
    });
    // ANCHOR_END: shown
    logged?;
    println!("file: {}", fs::read_to_string(&path).await?);
    while let Some(line) = receiver.recv().await {
        println!("channel: {line}");
    }
    Ok(())
}
