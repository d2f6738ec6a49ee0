//! The quick start, done as its page says: a fresh package, the commands of the page, the program of the page.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::Command;

use asyncdrop_book_gates::markdown::Block;
use asyncdrop_book_gates::{chapters, markdown, program, root, scratch};

const PAGE: &str = "first-steps/quick-start.md";
const PROGRAM: &str = "book/examples/quick_start.rs";
const OUTPUT: &str = "book/output/quick_start.txt";

#[test]
fn the_quick_start_works_in_a_fresh_package() {
    let chapters = chapters();
    let page = chapters
        .iter()
        .find(|chapter| chapter.path == PAGE)
        .unwrap_or_else(|| panic!("book/src/{PAGE} is gone"));
    let blocks = markdown::listings(page).blocks;

    // Outside of the repository: `cargo new` would make the package a member of its workspace.
    let folder = tempfile::tempdir().expect("a temporary folder");
    let name = follow(&blocks, folder.path());
    let package = folder.path().join(&name);

    fs::write(package.join("src/main.rs"), shown_program(&blocks)).expect("the package is ours");
    fs::copy(root().join("Cargo.lock"), package.join("Cargo.lock"))
        .expect("the workspace has a lock file");
    cargo(&package, ["build", "--offline"]);

    let executable = target()
        .join("debug")
        .join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    let printed = program::transcript("quick_start", &executable, &package).expect("it was built");
    let recorded =
        fs::read_to_string(root().join(OUTPUT)).expect("the program has recorded output");
    let diff = similar::TextDiff::from_lines(&recorded, &printed);
    assert!(
        printed == recorded,
        "The program of book/src/{PAGE}, in a package made by the commands of that page, does not print what {OUTPUT} says:\n{}",
        diff.unified_diff().header("recorded", "this run")
    );
}

/// Runs the commands of the page and returns the package's name.
fn follow(blocks: &[Block], folder: &Path) -> String {
    let mut package = None;
    for line in blocks
        .iter()
        .filter(|block| block.info == "sh")
        .flat_map(|block| block.expanded.lines())
    {
        let words: Vec<_> = line.split_whitespace().collect();
        match (words.as_slice(), &package) {
            (["cargo", "new", rest @ .., name], None) => {
                cargo(folder, [&["new", "--vcs", "none"], rest, &[*name]].concat());
                package = Some((*name).to_owned());
            }
            (["cd", to], Some(name)) if to == name => {}
            // The library is not taken from the registry but from here.
            (["cargo", "add", "asyncdrop", rest @ ..], Some(name)) => {
                let here = root();
                let here = here.to_str().expect("a plain path");
                cargo(
                    &folder.join(name),
                    [&["add", "--offline", "--path", here], rest].concat(),
                );
            }
            (["cargo", "add", name, rest @ ..], Some(package)) => {
                let name = locked(name);
                cargo(
                    &folder.join(package),
                    [&["add", "--offline", &name], rest].concat(),
                );
            }
            (["cargo", "run"] | [], Some(_)) => {}
            _ => panic!(
                "book/src/{PAGE} says `{line}`: this test knows `cargo new`, then `cd`, `cargo add` and `cargo run`"
            ),
        }
    }
    package
        .unwrap_or_else(|| panic!("no `sh` block of book/src/{PAGE} has a line `cargo new <name>`"))
}

/// The crate in the version of the workspace: without a network, cargo would take any that lies on this machine.
fn locked(name: &str) -> String {
    let lock =
        fs::read_to_string(root().join("Cargo.lock")).expect("the workspace has a lock file");
    let entry = format!("\nname = \"{name}\"\nversion = \"");
    // Of several versions the last is the highest, which is the one that snippets use.
    match lock
        .rsplit_once(&entry)
        .and_then(|(_, rest)| rest.split_once('"'))
    {
        Some((version, _)) => format!("{name}@{version}"),
        None => name.to_owned(),
    }
}

/// What a reader copies: the whole program without its hidden lines.
fn shown_program(blocks: &[Block]) -> String {
    let program = blocks
        .iter()
        .find(|block| block.only_include() == Some(PROGRAM))
        .unwrap_or_else(|| panic!("book/src/{PAGE} does not include {PROGRAM} as a whole"));
    let visible = program
        .expanded
        .lines()
        .filter(|line| !(line.starts_with("# ") || *line == "#"));
    visible.flat_map(|line| [line, "\n"]).collect()
}

fn cargo(folder: &Path, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) {
    let output = Command::new(env!("CARGO"))
        .current_dir(folder)
        .env("CARGO_TARGET_DIR", target())
        // Nobody looks into it with a debugger, or builds it a second time.
        .env("CARGO_PROFILE_DEV_DEBUG", "false")
        .env("CARGO_INCREMENTAL", "0")
        .args(arguments)
        .output()
        .expect("cargo runs this test");
    assert!(
        output.status.success(),
        "Somebody who follows book/src/{PAGE} gets an error:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn target() -> std::path::PathBuf {
    scratch("quick-start")
}
