//! The chapters as the reader gets them. The build script shares this file with the library.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use mdbook_driver::MDBook;
use mdbook_driver::book::BookItem;
use mdbook_renderer::{RenderContext, Renderer};

/// One page of the book.
#[derive(Debug)]
pub struct Chapter {
    /// Where it lies in `book/src`, with `/` on every system.
    pub path: String,
    /// The Markdown that somebody wrote.
    pub source: String,
    /// The same with every `{{#include}}` replaced by what it names.
    pub expanded: String,
}

/// All chapters that `SUMMARY.md` names, in its order.
///
/// # Errors
///
/// When the book does not load: above all when `SUMMARY.md` names a file that is not there.
pub fn load(root: &Path) -> Result<Vec<Chapter>> {
    let book = MDBook::load(root).context("loading the book")?;
    let (expanded, _) = book.preprocess_book(&Expanded)?;
    let sources = book.iter();
    let mut chapters = Vec::new();
    for (source, expanded) in sources.zip(expanded.iter()) {
        let (BookItem::Chapter(source), BookItem::Chapter(expanded)) = (source, expanded) else {
            continue;
        };
        let path = source.source_path.as_ref().with_context(|| {
            format!(
                "SUMMARY.md names the chapter {:?} without a file",
                source.name
            )
        })?;
        chapters.push(Chapter {
            path: with_slashes(path),
            source: source.content.clone(),
            expanded: expanded.content.clone(),
        });
    }
    Ok(chapters)
}

fn with_slashes(path: &Path) -> String {
    let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
    parts.join("/")
}

/// The paths of the `{{#include}}`s in `text`, from the repository's root, without anchor or line numbers.
pub fn includes(chapter: &str, text: &str) -> Vec<String> {
    let here = Path::new("book/src").join(chapter);
    let here = here.parent().unwrap_or(Path::new(""));
    targets(text)
        .into_iter()
        .map(|target| {
            let file = target.split(':').next().unwrap_or_default();
            with_slashes(&without_dots(&here.join(file)))
        })
        .collect()
}

/// What the `{{#include}}`s in `text` name, with anchor or line numbers.
///
/// A `{{#rustdoc_include}}` is one, too: it shows a part of a file and hides the rest, so that the part can be compiled.
pub fn targets(text: &str) -> Vec<&str> {
    text.split("{{#")
        .skip(1)
        .filter_map(|rest| {
            let rest = rest.strip_prefix("rustdoc_").unwrap_or(rest);
            rest.strip_prefix("include ")?.split("}}").next()
        })
        .map(str::trim)
        .collect()
}

/// Resolves `..` by name: the file may not be there, and then the message should name it.
fn without_dots(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for part in path {
        if part == ".." {
            clean.pop();
        } else if part != "." {
            clean.push(part);
        }
    }
    clean
}

/// Stands for a backend that wants Markdown without includes. mdBook's preprocessors do the work.
struct Expanded;

impl Renderer for Expanded {
    fn name(&self) -> &str {
        "expanded"
    }

    fn render(&self, _: &RenderContext) -> Result<()> {
        Ok(())
    }
}
