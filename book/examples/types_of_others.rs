use asyncdrop::{AsyncDropStack, AsyncDropWith, with_async_drop_2};
use std::{io, path::Path};
use tokio::fs::{self, File};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::mpsc;

// ANCHOR: shown
async fn serve(path: &Path, peer: DuplexStream) -> anyhow::Result<()> {
    let stack = AsyncDropStack::new();
    with_async_drop_2!(stack, {
        let mut log = File::create(path).await?;
        let (lines, mut queue) = mpsc::channel::<String>(8);
        let writer = tokio::spawn(async move {
            while let Some(line) = queue.recv().await {
                log.write_all(line.as_bytes()).await?;
            }
            log.sync_all().await
        });
        // A task: wait for it, and then return its own error.
        stack.push(AsyncDropWith::new(writer, async |task| task.await?));
        // A sender: drop it, so that the task comes to its end.
        let lines = stack.push(AsyncDropWith::new(lines, async |lines| {
            drop(lines);
            io::Result::Ok(())
        }));
        // A stream: say that nothing more comes.
        let peer = stack.push(AsyncDropWith::new(peer, async |mut peer| {
            peer.shutdown().await
        }));

        stack[peer].write_all(b"hello\n").await?;
        stack[lines].send("said hello\n".to_owned()).await?;
        Ok(())
    })
}
// ANCHOR_END: shown

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("log");
    let (ours, mut theirs) = duplex(64);
    serve(&path, ours).await?;
    let mut heard = String::new();
    theirs.read_to_string(&mut heard).await?;
    print!("the peer heard: {heard}");
    print!("the log has: {}", fs::read_to_string(path).await?);
    Ok(())
}
