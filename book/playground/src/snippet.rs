//! Which blocks of a chapter can run on the playground.

use crate::Library;

/// Whether a snippet can run on the playground.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Online {
    /// It can, with this library behind it.
    With(Library),
    /// It uses this crate, which the playground does not have, or has without what is used of it.
    Lacks(String),
}

impl Online {
    /// The class of the block's `code` element, which tells the page's script.
    pub fn class(&self) -> String {
        match self {
            Self::With(Library::Plain) => "online".into(),
            Self::With(Library::Testing) => "online-testing".into(),
            Self::With(Library::Derive) => "online-derive".into(),
            Self::Lacks(name) => format!("lacks-{name}"),
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
    let mut crates = snippet.lines().filter_map(extern_crate);
    if let Some(name) = crates.find(|name| !CRATES.contains(name)) {
        return Online::Lacks(name.to_owned());
    }
    Online::With(if derives(snippet) {
        Library::Derive
    } else if snippet.contains("asyncdrop::testing") {
        Library::Testing
    } else {
        Library::Plain
    })
}

/// Whether a type of the snippet derives `AsyncDrop`.
pub(crate) fn derives(snippet: &str) -> bool {
    snippet.lines().any(|line| {
        let derive = line.split_once("derive(").map(|(_, rest)| rest);
        derive.is_some_and(|rest| rest.contains("AsyncDrop"))
    })
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
    walk(chapter, |line, block| {
        if let Some(block) = block {
            let class = online(&shown(block)).class();
            result += &format!("{},{class}\n{block}", line.trim_end());
        } else {
            result += line;
        }
    });
    result
}

/// The Rust blocks of a chapter that run, with the lines that the page hides.
pub fn runnable(chapter: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    walk(chapter, |_, block| blocks.extend(block.map(shown)));
    blocks
}

/// Hands out the lines of a chapter in their order, the fence of a Rust block that runs together with its code.
fn walk(chapter: &str, mut each: impl FnMut(&str, Option<&str>)) {
    let mut rest = chapter.split_inclusive('\n').peekable();
    while let Some(line) = rest.next() {
        let info = line.trim_end().strip_prefix("```rust");
        let runs = info.is_some_and(|info| {
            (info.is_empty() || info.starts_with(',')) && !info.split(',').any(|it| it == "ignore")
        });
        if !runs {
            each(line, None);
            continue;
        }
        let mut block = String::new();
        while let Some(line) = rest.next_if(|line| !line.starts_with("```")) {
            block += line;
        }
        each(line, Some(&block));
    }
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
