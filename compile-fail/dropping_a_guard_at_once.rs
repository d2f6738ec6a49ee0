// The lease should be held while the work is done.
#![deny(let_underscore_drop)]

use asyncdrop::{AsyncDropGuard, AsyncDropWith, BoxedAsyncDropWith};
use std::io;

type Lease = AsyncDropGuard<BoxedAsyncDropWith<u32, io::Error>>;

async fn acquire(shard: u32) -> io::Result<Lease> {
    Ok(AsyncDropWith::boxed(shard, async |shard| {
        println!("releasing shard {shard}");
        Ok(())
    }))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let _ = acquire(7).await?;
    println!("working");
    Ok(())
}
