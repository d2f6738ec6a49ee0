//! Connections over streams that take one byte at a time, cut off at every operation.

use std::time::Duration;

use asyncdrop::AsyncDropReaper;
use asyncdrop::testing::{Cut, Sweep, Trickle};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex, split};
use tokio::sync::mpsc;

use super::{Connection, DEADLINE, IDLE_LIMIT, Stream, attend};

#[tokio::test(start_paused = true)]
async fn a_connection_over_a_pipe_of_one_byte_acknowledges_what_it_queued() {
    let mut cuts = 0;
    for cut in Sweep::new() {
        let (ours, theirs) = duplex(1);
        one_ok_for_each_line(&cut, ours, theirs).await;
        cuts += 1;
    }
    // At least one for each byte that is heard.
    assert!(cuts > 3 * LINES.len(), "{cuts}");
}

#[tokio::test(start_paused = true)]
async fn a_connection_with_a_slow_peer_acknowledges_what_it_queued() {
    for cut in Sweep::new() {
        let (ours, theirs) = duplex(64);
        one_ok_for_each_line(&cut, Trickle::new(ours), theirs).await;
    }
}

/// The writer takes nothing. The connection waits for it, and is not the client's fault.
#[tokio::test(start_paused = true)]
async fn a_full_queue_does_not_cost_a_client_its_place() {
    let (ours, mut theirs) = duplex(64);
    let reaper = AsyncDropReaper::new();
    let (queue, mut queued) = mpsc::channel(1);
    let connection = reaper.adopt(Connection::new(ours));
    let attending = tokio::spawn(attend(connection, queue, Duration::from_secs(1)));
    theirs.write_all(b"one\ntwo\n").await.unwrap();
    theirs.shutdown().await.unwrap();
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!(queued.recv().await.unwrap(), b"one\n");
    let mut heard = String::new();
    theirs.read_to_string(&mut heard).await.unwrap();
    assert_eq!(heard, "ok\nok\n");
    attending.await.unwrap();
    AsyncDropReaper::shutdown(reaper, DEADLINE).await.unwrap();
}

const LINES: [&str; 3] = ["one\n", "two\n", "three\n"];

async fn one_ok_for_each_line<S: Stream>(cut: &Cut, ours: S, theirs: DuplexStream) {
    let client = tokio::spawn(async move {
        let (mut from_worker, mut to_worker) = split(theirs);
        let mut heard = String::new();
        let talk = async {
            // The connection may be over already.
            if to_worker.write_all(LINES.concat().as_bytes()).await.is_ok() {
                let _ = to_worker.shutdown().await;
            }
        };
        let (_, read) = tokio::join!(talk, from_worker.read_to_string(&mut heard));
        read.map(|_| heard)
    });
    let reaper = AsyncDropReaper::new();
    let (queue, mut queued) = mpsc::channel(LINES.len());
    let connection = reaper.adopt(Connection::new(ours));
    cut.run(attend(connection, queue, IDLE_LIMIT)).await;
    AsyncDropReaper::shutdown(reaper, DEADLINE).await.unwrap();

    let mut lines = Vec::new();
    while let Some(line) = queued.recv().await {
        lines.push(String::from_utf8(line).unwrap());
    }
    assert_eq!(lines, LINES[..lines.len()], "{cut}");
    assert_eq!(
        client.await.unwrap().unwrap(),
        "ok\n".repeat(lines.len()),
        "{cut}"
    );
}
