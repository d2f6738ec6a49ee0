//! What the pages show is what the other gates proved: the right kind of block, the right label, nothing left out.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use asyncdrop_book_gates::chapters::Chapter;
use asyncdrop_book_gates::markdown::{Block, Listings, all_between};
use asyncdrop_book_gates::{chapters, files, markdown, root, rules};

static BOOK: LazyLock<Vec<(Chapter, Listings)>> = LazyLock::new(|| {
    let with_listings = |chapter| {
        let listings = markdown::listings(&chapter);
        (chapter, listings)
    };
    chapters().into_iter().map(with_listings).collect()
});

fn blocks() -> impl Iterator<Item = &'static Block> {
    BOOK.iter().flat_map(|(_, listings)| &listings.blocks)
}

fn read(file: &str) -> String {
    fs::read_to_string(root().join(file)).unwrap_or_default()
}

/// Fails with everything that is wrong at once, one line each.
#[track_caller]
fn none(complaints: impl IntoIterator<Item = String>) {
    let complaints: Vec<_> = complaints.into_iter().collect();
    assert!(complaints.is_empty(), "\n  {}\n", complaints.join("\n  "));
}

fn is_mistake(file: &str) -> bool {
    Path::new(file).parent() == Some(Path::new("compile-fail")) && file.ends_with(".rs")
}

fn is_fixed(file: &str) -> bool {
    file.starts_with("compile-fail/fixed/") && file.ends_with(".rs")
}

fn is_compiler_message(file: &str) -> bool {
    file.starts_with("compile-fail/") && file.ends_with(".stderr")
}

fn is_program(file: &str) -> bool {
    file.starts_with("book/examples/") && file.ends_with(".rs")
}

/// How a repaired program differs from the mistake: `repairs.rs` compares it.
fn is_difference(file: &str) -> bool {
    file.starts_with("book/repairs/") && file.ends_with(".diff")
}

/// What a program of the book printed, or what `cargo asyncdrop` printed about one: the tests of `check/` compare it.
/// The tests of `examples/recipes` compare what the programs there print.
fn is_output(file: &str) -> bool {
    const FOLDERS: [&str; 3] = ["book/output/", "check/output/", "examples/recipes/output/"];
    FOLDERS.iter().any(|folder| file.starts_with(folder)) && file.ends_with(".txt")
}

/// A program for a compiler that `cargo test` does not have. It was run by hand.
fn is_nightly_program(file: &str) -> bool {
    file.starts_with("book/nightly/") && file.ends_with(".rs")
}

fn is_nightly_output(file: &str) -> bool {
    file.starts_with("book/nightly/") && file.ends_with(".txt")
}

/// `book/examples/x.rs` has its output in `book/output/x.txt`.
fn output_of(program: &str) -> String {
    program
        .replace("book/examples/", "book/output/")
        .replace(".rs", ".txt")
}

/// What the reader sees as code and the two testers of snippets do not compile: each kind has a test of its own.
const UNCOMPILED: [fn(&str) -> bool; 4] = [is_mistake, is_exercise, is_nightly_program, is_excerpt];

/// A part of a larger program, which the tests of that program compile and run.
fn is_excerpt(file: &str) -> bool {
    file.starts_with("examples/") && file.ends_with(".rs")
}

fn is_exercise(file: &str) -> bool {
    file.starts_with("book/exercises/") && file.ends_with(".rs")
}

#[test]
fn every_chapter_file_is_in_the_summary() {
    let listed: BTreeSet<_> = BOOK
        .iter()
        .map(|(chapter, _)| format!("book/src/{}", chapter.path))
        .collect();
    none(
        files("book/src", "md")
            .into_iter()
            .filter(|file| file != "book/src/SUMMARY.md" && !listed.contains(file))
            .map(|file| format!("{file} is not in book/src/SUMMARY.md: add a line for it")),
    );
}

#[test]
fn every_page_begins_with_its_title_and_says_what_it_is_about() {
    none(BOOK.iter().filter_map(|(chapter, _)| {
        let mut lines = chapter
            .source
            .lines()
            .filter(|line| !line.trim().is_empty());
        let title = lines.next().is_some_and(|line| line.starts_with("# "));
        let about = lines.next().is_some_and(|line| {
            !["#", "```", "|", "- ", ">", "<fig"]
                .iter()
                .any(|start| line.starts_with(start))
        });
        (!title || !about).then(|| {
            format!(
                "book/src/{}: begin with `# Title`, then say in a sentence what the page is about",
                chapter.path
            )
        })
    }));
}

#[test]
fn pages_of_one_kind_have_the_headings_of_their_template() {
    none(BOOK.iter().filter_map(|(chapter, _)| {
        let (part, _) = chapter.path.split_once('/')?;
        let wanted = template(part, &chapter.path)?;
        let found: Vec<_> = rules::headings(chapter)
            .into_iter()
            .filter(|(_, level, _)| *level == 2)
            .map(|(_, _, text)| text)
            .collect();
        let mut expected = wanted.to_vec();
        expected.retain(|heading| found.contains(heading) || !may_be_left_out(part, heading));
        (found != expected).then(|| {
            format!(
                "book/src/{}: the headings of this kind of page are {wanted:?}, not {found:?}",
                chapter.path
            )
        })
    }));
}

/// A pattern's page has no section that would only fill its place: the opening says when, and not every pattern costs something.
fn may_be_left_out(part: &str, heading: &str) -> bool {
    part == "patterns" && ["When", "Variations", "Costs"].contains(&heading)
}

/// The headings of a page, where pages of its part have fixed ones.
fn template(part: &str, path: &str) -> Option<&'static [&'static str]> {
    /// A comparison of all, or a list of them, and not one of them.
    const FREE: [&str; 5] = [
        "alternatives/other-languages.md",
        "alternatives/overview.md",
        "alternatives/rusts-own-async-drop.md",
        "gotchas/by-symptom.md",
        "helpers/choosing.md",
    ];
    if FREE.contains(&path) || path.ends_with("/exercises.md") {
        return None;
    }
    Some(match part {
        "patterns" => &[
            "When",
            "The code",
            "What it does",
            "Variations",
            "Costs",
            "See also",
        ],
        "gotchas" => &[
            "The mistake",
            "What happens",
            "The fix",
            "Why",
            "How to notice it early",
            "See also",
        ],
        "helpers" => &[
            "What it is for",
            "What it is not for",
            "Example",
            "Promises",
            "Errors",
            "Cancel safety",
            "See also",
        ],
        "alternatives" => &[
            "How it works",
            "What it costs",
            "When to take it",
            "See also",
        ],
        _ => return None,
    })
}

/// The tutorial is what a reader reads from the first page to the last. The rest is for the day on which it is needed.
#[test]
fn the_tutorial_can_be_read_in_an_evening_and_the_book_in_a_weekend() {
    let words_of = |is_counted: fn(&str) -> bool| -> usize {
        let pages = BOOK.iter().filter(|(chapter, _)| is_counted(&chapter.path));
        pages
            .map(|(chapter, _)| markdown::words(&chapter.source))
            .sum()
    };
    let tutorial = words_of(|page| !page.contains('/') || page.starts_with("first-steps/"));
    let book = words_of(|page| !page.starts_with("reference/"));
    println!(
        "{} pages, {book} words, {tutorial} of them in the tutorial, {} Rust blocks, of which {} are executed",
        BOOK.len(),
        blocks().filter(|block| block.is_rust()).count(),
        blocks().filter(|block| block.runs()).count(),
    );
    for (what, words, limit) in [("tutorial", tutorial, 7_500), ("book", book, 41_000)] {
        assert!(
            words < limit,
            "the {what} has {words} words, and may have {limit}"
        );
    }
}

#[test]
fn only_known_info_strings_are_used() {
    const KNOWN: [&str; 7] = [
        "diff",
        "rust",
        "rust,should_panic",
        "rust,ignore",
        "text",
        "sh",
        "toml",
    ];
    none(
        blocks()
            .filter(|block| !KNOWN.contains(&block.info.as_str()))
            .map(|block| {
                format!(
                    "{}: a block is marked {:?}; use one of {KNOWN:?}",
                    block.place, block.info
                )
            }),
    );
}

#[test]
fn every_include_names_a_file_and_shows_something() {
    let unresolved = BOOK
        .iter()
        .filter(|(chapter, _)| chapter.expanded.contains("{{#"))
        .map(|(chapter, _)| {
            let missing: Vec<_> = chapters::includes(&chapter.path, &chapter.expanded);
            format!(
                "book/src/{}: mdBook could not include {missing:?}",
                chapter.path
            )
        });
    let empty = blocks()
        .filter(|block| {
            block
                .expanded
                .lines()
                .all(|line| line.is_empty() || line.starts_with("# "))
        })
        .map(|block| {
            format!(
                "{}: the block shows nothing; does the include name an anchor that exists?",
                block.place
            )
        });
    none(unresolved.chain(empty));
}

/// mdBook puts nothing in the place of an anchor that does not exist, and says nothing.
#[test]
fn every_include_of_a_part_names_an_anchor_of_the_file() {
    none(BOOK.iter().flat_map(|(chapter, _)| {
        let files = chapters::includes(&chapter.path, &chapter.source);
        let targets = chapters::targets(&chapter.source);
        assert_eq!(files.len(), targets.len(), "in {}", chapter.path);
        let part = |(file, target): (String, &str)| {
            let (_, anchor) = target.split_once(':')?;
            // Lines are named by numbers.
            let is_anchor = anchor.starts_with(|letter: char| letter.is_ascii_alphabetic());
            let marks = [format!("ANCHOR: {anchor}"), format!("ANCHOR_END: {anchor}")];
            let text = read(&file);
            let has = |mark: &String| {
                text.lines().any(|line| {
                    line.split_once(mark.as_str())
                        .is_some_and(|(_, rest)| ends(rest))
                })
            };
            (is_anchor && !marks.iter().all(has))
                .then(|| format!("book/src/{}: {file} has no anchor {anchor:?}", chapter.path))
        };
        files
            .into_iter()
            .zip(targets)
            .filter_map(part)
            .collect::<Vec<_>>()
    }));
}

/// Whether the name of an anchor ends before this text: `map-1` is not `map-100`.
fn ends(rest: &str) -> bool {
    !rest.starts_with(|letter: char| letter.is_alphanumeric() || ['-', '_'].contains(&letter))
}

#[test]
fn ignore_is_only_for_code_that_must_not_compile_or_needs_nightly() {
    none(
        blocks()
            .filter(|block| block.is_rust() && !block.runs())
            .filter(|block| {
                !block
                    .only_include()
                    .is_some_and(|file| UNCOMPILED.iter().any(|is| is(file)))
            })
            .map(|block| {
                format!(
                    "{}: remove `ignore`; only an include of a compile-fail/*.rs, of an exercise, of a book/nightly/*.rs \
                     or of a program below examples/ may have it",
                    block.place
                )
            }),
    );
}

#[test]
fn code_that_must_not_compile_is_ignored_and_no_other_file_is() {
    none(
        blocks()
            .filter(|block| {
                block.runs()
                    && block
                        .includes
                        .iter()
                        .any(|file| is_mistake(file) || is_nightly_program(file))
            })
            .map(|block| {
                format!(
                    "{}: an include of a compile-fail/*.rs or a book/nightly/*.rs is marked `rust,ignore`",
                    block.place
                )
            }),
    );
}

#[test]
fn should_panic_is_only_for_a_program_whose_panic_is_recorded() {
    none(blocks().filter(|block| block.info == "rust,should_panic").filter_map(|block| {
        let Some(program) = block.only_include().filter(|file| is_program(file)) else {
            return Some(format!(
                "{}: `should_panic` also passes when the block does not compile; include a program of book/examples, \
                 whose output is compared",
                block.place
            ));
        };
        let output = output_of(program);
        (!read(&output).trim_end().ends_with("[exit status: 101]"))
            .then(|| format!("{}: {output} does not end with a panic; remove `should_panic`", block.place))
    }));
}

#[test]
fn text_is_only_what_a_program_or_the_compiler_printed() {
    none(
        blocks()
            .filter(|block| block.info == "text")
            .filter(|block| {
                !block.only_include().is_some_and(|file| {
                    is_output(file) || is_compiler_message(file) || is_nightly_output(file)
                })
            })
            .map(|block| {
                format!(
                    "{}: include a file of book/output or check/output, a .stderr of compile-fail or a .txt of book/nightly instead of typing it",
                    block.place
                )
            }),
    );
}

#[test]
fn every_listing_stands_under_the_label_that_it_needs() {
    none(blocks().filter_map(|block| {
        let included = |is: fn(&str) -> bool| block.includes.iter().any(|file| is(file));
        let needed = if included(is_mistake) {
            "does-not-compile"
        } else if included(is_exercise) && !block.runs() {
            "exercise"
        } else if included(is_nightly_program) {
            "nightly"
        } else if included(is_excerpt) {
            "excerpt"
        } else if block.info == "rust,should_panic" {
            "panics"
        } else if included(is_fixed) {
            "works"
        } else if included(is_difference) {
            "repaired"
        } else if included(is_compiler_message) {
            "compiler"
        } else if included(is_output) || included(is_nightly_output) {
            "output"
        } else {
            return None;
        };
        let found = block
            .figure
            .as_ref()
            .map_or("no listing", |figure| &figure.kind);
        (found != needed).then(|| {
            format!(
                "{}: put it into <figure class=\"listing {needed}\">, not {found}",
                block.place
            )
        })
    }));
}

#[test]
fn every_label_says_what_it_holds() {
    none(BOOK.iter().flat_map(|(_, listings)| &listings.figures).filter_map(|(figure, blocks)| {
        let Some(begins) = caption_of(&figure.kind) else {
            return Some(format!("{}: no listing is of the kind {:?}", figure.place, figure.kind));
        };
        if *blocks != 1 {
            return Some(format!(
                "{}: a listing holds one block of code, with an empty line before and after; this one holds {blocks}",
                figure.place
            ));
        }
        (!figure.caption.starts_with(begins))
            .then(|| format!("{}: begin the <figcaption> with {begins:?}, on one line", figure.place))
    }));
    none(blocks().filter_map(|block| {
        let figure = block.figure.as_ref()?;
        let fits = match figure.kind.as_str() {
            "does-not-compile" => block.only_include().is_some_and(is_mistake),
            "exercise" => block.only_include().is_some_and(is_exercise),
            "nightly" => block.only_include().is_some_and(is_nightly_program),
            "excerpt" => block.only_include().is_some_and(is_excerpt),
            "panics" => block.info == "rust,should_panic",
            "wrong" | "works" => block.info == "rust",
            "repaired" => block.info == "diff" && block.only_include().is_some_and(is_difference),
            "compiler" => block.only_include().is_some_and(is_compiler_message),
            "output" => block
                .only_include()
                .is_some_and(|file| is_output(file) || is_nightly_output(file)),
            _ => false,
        };
        (!fits).then(|| {
            format!(
                "{}: a block {:?} is no {:?} listing",
                block.place, block.info, figure.kind
            )
        })
    }));
}

fn caption_of(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "does-not-compile" => "Does not compile",
        "nightly" => "Nightly only",
        "panics" => "Panics",
        "wrong" => "Runs, but is wrong",
        "works" => "Works",
        "repaired" => "Put right",
        "compiler" => "The compiler says",
        "output" => "It prints",
        "exercise" => "Exercise",
        "excerpt" => "From",
        _ => return None,
    })
}

#[test]
fn captions_name_the_file_that_they_stand_over() {
    none(blocks().filter_map(|block| {
        let figure = block
            .figure
            .as_ref()
            .filter(|figure| figure.kind != "compiler")?;
        let file = all_between(&figure.caption, "<code>", "</code>")
            .into_iter()
            .find(|code| code.contains('/') && !block.includes.iter().any(|file| file == code))?;
        Some(format!(
            "{}: the caption names {file}, and the block includes {:?}",
            block.place, block.includes
        ))
    }));
}

#[test]
fn the_compiler_says_what_the_caption_claims() {
    none(blocks().flat_map(|block| {
        let figure = block
            .figure
            .as_ref()
            .filter(|figure| figure.kind == "compiler");
        let said: String = block.includes.iter().map(|file| read(file)).collect();
        let claims = figure.map_or(vec![], |figure| {
            all_between(&figure.caption, "<code>", "</code>")
        });
        claims
            .into_iter()
            .filter(move |claim| !said.contains(*claim))
            .map(|claim| {
                format!(
                    "{}: the caption claims {claim:?}, which {:?} does not say",
                    block.place, block.includes
                )
            })
    }));
}

#[test]
fn no_compiler_message_points_into_the_standard_library() {
    const FOREIGN: [&str; 5] = [
        "/rustc/",
        "library/core",
        "library/std",
        "library/alloc",
        "$RUST/",
    ];
    none(files("compile-fail", "stderr").into_iter().filter_map(|file| {
        let said = read(&file);
        let place = FOREIGN.into_iter().find(|place| said.contains(place))?;
        Some(format!("{file} shows {place:?}, which differs from machine to machine: choose another mistake"))
    }));
}

#[test]
fn every_mistake_has_its_message_and_its_repaired_twin() {
    let mistakes: BTreeSet<_> = stems(&files("compile-fail", "rs"), is_mistake);
    let messages = stems(&files("compile-fail", "stderr"), |_| true);
    let fixed = stems(&files("compile-fail", "rs"), is_fixed);
    let missing = mistakes.iter().flat_map(|name| {
        let message = (!messages.contains(name))
            .then(|| format!("compile-fail/{name}.stderr is missing: `cargo record`"));
        let twin = (!fixed.contains(name))
            .then(|| format!("compile-fail/fixed/{name}.rs is missing: write it"));
        message.into_iter().chain(twin)
    });
    let orphans = messages
        .union(&fixed)
        .filter(|name| !mistakes.contains(*name))
        .map(|name| {
            format!("compile-fail has a .stderr or a repaired twin of {name}, but no {name}.rs")
        });
    none(missing.chain(orphans));
}

fn stems(files: &[String], wanted: fn(&str) -> bool) -> BTreeSet<String> {
    let stem = |file: &String| Some(Path::new(file).file_stem()?.to_str()?.to_owned());
    files
        .iter()
        .filter(|file| wanted(file))
        .filter_map(stem)
        .collect()
}

/// Nothing runs these programs again, so what they printed has to say which compiler it was.
#[test]
fn every_nightly_program_has_its_output_and_the_output_names_the_compiler() {
    let programs = stems(&files("book/nightly", "rs"), |_| true);
    let outputs = stems(&files("book/nightly", "txt"), |_| true);
    let missing = programs
        .difference(&outputs)
        .map(|name| format!("book/nightly/{name}.txt is missing: run {name}.rs by hand"));
    let orphans = outputs
        .difference(&programs)
        .map(|name| format!("book/nightly has a {name}.txt, but no {name}.rs"));
    let unnamed = outputs.iter().filter_map(|name| {
        let file = format!("book/nightly/{name}.txt");
        let compiler = "$ rustc +nightly --version\nrustc ";
        let command =
            format!("\n$ rustc +nightly --edition 2024 --out-dir target book/nightly/{name}.rs\n");
        let output = read(&file);
        (!output.starts_with(compiler) || !output.contains(&command))
            .then(|| format!("{file} does not begin with {compiler:?} and go on with {command:?}"))
    });
    none(missing.chain(orphans).chain(unnamed));
}

#[test]
fn every_file_that_is_proven_is_shown_on_a_page() {
    let shown: BTreeSet<_> = blocks().flat_map(|block| &block.includes).collect();
    let proven = [
        ("compile-fail", "rs"),
        ("compile-fail", "stderr"),
        ("book/examples", "rs"),
        ("book/output", "txt"),
        ("check/output", "txt"),
        ("examples/recipes/src/bin", "rs"),
        ("examples/recipes/output", "txt"),
        ("book/nightly", "rs"),
        ("book/nightly", "txt"),
        ("book/repairs", "diff"),
    ];
    none(
        proven
            .into_iter()
            .flat_map(|(folder, extension)| files(folder, extension))
            .filter(|file| !shown.contains(file))
            .map(|file| format!("no page shows {file}: include it, or remove it")),
    );
}

/// The package of the quick start runs every program of the book, up to what its own page adds to it.
#[test]
fn every_crate_beyond_the_quick_start_is_added_on_the_page_that_uses_it() {
    let added_by = |path: &str| -> BTreeSet<String> {
        BOOK.iter()
            .filter(|(chapter, _)| chapter.path == path)
            .flat_map(|(_, listings)| &listings.blocks)
            .filter(|block| block.info == "sh")
            .flat_map(|block| block.expanded.lines())
            .filter_map(|line| line.strip_prefix("cargo add "))
            .flat_map(|crates| {
                crates
                    .split_whitespace()
                    .take_while(|word| !word.starts_with("--"))
            })
            .map(|word| word.split('@').next().unwrap_or(word).replace('-', "_"))
            .collect()
    };
    let known = added_by("first-steps/quick-start.md");
    assert!(
        known.contains("asyncdrop"),
        "the quick start adds only {known:?}"
    );
    none(BOOK.iter().flat_map(|(chapter, listings)| {
        let here = added_by(&chapter.path);
        let used: BTreeSet<_> = listings
            .blocks
            .iter()
            .filter(|block| block.runs())
            .flat_map(|block| all_between(&block.expanded, "extern crate ", ";"))
            .collect();
        used.into_iter()
            .filter(|name| !known.contains(*name) && !here.contains(*name))
            .map(|name| {
                format!(
                    "book/src/{}: a block uses {name}, which the quick start does not have: \
                     show the line `cargo add {name}` on this page",
                    chapter.path
                )
            })
            .collect::<Vec<_>>()
    }));
}

#[test]
fn rule_marks_are_well_formed_and_each_rule_has_one_home() {
    let mut homes: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    let mut complaints = Vec::new();
    for (chapter, _) in BOOK.iter() {
        for mark in all_between(&chapter.source, "<a class=\"rule\"", "</a>") {
            let name = mark.rsplit('>').next().unwrap_or_default();
            let id = format!("rule-{}", name.to_lowercase());
            if mark != format!(" id=\"{id}\" href=\"#{id}\">{name}") {
                let right = format!("<a class=\"rule\" id=\"{id}\" href=\"#{id}\">{name}</a>");
                complaints.push(format!(
                    "book/src/{}: write the mark of a rule as {right}",
                    chapter.path
                ));
            }
            homes.entry(id).or_default().push(&chapter.path);
        }
        for heading in chapter
            .source
            .lines()
            .filter(|line| line.starts_with('#') && line.contains("class=\"rule\""))
        {
            complaints.push(format!(
                "book/src/{}: begin the paragraph below {heading:?} with the mark: \
                 mdBook makes a heading a link, and a link in a link is no HTML",
                chapter.path
            ));
        }
    }
    complaints.extend(
        homes
            .into_iter()
            .filter(|(_, pages)| pages.len() > 1)
            .map(|(id, pages)| {
                format!("{id} is marked more than once, in {pages:?}: keep one and link to it")
            }),
    );
    none(complaints);
}
