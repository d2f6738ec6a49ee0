//! The reference leaves nothing out: every public name is used by a snippet that ran, every text of the library is explained.
//!
//! `cargo record` writes the two pages down again.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::LazyLock;
use std::{env, fs};

use asyncdrop_book_gates::api::{self, Public};
use asyncdrop_book_gates::markdown::{self, Block};
use asyncdrop_book_gates::{chapters, files, root, signatures, title};
use serde::Deserialize;

const DOCS: &str = "https://docs.rs/asyncdrop/latest/asyncdrop";

/// Each block, with the page that it stands on.
static BLOCKS: LazyLock<Vec<(String, Block)>> = LazyLock::new(|| {
    let of = |chapter| {
        let blocks = markdown::listings(&chapter).blocks;
        blocks
            .into_iter()
            .map(move |block| (chapter.path.clone(), block))
    };
    chapters().into_iter().flat_map(of).collect()
});

fn executed() -> impl Iterator<Item = &'static (String, Block)> {
    BLOCKS.iter().filter(|(_, block)| block.runs())
}

#[test]
fn every_public_item_is_used_by_a_snippet_that_ran() {
    let snippets: Vec<_> = executed()
        .map(|(_, block)| api::words(&block.expanded))
        .collect();
    let unused: Vec<_> = api::public_items()
        .iter()
        .filter(|item| !snippets.iter().any(|words| item.is_among(words)))
        .map(Public::shown)
        .collect();
    assert!(
        unused.is_empty(),
        "no executed snippet of the book uses {unused:#?}"
    );
}

#[test]
fn the_page_of_the_api_lists_every_public_item() {
    let teaches = pages();
    let items = api::public_items();
    let mut text = String::from(
        "# The API by name\n\n\
         Every public name of the library, the page of this book that teaches it, and its documentation.\n\
         A snippet of this book uses each of them; the tests see to that.\n\n\
         | name | taught on | documentation |\n|---|---|---|\n",
    );
    let mut sorted: Vec<_> = items.iter().collect();
    sorted.sort_by_key(|item| item.shown().to_lowercase());
    let mut homeless = Vec::new();
    for item in sorted {
        let top = item.of.as_ref().unwrap_or(&item.name);
        let shown = item.shown();
        let Some(page) = teaches.get(&shown).or_else(|| teaches.get(top)) else {
            homeless.push(shown);
            continue;
        };
        writeln!(
            text,
            "| `{shown}` | [{}](../{page}) | [docs]({DOCS}/{}) |",
            title(page),
            item.rustdoc
        )
        .expect("a string takes everything");
    }
    assert!(
        homeless.is_empty(),
        "say in book/api.toml which page teaches {homeless:?}"
    );
    let known: BTreeSet<_> = items
        .iter()
        .flat_map(|item| [item.shown(), item.name.clone()])
        .collect();
    let gone: Vec<_> = teaches
        .keys()
        .filter(|name| !known.contains(*name))
        .collect();
    assert!(
        gone.is_empty(),
        "book/api.toml names what is not public: {gone:?}"
    );
    same_as_recorded("book/src/reference/api.md", &text);
}

#[test]
fn the_signatures_of_the_public_api_are_those_of_the_record() {
    same_as_recorded("api.txt", &signatures::signatures());
}

/// `book/api.toml`: the page that teaches a type, a function or a macro, and all that belongs to it.
fn pages() -> BTreeMap<String, String> {
    let text = fs::read_to_string(root().join("book/api.toml")).expect("book/api.toml can be read");
    toml::from_str(&text).expect("book/api.toml is a table of names and pages")
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Messages {
    said: Vec<Said>,
    /// What to do about a message of the compiler, by the name of its file.
    compiler: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    text: String,
    answer: String,
    page: String,
}

fn messages() -> Messages {
    let text = fs::read_to_string(root().join("book/messages.toml"))
        .expect("book/messages.toml can be read");
    toml::from_str(&text).expect("book/messages.toml is as its first lines say")
}

#[test]
fn every_text_of_the_library_is_explained_and_no_other() {
    let listed = messages().said;
    let compiler: String = files("compile-fail", "stderr")
        .iter()
        .map(|file| read(file))
        .collect();
    let mut complaints = Vec::new();
    let library = api::messages();
    for text in &library {
        let piece = api::longest_piece(text);
        if piece.split_whitespace().count() < 3 {
            continue;
        }
        if !listed.iter().any(|said| said.text.contains(piece)) && !compiler.contains(piece) {
            complaints.push(format!("the library says {piece:?}: add it to book/messages.toml, or pin it in compile-fail/"));
        }
    }
    for said in &listed {
        for piece in said
            .text
            .split("..")
            .flat_map(|part| part.split(", created at"))
            .map(|part| part.trim_matches([' ', ':', '.', '<', '>']))
            .filter(|piece| piece.len() > 12 && piece.contains(' '))
        {
            if !library.iter().any(|text| text.contains(piece)) {
                complaints.push(format!(
                    "book/messages.toml has {piece:?}, which the library does not say"
                ));
            }
        }
        if !BLOCKS.iter().any(|(page, _)| *page == said.page)
            && !chapters().iter().any(|it| it.path == said.page)
        {
            complaints.push(format!(
                "book/messages.toml names {}, which is no page",
                said.page
            ));
        }
    }
    assert!(complaints.is_empty(), "\n  {}\n", complaints.join("\n  "));
}

#[test]
fn the_page_of_messages_lists_every_message() {
    let mut text = String::from(
        "# Every message\n\n\
         You have a message of the compiler or of a panic: here is what to do, and the page that explains it.\n\
         The tables are sorted by text; `..` stands for what differs from program to program.\n\n\
         ## From the running program\n\n\
         | message | what to do, and where to read on |\n|---|---|\n",
    );
    let Messages {
        mut said,
        mut compiler,
    } = messages();
    said.sort_by_key(|said| said.text.to_lowercase());
    for said in &said {
        writeln!(
            text,
            "| {} | {}<br/>[{}](../{}) |",
            code(&said.text),
            said.answer,
            title(&said.page),
            said.page
        )
        .expect("a string takes everything");
    }
    text.push_str(
        "\n## From the compiler\n\n| message | what to do, and where to read on |\n|---|---|\n",
    );
    let mut rows = Vec::new();
    for file in files("compile-fail", "stderr") {
        let stderr = read(&file);
        let first = stderr
            .lines()
            .find(|line| line.starts_with("error"))
            .unwrap_or_default();
        let (_, message) = first.split_once(": ").unwrap_or(("", first));
        let code_of = first
            .split(['[', ']'])
            .nth(1)
            .map(|code| format!(" ({code})"))
            .unwrap_or_default();
        let page = BLOCKS
            .iter()
            .find(|(_, block)| block.includes.contains(&file))
            .map(|(page, _)| page.clone())
            .unwrap_or_else(|| panic!("no page shows {file}"));
        let mistake = file
            .trim_start_matches("compile-fail/")
            .trim_end_matches(".stderr");
        let answer = compiler.remove(mistake).unwrap_or_else(|| {
            panic!("book/messages.toml does not say what to do about {file}: add it to `compiler`")
        });
        rows.push((
            message.to_lowercase(),
            format!(
                "| {}{code_of} | {answer}<br/>[{}](../{page}) |",
                code(message),
                title(&page)
            ),
        ));
    }
    assert!(
        compiler.is_empty(),
        "book/messages.toml says what to do about what the compiler does not say: {compiler:?}"
    );
    rows.sort();
    for (_, row) in rows {
        text.push_str(&row);
        text.push('\n');
    }
    same_as_recorded("book/src/reference/messages.md", &text);
}

/// A code span, whatever the text has in it.
fn code(text: &str) -> String {
    let text = text.replace('|', "\\|");
    if text.contains('`') {
        format!("`` {text} ``")
    } else {
        format!("`{text}`")
    }
}

fn read(file: &str) -> String {
    fs::read_to_string(root().join(file)).unwrap_or_default()
}

#[track_caller]
fn same_as_recorded(file: &str, now: &str) {
    if env::var_os("RECORD").is_some() {
        fs::write(root().join(file), now).expect("a page can be written");
        return;
    }
    let written = read(file);
    assert!(
        written == now,
        "{file} is not what `cargo record` makes of the sources as they are:\n{}",
        similar::TextDiff::from_lines(written.as_str(), now).unified_diff()
    );
}
