//! Takes all figures and prints them as Markdown. `--quick`, `--check` and `--write` are explained in the README.

use std::env;
use std::path::Path;
use std::process::{Command, ExitCode};

use asyncdrop_bench::contender::runtime;
use asyncdrop_bench::measure::{Plan, take_times};
use asyncdrop_bench::report::{self, Allocations, Measured};
use asyncdrop_bench::targets::{self, Verdict};
use asyncdrop_bench::{environment, groups};

const COMMAND: &str = "cargo bench -p asyncdrop-bench";

fn main() -> ExitCode {
    // `cargo test --benches` runs this too, without `--bench`.
    let mut plan = Plan::QUICK;
    let (mut quick, mut check, mut write) = (false, false, false);
    for argument in env::args().skip(1) {
        match argument.as_str() {
            "--bench" => plan = Plan::FULL,
            "--quick" => quick = true,
            "--check" => check = true,
            "--write" => write = true,
            other => {
                eprintln!("`{other}` is no option of this benchmark: --quick, --check, --write");
                return ExitCode::FAILURE;
            }
        }
    }
    if quick {
        plan = Plan::QUICK;
    }
    let environment = environment::describe(COMMAND);
    let allocations = count_allocations();
    let runtime = runtime();
    let mut all = Vec::new();
    for group in groups::all() {
        eprintln!("{}", group.title);
        let timings = take_times(&group, &runtime, plan);
        all.push(Measured { group, timings });
    }

    let verdicts = targets::check(&all, &allocations);
    let mut figures = vec![
        report::anchored("environment", &(environment + &versions())),
        report::side_by_side(&all),
        targets::section(&verdicts),
    ];
    figures.extend(
        all.iter()
            .map(|measured| report::section(measured, &allocations)),
    );
    figures.push(report::growth(&all));
    let figures = figures.join("\n");
    println!("{figures}");

    if write {
        let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
        report::replace_figures(&readme, "figures", &figures)
            .expect("the README takes the figures");
    }
    if check && !verdicts.iter().all(Verdict::is_met) {
        eprintln!("a target was missed");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn count_allocations() -> Allocations {
    let counted = Command::new(env!("CARGO_BIN_EXE_allocations"))
        .output()
        .expect("the program was built with this one");
    assert!(counted.status.success(), "counting failed: {counted:?}");
    String::from_utf8(counted.stdout)
        .ok()
        .and_then(|printed| Allocations::parse(&printed))
        .expect("the program prints lines of four fields")
}

fn versions() -> String {
    let packages = [
        "asyncdrop",
        "async-drop-guard",
        "async-dropper-simple",
        "futures-util",
        "tokio",
        "tokio-util",
    ];
    let versions =
        packages.map(|package| format!("{package} {}", environment::version_of(package)));
    format!("- Versions: {}\n", versions.join(", "))
}
