//! How a repaired program differs from the mistake that it repairs.

use std::fs;
use std::path::Path;

use similar::{ChangeTag, TextDiff};

use crate::{files, root};

/// A mistake that does not compile, and the same program put right.
#[derive(Debug)]
pub struct Repair {
    pub name: String,
    mistake: String,
    fixed: String,
}

/// All pairs of `compile-fail` and `compile-fail/fixed`.
///
/// # Panics
///
/// When a mistake has no repaired twin.
pub fn repairs() -> Vec<Repair> {
    let read = |file: &str| {
        fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
    };
    let folder = Path::new("compile-fail");
    files("compile-fail", "rs")
        .into_iter()
        .filter(|file| Path::new(file).parent() == Some(folder))
        .map(|file| Repair {
            mistake: read(&file),
            fixed: read(&file.replace("compile-fail/", "compile-fail/fixed/")),
            name: file
                .trim_start_matches("compile-fail/")
                .trim_end_matches(".rs")
                .to_owned(),
        })
        .collect()
}

/// The comment at the top says what the author of a program meant, and a page says that in its text.
fn without_first_comment(program: &str) -> &str {
    let comment: usize = program
        .split_inclusive('\n')
        .take_while(|line| line.starts_with("//"))
        .map(str::len)
        .sum();
    program[comment..].trim_start_matches('\n')
}

impl Repair {
    /// The lines that differ, each with the lines beside it, and `..` for what is the same in both.
    pub fn difference(&self) -> String {
        let mistake = without_first_comment(&self.mistake);
        let fixed = without_first_comment(&self.fixed);
        let diff = TextDiff::from_lines(mistake, fixed);
        let mut shown = String::new();
        let groups = diff.grouped_ops(1);
        for (number, group) in groups.iter().enumerate() {
            if number > 0 {
                shown.push_str("  ..\n");
            }
            for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
                let sign = match change.tag() {
                    ChangeTag::Delete => '-',
                    ChangeTag::Insert => '+',
                    ChangeTag::Equal => ' ',
                };
                let line = format!("{sign} {}", change.value().trim_end());
                shown.push_str(line.trim_end());
                shown.push('\n');
            }
        }
        shown
    }

    /// How many lines the mistake has.
    pub fn lines(&self) -> usize {
        self.mistake.lines().count()
    }
}
