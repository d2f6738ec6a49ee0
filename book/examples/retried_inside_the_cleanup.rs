use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
use std::io;
use std::time::Duration;
use tokio::time::sleep;

/// An upload whose parts the store keeps until we tell it to drop them.
#[derive(Debug)]
struct Upload {
    store_is_busy: u32,
}

impl Upload {
    async fn discard(&mut self) -> io::Result<()> {
        if self.store_is_busy > 0 {
            self.store_is_busy -= 1;
            return Err(io::Error::other("the store is busy"));
        }
        println!("the store has dropped the parts");
        Ok(())
    }
}

// ANCHOR: shown
#[async_trait]
impl AsyncDrop for Upload {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        for _ in 0..2 {
            match self.discard().await {
                Ok(()) => return Ok(()),
                Err(error) => println!("trying again: {error}"),
            }
            sleep(Duration::from_millis(100)).await;
        }
        self.discard().await
    }
}
// ANCHOR_END: shown

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> io::Result<()> {
    let mut upload = AsyncDropGuard::new(Upload { store_is_busy: 1 });
    upload.async_drop().await
}
