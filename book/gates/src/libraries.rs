//! The crates that snippets use, each built once, in a folder of their own.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::{cargo, root};

/// Builds them with the README's command for readers.
///
/// # Panics
///
/// When that fails.
pub fn build() {
    let output = Command::new(env!("CARGO"))
        .current_dir(root())
        .args(["build", "-p", "asyncdrop-book", "--profile", "book"])
        .args(["--target-dir", "target"])
        .args(["--message-format", "json-render-diagnostics"])
        .stderr(Stdio::inherit())
        .output()
        .expect("cargo runs this test");
    assert!(
        output.status.success(),
        "`cargo build -p asyncdrop-book --profile book` failed"
    );
    remove_all_but(&cargo::artifacts(&output.stdout));
}

/// Removes the libraries that an earlier version of Cargo.toml or Cargo.lock left behind.
///
/// rustdoc refuses a folder that holds a crate twice (E0464), and cargo never removes anything.
fn remove_all_but(current: &BTreeSet<PathBuf>) {
    for entry in fs::read_dir(folder()).expect("cargo just wrote to it") {
        let library = entry.expect("the folder can be read").path();
        if library.extension().is_some_and(|end| end == "rlib") && !current.contains(&library) {
            let _ = fs::remove_file(library.with_extension("rmeta"));
            fs::remove_file(library).expect("target/ can be written");
        }
    }
}

/// All that [`build`] has built.
///
/// # Panics
///
/// When the folder cannot be read.
pub fn built() -> Vec<PathBuf> {
    fs::read_dir(folder())
        .expect("cargo just wrote to it")
        .map(|entry| entry.expect("the folder can be read").path())
        .filter(|file| file.extension().is_none_or(|end| end != "d"))
        .collect()
}

/// The compiler, and when each of these libraries was built. Where that differs, nothing compiled with them is the same.
///
/// # Panics
///
/// When a library is not there, or there is no `rustc`.
pub fn state<'a>(libraries: impl IntoIterator<Item = &'a PathBuf>) -> String {
    let compiler = Command::new("rustc").arg("-vV").output();
    let compiler = compiler.expect("cargo just ran it").stdout;
    let mut lines: Vec<_> = libraries
        .into_iter()
        .map(|library| {
            let built = fs::metadata(library).and_then(|it| it.modified());
            format!("{} {:?}", library.display(), built.expect("it is there"))
        })
        .collect();
    lines.sort();
    format!("{}{}", String::from_utf8_lossy(&compiler), lines.join("\n"))
}

/// Where they are, for `-L`.
pub fn folder() -> PathBuf {
    root().join("target/book/deps")
}
