// The lease is held while the work is done.
#![deny(let_underscore_drop)]

use asyncdrop::{AsyncDropGuard, AsyncDropWith, BoxedAsyncDropWith, with_async_drop_2};
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
    let lease = acquire(7).await?;
    with_async_drop_2!(lease, {
        println!("working");
        Ok(())
    })
}
