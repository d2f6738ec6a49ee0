//! Finds the blocks of code of a chapter, and the figures they stand in.

use std::collections::BTreeSet;

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

use crate::chapters::{self, Chapter};

/// One fenced block of a page.
#[derive(Debug)]
pub struct Block {
    /// `gotchas/forgetting.md:12`: where a message sends its reader.
    pub place: String,
    /// What stands behind the opening fence.
    pub info: String,
    /// What stands in the chapter's file.
    pub written: String,
    /// What the reader sees, hidden lines included.
    pub expanded: String,
    /// The files that it includes, from the repository's root.
    pub includes: Vec<String>,
    /// The figure around it.
    pub figure: Option<Figure>,
}

/// A labeled listing.
#[derive(Debug, Clone)]
pub struct Figure {
    pub place: String,
    /// The classes beside `listing`.
    pub kind: String,
    /// The HTML of its `<figcaption>`.
    pub caption: String,
}

impl Block {
    /// The line of its page that it begins in.
    ///
    /// # Panics
    ///
    /// Never: a place ends with a line.
    pub fn line(&self) -> usize {
        let number = self.place.rsplit(':').next();
        number
            .and_then(|number| number.parse().ok())
            .expect("a place ends with a line")
    }

    /// Whether skeptic and `mdbook test` compile it.
    pub fn is_rust(&self) -> bool {
        self.info.split(',').next() == Some("rust")
    }

    /// Whether they run it as well.
    pub fn runs(&self) -> bool {
        self.is_rust() && !self.info.split(',').any(|word| word == "ignore")
    }

    /// The included file, when the block is that one include and nothing else beside hidden lines.
    pub fn only_include(&self) -> Option<&str> {
        let mut visible = self.written.lines().filter(|line| {
            let line = line.trim();
            !(line.is_empty() || line == "#" || line.starts_with("# "))
        });
        let line = visible.next()?.trim();
        let includes = line.starts_with("{{#include ") || line.starts_with("{{#rustdoc_include ");
        let alone = includes && line.ends_with("}}") && visible.next().is_none();
        (alone && self.includes.len() == 1).then(|| self.includes[0].as_str())
    }
}

/// A chapter's blocks and figures.
#[derive(Debug, Default)]
pub struct Listings {
    pub blocks: Vec<Block>,
    /// How many blocks stand in each figure, in the order of the page.
    pub figures: Vec<(Figure, usize)>,
}

/// Reads a chapter.
///
/// # Panics
///
/// When the blocks before and after the includes are expanded are not the same ones.
pub fn listings(chapter: &Chapter) -> Listings {
    let mut written = read(&chapter.path, &chapter.source);
    let expanded = read(&chapter.path, &chapter.expanded);
    assert_eq!(
        written.blocks.len(),
        expanded.blocks.len(),
        "{}: the page has another number of blocks before its includes are expanded than after: \
         put an empty line before and after each fence, and include nothing with a fence in it",
        chapter.path
    );
    for (written, expanded) in written.blocks.iter_mut().zip(expanded.blocks) {
        written.expanded = expanded.written;
    }
    written
}

fn read(path: &str, text: &str) -> Listings {
    let mut found = Listings::default();
    let mut figure: Option<Figure> = None;
    let mut block: Option<Block> = None;
    for (event, range) in Parser::new_ext(text, options()).into_offset_iter() {
        let line = text[..range.start].matches('\n').count() + 1;
        let place = format!("book/src/{path}:{line}");
        match event {
            Event::Start(Tag::CodeBlock(kind)) => {
                let info = match kind {
                    CodeBlockKind::Fenced(info) => info.to_string(),
                    CodeBlockKind::Indented => "(indented)".to_owned(),
                };
                block = Some(Block {
                    place,
                    info,
                    written: String::new(),
                    expanded: String::new(),
                    includes: Vec::new(),
                    figure: figure.clone(),
                });
                if let Some((_, blocks)) = found.figures.last_mut().filter(|_| figure.is_some()) {
                    *blocks += 1;
                }
            }
            Event::Text(text) if block.is_some() => {
                block.as_mut().expect("just seen").written.push_str(&text);
            }
            Event::End(TagEnd::CodeBlock) => {
                let mut block = block.take().expect("a block ends after it began");
                block.includes = chapters::includes(path, &block.written);
                found.blocks.push(block);
            }
            Event::Html(html) | Event::InlineHtml(html) => {
                if let Some(kind) = between(&html, "<figure class=\"listing ", "\"") {
                    let opened = Figure {
                        place,
                        kind: kind.to_owned(),
                        caption: String::new(),
                    };
                    found.figures.push((opened.clone(), 0));
                    figure = Some(opened);
                }
                if let (Some(caption), Some(figure)) =
                    (between(&html, "<figcaption>", "</figcaption>"), &mut figure)
                {
                    caption.clone_into(&mut figure.caption);
                    let (last, _) = found.figures.last_mut().expect("the open figure");
                    last.clone_from(figure);
                }
                if html.contains("</figure>") {
                    figure = None;
                }
            }
            _ => {}
        }
    }
    found
}

/// The extensions that mdBook switches on and that change what is a block.
fn options() -> Options {
    Options::ENABLE_TABLES
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_DEFINITION_LIST
        | Options::ENABLE_GFM
}

/// The numbers of the lines of a page that are folded away until a reader unfolds them.
pub fn folded_lines(page: &str) -> BTreeSet<usize> {
    // Whether each `<details>` around a line is folded: `<details open>` is not.
    let mut around = Vec::new();
    let mut folded = BTreeSet::new();
    for (number, line) in (1..).zip(page.lines()) {
        if line.starts_with("<details") {
            around.push(line.starts_with("<details>"));
        }
        if around.contains(&true) {
            folded.insert(number);
        }
        if line.starts_with("</details>") {
            around.pop();
        }
    }
    folded
}

/// How many words of prose a page has: no code, no HTML.
pub fn words(source: &str) -> usize {
    let mut in_code = false;
    let mut words = 0;
    for event in Parser::new_ext(source, options()) {
        match event {
            Event::Start(Tag::CodeBlock(_)) => in_code = true,
            Event::End(TagEnd::CodeBlock) => in_code = false,
            Event::Text(text) if !in_code => words += text.split_whitespace().count(),
            // Inline code is read as a word, whatever spaces it has.
            Event::Code(_) => words += 1,
            _ => {}
        }
    }
    words
}

/// All texts between `open` and `close`.
pub fn all_between<'a>(text: &'a str, open: &str, close: &str) -> Vec<&'a str> {
    text.split(open)
        .skip(1)
        .filter_map(|rest| Some(rest.split_once(close)?.0))
        .collect()
}

fn between<'a>(text: &'a str, open: &str, close: &str) -> Option<&'a str> {
    all_between(text, open, close).into_iter().next()
}
