//! A preprocessor of mdBook: writes the library for the Run buttons, and says beside each block whether it can run online.
//! For the search it writes which page explains each message and each name.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::Path;
use std::{env, fs};

use anyhow::{Context, Result};
use asyncdrop_book_playground::{
    Library, Online, derived, library, online, runnable, with_classes,
};
use serde_json::Value;

fn main() -> Result<()> {
    // mdBook asks `supports html`, and takes the status for the answer. book.toml names the renderers already.
    if env::args().nth(1).is_some_and(|word| word == "supports") {
        return Ok(());
    }
    let mut text = String::new();
    io::stdin().read_to_string(&mut text)?;
    let mut input: Value = serde_json::from_str(&text).context("what mdBook says")?;
    let root = input[0]["root"].as_str().context("the book's folder")?;
    let root = Path::new(root).to_owned();
    let folder = root.join("book/src/online");
    fs::create_dir_all(&folder)?;
    let mut book = input[1].take();
    let items = if book["items"].is_array() {
        "items"
    } else {
        "sections"
    };
    let mut types = BTreeMap::new();
    derived_in(&book[items], &mut types)?;
    for (which, name) in [
        (Library::Plain, "asyncdrop.js"),
        (Library::Testing, "asyncdrop-testing.js"),
        (Library::Derive, "asyncdrop-derive.js"),
    ] {
        let library = library(&root, which)?;
        let derived = if which == Library::Derive {
            serde_json::json!(Vec::from_iter(&types))
        } else {
            serde_json::json!([])
        };
        let text = serde_json::json!({ "library": library, "derived": derived });
        // A script and not a text, since a page that was opened from a file may load no other file but a script.
        let script = format!("window.asyncdropForThePlayground = {text};\n");
        write_if_changed(&folder.join(name), &script)?;
    }
    mark(&mut book[items]);
    let explained = serde_json::json!({
        "messages": explained(&book[items], "reference/messages.md"),
        "names": explained(&book[items], "reference/api.md"),
    });
    let script = format!("window.asyncdropExplained = {explained};\n");
    write_if_changed(&folder.join("explained.js"), &script)?;
    println!("{book}");
    Ok(())
}

/// `mdbook serve` builds the book again when a file changes, and would never end if each build wrote one.
fn write_if_changed(path: &Path, text: &str) -> Result<()> {
    if fs::read_to_string(path).is_ok_and(|old| old == text) {
        return Ok(());
    }
    fs::write(path, text).with_context(|| path.display().to_string())
}

/// Adds the types that derive `AsyncDrop`, each with the text that takes its place.
fn derived_in(items: &Value, types: &mut BTreeMap<String, String>) -> Result<()> {
    for item in items.as_array().into_iter().flatten() {
        let chapter = &item["Chapter"];
        for snippet in runnable(chapter["content"].as_str().unwrap_or_default()) {
            if online(&snippet) == Online::With(Library::Derive) {
                let found = derived(&snippet).with_context(|| chapter["path"].to_string())?;
                types.extend(found.into_iter().map(|it| (it.written, it.expanded)));
            }
        }
        derived_in(&chapter["sub_items"], types)?;
    }
    Ok(())
}

fn mark(items: &mut Value) {
    for item in items.as_array_mut().into_iter().flatten() {
        let Some(chapter) = item.get_mut("Chapter") else {
            continue;
        };
        if let Some(text) = chapter["content"].as_str() {
            chapter["content"] = Value::from(with_classes(text));
            mark(&mut chapter["sub_items"]);
        }
    }
}

/// The rows of a page of the reference: the text in the first cell, and the page that the row leads to.
fn explained(items: &Value, list: &str) -> Vec<(String, String)> {
    let Some(text) = chapter(items, list) else {
        return Vec::new();
    };
    let row = |line: &str| {
        let code = line.strip_prefix("| `")?.trim_start_matches('`');
        let (text, rest) = code.split_once('`')?;
        // In a cell with two backquotes on each side, there are others inside.
        let text = match line.strip_prefix("| `` ") {
            Some(code) => code.split_once(" ``")?.0,
            None => text,
        };
        let (_, link) = rest
            .rsplit_once("](../")
            .filter(|_| !rest.contains("[docs]"))
            .or_else(|| {
                let (before, _) = rest.split_once(") | [docs]")?;
                before.rsplit_once("](../")
            })?;
        let page = link.split(')').next()?.replace(".md", ".html");
        Some((text.to_owned(), page))
    };
    text.lines().filter_map(row).collect()
}

fn chapter<'a>(items: &'a Value, path: &str) -> Option<&'a str> {
    items.as_array()?.iter().find_map(|item| {
        let item = item.get("Chapter")?;
        if item["path"] == path {
            item["content"].as_str()
        } else {
            chapter(&item["sub_items"], path)
        }
    })
}
