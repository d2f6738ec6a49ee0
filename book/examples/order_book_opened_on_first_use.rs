use orders::Orders;
use std::{fs, io};

pub mod orders {
    use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
    use std::fs::File;
    use std::io::{self, BufWriter, Write};
    use std::path::PathBuf;
    use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
    use tokio::task::{self, JoinHandle};

    // ANCHOR: states
    /// An order book in a file, which is created for the first order.
    #[derive(Debug)]
    pub struct Orders(State);

    #[derive(Debug)]
    enum State {
        Unopened(PathBuf),
        /// The queue until the cleanup closes it, and the task that empties it.
        Open(Option<UnboundedSender<String>>, JoinHandle<io::Result<()>>),
    }

    impl Orders {
        pub fn new(file: PathBuf) -> AsyncDropGuard<Self> {
            AsyncDropGuard::new(Self(State::Unopened(file)))
        }
        // ANCHOR_END: states

        pub fn add(&mut self, order: &str) {
            if let State::Unopened(file) = &self.0 {
                let file = file.clone();
                let (queue, queued) = mpsc::unbounded_channel();
                let writer = task::spawn_blocking(|| write(file, queued));
                self.0 = State::Open(Some(queue), writer);
            }
            if let State::Open(Some(queue), _) = &self.0 {
                // It fails only when the writer has failed, and the cleanup says why.
                let _ = queue.send(order.to_owned());
            }
        }
        // ANCHOR: states
    }
    // ANCHOR_END: states

    fn write(file: PathBuf, mut queued: UnboundedReceiver<String>) -> io::Result<()> {
        let file = File::create_new(file)?;
        let mut lines = BufWriter::new(&file);
        while let Some(order) = queued.blocking_recv() {
            writeln!(lines, "{order}")?;
        }
        lines.flush()?;
        drop(lines);
        file.sync_all()
    }

    // ANCHOR: states

    #[async_trait]
    impl AsyncDrop for Orders {
        type Error = anyhow::Error;

        async fn async_drop_impl(&mut self) -> anyhow::Result<()> {
            match &mut self.0 {
                State::Unopened(_) => Ok(()),
                State::Open(queue, writer) => {
                    queue.take();
                    Ok(writer.await??)
                }
            }
        }
    }
    // ANCHOR_END: states
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("orders.txt");

    let mut unused = Orders::new(path.clone());
    unused.async_drop().await?;
    println!("never used, the file exists: {}", path.exists());

    let mut orders = Orders::new(path.clone());
    orders.add("article 4711: 3 pieces");
    orders.add("article 12: 1 piece");
    orders.async_drop().await?;
    let written = fs::read_to_string(&path)?;
    println!("orders in the file: {}", written.lines().count());

    // The file of another day is not overwritten.
    let mut refused = Orders::new(path);
    refused.add("article 7: 2 pieces");
    let error = refused.async_drop().await.unwrap_err();
    let kind = error.downcast::<io::Error>()?.kind();
    println!("not written: {kind}");
    Ok(())
}
