//! What is found in each function of the corpus is what the comment above it says.
//!
//! `ASYNCDROP_CORPUS_TOOLCHAIN=1.85.0` compiles the corpus with another toolchain of rustup, in a target folder of its own.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// What was found or is expected in a function, each as `dropped-armed ?, return`.
type Findings = BTreeMap<(String, String), Vec<String>>;

fn expected() -> Findings {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let mut expected = Findings::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let file = path.file_name().unwrap().to_str().unwrap().to_owned();
        let mut wanted = Vec::new();
        for (number, line) in (1..).zip(fs::read_to_string(&path).unwrap().lines()) {
            let line = line.trim();
            if let Some(finds) = line.strip_prefix("// finds: ") {
                wanted.push(finds.to_owned());
            } else if line.contains("fn ") && !line.starts_with("//") && !wanted.is_empty() {
                let after = line.split("fn ").nth(1).unwrap();
                let name = after.split(['(', '<']).next().unwrap();
                // Two traits have a method of one name, so the line is part of it.
                let function = format!("{number}: {name}");
                let mut wanted = std::mem::take(&mut wanted);
                wanted.retain(|finds| finds != "nothing");
                expected.insert((file.clone(), function), wanted);
            }
        }
    }
    expected
}

fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cargo-asyncdrop"));
    command
        .arg("asyncdrop")
        .args(["--package", "cargo-asyncdrop", "--example", "corpus"])
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"));
    if let Some(toolchain) = std::env::var_os("ASYNCDROP_CORPUS_TOOLCHAIN") {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(&toolchain);
        command
            .env("CARGO_TARGET_DIR", folder)
            .env("RUSTUP_TOOLCHAIN", toolchain)
            // They name the toolchain that runs this test.
            .env_remove("CARGO")
            .env_remove("RUSTC");
    }
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

fn found(arguments: &[&str]) -> (Findings, Value) {
    let arguments = [&["--message-format", "json"], arguments].concat();
    let (code, stdout, stderr) = run(&arguments);
    assert_eq!(code, Some(1), "{stderr}");
    let mut found = Findings::new();
    let mut summary = Value::Null;
    for line in stdout.lines() {
        let message: Value = serde_json::from_str(line).unwrap();
        if message["reason"] == "summary" {
            summary = message;
            continue;
        }
        if message["asyncdrop"].is_null() {
            continue;
        }
        let place = &message["message"]["spans"][0];
        let Some(file) = place["file_name"].as_str() else {
            panic!("a finding without a file: {message}");
        };
        let file = Path::new(file);
        let name = file.file_name().unwrap().to_str().unwrap();
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file));
        let line = usize::try_from(place["line_start"].as_u64().unwrap()).unwrap();
        let function = function_around(&text.unwrap(), line);
        let ways: Vec<_> = message["asyncdrop"]["ways"]
            .as_array()
            .unwrap()
            .iter()
            .map(|way| way["word"].as_str().unwrap())
            .collect();
        let id = message["message"]["code"]["code"].as_str().unwrap();
        let finding = if id == "result-dropped" {
            id.to_owned()
        } else {
            format!("{id} {}", ways.join(", "))
        };
        let function = found.entry((name.to_owned(), function)).or_default();
        function.push(finding);
    }
    (found, summary)
}

/// The function in which a line stands, as in [`expected`].
fn function_around(text: &str, line: usize) -> String {
    let lines: Vec<_> = text.lines().collect();
    for number in (1..=line).rev() {
        let code = lines[number - 1].trim();
        if code.contains("fn ") && !code.starts_with("//") {
            let after = code.split("fn ").nth(1).unwrap();
            let name = after.split(['(', '<']).next().unwrap();
            return format!("{number}: {name}");
        }
    }
    panic!("line {line} is in no function");
}

fn compare(expected: &Findings, found: &Findings) -> String {
    let mut differences = String::new();
    for (function, wanted) in expected {
        let got = found.get(function).cloned().unwrap_or_default();
        if &got != wanted {
            differences += &format!("{function:?}\n  expected {wanted:?}\n  found    {got:?}\n");
        }
    }
    for (function, got) in found {
        if !expected.contains_key(function) {
            differences += &format!("{function:?}\n  expected nothing\n  found    {got:?}\n");
        }
    }
    differences
}

#[test]
fn each_function_has_the_findings_that_its_comment_says() {
    let expected = expected();
    assert!(expected.len() > 100, "{} functions", expected.len());
    let (found, summary) = found(&[]);
    let differences = compare(&expected, &found);
    assert!(differences.is_empty(), "\n{differences}");
    assert!(summary["functions"].as_u64().unwrap() > 100, "{summary}");
    assert_eq!(summary["not_understood"].as_array().unwrap().len(), 0);
}

#[test]
fn cancellations_are_listed_on_request_and_are_no_fault() {
    let (code, stdout, stderr) = run(&["--message-format", "short", "--cancellation"]);
    assert_eq!(code, Some(1), "{stderr}");
    let notes: Vec<_> = stdout
        .lines()
        .filter(|line| line.contains("note[cancellation]"))
        .collect();
    let about = |function: &str, word: &str| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
        let text = fs::read_to_string(folder.join("paths.rs")).unwrap();
        notes.iter().any(|note| {
            let place = note.split_once("paths.rs:").map(|(_, place)| place);
            let line = place.and_then(|place| place.split(':').next()?.parse().ok());
            line.is_some_and(|line| function_around(&text, line).ends_with(function))
                && note.contains(word)
        })
    };
    // The guard is there while `step()` is awaited.
    assert!(about(": question_mark", "await in line"), "{notes:?}");
    // A guard that is made after the `.await` of the step is there while it is cleaned up.
    assert!(about(": remembered", "await in line"), "{notes:?}");
    assert!(!about(": in_a_nested_block", "await"), "{notes:?}");
}
