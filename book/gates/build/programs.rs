//! Writes all programs of the repository that readers copy as modules of one test, which runs them under other conditions.
//!
//! In each of them `tokio` and `std` are the stand-ins of that test.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::chapters::Chapter;

/// In front of the first line of a module, so that the lines keep their numbers.
const STAND_IN: &str = "use crate::stand_in::{std, tokio}; ";

struct Program {
    name: String,
    source: String,
    /// The functions that run it, from its module on: `main`, or its tests.
    entries: Vec<String>,
}

/// Writes `programs.rs` and a file for each module into that folder.
pub(crate) fn write(root: &Path, out_dir: &Path, chapters: &[Chapter]) -> Result<()> {
    let mut programs = Vec::new();
    for (folder, prefix) in [("book/examples", ""), ("compile-fail/fixed", "fixed_")] {
        for (file, source) in files(root, folder)? {
            programs.push(program(format!("{prefix}{}", stem(&file)), &source));
        }
    }
    for (file, source) in files(root, "book/exercises")? {
        programs.push(exercise(&file, &source)?);
    }
    for chapter in chapters {
        let page = identifier(chapter.path.trim_end_matches(".md"));
        for (line, block) in blocks(&chapter.source) {
            if !block.contains("{{#") {
                programs.push(program(
                    format!("page_{page}_{line}"),
                    &shown_and_hidden(&block),
                ));
            }
        }
    }
    for (file, source) in files(root, "src")? {
        for (line, block) in blocks(&docs(&source)) {
            let name = format!("docs_{}_{line}", identifier(stem(&file)));
            programs.push(program(name, &shown_and_hidden(&block)));
        }
    }
    let readme = root.join("README.md");
    println!("cargo::rerun-if-changed={}", readme.display());
    for (line, block) in blocks(&fs::read_to_string(readme)?) {
        programs.push(program(format!("readme_{line}"), &shown_and_hidden(&block)));
    }

    let folder = out_dir.join("programs");
    fs::create_dir_all(&folder)?;
    let (mut modules, mut table) = (String::new(), String::new());
    let mut written = BTreeSet::new();
    for Program {
        name,
        source,
        entries,
    } in programs
    {
        let file = folder.join(format!("{name}.rs"));
        // A file that did not change is not compiled again.
        if fs::read_to_string(&file).ok().as_deref() != Some(&source) {
            fs::write(&file, source)?;
        }
        writeln!(
            modules,
            "#[path = {file:?}] #[allow(warnings, clippy::all)] pub mod {name};"
        )?;
        written.insert(file);
        for entry in entries {
            let title = match entry.as_str() {
                "main" => name.clone(),
                test => format!("{name}::{test}"),
            };
            writeln!(table, "({title:?}, || report({name}::{entry}())),")?;
        }
    }
    // What is no program any more is in the folder from the last time.
    for entry in fs::read_dir(&folder)? {
        let file = entry?.path();
        if !written.contains(&file) {
            fs::remove_file(file)?;
        }
    }
    fs::write(
        out_dir.join("programs.rs"),
        format!("{modules}\npub const ALL: &[(&str, fn() -> ExitCode)] = &[\n{table}];\n"),
    )?;
    Ok(())
}

/// The Rust files of a folder and those below it, and what is in them.
fn files(root: &Path, folder: &str) -> Result<Vec<(String, String)>> {
    let path = root.join(folder);
    println!("cargo::rerun-if-changed={}", path.display());
    let mut found = Vec::new();
    for entry in fs::read_dir(&path).with_context(|| format!("reading {folder}"))? {
        let entry = entry?;
        let name = entry.file_name();
        let file = format!("{folder}/{}", name.to_string_lossy());
        if entry.file_type()?.is_dir() {
            found.extend(files(root, &file)?);
        } else if file.ends_with(".rs") {
            found.push((file, fs::read_to_string(entry.path())?));
        }
    }
    found.sort();
    Ok(found)
}

fn stem(file: &str) -> &str {
    let name = file.strip_prefix("src/").unwrap_or(file);
    let name = name.strip_suffix(".rs").unwrap_or(name);
    match file.starts_with("src/") {
        true => name,
        false => name.rsplit('/').next().unwrap_or(name),
    }
}

fn identifier(path: &str) -> String {
    path.replace(['/', '-'], "_")
}

/// A whole program, or the body of its `main`, as rustdoc takes it.
fn program(name: String, source: &str) -> Program {
    let source = match source.contains("fn main(") {
        true => source.replacen("fn main(", "pub fn main(", 1),
        false => format!("pub fn main() {{ {source}\n}}"),
    };
    Program {
        name,
        source: with_stand_in(&source.replace("async pub fn main", "pub async fn main")),
        entries: vec!["main".to_owned()],
    }
}

/// The solution with its tests.
fn exercise(file: &str, source: &str) -> Result<Program> {
    let mut solution = format!(
        "{}{}",
        anchor(source, "solution")?,
        anchor(source, "tests")?
    );
    // A test is a program here, so an attribute for programs makes its runtime.
    solution = solution.replace("#[cfg(test)]\n", "");
    solution = solution.replace("#[tokio::test]", "#[tokio::test()]");
    solution = solution.replace(
        "#[tokio::test(",
        "#[test]\n#[tokio::main(flavor = \"current_thread\", ",
    );
    let mut entries = Vec::new();
    let mut lines: Vec<_> = solution.lines().map(str::to_owned).collect();
    for index in 0..lines.len() {
        if lines[index].trim() != "#[test]" {
            continue;
        }
        lines[index] = String::new();
        let test = lines[index..].iter_mut().find(|line| line.contains("fn "));
        let test = test.with_context(|| format!("{file}: a `#[test]` without a function"))?;
        let (_, rest) = test.split_once("fn ").expect("it was just found");
        entries.push(format!("tests::{}", rest.split('(').next().unwrap_or(rest)));
        *test = format!("pub {}", test.trim());
    }
    if entries.is_empty() {
        bail!("{file} has no tests");
    }
    Ok(Program {
        name: format!("exercise_{}", stem(file)),
        source: with_stand_in(
            &lines
                .join("\n")
                .replace("\nmod tests {", "\npub mod tests {"),
        ),
        entries,
    })
}

fn anchor<'a>(source: &'a str, name: &str) -> Result<&'a str> {
    let part = source.split_once(&format!("// ANCHOR: {name}\n"));
    let part = part.and_then(|(_, rest)| rest.split_once(&format!("// ANCHOR_END: {name}\n")));
    Ok(part.with_context(|| format!("no anchor `{name}`"))?.0)
}

/// Lets the module and those in it name the stand-in, line by line. Attributes of a crate have no place in a module.
fn with_stand_in(source: &str) -> String {
    let mut written = String::from(STAND_IN);
    for line in source.lines() {
        let line = line
            .strip_prefix("#[cfg(feature = \"tokio\")]")
            .unwrap_or(line);
        let start = line.trim_start();
        if start.starts_with("#[cfg(not(feature = \"tokio\"))]") {
            // Here the feature is on.
        } else if ["extern crate ", "#![", "//!"]
            .iter()
            .any(|begin| start.starts_with(begin))
        {
            // Its line stays, empty.
        } else if let Some((module, rest)) = line
            .split_once('{')
            .filter(|_| start.starts_with("mod ") || start.starts_with("pub mod "))
        {
            write!(written, "{module}{{ {STAND_IN}{rest}").expect("a string takes everything");
        } else {
            written.push_str(line);
        }
        written.push('\n');
    }
    written
}

/// The fenced blocks of a text that are run, with the number of the line that opens each.
fn blocks(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut open: Option<(bool, usize, String)> = None;
    for (index, line) in text.lines().enumerate() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(info)) => open = Some((info == "rust", index + 1, String::new())),
            (Some(_), Some(_)) => {
                let (runs, line, block) = open.take().expect("just seen");
                if runs {
                    found.push((line, block));
                }
            }
            (Some((_, _, block)), None) => {
                block.push_str(line);
                block.push('\n');
            }
            (None, None) => {}
        }
    }
    found
}

/// The doc comments of a file as Markdown. A block without an info string is Rust there.
fn docs(source: &str) -> String {
    let mut in_block = false;
    let lines = source.lines().map(|line| {
        let line = line.trim_start();
        let Some(text) = line
            .strip_prefix("///")
            .or_else(|| line.strip_prefix("//!"))
        else {
            return String::new();
        };
        let text = text.strip_prefix(' ').unwrap_or(text);
        if text.starts_with("```") {
            in_block = !in_block;
            if in_block && text == "```" {
                return "```rust".to_owned();
            }
        }
        text.to_owned()
    });
    let lines: Vec<_> = lines.collect();
    lines.join("\n")
}

/// A block with the lines that its reader does not see.
fn shown_and_hidden(block: &str) -> String {
    let lines = block.lines().map(|line| {
        let start = line.trim_start();
        match start.strip_prefix("# ") {
            Some(hidden) => hidden,
            None if start == "#" => "",
            None => line,
        }
    });
    lines.flat_map(|line| [line, "\n"]).collect()
}
