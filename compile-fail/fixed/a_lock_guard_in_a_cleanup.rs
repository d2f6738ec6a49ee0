// The batch is sent to the server, under a lock that may be held across an `.await`.
use std::sync::Arc;

use asyncdrop::{AsyncDrop, async_trait};
use tokio::sync::Mutex;
use tokio::sync::mpsc::{Sender, error::SendError};

#[derive(Debug)]
struct Batch {
    rows: Arc<Mutex<Vec<String>>>,
    server: Sender<String>,
}

#[async_trait]
impl AsyncDrop for Batch {
    type Error = SendError<String>;

    async fn async_drop_impl(&mut self) -> Result<(), SendError<String>> {
        let mut rows = self.rows.lock().await;
        while let Some(row) = rows.last() {
            self.server.send(row.clone()).await?;
            rows.pop();
        }
        Ok(())
    }
}

fn main() {}
