//! Each rule is taught on a page, shown by a snippet that ran and held by a test.
//!
//! The appendix of the book says what each rule promises and where it is taught. What shows and holds it is for those who
//! change the library, so it stands in a file of the repository. `cargo record` writes both down again.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::{env, fs};

use asyncdrop_book_gates::rules::{Rule, marks, registry, rules};
use asyncdrop_book_gates::{chapters, root, title};

const APPENDIX: &str = "book/src/reference/rules.md";
const PROOFS: &str = "book/proofs.md";

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
fn the_appendix_says_what_the_rules_promise_and_where_they_are_taught() {
    compare(APPENDIX, &appendix(&rules(&chapters())));
}

#[test]
fn the_list_of_proofs_says_what_was_found() {
    compare(PROOFS, &proofs(&rules(&chapters())));
}

#[track_caller]
fn compare(name: &str, now: &str) {
    let file = root().join(name);
    if env::var_os("RECORD").is_some() {
        fs::write(&file, now).expect("a list can be written");
        return;
    }
    let written = fs::read_to_string(&file).unwrap_or_default();
    assert!(
        written == now,
        "{name} is not what `cargo record` makes of the pages and tests as they are:\n{}",
        similar::TextDiff::from_lines(written.as_str(), now).unified_diff()
    );
}

fn appendix(rules: &[Rule]) -> String {
    let mut text = String::from(
        "# Every rule\n\n\
         What the library promises, and what you have to do, in one list.\n\
         Each rule has an id, which leads to the paragraph that explains it; where a test or a message names the id, you find it here.\n\n\
         Every rule is shown by a snippet that was compiled and run, and held by a test: `book/proofs.md` in the repository of this book lists them.\n",
    );
    let mut group = "";
    for rule in rules {
        if rule.group != group {
            group = &rule.group;
            write!(text, "\n## {group}\n\n").expect("a string takes everything");
        }
        let page = rule.page.as_deref().unwrap_or("introduction.md");
        let says = &rule.says;
        writeln!(
            text,
            "- **{}** {says} ([{}](../{page}))",
            link(rule, "../"),
            title(page)
        )
        .expect("a string takes everything");
    }
    text
}

fn proofs(rules: &[Rule]) -> String {
    let mut text = String::from(
        "# What proves the rules of the book\n\n\
         Which snippets show each rule, and which tests hold it.\n\
         This list is made from the chapters and the tests, and the tests fail when a rule lacks one of the two.\n\n\
         A snippet was compiled and run twice: as edition 2021 by skeptic, and as edition 2024 by `mdbook test`.\n\
         A test that ends with `.txt` or `.stderr` compares a run or a compiler message with that recorded file, which the page shows.\n",
    );
    let mut group = "";
    for rule in rules {
        if rule.group != group {
            group = &rule.group;
            write!(text, "\n## {group}\n").expect("a string takes everything");
        }
        write!(text, "\n**{}** {}\n\n", link(rule, "src/"), rule.says)
            .expect("a string takes everything");
        for snippet in &rule.snippets {
            writeln!(text, "- [{}](src/{})", snippet.name, snippet.link)
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
    }
    text
}

/// The id of a rule, which leads to its mark. `to` is the way to `book/src`.
fn link(rule: &Rule, to: &str) -> String {
    let id = &rule.id;
    match &rule.page {
        Some(page) => format!("[{id}]({to}{page}#rule-{})", id.to_lowercase()),
        None => id.clone(),
    }
}
