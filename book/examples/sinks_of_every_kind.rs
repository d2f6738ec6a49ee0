use asyncdrop::{AsyncDrop, AsyncDropGuard, async_drop_all, async_trait};
use std::fmt::Debug;
use std::io;
use tokio::fs::{self, File};
use tokio::io::{AsyncWriteExt, BufWriter};
use tokio::sync::mpsc;

#[async_trait]
trait Sink: AsyncDrop<Error = io::Error> + Debug + Send {
    async fn put(&mut self, line: &str) -> io::Result<()>;
}

type BoxedSink = AsyncDropGuard<Box<dyn Sink>>;

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

    let file = FileSink(BufWriter::new(File::create(&path).await?));
    let mut sinks: Vec<BoxedSink> = vec![
        AsyncDropGuard::new(file)
            .into_box()
            .map_unsafe(|it| it as _),
        AsyncDropGuard::new(ChannelSink(sender))
            .into_box()
            .map_unsafe(|it| it as _),
    ];
    for sink in &mut sinks {
        sink.put("started").await?;
    }
    async_drop_all(sinks.into_iter().enumerate()).await?;

    println!("file: {}", fs::read_to_string(&path).await?);
    while let Some(line) = receiver.recv().await {
        println!("channel: {line}");
    }
    Ok(())
}
