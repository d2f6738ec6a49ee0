use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait, with_async_drop_2_infallible};
use std::convert::Infallible;
use std::{future, panic, process};

#[derive(Debug)]
struct Session;

#[async_trait]
impl AsyncDrop for Session {
    type Error = Infallible;

    async fn async_drop_impl(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

async fn serve() {
    let session = AsyncDropGuard::new(Session);
    with_async_drop_2_infallible!(session, { future::pending::<()>().await });
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    // ANCHOR: shown
    // `panic = "abort"` ends the process at the first panic. So does this hook, in any profile.
    panic::set_hook(Box::new(|panic| {
        eprintln!("{panic}");
        process::exit(101);
    }));

    let request = tokio::spawn(serve());
    tokio::task::yield_now().await;
    request.abort();
    println!("cancelled: {}", request.await.is_err());
    println!("the server keeps running");
    // ANCHOR_END: shown
}
