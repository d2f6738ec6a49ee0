//! How much code a page shows that its reader has not seen yet.

use std::collections::BTreeSet;

use asyncdrop_book_gates::{chapters, markdown};

/// The lines of Rust that each page shows unfolded, and how many of them no earlier listing of the book had.
fn measured() -> Vec<(String, usize, usize)> {
    let mut seen = BTreeSet::new();
    let mut pages = Vec::new();
    for chapter in chapters() {
        let folded = markdown::folded_lines(&chapter.source);
        let (mut all, mut new) = (0, 0);
        for block in markdown::listings(&chapter).blocks {
            let lines = block.expanded.lines().filter(|line| is_shown(line));
            if !block.is_rust() {
                continue;
            }
            for shown in lines {
                let is_new = seen.insert(shown.trim().to_owned());
                if !folded.contains(&block.line()) {
                    all += 1;
                    new += usize::from(is_new);
                }
            }
        }
        pages.push((chapter.path, all, new));
    }
    pages
}

/// Lines that mdBook hides, and lines without a letter, take no reading.
fn is_shown(line: &str) -> bool {
    let text = line.trim_start();
    let hidden = text == "#" || text.starts_with("# ");
    !hidden && text.contains(char::is_alphanumeric)
}

#[test]
fn the_median_page_shows_at_most_45_lines_of_code() {
    let mut pages = measured();
    pages.retain(|(_, all, _)| *all > 0);
    pages.sort_by_key(|(_, all, _)| *all);
    for (page, all, new) in &pages {
        println!("{all:4} lines, {new:4} of them new: {page}");
    }
    let (page, median, _) = &pages[pages.len() / 2];
    assert!(
        *median <= 45,
        "the median page, {page}, shows {median} lines of code; it may show 45"
    );
}

/// A page about a whole program shows more, and so do a part's exercises together.
#[test]
fn no_page_shows_more_than_80_lines_of_code_that_are_new() {
    let many: Vec<_> = measured()
        .into_iter()
        .filter(|(page, ..)| !page.starts_with("programs/") && !page.ends_with("/exercises.md"))
        .filter(|(_, _, new)| *new > 80)
        .map(|(page, _, new)| {
            format!("book/src/{page} shows {new} new lines: hide the set-up, fold, or cut")
        })
        .collect();
    assert!(many.is_empty(), "\n  {}\n", many.join("\n  "));
}
