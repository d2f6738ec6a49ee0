//! Builds a program of `examples/` for the tests that run it.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

/// Builds the program and says where it is.
///
/// `cargo test` builds the examples, but `cargo test --test library` does not, and would test an old one or none.
pub fn build_program(name: &str) -> PathBuf {
    // The test is at <target>/<profile>/deps/library-<hash>, the program at <target>/<profile>/examples/line_server.
    let test = std::env::current_exe().unwrap();
    let profile_folder = test.ancestors().nth(2).expect("cargo put the test there");
    let target_folder = profile_folder.parent().expect("cargo put the test there");
    let profile = match profile_folder.file_name() {
        Some(name) if name == "debug" => OsString::from("dev"),
        Some(name) => name.to_owned(),
        None => panic!("{} has no profile", test.display()),
    };
    // With the feature, `ASYNCDROP_INTERRUPT` in the environment of the tests interrupts the cleanups of the program.
    let features: &[&str] = if cfg!(feature = "testing") {
        &["--features", "asyncdrop/testing"]
    } else {
        &[]
    };
    let output = Command::new(env!("CARGO"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        // No `--package`: then the dependencies have the features that `cargo test` gave them, and nothing is built twice.
        .args(["build", "--quiet", "--example", name])
        .args(features)
        .arg("--profile")
        .arg(profile)
        .arg("--target-dir")
        .arg(target_folder)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    profile_folder.join("examples").join(name)
}
