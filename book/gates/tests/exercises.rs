//! Each exercise of the book: what is to be done fails its tests for the reason that the page states, and the solution passes them.
//!
//! An exercise is one file of `book/exercises`, with the anchors `problem`, `solution` and `tests`.
//! Its first line says what the tests print about the problem: `// fails with: ..`.

use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode, Output};
use std::sync::LazyLock;

use asyncdrop_book_gates::kept::Kept;
use asyncdrop_book_gates::{chapters, files, libraries, markdown, root, scratch};
use libtest_mimic::{Arguments, Failed, Trial};

/// The crates that an exercise may use: those of the quick start.
const CRATES: [&str; 8] = [
    "anyhow",
    "asyncdrop",
    "futures",
    "scopeguard",
    "tempfile",
    "thiserror",
    "tokio",
    "tracing",
];

/// The state of the libraries, once they are built.
static LIBRARIES: LazyLock<String> = LazyLock::new(|| {
    libraries::build();
    libraries::state(&libraries::built())
});

fn main() -> ExitCode {
    let exercises = files("book/exercises", "rs");
    let mut trials = Vec::new();
    for file in &exercises {
        let (problem, solution) = (file.clone(), file.clone());
        trials.push(Trial::test(
            format!("{file}: the problem fails as stated"),
            move || problem_fails_as_stated(&problem),
        ));
        trials.push(Trial::test(
            format!("{file}: the solution passes"),
            move || solution_passes(&solution),
        ));
    }
    let file = exercises;
    trials.push(Trial::test(
        "every exercise is on a page, with its tests and its solution folded below it",
        move || all_are_shown(&file),
    ));
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn problem_fails_as_stated(file: &str) -> Result<(), Failed> {
    let source = fs::read_to_string(root().join(file))?;
    let stated = source
        .lines()
        .next()
        .and_then(|line| line.strip_prefix("// fails with: "))
        .ok_or("begin the file with `// fails with: ` and what the tests print")?;
    let outcome = run(file, "problem", &source)?;
    if outcome.status.success() {
        return Err("the tests pass before anything was done".into());
    }
    let printed = printed(&outcome);
    if printed.contains(stated) {
        Ok(())
    } else {
        Err(format!("the tests do not print {stated:?} but\n{printed}").into())
    }
}

fn solution_passes(file: &str) -> Result<(), Failed> {
    let source = fs::read_to_string(root().join(file))?;
    let outcome = run(file, "solution", &source)?;
    let printed = printed(&outcome);
    if outcome.status.success() && !printed.contains("running 0 tests") {
        Ok(())
    } else {
        Err(format!("the tests of the solution do not pass:\n{printed}").into())
    }
}

/// Compiles one half of an exercise with its tests, and runs them. A half that does not compile has failed, too.
fn run(file: &str, half: &str, source: &str) -> Result<Output, Failed> {
    let name = Path::new(file)
        .file_stem()
        .and_then(|stem| stem.to_str())
        .ok_or("a plain file name")?;
    let folder = scratch("exercises").join(format!("{name}-{half}"));
    let program = folder.join(format!("{name}.rs"));
    let executable = folder.join(name);
    let text = format!("{}\n{}", anchor(source, half)?, anchor(source, "tests")?);
    let mut rustc = Command::new("rustc");
    rustc
        .args(["--test", "--edition", "2024", "--cap-lints", "warn", "-o"])
        .arg(&executable)
        .arg("-L")
        .arg(libraries::folder())
        .arg(&program);
    for name in CRATES {
        rustc.args(["--extern", name]);
    }
    let kept = Kept::new(folder, format!("{rustc:?}\n{text}\n{}", *LIBRARIES));
    if !kept.is_current() {
        kept.begin()?;
        fs::write(&program, &text)?;
        let compiled = rustc.output()?;
        if !compiled.status.success() {
            return Ok(compiled);
        }
        kept.finish()?;
    }
    let ran = Command::new(&executable)
        .args(["--test-threads", "1"])
        .env_remove("RUST_BACKTRACE")
        .output()?;
    Ok(ran)
}

fn anchor<'a>(source: &'a str, name: &str) -> Result<&'a str, Failed> {
    let (_, rest) = source
        .split_once(&format!("// ANCHOR: {name}\n"))
        .ok_or_else(|| format!("the file has no `// ANCHOR: {name}`"))?;
    let (part, _) = rest
        .split_once(&format!("// ANCHOR_END: {name}\n"))
        .ok_or_else(|| format!("the file has no `// ANCHOR_END: {name}`"))?;
    Ok(part)
}

fn printed(output: &Output) -> String {
    [&output.stdout, &output.stderr]
        .map(|bytes| String::from_utf8_lossy(bytes).into_owned())
        .concat()
}

fn all_are_shown(exercises: &[String]) -> Result<(), Failed> {
    if exercises.len() < 10 {
        return Err(format!("{} exercises: the book promises ten", exercises.len()).into());
    }
    let chapters = chapters();
    let blocks: Vec<_> = chapters
        .iter()
        .flat_map(|chapter| markdown::listings(chapter).blocks)
        .collect();
    for file in exercises {
        let name = file.rsplit('/').next().unwrap_or(file);
        for part in ["problem", "tests", "solution"] {
            let include = format!("exercises/{name}:{part}}}}}");
            if !blocks.iter().any(|block| block.written.contains(&include)) {
                return Err(format!("no page shows the {part} of {file}").into());
            }
        }
        if !chapters
            .iter()
            .any(|page| stands_together(&page.source, name))
        {
            return Err(format!(
                "put the tests of {file} below its problem, and its solution below these, each in a folded <details>"
            )
            .into());
        }
    }
    Ok(())
}

/// Whether a page has the problem, then the folded tests, then the folded solution, and no other exercise in between.
fn stands_together(page: &str, name: &str) -> bool {
    let include = |part: &str| format!("exercises/{name}:{part}}}}}");
    let Some((_, rest)) = page.split_once(&include("problem")) else {
        return false;
    };
    let Some((problem, rest)) = rest.split_once(&include("tests")) else {
        return false;
    };
    let Some((tests, rest)) = rest.split_once(&include("solution")) else {
        return false;
    };
    let closes_first = |text: &str| {
        let open = text.find("<details>").unwrap_or(usize::MAX);
        text.find("</details>").is_some_and(|close| close < open)
    };
    problem.contains("<details>")
        && !problem.contains("</details>")
        && !problem.contains("exercises/")
        && closes_first(tests)
        && tests.contains("<details>")
        && !tests.contains("exercises/")
        && closes_first(rest)
}
