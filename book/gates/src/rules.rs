//! The rules of the book: where each is taught, what shows it and what holds it.

use std::collections::BTreeMap;
use std::fs;

use serde::Deserialize;

use crate::chapters::Chapter;
use crate::markdown::{self, Block, all_between};
use crate::{files, root};

/// `book/rules.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Registry {
    pub group: Vec<Group>,
}

/// Rules of one kind.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    pub title: String,
    #[serde(default)]
    pub held_by: HeldBy,
    /// Each rule's id, and what it says.
    pub rules: Vec<(String, String)>,
}

/// What counts as a test of a rule.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HeldBy {
    /// A function of `tests/` whose name begins with the id.
    #[default]
    Name,
    /// That, or a recorded output or compiler message on the rule's page.
    Page,
}

/// A rule and its proofs.
#[derive(Debug)]
pub struct Rule {
    pub id: String,
    pub says: String,
    pub group: String,
    /// The page that has its mark.
    pub page: Option<String>,
    /// The executed snippets that show it.
    pub snippets: Vec<Snippet>,
    /// The tests that hold it, each with the file it is in.
    pub tests: Vec<(String, String)>,
}

/// An executed block of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snippet {
    /// The file that it includes, or the heading that it stands under.
    pub name: String,
    /// The page and the heading, as a link from `book/src`.
    pub link: String,
}

/// The registry.
///
/// # Panics
///
/// When it cannot be read.
pub fn registry() -> Registry {
    let file = root().join("book/rules.toml");
    let text = fs::read_to_string(&file).expect("book/rules.toml can be read");
    toml::from_str(&text).unwrap_or_else(|error| panic!("book/rules.toml: {error}"))
}

/// Every mark of a rule: its id and where it stands.
pub fn marks(chapters: &[Chapter]) -> Vec<(String, &Chapter, usize)> {
    let mut found = Vec::new();
    for chapter in chapters {
        for (line, text) in chapter.source.lines().enumerate() {
            for mark in all_between(text, "<a class=\"rule\"", "</a>") {
                let id = mark.rsplit('>').next().unwrap_or_default();
                found.push((id.to_owned(), chapter, line + 1));
            }
        }
    }
    found
}

/// All rules of the registry, in its order, with what was found of each.
pub fn rules(chapters: &[Chapter]) -> Vec<Rule> {
    let marks: BTreeMap<_, _> = marks(chapters)
        .into_iter()
        .map(|(id, chapter, line)| (id, (chapter, line)))
        .collect();
    let named = named_tests();
    let mut rules = Vec::new();
    for group in registry().group {
        for (id, says) in group.rules {
            let home = marks.get(&id);
            let mut tests = named.get(&id).cloned().unwrap_or_default();
            let mut snippets = Vec::new();
            if let Some((chapter, line)) = home {
                let listings = markdown::listings(chapter);
                for block in listings.blocks.iter().filter(|block| block.runs()) {
                    if whole_page(&chapter.path) || same_section(chapter, *line, block) {
                        let snippet = snippet(chapter, block);
                        if !snippets.contains(&snippet) {
                            snippets.push(snippet);
                        }
                    }
                }
                if group.held_by == HeldBy::Page {
                    tests.extend(recorded(&listings.blocks));
                }
            }
            rules.push(Rule {
                id,
                says,
                group: group.title.clone(),
                page: home.map(|(chapter, _)| chapter.path.clone()),
                snippets,
                tests,
            });
        }
    }
    rules
}

/// A page made from a template is about its rules from its first line to its last.
/// Elsewhere the snippets under the same heading count.
fn whole_page(path: &str) -> bool {
    !path.starts_with("first-steps/")
}

fn same_section(chapter: &Chapter, mark: usize, block: &Block) -> bool {
    section(chapter, mark) == section(chapter, block.line())
}

/// The line of the last `##` heading above a line.
fn section(chapter: &Chapter, line: usize) -> Option<usize> {
    headings(chapter)
        .into_iter()
        .rfind(|(at, level, _)| *at <= line && *level == 2)
        .map(|(at, ..)| at)
}

/// Each heading's line, level and text.
pub fn headings(chapter: &Chapter) -> Vec<(usize, usize, &str)> {
    let mut fenced = false;
    let mut found = Vec::new();
    for (number, text) in chapter.source.lines().enumerate() {
        if text.starts_with("```") {
            fenced = !fenced;
        }
        let level = text.bytes().take_while(|byte| *byte == b'#').count();
        if !fenced && (1..=6).contains(&level) && text[level..].starts_with(' ') {
            found.push((number + 1, level, text[level..].trim()));
        }
    }
    found
}

fn snippet(chapter: &Chapter, block: &Block) -> Snippet {
    let heading = headings(chapter)
        .into_iter()
        .rfind(|(at, level, _)| *at <= block.line() && *level > 1)
        .map(|(_, _, text)| text);
    let link = match heading {
        Some(heading) => format!("{}#{}", chapter.path, slug(heading)),
        None => chapter.path.clone(),
    };
    let name = match (block.includes.first(), heading) {
        (Some(file), _) => {
            let stem = file.rsplit('/').next().unwrap_or(file);
            format!("`{stem}`")
        }
        (None, Some(heading)) => format!("under “{heading}”"),
        (None, None) => "at the top".to_owned(),
    };
    Snippet { name, link }
}

/// The id that mdBook gives a heading. The gate `links` fails where this is wrong.
fn slug(heading: &str) -> String {
    heading
        .to_lowercase()
        .chars()
        .filter_map(|letter| match letter {
            ' ' => Some('-'),
            '-' | '_' => Some(letter),
            letter if letter.is_alphanumeric() => Some(letter),
            _ => None,
        })
        .collect()
}

/// The tests whose names begin with the id of a rule.
fn named_tests() -> BTreeMap<String, Vec<(String, String)>> {
    let mut found: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for file in files("tests", "rs") {
        let text = fs::read_to_string(root().join(&file)).unwrap_or_default();
        for name in test_functions(&text) {
            let Some((id, _)) = name.split_once('_') else {
                continue;
            };
            let id = id.to_uppercase();
            let is_id = id.starts_with(|letter: char| letter.is_ascii_alphabetic())
                && id.ends_with(|letter: char| letter.is_ascii_digit());
            if is_id {
                found.entry(id).or_default().push((name, file.clone()));
            }
        }
    }
    found
}

/// The functions below a `#[test]` or an attribute that ends with `::test`.
fn test_functions(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut is_test = false;
    for line in text.lines().map(str::trim) {
        if line.starts_with("#[") {
            is_test |= line.starts_with("#[test]") || line.contains("::test");
            continue;
        }
        let function = line.strip_prefix("async ").unwrap_or(line);
        if let Some(rest) = function.strip_prefix("fn ")
            && is_test
        {
            let name = rest.split(['(', '<']).next().unwrap_or_default();
            found.push(name.to_owned());
        }
        // A macro that makes tests takes their names as they are.
        if !line.starts_with("//") && !line.is_empty() {
            is_test = false;
        }
    }
    found
}

/// What a page shows and another gate compares: outputs of programs, and messages of the compiler.
fn recorded(blocks: &[Block]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for file in blocks
        .iter()
        .filter(|block| block.info == "text")
        .flat_map(|block| &block.includes)
    {
        let gate = if file.starts_with("book/output/") {
            "book/gates/tests/programs.rs"
        } else if file.starts_with("compile-fail/") {
            "tests/compile_fail.rs"
        } else {
            continue;
        };
        let test = (file.clone(), gate.to_owned());
        if !found.contains(&test) {
            found.push(test);
        }
    }
    found
}
