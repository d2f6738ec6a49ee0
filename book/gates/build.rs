//! Gives skeptic the chapters as the reader sees them: it does not expand `{{#include}}` itself.
//! And gives the test `conditions` the programs that it runs.

use std::path::{Path, PathBuf};
use std::{env, fs};

use anyhow::{Context, Result, ensure};

// What is public there is public in the library, which has the same file.
#[allow(unreachable_pub)]
#[path = "src/chapters.rs"]
mod chapters;
#[path = "build/programs.rs"]
mod programs;

fn main() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let out_dir = PathBuf::from(env::var_os("OUT_DIR").context("cargo sets OUT_DIR")?);

    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=src/chapters.rs");
    println!("cargo::rerun-if-changed=build");
    println!(
        "cargo::rerun-if-changed={}",
        root.join("book.toml").display()
    );
    for entry in fs::read_dir(root.join("book/src"))? {
        let watched = entry?;
        // Tests that load the book write it, and the next build would begin here again.
        if watched.file_name() != "online" {
            println!("cargo::rerun-if-changed={}", watched.path().display());
        }
    }

    let chapters = chapters::load(&root)?;
    programs::write(&root, &out_dir, &chapters)?;

    let mut documents = Vec::new();
    for chapter in chapters {
        for file in chapters::includes(&chapter.path, &chapter.source) {
            println!("cargo::rerun-if-changed={}", root.join(file).display());
        }
        // skeptic names a test after the file alone, so the folder has to be part of the name.
        let document = out_dir.join(chapter.path.replace('/', "_"));
        write_old(&document, &chapter.expanded)?;
        documents.push(document);
    }
    skeptic::generate_doc_tests(&documents);
    run_by_the_harness(&out_dir.join("skeptic-tests.rs"))
}

/// Lets the tests that skeptic wrote run their snippet through `tests/skeptic.rs`, which says why.
fn run_by_the_harness(tests: &Path) -> Result<()> {
    let written = fs::read_to_string(tests).context("skeptic writes its tests there")?;
    let (skeptics, ours) = ("    skeptic::rt::run_test(", "    the_harness::run_test(");
    ensure!(
        written.contains(skeptics),
        "skeptic calls its snippets in another way now"
    );
    fs::write(tests, written.replace(skeptics, ours))?;
    Ok(())
}

/// Writes a file that does not look newer than this run.
///
/// skeptic tells cargo to watch it, and cargo would run this script again and again for it.
fn write_old(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("writing {}", path.display()))?;
    let file = fs::File::options().write(true).open(path)?;
    file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(1))?;
    Ok(())
}
