use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
use std::io;

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

#[async_trait]
impl AsyncDrop for Upload {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        self.discard().await
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut upload = AsyncDropGuard::new(Upload { store_is_busy: 1 });
    // ANCHOR: shown
    for attempt in 1..=3 {
        match upload.async_drop().await {
            Ok(()) => return println!("attempt {attempt}: discarded"),
            Err(error) => println!("attempt {attempt}: {error}"),
        }
    }
    // ANCHOR_END: shown
}
