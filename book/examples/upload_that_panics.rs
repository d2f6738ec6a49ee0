use asyncdrop::{AsyncDropHashMap, AsyncDropWith};
use std::{convert::Infallible, error::Error, time::Duration};
use tokio::time::sleep;

type Upload = (&'static str, u64, char);

async fn wait_for_the_server((file, millis, answer): Upload) -> Result<(), Infallible> {
    sleep(Duration::from_millis(millis)).await;
    assert_eq!(answer, 'k', "the server of {file} sends nonsense");
    println!("{file} is confirmed");
    Ok(())
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), Box<dyn Error>> {
    // ANCHOR: shown
    // In main: the first server answers with nonsense, the second is slower.
    let mut uploads = AsyncDropHashMap::new();
    for upload in [("scan.pdf", 100, '?'), ("note.txt", 300, 'k')] {
        let upload = AsyncDropWith::new(upload, wait_for_the_server);
        assert!(uploads.insert(upload.0, upload).is_none());
    }
    uploads.async_drop().await?;
    // ANCHOR_END: shown
    Ok(())
}
