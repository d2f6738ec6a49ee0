//! Each rule is taught on a page, shown by a snippet that ran and held by a test. The appendix says where.
//!
//! `cargo record` writes the appendix down again.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::{env, fs};

use asyncdrop_book_gates::rules::{Rule, marks, registry, rules};
use asyncdrop_book_gates::{chapters, root, title};

const APPENDIX: &str = "book/src/reference/rules.md";

#[test]
fn every_rule_has_a_page_a_snippet_that_ran_and_a_test() {
    let complaints: Vec<_> = rules(&chapters())
        .iter()
        .flat_map(|rule| {
            let id = &rule.id;
            let lower = id.to_lowercase();
            let page = rule.page.is_none().then(|| {
                format!("{id} has no page: mark it with <a class=\"rule\" id=\"rule-{lower}\" href=\"#rule-{lower}\">{id}</a>")
            });
            let place = rule.page.as_deref().unwrap_or("its page");
            let snippet = rule
                .snippets
                .is_empty()
                .then(|| format!("{id} has no executed snippet near its mark in {place}"));
            let test = rule.tests.is_empty().then(|| {
                format!("{id} has no test: name one `{lower}_..` in tests/, or show a recorded output in {place}")
            });
            [page, snippet, test]
        })
        .flatten()
        .collect();
    assert!(complaints.is_empty(), "\n  {}\n", complaints.join("\n  "));
}

#[test]
fn every_mark_and_every_test_that_names_a_rule_names_one_of_the_registry() {
    let chapters = chapters();
    let groups = registry().group;
    let ids: Vec<_> = groups
        .iter()
        .flat_map(|group| group.rules.iter().map(|(id, _)| id.as_str()))
        .collect();
    let known: BTreeSet<_> = ids.iter().copied().collect();
    assert_eq!(known.len(), ids.len(), "book/rules.toml has an id twice");
    let unknown: Vec<_> = marks(&chapters)
        .into_iter()
        .filter(|(id, ..)| !known.contains(id.as_str()))
        .map(|(id, chapter, line)| {
            format!(
                "book/src/{}:{line}: {id} is not in book/rules.toml",
                chapter.path
            )
        })
        .collect();
    assert!(unknown.is_empty(), "\n  {}\n", unknown.join("\n  "));
}

#[test]
fn the_appendix_says_what_was_found() {
    let now = appendix(&rules(&chapters()));
    let file = root().join(APPENDIX);
    if env::var_os("RECORD").is_some() {
        fs::write(&file, &now).expect("the appendix can be written");
        return;
    }
    let written = fs::read_to_string(&file).unwrap_or_default();
    assert!(
        written == now,
        "{APPENDIX} is not what `cargo record` makes of the pages and tests as they are:\n{}",
        similar::TextDiff::from_lines(&written, &now).unified_diff()
    );
}

fn appendix(rules: &[Rule]) -> String {
    let mut text = String::from(
        "# The rules and their proofs\n\n\
         Every rule of this book, where it is taught, which snippets show it, and which tests hold it.\n\
         This page is made from the chapters and the tests, and the tests fail when a rule lacks one of the three.\n\n\
         A snippet was compiled and run twice: as edition 2021 by skeptic, and as edition 2024 by `mdbook test`.\n\
         A test that ends with `.txt` or `.stderr` compares a run or a compiler message with that recorded file, which the page shows.\n",
    );
    let mut group = "";
    for rule in rules {
        if rule.group != group {
            group = &rule.group;
            write!(text, "\n## {group}\n").expect("a string takes everything");
        }
        let page = rule.page.as_deref().unwrap_or("introduction.md");
        let (snippets, tests) = (rule.snippets.len(), rule.tests.len());
        write!(
            text,
            "\n**{}** {} ([{}](../{page}))\n\n<details>\n<summary>{}, {}</summary>\n\n",
            link(rule),
            rule.says,
            title(page),
            counted(snippets, "snippet"),
            counted(tests, "test"),
        )
        .expect("a string takes everything");
        for snippet in &rule.snippets {
            writeln!(text, "- [{}](../{})", snippet.name, snippet.link)
                .expect("a string takes everything");
        }
        for (name, file) in &rule.tests {
            let line = if name.contains('/') {
                format!("- `{name}`")
            } else {
                format!("- `{file}`: `{name}`")
            };
            writeln!(text, "{line}").expect("a string takes everything");
        }
        text.push_str("\n</details>\n");
    }
    text
}

fn counted(number: usize, thing: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {thing}{plural}")
}

fn link(rule: &Rule) -> String {
    let id = &rule.id;
    match &rule.page {
        Some(page) => format!("[{id}](../{page}#rule-{})", id.to_lowercase()),
        None => id.clone(),
    }
}
