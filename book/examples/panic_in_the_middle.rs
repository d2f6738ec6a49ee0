use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait, with_async_drop_2};
use std::io;

#[derive(Debug)]
struct Transfer {
    euros: u32,
}

#[async_trait]
impl AsyncDrop for Transfer {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        println!("rolled back");
        Ok(())
    }
}

// ANCHOR: main
#[tokio::main]
async fn main() -> io::Result<()> {
    let transfer = AsyncDropGuard::new(Transfer { euros: 20 });
    with_async_drop_2!(transfer, {
        let accounts: Vec<&str> = Vec::new();
        println!("{} euros to {}", transfer.euros, accounts[0]);
        Ok(())
    })
}
// ANCHOR_END: main
