//! Nothing is found in the solutions of the exercises, in what a mistake is repaired to, and in the examples of the docs,
//! but for those that show a report.
//!
//! They are files of their own, or parts of one, and no targets of cargo. So they become the examples of one package.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn rust_files(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// A file without its problem and its tests.
fn solution(source: &str) -> String {
    let begin = source.find("// ANCHOR: solution").expect("a solution");
    let end = source.find("// ANCHOR_END: solution").expect("its end");
    source[begin..end].to_owned()
}

/// The examples in the docs of a file that run, each as rustdoc compiles it.
fn examples(source: &str) -> Vec<String> {
    let mut examples = Vec::new();
    let mut current: Option<String> = None;
    for line in source.lines() {
        let line = line.trim_start();
        let Some(text) = line.strip_prefix("///").or(line.strip_prefix("//!")) else {
            current = None;
            continue;
        };
        let text = text.strip_prefix(' ').unwrap_or(text);
        match (text.trim(), &mut current) {
            ("```", None) => current = Some(String::new()),
            ("```", Some(_)) => examples.extend(current.take()),
            // Of another language, or one that must not compile.
            (fence, None) if fence.starts_with("```") => current = Some("skip".to_owned()),
            (_, Some(example)) if example != "skip" => {
                let code = text.strip_prefix("# ").unwrap_or(text);
                let code = if code == "#" { "" } else { code };
                writeln!(example, "{code}").unwrap();
            }
            _ => {}
        }
    }
    examples.retain(|example| example != "skip");
    for example in &mut examples {
        if !example.contains("fn main()") {
            *example = format!("fn main() {{\n{example}}}\n");
        }
    }
    examples
}

/// Where each listing comes from, and what is in it.
fn listings() -> Vec<(String, String)> {
    let mut listings = Vec::new();
    let name = |path: &Path| path.strip_prefix(root()).unwrap().display().to_string();
    for path in rust_files("book/exercises") {
        let source = fs::read_to_string(&path).unwrap();
        listings.push((name(&path), solution(&source)));
    }
    for path in rust_files("compile-fail/fixed") {
        listings.push((name(&path), fs::read_to_string(&path).unwrap()));
    }
    for path in rust_files("src") {
        let source = fs::read_to_string(&path).unwrap();
        for (number, example) in (1..).zip(examples(&source)) {
            listings.push((format!("{}, example {number}", name(&path)), example));
        }
    }
    listings
}

/// They show what is reported about a guard that was forgotten.
const ON_PURPOSE: &str = "
src/incident.rs, example 2: dropped-armed
src/incident.rs, example 3: dropped-armed
src/incident.rs, example 4: dropped-armed
src/incident.rs, example 5: dropped-armed
src/incident.rs, example 6: dropped-armed
src/incident.rs, example 7: dropped-armed
src/testing/incidents.rs, example 10: dropped-armed
src/testing/incidents.rs, example 1: dropped-armed
src/testing/incidents.rs, example 3: dropped-armed
src/testing/incidents.rs, example 5: dropped-armed
src/testing/incidents.rs, example 6: dropped-armed
src/testing/incidents.rs, example 7: dropped-armed
src/testing/incidents.rs, example 8: dropped-armed
src/testing/incidents.rs, example 9: dropped-armed
";

const MANIFEST: &str = r#"[package]
name = "listings"
version = "0.0.0"
edition = "2024"

[workspace]

[dependencies]
anyhow = "1"
asyncdrop = { path = "LIBRARY", features = ["derive", "testing", "tracing"] }
futures = "0.3"
send_wrapper = { version = "0.6", features = ["futures"] }
smol = "2"
tempfile = "3"
thiserror = "2"
tokio = { version = "1", features = ["full", "test-util"] }
tracing = "0.1"
"#;

#[test]
fn nothing_is_found_in_solutions_repaired_mistakes_and_examples() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("listings");
    let sources = folder.join("examples");
    _ = fs::remove_dir_all(&sources);
    fs::create_dir_all(&sources).unwrap();
    let library = root().canonicalize().unwrap().display().to_string();
    fs::write(
        folder.join("Cargo.toml"),
        MANIFEST.replace("LIBRARY", &library),
    )
    .unwrap();
    fs::copy(root().join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();

    let listings = listings();
    assert!(listings.len() > 200, "{} were collected", listings.len());
    let mut from = String::new();
    for (number, (name, source)) in listings.iter().enumerate() {
        writeln!(from, "listing_{number}: {name}").unwrap();
        let main = if source.contains("fn main()") {
            ""
        } else {
            "fn main() {}\n"
        };
        let source = format!("#![allow(warnings)]\n{source}{main}");
        fs::write(sources.join(format!("listing_{number}.rs")), source).unwrap();
    }

    let output = Command::new(env!("CARGO_BIN_EXE_cargo-asyncdrop"))
        .args([
            "asyncdrop",
            "--offline",
            "--examples",
            "--message-format",
            "short",
        ])
        .current_dir(&folder)
        .env("CARGO_TARGET_DIR", folder.join("target"))
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(matches!(output.status.code(), Some(0 | 1)), "{errors}");
    // Each line as `examples/listing_7.rs:8:21: error[dropped-armed]: ..`.
    let printed = String::from_utf8(output.stdout).unwrap();
    let mut found: Vec<_> = printed
        .lines()
        .map(|line| in_its_listing(line, &listings))
        .collect();
    found.sort();
    assert_eq!(
        found.join("\n"),
        ON_PURPOSE.trim(),
        "{printed}where\n{from}"
    );
}

fn in_its_listing(line: &str, listings: &[(String, String)]) -> String {
    let (file, finding) = line.split_once(": ").unwrap();
    let number = file
        .trim_start_matches("examples/listing_")
        .split('.')
        .next()
        .unwrap();
    let (name, _) = &listings[number.parse::<usize>().unwrap()];
    let id = finding
        .trim_start_matches("error[")
        .split(']')
        .next()
        .unwrap();
    format!("{name}: {id}")
}
