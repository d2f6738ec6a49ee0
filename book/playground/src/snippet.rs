//! Which blocks of a chapter can run on the playground.

use crate::Library;

/// Whether a snippet can run on the playground.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Online {
    /// It can, with this library behind it.
    With(Library),
    /// It derives `AsyncDrop`, and a derive macro is a crate of its own.
    NeedsTheDeriveMacro,
    /// It uses a crate that the playground does not have, or has in another version.
    NeedsAnotherCrate,
}

impl Online {
    /// The class of the block's `code` element, which tells the page's script.
    pub fn class(self) -> &'static str {
        match self {
            Self::With(Library::Plain) => "online",
            Self::With(Library::Testing) => "online-testing",
            Self::NeedsTheDeriveMacro => "offline-derive",
            Self::NeedsAnotherCrate => "offline-crate",
        }
    }
}

/// The crates that a snippet may use, as `book/playground/crates` has them.
const CRATES: [&str; 10] = [
    "anyhow",
    "asyncdrop",
    "futures",
    "scopeguard",
    "tempfile",
    "thiserror",
    "tokio",
    "tokio_util",
    "tracing",
    "tracing_subscriber",
];

/// Says where a snippet can run. Each names its crates in lines such as `extern crate tokio;`.
pub fn online(snippet: &str) -> Online {
    let derives = snippet.lines().any(|line| {
        let derive = line.split_once("derive(").map(|(_, rest)| rest);
        derive.is_some_and(|rest| rest.contains("AsyncDrop"))
    });
    if derives {
        return Online::NeedsTheDeriveMacro;
    }
    if snippet
        .lines()
        .filter_map(extern_crate)
        .any(|name| !CRATES.contains(&name))
    {
        return Online::NeedsAnotherCrate;
    }
    if snippet.contains("asyncdrop::testing") {
        Online::With(Library::Testing)
    } else {
        Online::With(Library::Plain)
    }
}

/// The crate that a line declares.
fn extern_crate(line: &str) -> Option<&str> {
    line.strip_prefix("extern crate ")?.strip_suffix(';')
}

/// The snippet as a program with the module `asyncdrop` in the place of the crate.
pub(crate) fn as_a_program(snippet: &str) -> String {
    let mut program = String::new();
    for line in snippet.lines() {
        if extern_crate(line).is_some() {
            continue;
        }
        // In a module of the snippet, the name of another module must be written out.
        let indented = line.len() - line.trim_start().len();
        let (indent, code) = line.split_at(indented);
        let rest = code
            .strip_prefix("use asyncdrop::")
            .filter(|_| indented > 0);
        match rest {
            Some(rest) => program += &format!("{indent}use crate::asyncdrop::{rest}"),
            None => program += line,
        }
        program.push('\n');
    }
    program
}

/// The lines of a chapter, with a word behind the fence of each Rust block that runs: it says whether it can run online.
pub fn with_classes(chapter: &str) -> String {
    let mut result = String::new();
    let mut rest = chapter.split_inclusive('\n').peekable();
    while let Some(line) = rest.next() {
        let info = line.trim_end().strip_prefix("```rust");
        let runs = info.is_some_and(|info| {
            (info.is_empty() || info.starts_with(',')) && !info.split(',').any(|it| it == "ignore")
        });
        if !runs {
            result += line;
            continue;
        }
        let mut block = String::new();
        let mut end = "";
        for line in rest.by_ref() {
            if line.starts_with("```") {
                end = line;
                break;
            }
            block += line;
        }
        let class = online(&shown(&block)).class();
        result += &format!("{},{class}\n{block}{end}", line.trim_end());
    }
    result
}

/// A block with its hidden lines, as the page has it: `# ` hides a line, and `##` stands for a line that begins with `#`.
pub fn shown(block: &str) -> String {
    let mut text = String::new();
    for line in block.lines() {
        let code = line.trim_start();
        let indent = &line[..line.len() - code.len()];
        if let Some(rest) = code.strip_prefix("##") {
            text += &format!("{indent}#{rest}");
        } else if let Some(rest) = code.strip_prefix("# ") {
            text += &format!("{indent}{rest}");
        } else if code != "#" {
            text += line;
        }
        text.push('\n');
    }
    text
}
