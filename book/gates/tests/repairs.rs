//! A repaired program is shown as what differs from the mistake, and the line that the compiler refuses is never hidden.
//!
//! `cargo record` writes the differences down again.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::{env, fs};

use asyncdrop_book_gates::chapters::{self, Chapter};
use asyncdrop_book_gates::repairs::{Repair, repairs};
use asyncdrop_book_gates::{chapters as all_chapters, files, markdown, root};

/// Fails with everything that is wrong at once, one line each.
#[track_caller]
fn none(complaints: impl IntoIterator<Item = String>) {
    let complaints: Vec<_> = complaints.into_iter().collect();
    assert!(complaints.is_empty(), "\n  {}\n", complaints.join("\n  "));
}

fn by_name() -> BTreeMap<String, Repair> {
    let named = |repair: Repair| (repair.name.clone(), repair);
    repairs().into_iter().map(named).collect()
}

fn stem(file: &str) -> &str {
    let stem = Path::new(file).file_stem().and_then(|stem| stem.to_str());
    stem.expect("plain file names")
}

#[test]
fn every_difference_on_a_page_is_that_of_the_two_programs() {
    let repairs = by_name();
    let shown: BTreeSet<_> = all_chapters().iter().flat_map(differences).collect();
    let recorded = files("book/repairs", "diff").into_iter().collect();
    none(shown.union(&recorded).filter_map(|file| {
        let Some(repair) = repairs.get(stem(file)) else {
            return Some(format!("{file} belongs to no mistake of compile-fail"));
        };
        if !shown.contains(file) {
            return Some(format!("no page shows {file}: include it, or remove it"));
        }
        let now = repair.difference();
        let path = root().join(file);
        if env::var_os("RECORD").is_some() {
            fs::write(&path, &now).expect("a difference can be written");
        }
        (fs::read_to_string(&path).unwrap_or_default() != now)
            .then(|| format!("{file} is not how the two programs differ, which is\n{now}"))
    }));
}

fn differences(chapter: &Chapter) -> Vec<String> {
    chapters::includes(&chapter.path, &chapter.source)
        .into_iter()
        .filter(|file| file.starts_with("book/repairs/"))
        .collect()
}

/// A reader who has just read the mistake should not have to look for the line that is new.
#[test]
fn a_whole_repaired_program_is_folded_below_its_difference() {
    let repairs = by_name();
    none(all_chapters().iter().flat_map(|chapter| {
        let folded = markdown::folded_lines(&chapter.source);
        let shown: BTreeSet<_> = differences(chapter)
            .iter()
            .map(|file| stem(file).to_owned())
            .collect();
        let mut complaints = Vec::new();
        for block in markdown::listings(chapter).blocks {
            let Some(file) = block
                .includes
                .iter()
                .find(|file| file.starts_with("compile-fail/fixed/"))
            else {
                continue;
            };
            let name = stem(file);
            let is_whole = block.written.contains(&format!("{name}.rs}}}}"));
            let repair = &repairs[name];
            // A difference of nearly every line would only be harder to read.
            let is_short = repair.difference().lines().count() * 10 <= repair.lines() * 7;
            if is_whole && is_short && !(folded.contains(&block.line()) && shown.contains(name)) {
                complaints.push(format!(
                    "{}: include ../../repairs/{name}.diff, and fold the whole program below it",
                    block.place
                ));
            }
        }
        complaints
    }));
}

#[test]
fn a_difference_stands_below_its_mistake() {
    none(all_chapters().iter().flat_map(|chapter| {
        let place = |include: &str| chapter.source.find(include).unwrap_or(usize::MAX);
        let misplaced = differences(chapter).into_iter().filter_map(|file| {
            let mistake = format!("/compile-fail/{}.rs", stem(&file));
            let difference = format!("/repairs/{}.diff", stem(&file));
            (place(&difference) < place(&mistake)).then(|| {
                format!(
                    "book/src/{}: show the mistake above {file}, or the part of the repaired program that you mean",
                    chapter.path
                )
            })
        });
        misplaced.collect::<Vec<_>>()
    }));
}

#[test]
fn a_part_of_a_mistake_has_the_line_of_every_error() {
    none(all_chapters().iter().flat_map(|chapter| {
        let mut complaints = Vec::new();
        for block in markdown::listings(chapter).blocks {
            let mistake = block
                .figure
                .as_ref()
                .is_some_and(|figure| figure.kind == "does-not-compile");
            let (Some(file), true) = (block.only_include(), mistake) else {
                continue;
            };
            let Some((first, last)) = part(&block.written) else {
                continue;
            };
            let message =
                fs::read_to_string(root().join(file.replace(".rs", ".stderr"))).unwrap_or_default();
            // Each error names its own line first, and then others that explain it.
            let mut pointed = message.split("\nerror").filter_map(|error| {
                let (line, _) = error
                    .split_once(&format!("--> {file}:"))?
                    .1
                    .split_once(':')?;
                line.parse().ok()
            });
            if let Some(hidden) = pointed.find(|line: &usize| *line < first || *line > last) {
                complaints.push(format!(
                    "{}: line {hidden} of {file} is not shown",
                    block.place
                ));
            }
        }
        complaints
    }));
}

/// The first and the last line that an include with numbers shows.
fn part(written: &str) -> Option<(usize, usize)> {
    let (_, rest) = written.split_once(".rs:")?;
    let (part, _) = rest.split_once("}}")?;
    let (first, last) = part.split_once(':')?;
    Some((first.parse().ok()?, last.parse().unwrap_or(usize::MAX)))
}
