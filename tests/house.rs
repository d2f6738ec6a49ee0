//! How the source of the library and its tests are laid out.

use std::fs;
use std::path::{Path, PathBuf};

/// A name is imported from the file that owns it, so that the arrows between the files can be read off their first lines.
/// `lib.rs` is the face of the crate for others, and no file of the crate goes through it.
#[test]
fn every_file_imports_from_the_file_that_owns_the_name() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut detours = Vec::new();
    for file in files(&root) {
        if file == root.join("lib.rs") {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap();
        for (number, line) in (1..).zip(text.lines()) {
            let Some((_, path)) = line.split_once("use crate::") else {
                continue;
            };
            if line.trim_start().starts_with("//") {
                continue;
            }
            let end = path.find(|it: char| it != '_' && !it.is_alphanumeric());
            let owner = root.join(&path[..end.unwrap_or(path.len())]);
            if !(owner.with_extension("rs").is_file() || owner != root && owner.is_dir()) {
                detours.push(format!("{}:{number}: {line}", file.display()));
            }
        }
    }
    assert!(
        detours.is_empty(),
        "imported through `lib.rs`:\n{}",
        detours.join("\n")
    );
}

/// The library's dev-dependency on itself turns `derive` on in every test, so none can try a guard without it.
/// There is nothing to try as long as the guard is the same with and without.
#[test]
fn a_guard_is_the_same_with_and_without_the_derive_macro() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for file in ["guard.rs", "kept_error.rs"] {
        let text = fs::read_to_string(source.join(file)).unwrap();
        assert!(!text.contains("feature = \"derive\""), "{file}");
    }
}

/// Cargo does not look for tests (`autotests = false`), so a file that nobody names would never be compiled.
#[test]
fn every_file_of_tests_belongs_to_a_binary() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest = fs::read_to_string(root.join("Cargo.toml")).unwrap();
    let library = fs::read_to_string(root.join("tests/library.rs")).unwrap();
    let mut unknown = Vec::new();
    for entry in fs::read_dir(root.join("tests")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let is_module = library.lines().any(|line| line == format!("mod {name};"));
        let is_binary = manifest.contains(&format!("[[test]]\nname = \"{name}\"\n"));
        if name != "fixtures" && !is_module && !is_binary {
            unknown.push(name.to_owned());
        }
    }
    assert!(
        unknown.is_empty(),
        "write `mod` in tests/library.rs, or `[[test]]` in Cargo.toml, for {unknown:?}"
    );
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}
