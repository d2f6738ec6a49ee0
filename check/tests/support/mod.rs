//! Workspaces that are made for one test, with the library in the versions of this repository.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A workspace in a folder of its own. `LIBRARY` in its files becomes the path of the library.
pub(crate) fn workspace(name: &str, files: &[(&str, &str)]) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("packages")
        .join(name);
    for (file, text) in files {
        let path = folder.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let library = root().canonicalize().unwrap();
        let text = text.replace("LIBRARY", &library.display().to_string());
        fs::write(path, text).unwrap();
    }
    fs::copy(root().join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    folder
}

/// The checker in such a folder. What it prints is up to the caller.
pub(crate) fn command(folder: &Path, format: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cargo-asyncdrop"));
    command
        .args(["asyncdrop", "--offline", "--message-format", format])
        .current_dir(folder)
        // The library is built once for all of them.
        .env(
            "CARGO_TARGET_DIR",
            Path::new(env!("CARGO_TARGET_TMPDIR")).join("packages/target"),
        );
    command
}

const SESSION: &str = "
#[derive(Debug)]
pub struct Session;

#[NAME::async_trait]
impl NAME::AsyncDrop for Session {
    type Error = std::fmt::Error;

    async fn async_drop_impl(&mut self) -> Result<(), std::fmt::Error> {
        Ok(())
    }
}
";

/// A type with a cleanup, in a package that calls the library so.
pub(crate) fn session(name: &str) -> String {
    SESSION.replace("NAME", name)
}
