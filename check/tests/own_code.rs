//! What is found in the programs of this repository is what `own_code.txt` says, and the book shows what is printed.
//!
//! `RECORD=1 cargo test -p cargo-asyncdrop --test own_code` writes both down again.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// The program whose finding is shown as it is printed for readers.
const SHOWN: &str = "early_return_without_cleanup";

/// The programs whose findings are shown in a line each, on the pages of the mistakes that they make.
const SHOWN_IN_SHORT: [&str; 9] = [
    "assigned_over_a_guard",
    "continue_past_the_cleanup",
    "dropped_by_an_underscore",
    "field_that_nobody_ends",
    "forgetting_the_cleanup",
    "interrupted_by_a_deadline",
    "leaks_and_exits",
    "question_mark_between_cleanups",
    "try_join_interrupts_a_cleanup",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn findings(arguments: &[&str]) -> Vec<Value> {
    let output = Command::new(env!("CARGO_BIN_EXE_cargo-asyncdrop"))
        .arg("asyncdrop")
        .args(["--locked", "--quiet", "--message-format", "json"])
        .args(arguments)
        .current_dir(root())
        .output()
        .unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(
        matches!(output.status.code(), Some(0 | 1)),
        "it could not look:\n{errors}"
    );
    let lines = String::from_utf8(output.stdout).unwrap();
    lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|message: &Value| message["reason"] == "finding")
        .collect()
}

fn in_a_line(finding: &Value) -> String {
    let text = |key: &str| finding[key].as_str().unwrap_or("?").to_owned();
    let ways: Vec<_> = finding["ways"]
        .as_array()
        .unwrap()
        .iter()
        .map(|way| way["word"].as_str().unwrap())
        .collect();
    // Without the lines, which change with every word that is added above.
    let (file, id, message) = (text("file"), text("id"), text("message"));
    format!("{file}: {id}: {message}: {}", ways.join(", "))
}

/// What is printed about a program of the book.
fn printed(findings: &[Value], program: &str, form: &str) -> String {
    let file = format!("book/examples/{program}.rs");
    let of_program = findings
        .iter()
        .filter(|finding| finding["file"] == file.as_str());
    let printed: String = of_program
        .map(|finding| finding[form].as_str().unwrap().trim_end().to_owned() + "\n")
        .collect();
    assert!(
        !printed.is_empty(),
        "nothing is found in {program}, which the book shows"
    );
    printed
}

fn compare(path: &str, found: &str) {
    let path = root().join(path);
    if std::env::var_os("RECORD").is_some() {
        fs::write(path, found).unwrap();
        return;
    }
    let recorded = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        recorded,
        found,
        "{} is not what is found now",
        path.display()
    );
}

#[test]
fn what_is_found_in_our_own_programs_is_known() {
    let mut findings_of_book = findings(&["-p", "asyncdrop-book", "--examples"]);
    let shown = printed(&findings_of_book, SHOWN, "rendered");
    compare("check/output/early_return_without_cleanup.txt", &shown);
    for program in SHOWN_IN_SHORT {
        let shown = printed(&findings_of_book, program, "short");
        compare(&format!("check/output/{program}.txt"), &shown);
    }
    // The README shows one of them.
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    assert!(
        readme.contains(&format!("```text\n{shown}```")),
        "README.md does not show what is printed:\n{shown}"
    );

    findings_of_book.extend(findings(&[
        "-p",
        "asyncdrop",
        "-p",
        "asyncdrop-example-http-service",
        "-p",
        "asyncdrop-example-recipes",
        "--examples",
        "--bins",
    ]));
    // The library itself, with all that it has.
    findings_of_book.extend(findings(&["-p", "asyncdrop", "--lib", "--all-features"]));
    findings_of_book.extend(findings(&[
        "-p",
        "asyncdrop-example-test-database",
        "--lib",
    ]));
    let lines: BTreeSet<_> = findings_of_book.iter().map(in_a_line).collect();
    let lines: Vec<_> = lines.into_iter().collect();
    compare("check/tests/own_code.txt", &(lines.join("\n") + "\n"));
}
