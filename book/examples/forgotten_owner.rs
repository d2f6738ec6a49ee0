use asyncdrop::{AsyncDrop, AsyncDropArc, AsyncDropGuard, async_trait};
use std::convert::Infallible;

#[derive(Debug)]
struct Lease(&'static str);

#[async_trait]
impl AsyncDrop for Lease {
    type Error = Infallible;

    async fn async_drop_impl(&mut self) -> Result<(), Infallible> {
        println!("giving {} back", self.0);
        Ok(())
    }
}

// ANCHOR: shown
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Infallible> {
    let mut ours = AsyncDropArc::new(AsyncDropGuard::new(Lease("disk 7")));

    let theirs = AsyncDropArc::clone(&ours);
    let task = tokio::spawn(async move {
        println!("working on {}", theirs.0);
        // `theirs` is dropped here, without `async_drop`.
    });
    let outcome = task.await;

    // Ours is the last owner now.
    ours.async_drop().await?;
    if let Err(error) = outcome {
        std::panic::resume_unwind(error.into_panic());
    }
    Ok(())
}
// ANCHOR_END: shown
