//! `mdbook test`, from a test: every Rust block of the book, compiled and run by rustdoc as edition 2024.
//!
//! mdBook keeps quiet about blocks that pass. To know how many ran, this program stands in for `rustdoc`
//! on mdBook's `PATH`, runs the real one and keeps what it prints.

use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::LazyLock;
use std::{env, fs};

use asyncdrop_book_gates::chapters::Chapter;
use asyncdrop_book_gates::{chapters, libraries, markdown, root, scratch};
use libtest_mimic::{Arguments, Failed, Trial};
use mdbook_driver::MDBook;

const CHAPTER: &str = "ASYNCDROP_GATES_CHAPTER";
const REAL_PATH: &str = "ASYNCDROP_GATES_REAL_PATH";
const TALLY: &str = "ASYNCDROP_GATES_TALLY";

fn main() -> ExitCode {
    let called = env::args_os().next().unwrap_or_default();
    if Path::new(&called)
        .file_stem()
        .is_some_and(|name| name == "rustdoc")
    {
        return stand_in_for_rustdoc();
    }
    if let Ok(chapter) = env::var(CHAPTER) {
        return test_chapter(&chapter);
    }
    let trials = chapters().into_iter().map(trial).collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// One test for each chapter, which also compares how many of its blocks ran.
fn trial(chapter: Chapter) -> Trial {
    let blocks = markdown::listings(&chapter).blocks;
    let runs = blocks.iter().filter(|block| block.runs()).count();
    let ignored = blocks.iter().filter(|block| block.is_rust()).count() - runs;
    let name = match ignored {
        0 => format!("{} ({runs} blocks run)", chapter.path),
        _ => format!("{} ({runs} blocks run, {ignored} ignored)", chapter.path),
    };
    Trial::test(name, move || {
        let tally = scratch("mdbook-test").join(chapter.path.replace('/', "_"));
        let _ = fs::remove_file(&tally);
        let output = Command::new(env::current_exe()?)
            .env(CHAPTER, &chapter.path)
            .env(TALLY, &tally)
            .env(REAL_PATH, env::var_os("PATH").unwrap_or_default())
            .env("PATH", &*PATH_WITH_STAND_IN)
            .output()?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
        }
        let printed = fs::read_to_string(&tally)?;
        let ran = (count(&printed, " passed;"), count(&printed, " ignored;"));
        if ran != (runs, ignored) {
            return Err(Failed::from(format!(
                "`mdbook test` ran {} blocks and ignored {}, but the page has {runs} and {ignored}:\n{printed}",
                ran.0, ran.1
            )));
        }
        Ok(())
    })
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

/// What `mdbook test --chapter` does.
fn test_chapter(chapter: &str) -> ExitCode {
    let libraries = libraries::folder();
    let result = MDBook::load(root())
        .and_then(|mut book| book.test_chapter(vec![&libraries.to_string_lossy()], Some(chapter)));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn stand_in_for_rustdoc() -> ExitCode {
    let variable = |name| env::var_os(name).expect("the test sets it");
    let output = Command::new("rustdoc")
        .args(env::args_os().skip(1))
        .env("PATH", variable(REAL_PATH))
        .output()
        .expect("rustdoc comes with every toolchain");
    let printed = String::from_utf8_lossy(&output.stdout);
    fs::write(variable(TALLY), &*printed).expect("target/ can be written");
    print!("{printed}");
    eprint!("{}", String::from_utf8_lossy(&output.stderr));
    if output.status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// A `PATH` on which this program is `rustdoc`.
static PATH_WITH_STAND_IN: LazyLock<std::ffi::OsString> = LazyLock::new(|| {
    libraries::build();
    let folder = scratch("mdbook-test/bin");
    let stand_in = folder.join(format!("rustdoc{}", env::consts::EXE_SUFFIX));
    let _ = fs::remove_file(&stand_in);
    let this = env::current_exe().expect("a test has a file");
    fs::hard_link(this, &stand_in).expect("target/ is one file system");
    let path = env::var_os("PATH").unwrap_or_default();
    env::join_paths(std::iter::once(folder).chain(env::split_paths(&path)))
        .expect("no odd folder names")
});
