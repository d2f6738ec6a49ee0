//! Reads what `cargo build --message-format json` says.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::Value;

/// Every message, in order.
pub fn messages(stdout: &[u8]) -> impl Iterator<Item = Value> {
    stdout
        .split(|byte| *byte == b'\n')
        .filter_map(|line| serde_json::from_slice(line).ok())
}

/// Every file that the build made or found up to date.
pub fn artifacts(stdout: &[u8]) -> BTreeSet<PathBuf> {
    messages(stdout)
        .flat_map(|message| message["filenames"].as_array().cloned().unwrap_or_default())
        .filter_map(|file| Some(PathBuf::from(file.as_str()?)))
        .collect()
}
