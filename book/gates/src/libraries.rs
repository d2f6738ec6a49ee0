//! The crates that snippets use, each built once, in a folder of their own.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::{env, fs};

use crate::{cargo, root};

/// Builds them with the README's command for readers, and returns the libraries.
///
/// # Panics
///
/// When that fails.
pub fn build() -> BTreeSet<PathBuf> {
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
    let built = cargo::artifacts(&output.stdout);
    remove_all_but(&built);
    // `asyncdrop-book` itself, which has nothing in it, lies beside the folder and is new each time.
    let is_library = |file: &PathBuf| {
        let end = file.extension().unwrap_or_default();
        file.starts_with(folder()) && (end == "rlib" || end == env::consts::DLL_EXTENSION)
    };
    built.into_iter().filter(is_library).collect()
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
