// The batch should be sent to the server when it is cleaned up.
use std::sync::{Arc, Mutex};

use asyncdrop::{AsyncDrop, async_trait};
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
        let mut rows = self.rows.lock().unwrap();
        while let Some(row) = rows.last() {
            self.server.send(row.clone()).await?;
            rows.pop();
        }
        Ok(())
    }
}

fn main() {}
