//! What is found in all code of this repository is what `own_code.txt` says, each with a reason,
//! the book shows what is printed, and the README of the checker counts it.
//!
//! `RECORD=1 cargo test -p cargo-asyncdrop --test own_code` writes all three down again.

use std::fmt::Write as _;
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

/// Each finding, and whether it is true.
const RECORD: &str = "check/tests/own_code.txt";
const README: &str = "check/README.md";

/// Why there may be findings in a file, by the beginning of its path. What has no reason here must have no findings.
const REASONS: [(&str, &str); 5] = [
    (
        "book/examples/",
        "programs that show a mistake, or what is reported about one",
    ),
    (
        "tests/",
        "tests of the library, which forget, leak and interrupt guards to see what is reported",
    ),
    (
        "examples/",
        "tests, which fail when one of their steps does, and then leave past their guards",
    ),
    (
        "bench/",
        "benchmarks, which measure the cleanup and nothing after it",
    ),
    (
        "book/gates/",
        "a test that plays what the simulator shows, a forgotten guard among it",
    ),
];

/// Why a finding may be false. Each is a kind of code, and has to be there.
const FALSE: [(&str, &str); 5] = [
    (
        "never-that-value",
        "the option is empty there, or the result an error, which only what was done before can tell",
    ),
    (
        "told-by-a-helper",
        "a function polls the cleanup, and says in a type of its own, or in a `bool`, whether it has ended",
    ),
    (
        "polled-in-a-loop",
        "the cleanup is polled so often that it has ended, and a flag or a variable says so",
    ),
    (
        "caught-panic",
        "a closure cleans up and panics then, and the panic is caught",
    ),
    (
        "given-away",
        "a future or a pair with the guard went to where somebody else finishes it",
    ),
];

/// Whether a finding is true is for a reader to say, so a new one is marked so until that was done.
const NOT_JUDGED: &str = "?";

/// The parts of the repository that the README counts.
const PARTS: [(&str, &[&str]); 5] = [
    ("`book/examples`", &["book/examples/"]),
    ("`src`, `derive`", &["src/", "derive/"]),
    ("`tests`", &["tests/"]),
    ("`examples`", &["examples/"]),
    ("`bench`, `check`, `book`", &["bench/", "check/", "book/"]),
];

/// The kinds in the order of the table.
const KINDS: [&str; 5] = [
    "dropped-armed",
    "dropped-interrupted",
    "result-dropped",
    "dropped-inside",
    "leaked",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// What is found in every target of the workspace, but for the corpus, which says itself what is to be found in it.
fn findings() -> (Vec<Value>, Value) {
    let output = Command::new(env!("CARGO_BIN_EXE_cargo-asyncdrop"))
        .arg("asyncdrop")
        .args(["--locked", "--quiet", "--message-format", "json"])
        .args(["--workspace", "--all-targets"])
        .current_dir(root())
        .output()
        .unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(
        matches!(output.status.code(), Some(0 | 1)),
        "it could not look:\n{errors}"
    );
    let lines = String::from_utf8(output.stdout).unwrap();
    let messages: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let mut totals = messages.iter();
    let totals = totals.find(|message| message["reason"] == "summary");
    let totals = totals.expect("the totals").clone();
    let findings = messages
        .into_iter()
        .filter(|message: &Value| {
            let is_of_the_compiler = message["asyncdrop"].is_null();
            message["reason"] == "compiler-message" && !is_of_the_compiler
        })
        .filter(|finding| {
            let file = file_of(finding);
            // The gates compile copies of what is looked at in its own place.
            let is_copy = Path::new(file).is_absolute();
            !is_copy && !file.starts_with("check/tests/corpus/")
        })
        .collect();
    (findings, totals)
}

/// How much the README says that is looked at.
fn size(lines: &[String], totals: &Value) -> String {
    let count = |key: &str| totals[key].as_u64().unwrap();
    let programs = fs::read_dir(root().join("book/examples")).unwrap();
    let programs = programs
        .filter(|entry| {
            let name = entry.as_ref().unwrap().file_name();
            Path::new(&name).extension().is_some_and(|end| end == "rs")
        })
        .count();
    let mut named: Vec<_> = lines
        .iter()
        .filter_map(|line| line.split("book/examples/").nth(1)?.split(": ").next())
        .collect();
    named.dedup();
    format!(
        "It looks at more than {} targets, in which more than {},{}00 functions handle guards.\n\
         Of the {programs} programs of the book it names {}.\n",
        // Rounded, because a new test is no news here.
        count("targets") / 10 * 10,
        count("functions") / 1000,
        count("functions") % 1000 / 500 * 5,
        named.len(),
    )
}

fn file_of(finding: &Value) -> &str {
    let place = &finding["message"]["spans"][0]["file_name"];
    place.as_str().unwrap_or_default()
}

fn in_a_line(finding: &Value) -> String {
    let diagnostic = &finding["message"];
    let ways: Vec<_> = finding["asyncdrop"]["ways"]
        .as_array()
        .unwrap()
        .iter()
        .map(|way| way["word"].as_str().unwrap())
        .collect();
    // Without the lines, which change with every word that is added above.
    let file = file_of(finding);
    let id = diagnostic["code"]["code"].as_str().unwrap();
    let message = diagnostic["message"].as_str().unwrap();
    format!("{file}: {id}: {message}: {}", ways.join(", "))
}

/// What is printed about a program of the book.
fn printed(findings: &[Value], program: &str, form: &str) -> String {
    let file = format!("book/examples/{program}.rs");
    let of_program = findings.iter().filter(|finding| file_of(finding) == file);
    let printed: String = of_program
        .map(|finding| {
            let text = match form {
                "short" => &finding["asyncdrop"]["short"],
                rendered => &finding["message"][rendered],
            };
            text.as_str().unwrap().trim_end().to_owned() + "\n"
        })
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

/// Puts before each line what was said about it: `true`, or `false(kind)`.
fn judged(lines: &[String]) -> Vec<String> {
    let recorded = fs::read_to_string(root().join(RECORD)).unwrap_or_default();
    let mut verdicts: Vec<(&str, &str)> = recorded
        .lines()
        .filter_map(|line| line.split_once(' '))
        .collect();
    let verdict_of = |line: &String| {
        // There are findings that are the same but for their lines. They have a verdict each.
        let known = verdicts.iter().position(|(_, known)| known == line);
        let verdict = known.map_or(NOT_JUDGED, |known| verdicts.remove(known).0);
        format!("{verdict} {line}")
    };
    lines.iter().map(verdict_of).collect()
}

/// The rows of the README: how many findings of each kind there are in each part, and how many of them are false.
fn table(lines: &[String]) -> String {
    let mut table = String::from("| where |");
    for kind in KINDS {
        write!(table, " `{kind}` |").unwrap();
    }
    table.push_str("\n|---|---|---|---|---|---|\n");
    let mut counted = 0;
    for (part, folders) in PARTS {
        let is_here = |line: &&String| {
            let mut parts = PARTS.iter().flat_map(|(_, folders)| *folders);
            let (_, line) = line.split_once(' ').expect("a verdict");
            // `book/examples/` is no part of the rest of `book/`.
            let longest = parts
                .by_ref()
                .filter(|folder| line.starts_with(**folder))
                .max_by_key(|folder| folder.len());
            longest.is_some_and(|longest| folders.contains(longest))
        };
        let here: Vec<_> = lines.iter().filter(is_here).collect();
        counted += here.len();
        write!(table, "| {part} |").unwrap();
        for kind in KINDS {
            let id = format!(": {kind}: ");
            let of_kind = here.iter().filter(|line| line.contains(&id));
            let (found, wrong) = of_kind.fold((0, 0), |(found, wrong), line| {
                (found + 1, wrong + usize::from(!line.starts_with("true ")))
            });
            match wrong {
                0 => write!(table, " {found} |").unwrap(),
                _ => write!(table, " {found}, {wrong} of them false |").unwrap(),
            }
        }
        table.push('\n');
    }
    assert_eq!(counted, lines.len(), "a finding is in none of the parts");
    table
}

/// Replaces what stands between two comments in the README of the checker.
fn between(readme: &str, name: &str, text: &str) -> String {
    let (begin, end) = (
        format!("<!-- {name} -->\n"),
        format!("<!-- end of {name} -->\n"),
    );
    let (before, rest) = readme.split_once(&begin).expect(name);
    let (_, after) = rest.split_once(&end).expect(name);
    format!("{before}{begin}{text}{end}{after}")
}

#[test]
fn what_is_found_in_our_own_code_is_known() {
    let (findings, totals) = findings();
    let shown = printed(&findings, SHOWN, "rendered");
    compare("check/output/early_return_without_cleanup.txt", &shown);
    for program in SHOWN_IN_SHORT {
        let shown = printed(&findings, program, "short");
        compare(&format!("check/output/{program}.txt"), &shown);
    }
    // The README shows one of them.
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    assert!(
        readme.contains(&format!("```text\n{shown}```")),
        "README.md does not show what is printed:\n{shown}"
    );

    let mut lines: Vec<_> = findings.iter().map(in_a_line).collect();
    lines.sort();
    for line in &lines {
        let has_reason = REASONS.iter().any(|(start, _)| line.starts_with(start));
        assert!(has_reason, "there is no reason for this finding: {line}");
    }
    for (start, reason) in REASONS {
        let is_used = lines.iter().any(|line| line.starts_with(start));
        assert!(is_used, "nothing is found in {start}: {reason}");
    }
    let lines = judged(&lines);
    compare(RECORD, &(lines.join("\n") + "\n"));
    for line in &lines {
        let (verdict, finding) = line.split_once(' ').expect("a verdict");
        let false_kind = verdict
            .strip_prefix("false(")
            .and_then(|kind| kind.strip_suffix(')'));
        let is_known = FALSE.iter().any(|(kind, _)| false_kind == Some(*kind));
        assert!(
            verdict == "true" || is_known,
            "write before it in {RECORD} whether it is `true` or `false(kind)`: {finding}"
        );
    }
    for (kind, reason) in FALSE {
        let verdict = format!("false({kind}) ");
        let is_used = lines.iter().any(|line| line.starts_with(&verdict));
        assert!(is_used, "no finding is false because {reason}");
    }

    let readme = fs::read_to_string(root().join(README)).unwrap();
    let counted = between(&readme, "findings", &table(&lines));
    let counted = between(&counted, "size", &size(&lines, &totals));
    compare(README, &counted);
}
