//! Connections over streams that take one byte at a time, cut off at every operation.

use std::time::Duration;

use asyncdrop::AsyncDropReaper;
use asyncdrop::testing::{Cut, Sweep, Trickle};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, duplex};

use super::{Connection, Stream};

const DEADLINE: Duration = Duration::from_secs(10);

#[tokio::test(start_paused = true)]
async fn a_request_over_a_pipe_of_one_byte_tears_no_command() {
    let mut cuts = 0;
    for cut in Sweep::new() {
        let (ours, theirs) = duplex(1);
        commands_are_whole(&cut, ours, theirs).await;
        cuts += 1;
    }
    assert!(cuts > 2 * "INCR home\r\n".len(), "{cuts}");
}

#[tokio::test(start_paused = true)]
async fn a_request_to_a_slow_counter_tears_no_command() {
    for cut in Sweep::new() {
        let (ours, theirs) = duplex(64);
        commands_are_whole(&cut, Trickle::new(ours), theirs).await;
    }
}

/// Two visits on one connection, which the reaper closes wherever they were.
async fn commands_are_whole<S: Stream>(cut: &Cut, ours: S, theirs: DuplexStream) {
    let counter = tokio::spawn(async move {
        let mut theirs = BufReader::new(theirs);
        let mut heard = Vec::new();
        let mut line = String::new();
        while theirs.read_line(&mut line).await.unwrap() > 0 {
            let answer: &[u8] = match line.as_str() {
                "INCR home\r\n" => b":1\r\n",
                _ => b"+OK\r\n",
            };
            theirs.write_all(answer).await.unwrap();
            heard.push(line.split_off(0));
            if heard.last().is_some_and(|line| line == "QUIT\r\n") {
                break;
            }
        }
        heard
    });
    let reaper = AsyncDropReaper::new();
    let mut connection = reaper.adopt(Connection::new(ours));
    cut.run(async move {
        assert_eq!(connection.increment("home").await.unwrap(), 1);
        assert_eq!(connection.increment("home").await.unwrap(), 1);
    })
    .await;
    AsyncDropReaper::shutdown(reaper, DEADLINE).await.unwrap();
    let heard = counter.await.unwrap();
    let expected = ["INCR home\r\n", "INCR home\r\n"];
    let (last, before) = heard.split_last().unwrap();
    assert_eq!(last, "QUIT\r\n", "{cut}");
    assert_eq!(before, &expected[..before.len()], "{cut}");
}
