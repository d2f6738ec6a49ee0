use anyhow::Context;
use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
use asyncdrop::{with_async_drop_2, with_async_drop_2_infallible};
use std::collections::BTreeSet;
use std::{convert::Infallible, io, path::Path, sync::Arc};
use tokio::fs::{self, File};
use tokio::io::{AsyncWriteExt, BufWriter};
use tokio::sync::Mutex;

/// The log of a chat, which is buffered.
#[derive(Debug)]
struct ChatLog(BufWriter<File>);

impl ChatLog {
    async fn open(path: &Path) -> io::Result<AsyncDropGuard<Self>> {
        let file = File::options().append(true).create(true).open(path).await?;
        Ok(AsyncDropGuard::new(Self(BufWriter::new(file))))
    }
}

#[async_trait]
impl AsyncDrop for ChatLog {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        self.0.flush().await
    }
}

/// A name in the list of who is online.
#[derive(Debug)]
struct Presence(&'static str, Arc<Mutex<BTreeSet<&'static str>>>);

#[async_trait]
impl AsyncDrop for Presence {
    type Error = Infallible;

    async fn async_drop_impl(&mut self) -> Result<(), Infallible> {
        self.1.lock().await.remove(self.0);
        Ok(())
    }
}

async fn say(presence: AsyncDropGuard<Presence>, text: &str, path: &Path) -> anyhow::Result<usize> {
    with_async_drop_2_infallible!(presence, {
        presence.1.lock().await.insert(presence.0);
        let log = ChatLog::open(path).await.context("no log")?;
        with_async_drop_2!(
            log,
            {
                let line = format!("{}: {text}\n", presence.0);
                log.0.write_all(line.as_bytes()).await?;
                Ok(presence.1.lock().await.len())
            },
            |error| anyhow::Error::new(error).context("the log is not complete")
        )
    })
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let online = Arc::new(Mutex::new(BTreeSet::from(["bob"])));

    for file in ["chat.log", "no such folder/chat.log"] {
        let presence = AsyncDropGuard::new(Presence("ada", Arc::clone(&online)));
        match say(presence, "good morning", &folder.path().join(file)).await {
            Ok(people) => println!("said to {people} people"),
            Err(error) => println!("not said: {error:#}"),
        }
        println!("online afterwards: {:?}", online.lock().await);
    }

    let path = folder.path().join("chat.log");
    let log = ChatLog::open(&path).await?;
    with_async_drop_2!(log, { log.0.write_all(b"the end\n").await })?;
    print!("{}", fs::read_to_string(path).await?);
    Ok(())
}
