//! The README shows the panic of a guard that was forgotten. Its program is a doc test.

use std::panic::{self, AssertUnwindSafe};

use asyncdrop::AsyncDropWith;
use tokio::fs::File;
use tokio::io::{AsyncWriteExt, BufWriter};

#[test]
fn the_readme_shows_the_message_of_a_forgotten_log() {
    let file = File::from_std(tempfile::tempfile().unwrap());
    let log = AsyncDropWith::new(BufWriter::new(file), async |mut log| log.flush().await);
    let panic = panic::catch_unwind(AssertUnwindSafe(|| drop(log))).unwrap_err();
    let message = panic.downcast_ref::<String>().unwrap();

    let (said, _) = message.split_once(" created at ").unwrap();
    let shown = include_str!("../README.md")
        .lines()
        .filter_map(|line| line.split_once(" created at src/main.rs:"));
    assert_eq!(shown.map(|(shown, _)| shown).collect::<Vec<_>>(), [said]);
}
