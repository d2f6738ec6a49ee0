//! What the gates of the book share: its chapters, and the blocks of code in them.

use std::path::{Path, PathBuf};

use libtest_mimic::Arguments;

pub mod api;
pub mod cargo;
pub mod chapters;
pub mod charts;
pub mod kept;
pub mod libraries;
pub mod markdown;
pub mod program;
pub mod repairs;
pub mod rules;
pub mod signatures;
pub mod two_results;

/// The folder of the repository.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors()
        .nth(2)
        .expect("book/gates is two folders deep")
        .to_owned()
}

/// The folder in which gates may write.
pub fn scratch(name: &str) -> PathBuf {
    let folder = root().join("target/gates").join(name);
    std::fs::create_dir_all(&folder).expect("target/ can be written");
    folder
}

/// What the command line asks of a gate that is its own harness.
///
/// The processes that it starts wait for a clock, a disk or each other most of the time, so more of them run at once than
/// there are cores.
pub fn arguments() -> Arguments {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(8);
    arguments
}

/// The chapters of the book.
pub fn chapters() -> Vec<chapters::Chapter> {
    chapters::load(&root()).unwrap_or_else(|error| panic!("The book does not load: {error:#}"))
}

/// What `SUMMARY.md` calls a page.
pub fn title(page: &str) -> String {
    let summary = std::fs::read_to_string(root().join("book/src/SUMMARY.md")).unwrap_or_default();
    summary
        .lines()
        .find_map(|line| {
            line.trim()
                .strip_suffix(&format!("]({page})"))?
                .split_once('[')
        })
        .map_or_else(|| page.to_owned(), |(_, title)| title.to_owned())
}

/// The files below a folder of the repository that have this extension, sorted, as paths from the root.
pub fn files(folder: &str, extension: &str) -> Vec<String> {
    let mut found = Vec::new();
    let Ok(entries) = std::fs::read_dir(root().join(folder)) else {
        return found;
    };
    for entry in entries {
        let path = entry
            .expect("a folder of the repository can be read")
            .path();
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .expect("plain file names");
        let below = format!("{folder}/{name}");
        if path.is_dir() {
            found.extend(files(&below, extension));
        } else if path.extension().is_some_and(|end| end == extension) {
            found.push(below);
        }
    }
    found.sort();
    found
}
