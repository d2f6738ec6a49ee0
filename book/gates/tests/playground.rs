//! What the Run buttons send: the exact text compiles with the crates that the playground has, and prints what the page shows.
//!
//! Each text brings the whole library along, so compiling all of them takes minutes. `cargo test` takes one page of each
//! part of the book; with `ASYNCDROP_PLAYGROUND=all`, as in CI, it is every snippet.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{LazyLock, Mutex};
use std::{env, fs, thread};

use asyncdrop_book_gates::kept::{Kept, forget_all_but};
use asyncdrop_book_gates::{chapters, libraries, markdown, program, root, scratch};
use asyncdrop_book_playground::{Library, Online, library, online, request, shown, with_classes};

/// A snippet that can run online.
struct Snippet {
    /// Where it stands first.
    place: String,
    /// What is sent.
    text: String,
    /// The program of `book/examples` that it is, all of it.
    example: Option<String>,
    panics: bool,
}

static PLAIN: LazyLock<String> = LazyLock::new(|| text_of(Library::Plain));
static TESTING: LazyLock<String> = LazyLock::new(|| text_of(Library::Testing));
static DERIVE: LazyLock<String> = LazyLock::new(|| text_of(Library::Derive));

fn text_of(which: Library) -> String {
    library(&root(), which).unwrap_or_else(|error| panic!("{error:#}"))
}

/// Every snippet that can run online, once.
fn snippets() -> Vec<Snippet> {
    let mut found: BTreeMap<String, Snippet> = BTreeMap::new();
    for chapter in chapters() {
        for block in markdown::listings(&chapter).blocks {
            if !block.runs() {
                continue;
            }
            let code = shown(&block.expanded);
            let Online::With(which) = online(&code) else {
                continue;
            };
            let library = match which {
                Library::Plain => &PLAIN,
                Library::Testing => &TESTING,
                Library::Derive => &DERIVE,
            };
            let text =
                request(&code, library).unwrap_or_else(|error| panic!("{}: {error}", block.place));
            let example = match block.includes.as_slice() {
                [only] => Path::new(only)
                    .strip_prefix("book/examples")
                    .ok()
                    .and_then(|file| Some(file.file_stem()?.to_str()?.to_owned())),
                _ => None,
            };
            let snippet = found.entry(text.clone()).or_insert(Snippet {
                place: block.place,
                text,
                example: None,
                panics: block.info.contains("should_panic"),
            });
            snippet.example = snippet.example.take().or(example);
        }
    }
    let mut snippets: Vec<_> = found.into_values().collect();
    snippets.sort_by(|a, b| a.place.cmp(&b.place));
    snippets
}

/// The name and the library of each crate that the playground has.
///
/// They are those that `mdbook test` uses, because each was built once there, and the playground has all features as well.
fn crates() -> BTreeMap<String, PathBuf> {
    let manifest = fs::read_to_string(root().join("book/playground/crates/Cargo.toml"));
    let manifest: toml::Table = manifest.expect("it is there").parse().expect("it is TOML");
    let wanted = manifest["dependencies"].as_table().expect("a table").keys();
    let built = libraries::build();
    wanted
        .map(|name| {
            let name = name.replace('-', "_");
            let start = format!("lib{name}-");
            let mut found = built.iter().filter(|file| {
                let file = file.file_name().and_then(OsStr::to_str);
                file.is_some_and(|file| file.starts_with(&start))
            });
            let file = found.next().cloned();
            assert!(found.next().is_none(), "{name} was built twice");
            let file = file.unwrap_or_else(|| panic!("no snippet of the book uses {name}"));
            (name, file)
        })
        .collect()
}

/// What an example printed, as it does online: all of it is one file and one crate, and the lines of the anchors are gone.
fn online_output(recorded: &str, example: &str) -> String {
    let file = format!("book/examples/{example}.rs");
    let source = fs::read_to_string(root().join(&file)).unwrap_or_default();
    let recorded = recorded
        .replace(&file, "src/main.rs")
        .replace(&format!("{example}::"), "playground::")
        .replace(&format!(" {example}: "), " playground: ");
    let mut text = String::new();
    for line in recorded.lines() {
        // Of a panic, the transcript keeps the file alone when it lies in `src`, as everything does online.
        if let Some((before, _)) = line.split_once("panicked at src/") {
            text += &format!("{before}panicked at src/main.rs:\n");
            continue;
        }
        let mut rest = line;
        while let Some(at) = ["src/main.rs:", " line "]
            .iter()
            .filter_map(|word| Some(rest.find(word)? + word.len()))
            .min()
        {
            let (before, after) = rest.split_at(at);
            text += before;
            let digits = after.len()
                - after
                    .trim_start_matches(|it: char| it.is_ascii_digit())
                    .len();
            if let Ok(number) = after[..digits].parse::<usize>() {
                let above = source.lines().take(number);
                text +=
                    &(number - above.filter(|line| line.contains("// ANCHOR")).count()).to_string();
            }
            rest = &after[digits..];
        }
        text += rest;
        text.push('\n');
    }
    text
}

/// Where a text is compiled.
fn folder_of(snippet: &Snippet, folder: &Path) -> PathBuf {
    let place = &snippet.place;
    folder.join(place.replace(|it: char| !it.is_ascii_alphanumeric(), "_"))
}

/// Compiles and runs one text, and says what is wrong with it. All executables together would take more than a gigabyte.
fn check(
    snippet: &Snippet,
    crates: &BTreeMap<String, PathBuf>,
    state: &str,
    folder: &Path,
    keep: bool,
) -> Result<(), String> {
    let folder = folder_of(snippet, folder);
    let executable = folder.join("playground");
    let mut rustc = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    rustc
        .current_dir(&folder)
        .args([
            "src/main.rs",
            "--edition",
            "2024",
            "--crate-name",
            "playground",
            "-o",
        ])
        .arg(&executable);
    for (name, file) in crates {
        rustc
            .arg("--extern")
            .arg(format!("{name}={}", file.display()));
    }
    let deps = crates
        .values()
        .next()
        .and_then(|file| file.parent())
        .expect("at least one");
    rustc
        .arg("-L")
        .arg(format!("dependency={}", deps.display()));
    let kept = Kept::new(
        folder.clone(),
        format!("{rustc:?}\n{}\n{state}", snippet.text),
    );
    if !kept.is_current() || !executable.exists() {
        kept.begin().expect("target/ can be written");
        fs::create_dir(folder.join("src")).expect("target/ can be written");
        fs::write(folder.join("src/main.rs"), &snippet.text).expect("target/ can be written");
        let compiled = rustc.output().map_err(|error| error.to_string())?;
        if !compiled.status.success() {
            return Err(String::from_utf8_lossy(&compiled.stderr).into_owned());
        }
        kept.finish().expect("target/ can be written");
    }
    let printed = program::transcript("playground", &executable, &folder)
        .map_err(|error| error.to_string())?;
    if !keep {
        fs::remove_file(&executable).map_err(|error| error.to_string())?;
    }
    let (_, printed) = printed.split_once('\n').unwrap_or_default();
    if let Some(example) = &snippet.example {
        let shown = fs::read_to_string(root().join(format!("book/output/{example}.txt")))
            .unwrap_or_default();
        let (_, shown) = shown.split_once('\n').unwrap_or_default();
        let shown = online_output(shown, example);
        let printed = printed.replace("playground::asyncdrop::", "asyncdrop::");
        if shown != printed {
            return Err(format!(
                "The page shows\n{shown}\nand online it prints\n{printed}"
            ));
        }
    } else {
        let failed = printed.contains("[exit status: ");
        if failed != snippet.panics {
            return Err(format!("It prints\n{printed}"));
        }
    }
    Ok(())
}

#[test]
fn what_is_sent_compiles_with_the_crates_of_the_playground_and_prints_what_the_page_shows() {
    let every = snippets();
    // For the gate in the browser, which compares what the pages really send.
    let texts: Vec<_> = every.iter().map(|snippet| &snippet.text).collect();
    let texts = serde_json::to_vec(&texts).expect("texts are JSON");
    let folder = scratch("playground");
    fs::write(folder.join("texts.json"), texts).expect("target/ can be written");

    let all = env::var("ASYNCDROP_PLAYGROUND").is_ok_and(|which| which == "all");
    let mut parts = BTreeSet::new();
    let only = env::var("ASYNCDROP_PLAYGROUND").unwrap_or_default();
    let snippets: Vec<_> = every
        .into_iter()
        .filter(|snippet| {
            let part = snippet
                .place
                .split('/')
                .nth(2)
                .unwrap_or_default()
                .to_owned();
            all || if only.is_empty() {
                parts.insert(part)
            } else {
                snippet.place.contains(&only)
            }
        })
        .collect();
    assert!(!snippets.is_empty());
    let crates = crates();
    let state = libraries::state(crates.values());
    let next = AtomicUsize::new(0);
    let faults = Mutex::new(Vec::new());
    let workers = thread::available_parallelism().map_or(2, |count| count.get());
    // A snippet may have stood in another line.
    let current = snippets.iter().map(|it| folder_of(it, &folder)).collect();
    forget_all_but(&current, &folder).expect("target/ can be written");
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(snippet) = snippets.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(fault) = check(snippet, &crates, &state, &folder, !all) {
                        let fault = format!("{}: {fault}", snippet.place);
                        faults.lock().expect("no worker panics").push(fault);
                    }
                }
            });
        }
    });
    let longest = snippets
        .iter()
        .map(|it| it.text.len())
        .max()
        .unwrap_or_default();
    println!("{} texts, the longest of {longest} bytes", snippets.len());
    let faults = faults.into_inner().expect("no worker panics");
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}

#[test]
fn each_block_that_runs_says_whether_it_runs_online() {
    for chapter in chapters() {
        let marked: Vec<_> = with_classes(&chapter.expanded)
            .lines()
            .filter_map(|line| {
                line.strip_prefix("```rust,")?
                    .rsplit(',')
                    .next()
                    .map(str::to_owned)
            })
            .filter(|class| class != "ignore")
            .collect();
        let expected: Vec<_> = markdown::listings(&chapter)
            .blocks
            .iter()
            .filter(|block| block.runs())
            .map(|block| online(&shown(&block.expanded)).class())
            .collect();
        assert_eq!(marked, expected, "{}", chapter.path);
    }
}
