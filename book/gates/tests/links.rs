//! The book as HTML: it builds without a warning, and every link inside it leads somewhere.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex};
use std::{env, fs};

use asyncdrop_book_gates::{chapters, files, markdown, root, scratch};
use html5ever::tendril::StrTendril;
use html5ever::tokenizer::states::RawKind;
use html5ever::tokenizer::{
    BufferQueue, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts,
};
use mdbook_driver::MDBook;
use tracing_subscriber::fmt::MakeWriter;
use url::Url;

/// Where the HTML is, and what mdBook had to say while it was built.
static HTML: LazyLock<(PathBuf, String)> = LazyLock::new(|| {
    let folder = scratch("html");
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::WARN)
        .with_ansi(false)
        .with_writer(log.clone())
        .finish();
    tracing::subscriber::with_default(subscriber, || {
        let mut book = MDBook::load(root()).expect("the book loads");
        book.config.build.build_dir = folder.clone();
        book.build()
            .unwrap_or_else(|error| panic!("The book does not build: {error:#}"));
    });
    let said = String::from_utf8_lossy(&log.0.lock().expect("nobody panicked")).into_owned();
    (folder, said)
});

#[test]
fn the_book_builds_without_a_warning() {
    let said = &HTML.1;
    assert!(said.is_empty(), "mdBook warns:\n{said}");
}

#[test]
fn every_internal_link_and_fragment_of_the_html_resolves() {
    let (folder, _) = &*HTML;
    let mut pages = BTreeMap::new();
    for file in files("target/gates/html", "html") {
        let path = root().join(&file);
        let page = Page::read(&fs::read_to_string(&path).expect("mdBook writes text"));
        pages.insert(path, page);
    }
    let mut dead = BTreeSet::new();
    let mut checked = 0;
    for (path, page) in &pages {
        // The page of a missing address has no place of its own: its links are made for the root of a server.
        if path.ends_with("404.html") {
            continue;
        }
        let base = Url::from_file_path(path).expect("an absolute path");
        for link in &page.links {
            let Ok(target) = base.join(link) else {
                dead.insert(format!("{}: {link:?} is no address", name(path, folder)));
                continue;
            };
            if target.scheme() != "file" {
                continue;
            }
            checked += 1;
            let file = target.to_file_path().expect("a file address");
            let fragment = target.fragment().unwrap_or_default();
            let leads = match pages.get(&file) {
                Some(page) => fragment.is_empty() || page.ids.contains(&decoded(fragment)),
                None => file.is_file(),
            };
            if !leads {
                dead.insert(format!("{}: {link:?} leads nowhere", name(path, folder)));
            }
        }
    }
    println!("{checked} internal links on {} pages", pages.len());
    assert!(
        checked > pages.len(),
        "only {checked} links on {} pages: has the HTML changed?",
        pages.len()
    );
    let dead: Vec<_> = dead.into_iter().collect();
    assert!(dead.is_empty(), "\n  {}\n", dead.join("\n  "));
}

/// A word that the text does not lead to is one that no reader of the text looks up.
#[test]
fn every_word_of_the_glossary_is_linked_to_where_the_text_has_it() {
    let glossary = fs::read_to_string(root().join("book/src/reference/glossary.md"));
    let glossary = glossary.expect("the glossary can be read");
    let words = markdown::all_between(&glossary, "<a id=\"", "\"");
    assert!(words.len() > 20, "{words:?}");
    let chapters = chapters();
    let unlinked: Vec<_> = words
        .into_iter()
        .filter(|word| {
            let link = format!("reference/glossary.md#{word})");
            !chapters.iter().any(|page| page.source.contains(&link))
        })
        .map(|word| {
            format!("link the first page that has the word to reference/glossary.md#{word}")
        })
        .collect();
    assert!(unlinked.is_empty(), "\n  {}\n", unlinked.join("\n  "));
}

/// An address that was published stays: others link to it. A page that moves is named in `book.toml`, below
/// `[output.html.redirect]`, and mdBook writes a page at its old address that sends the reader on.
#[test]
fn every_address_that_a_page_ever_had_leads_somewhere() {
    let (folder, _) = &*HTML;
    let record = root().join("book/addresses.txt");
    let written = fs::read_to_string(&record).unwrap_or_default();
    let ever: BTreeSet<String> = written.lines().map(str::to_owned).collect();
    let now: BTreeSet<String> = chapters()
        .iter()
        .map(|chapter| chapter.path.replace(".md", ".html"))
        .collect();
    if env::var_os("RECORD").is_some() {
        // It only grows.
        let all: Vec<_> = ever.union(&now).cloned().collect();
        fs::write(record, all.join("\n") + "\n").expect("the record can be written");
        return;
    }
    let new: Vec<_> = now.difference(&ever).collect();
    assert!(
        new.is_empty(),
        "book/addresses.txt lacks {new:?}: `cargo record` adds them"
    );
    let dead: Vec<_> = ever
        .iter()
        .filter(|page| !folder.join(page).is_file())
        .collect();
    assert!(
        dead.is_empty(),
        "say in book.toml, below [output.html.redirect], where these pages went: {dead:?}"
    );
}

fn name(path: &Path, folder: &Path) -> String {
    path.strip_prefix(folder)
        .unwrap_or(path)
        .display()
        .to_string()
}

fn decoded(fragment: &str) -> String {
    let query = format!("x={}", fragment.replace('+', "%2B"));
    let (_, value) = url::form_urlencoded::parse(query.as_bytes())
        .next()
        .expect("one pair");
    value.into_owned()
}

/// What a page links to, and what can be linked to on it.
#[derive(Default)]
struct Page {
    ids: BTreeSet<String>,
    links: BTreeSet<String>,
}

impl Page {
    fn read(html: &str) -> Self {
        let input = BufferQueue::default();
        input.push_back(StrTendril::from(html));
        let tokenizer = Tokenizer::new(Sink::default(), TokenizerOpts::default());
        let _ = tokenizer.feed(&input);
        tokenizer.end();
        tokenizer.sink.0.into_inner()
    }

    fn tag(&mut self, tag: &Tag) {
        for attribute in &tag.attrs {
            let value = attribute.value.to_string();
            match &*attribute.name.local {
                "id" | "name" => self.ids.insert(value),
                "href" | "src" => self.links.insert(value),
                _ => continue,
            };
        }
    }
}

#[derive(Default)]
struct Sink(RefCell<Page>);

impl TokenSink for Sink {
    type Handle = ();

    fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
        if let Token::TagToken(tag) = token
            && tag.kind == TagKind::StartTag
        {
            self.0.borrow_mut().tag(&tag);
            if &*tag.name == "script" {
                return TokenSinkResult::RawData(RawKind::ScriptData);
            }
        }
        TokenSinkResult::Continue
    }
}

/// Keeps what mdBook logs.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("nobody panicked").write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}
