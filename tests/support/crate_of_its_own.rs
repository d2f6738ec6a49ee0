//! Crates that depend on this one and on nothing else, as the smallest of a user's would.

use std::fs;
use std::path::Path;
use std::process::Command;

/// Runs the program of the crate in `tests/fixtures/<name>`, which must print that, and compile without a warning.
#[track_caller]
pub fn run_crate(name: &str, stdout: &str) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let fixture = root.join("tests/fixtures").join(name);
    // A lock file of its own would have to be kept in step by hand. Cargo takes what it needs from the workspace's.
    let lock = fixture.join("Cargo.lock");
    fs::copy(root.join("Cargo.lock"), &lock).unwrap();

    let output = Command::new(env!("CARGO"))
        .args(["run", "--offline", "--quiet"])
        .current_dir(&fixture)
        // One folder for all of them, so that what they have in common is built once.
        .env(
            "CARGO_TARGET_DIR",
            Path::new(env!("CARGO_TARGET_TMPDIR")).join("crates"),
        )
        .env("CARGO_PROFILE_DEV_DEBUG", "false")
        .env("CARGO_INCREMENTAL", "0")
        .output()
        .unwrap();
    fs::remove_file(lock).unwrap();

    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{stderr}");
    // Not a warning either.
    assert_eq!(stderr, "");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), stdout);
}
