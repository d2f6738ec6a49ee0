//! `mdbook test`, from a test: every Rust block of the book, compiled and run by rustdoc as edition 2024.
//!
//! mdBook starts rustdoc once for each page, one after the other, and keeps quiet about blocks that pass.
//! So this program stands in for `rustdoc` on mdBook's `PATH` and only writes down what it is asked to test.
//! Then the real one tests the pages, a few of them as one, and what it prints is counted.
//! To run an executable that it made, rustdoc starts this program once more, which keeps a copy.
//! While nothing has changed that they are made of, the copies run, and must end as they did then.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output};
use std::sync::LazyLock;
use std::{env, fs};

use asyncdrop_book_gates::chapters::Chapter;
use asyncdrop_book_gates::kept::{Kept, forget_all_but};
use asyncdrop_book_gates::markdown::Block;
use asyncdrop_book_gates::{chapters, libraries, markdown, root, scratch};
use libtest_mimic::{Arguments, Failed, Trial};
use mdbook_driver::MDBook;

/// The folder for what rustdoc is asked to test, in the environment of mdBook and the stand-in.
const ASKED: &str = "ASYNCDROP_GATES_ASKED";
/// In that folder, a file for each page, and one with the other arguments of rustdoc, a line each.
const OTHER_ARGUMENTS: &str = "other arguments";
/// What is kept of all pages, below the folder for the gates.
const KEPT: &str = "mdbook-test/kept";
/// The folder in which an executable of rustdoc's is to be kept, in the environment of rustdoc and this program.
const KEEP: &str = "ASYNCDROP_GATES_KEEP";
/// What is kept of one: itself, and how it ended.
const EXECUTABLE: &str = "rust_out";
const ENDED: &str = "ended";
/// So many pages are compiled as one.
const TOGETHER: usize = 15;

fn main() -> ExitCode {
    let called = env::args_os().next().unwrap_or_default();
    if Path::new(&called)
        .file_stem()
        .is_some_and(|name| name == "rustdoc")
    {
        return stand_in_for_rustdoc();
    }
    if env::var_os(ASKED).is_some() {
        return mdbook_test();
    }
    if let Some(folder) = env::var_os(KEEP) {
        return run_and_keep(Path::new(&folder)).expect("rustdoc made an executable");
    }
    let arguments = Arguments::from_args();
    // With a filter, it is one page that somebody is working on.
    let together = if arguments.filter.is_some() {
        1
    } else {
        TOGETHER
    };
    let (alone, others): (Vec<_>, Vec<_>) = chapters().into_iter().partition(cannot_be_merged);
    let groups: Vec<_> = alone.chunks(1).chain(others.chunks(together)).collect();
    if arguments.filter.is_none() {
        // Pages stood together in other groups before one more was written.
        let current = groups.iter().copied().map(kept_of).collect();
        forget_all_but(&current, &scratch(KEPT)).expect("target/ can be written");
    }
    let trials = groups.into_iter().map(trial).collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// Whether a block has an inner attribute below a comment.
///
/// rustdoc lets both where they are when it makes one crate of many blocks, which then does not compile. It tries again
/// with each block alone, and that takes the longer, the more pages there are.
fn cannot_be_merged(page: &Chapter) -> bool {
    let blocks = markdown::listings(page).blocks;
    let mut runs = blocks.iter().filter(|block| block.runs());
    runs.any(|block| {
        let below = block.expanded.lines().skip(1);
        below
            .map(|line| line.strip_prefix("# ").unwrap_or(line))
            .any(|line| line.starts_with("#!["))
    })
}

/// The folder in which is kept what was made of these pages.
fn kept_of(pages: &[Chapter]) -> PathBuf {
    let first = in_a_file_name(&pages[0].path);
    scratch(KEPT).join(format!("{first}-{}", pages.len()))
}

/// One test for a few pages, which also compares how many of their blocks ran.
fn trial(pages: &[Chapter]) -> Trial {
    let blocks = pages
        .iter()
        .flat_map(|page| markdown::listings(page).blocks);
    let rust: Vec<_> = blocks.filter(|block| block.is_rust()).collect();
    let runs = rust.iter().filter(|block| block.runs()).count();
    let ignored = rust.len() - runs;
    let crates: BTreeSet<_> = rust.iter().flat_map(crates).map(str::to_owned).collect();
    let unnamed = rust.iter().find_map(unnamed_crate);
    let paths: Vec<_> = pages.iter().map(|page| page.path.clone()).collect();
    let kept_of = kept_of(pages);
    let name = match &*paths {
        [first, .., last] => format!("{first} to {last}"),
        paths => paths.concat(),
    };
    let name = format!("{name} ({runs} blocks run, {ignored} ignored)");
    Trial::test(name, move || {
        if let Some(unnamed) = unnamed {
            return Err(unnamed.into());
        }
        let text = paths
            .iter()
            .map(|page| fs::read_to_string(PAGES.join(in_a_file_name(page))))
            .collect::<Result<Vec<_>, _>>()?;
        let file = scratch("mdbook-test/together").join(in_a_file_name(&paths[0]));
        fs::write(&file, text.join("\n\n"))?;
        let arguments = fs::read_to_string(PAGES.join(OTHER_ARGUMENTS))?;
        let mut rustdoc = Command::new("rustdoc");
        rustdoc.arg(&file).args(arguments.lines());
        // Blocks that are compiled as one are modules of one crate, in which `extern crate` does not make a path begin with
        // the name of that crate. Without this, rustdoc gives up on all of them and compiles one after the other.
        for name in crates {
            rustdoc.args(["--extern", &name]);
        }
        let made_of = format!(
            "{rustdoc:?} {runs} {ignored}\n{}\n{}",
            text.join("\n\n"),
            *LIBRARIES
        );
        let kept = Kept::new(kept_of, made_of);
        if kept.is_current() {
            return run_again(kept.folder());
        }
        kept.begin()?;
        rustdoc.env(KEEP, kept.folder());
        rustdoc.arg("--test-runtool").arg(env::current_exe()?);
        let output = rustdoc.output()?;
        let printed = String::from_utf8_lossy(&output.stdout);
        if !output.status.success() {
            let errors = String::from_utf8_lossy(&output.stderr);
            return Err(format!("{printed}\n{errors}").into());
        }
        let ran = (count(&printed, " passed;"), count(&printed, " ignored;"));
        if ran != (runs, ignored) {
            return Err(Failed::from(format!(
                "`mdbook test` ran {} blocks and ignored {}, but there are {runs} and {ignored}:\n{printed}",
                ran.0, ran.1
            )));
        }
        kept.finish()?;
        Ok(())
    })
}

/// Runs an executable that rustdoc made, as rustdoc would, and keeps it with how it ended.
fn run_and_keep(folder: &Path) -> io::Result<ExitCode> {
    let made = PathBuf::from(env::args_os().nth(1).unwrap_or_default());
    // rustdoc makes each in a folder of its own, with a name that is taken once.
    let name = made.parent().and_then(Path::file_name);
    let folder = folder.join(name.unwrap_or_default());
    fs::create_dir(&folder)?;
    let executable = folder.join(EXECUTABLE);
    fs::copy(&made, &executable)?;
    let output = doctest(&made).output()?;
    fs::write(folder.join(ENDED), how_it_ended(&output))?;
    io::stdout().write_all(&output.stdout)?;
    io::stderr().write_all(&output.stderr)?;
    let code = output
        .status
        .code()
        .and_then(|code| u8::try_from(code).ok());
    // Ended by a signal, it has no code.
    Ok(ExitCode::from(code.unwrap_or(101)))
}

/// Runs what was kept. When it was made, rustdoc found that each of them ended as its block says.
fn run_again(folder: &Path) -> Result<(), Failed> {
    for entry in fs::read_dir(folder)? {
        let kept = entry?.path();
        if !kept.is_dir() {
            continue;
        }
        let output = doctest(&kept.join(EXECUTABLE)).output()?;
        let ended = how_it_ended(&output);
        let before = fs::read_to_string(kept.join(ENDED))?;
        if ended != before {
            let [printed, errors] =
                [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
            return Err(format!(
                "it ended with {ended}, and before with {before}:\n{printed}\n{errors}"
            )
            .into());
        }
    }
    Ok(())
}

/// An executable that rustdoc made. One that holds many blocks runs each in a process of its own, if it knows where it is.
fn doctest(executable: &Path) -> Command {
    let mut command = Command::new(executable);
    command
        .env("RUSTDOC_DOCTEST_BIN_PATH", executable)
        .env_remove(KEEP);
    command
}

/// The exit status, and for many blocks how many passed and how many are ignored.
fn how_it_ended(output: &Output) -> String {
    let printed = String::from_utf8_lossy(&output.stdout);
    let (passed, ignored) = (count(&printed, " passed;"), count(&printed, " ignored;"));
    format!("{}, {passed} passed, {ignored} ignored", output.status)
}

/// The crates that a block names for `mdbook test`, which tells rustdoc only the folder in which they are.
fn crates(block: &Block) -> Vec<&str> {
    markdown::all_between(&block.expanded, "extern crate ", ";")
}

/// `mdbook test` would not find that crate, so a reader's run fails although this one passes.
fn unnamed_crate(block: &Block) -> Option<String> {
    let named = crates(block);
    let missing = ["asyncdrop", "futures", "tempfile", "tokio"]
        .into_iter()
        .find(|name| {
            let path = format!("{name}::");
            let uses = |line: &str| {
                let code = line.split("//").next().unwrap_or(line);
                code.match_indices(&path).any(|(at, _)| {
                    !code[..at]
                        .ends_with(|before: char| before.is_alphanumeric() || "_:".contains(before))
                })
            };
            block.runs() && block.expanded.lines().any(uses) && !named.contains(name)
        })?;
    Some(format!(
        "{}: write `# extern crate {missing};`",
        block.place
    ))
}

/// Adds up the numbers before a word in the lines `test result: ok. 3 passed; 0 failed; 1 ignored; ..`.
fn count(printed: &str, word: &str) -> usize {
    printed
        .lines()
        .filter(|line| line.starts_with("test result: "))
        .filter_map(|line| {
            line.split(word)
                .next()?
                .rsplit(' ')
                .next()?
                .parse::<usize>()
                .ok()
        })
        .sum()
}

/// The state of the libraries, once they are built.
static LIBRARIES: LazyLock<String> = LazyLock::new(|| libraries::state(&libraries::build()));

/// The folder with all pages as mdBook gives them to rustdoc.
static PAGES: LazyLock<PathBuf> = LazyLock::new(|| {
    LazyLock::force(&LIBRARIES);
    let folder = scratch("mdbook-test/pages");
    fs::remove_dir_all(&folder).expect("target/ can be written");
    fs::create_dir_all(&folder).expect("target/ can be written");
    let output = Command::new(env::current_exe().expect("a test has a file"))
        .env(ASKED, &folder)
        .env("PATH", path_with_stand_in())
        .output()
        .expect("a test can be run again");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    folder
});

/// What `mdbook test` does.
fn mdbook_test() -> ExitCode {
    let libraries = libraries::folder();
    let result =
        MDBook::load(root()).and_then(|mut book| book.test(vec![&libraries.to_string_lossy()]));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// mdBook names the page first, as a path from the folder in which rustdoc is started.
fn stand_in_for_rustdoc() -> ExitCode {
    let folder = PathBuf::from(env::var_os(ASKED).expect("the test sets it"));
    let mut arguments = env::args().skip(1);
    let page = arguments.next().expect("mdBook names a page");
    fs::copy(&page, folder.join(in_a_file_name(&page))).expect("target/ can be written");
    let others: Vec<_> = arguments.collect();
    fs::write(folder.join(OTHER_ARGUMENTS), others.join("\n")).expect("target/ can be written");
    ExitCode::SUCCESS
}

fn in_a_file_name(page: &str) -> String {
    page.replace(['/', '\\'], "_")
}

/// A `PATH` on which this program is `rustdoc`.
fn path_with_stand_in() -> OsString {
    let folder = scratch("mdbook-test/bin");
    let stand_in = folder.join(format!("rustdoc{}", env::consts::EXE_SUFFIX));
    let _ = fs::remove_file(&stand_in);
    let this = env::current_exe().expect("a test has a file");
    fs::hard_link(this, &stand_in).expect("target/ is one file system");
    let path = env::var_os("PATH").unwrap_or_default();
    env::join_paths(std::iter::once(folder).chain(env::split_paths(&path)))
        .expect("no odd folder names")
}
