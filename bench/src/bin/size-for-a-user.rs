//! Builds a fresh program with each crate, and prints how many crates that needs and how long it takes.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;
use std::{env, fs, io};

use asyncdrop_bench::measure::Timing;
use asyncdrop_bench::{environment, report};

const COMMAND: &str = "cargo run -p asyncdrop-bench --bin size-for-a-user";
const ROUNDS: usize = 5;

fn main() -> io::Result<ExitCode> {
    let mut rounds = ROUNDS;
    let mut write = false;
    for argument in env::args().skip(1) {
        match argument.as_str() {
            "--quick" => rounds = 1,
            "--write" => write = true,
            other => {
                eprintln!("`{other}` is no option of this program: --quick, --write");
                return Ok(ExitCode::FAILURE);
            }
        }
    }
    let environment = environment::describe(COMMAND);
    let folder = tempfile::tempdir()?;
    let programs = DEPENDENCIES
        .iter()
        .enumerate()
        .map(|(place, dependency)| Program::create(folder.path(), place, dependency))
        .collect::<io::Result<Vec<_>>>()?;

    let mut seconds = vec![Vec::new(); programs.len()];
    for round in 0..rounds {
        for turn in 0..programs.len() {
            let place = (round + turn) % programs.len();
            eprintln!(
                "round {} of {rounds}: {}",
                round + 1,
                DEPENDENCIES[place].name
            );
            seconds[place].push(programs[place].build_from_nothing()?);
        }
    }

    let rounds = format!("- Builds of each program: {rounds}; the time is the median\n");
    let mut table = String::from(
        "| a program that depends on | crates to build | seconds | ratio |\n|---|---:|---:|---:|\n",
    );
    let seconds: Vec<_> = seconds.into_iter().map(Timing).collect();
    for ((dependency, program), time) in DEPENDENCIES.iter().zip(&programs).zip(&seconds) {
        table += &format!(
            "| {} | {} | {:.1} | {:.2} |\n",
            dependency.name,
            program.crates()?,
            time.median(),
            time.ratio_to(&seconds[0]).median,
        );
    }
    let figures = [
        report::anchored("size-environment", &(environment + &rounds)),
        report::anchored("size", &table),
    ]
    .join("\n");
    println!("{figures}");
    if write {
        let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
        report::replace_figures(&readme, "size", &figures)?;
    }
    Ok(ExitCode::SUCCESS)
}

struct Dependency {
    name: &'static str,
    /// The line in Cargo.toml.
    line: &'static str,
}

const DEPENDENCIES: [Dependency; 4] = [
    Dependency {
        name: "asyncdrop",
        line: concat!(
            "asyncdrop = { path = '",
            env!("CARGO_MANIFEST_DIR"),
            "/..' }"
        ),
    },
    Dependency {
        name: "asyncdrop without default features",
        line: concat!(
            "asyncdrop = { path = '",
            env!("CARGO_MANIFEST_DIR"),
            "/..', default-features = false }"
        ),
    },
    // It does not build without one of its two runtimes.
    Dependency {
        name: "async-dropper-simple with its feature `tokio`",
        line: "async-dropper-simple = { version = '0.2.6', features = ['tokio'] }",
    },
    Dependency {
        name: "async-drop-guard",
        line: "async-drop-guard = '0.0.6'",
    },
];

/// A package with one dependency and an empty `main`.
struct Program {
    folder: PathBuf,
}

impl Program {
    /// Writes the package, and fetches everything that its build needs.
    fn create(parent: &Path, place: usize, dependency: &Dependency) -> io::Result<Self> {
        let folder = parent.join(format!("program-{place}"));
        fs::create_dir_all(folder.join("src"))?;
        fs::write(folder.join("src/main.rs"), "fn main() {}\n")?;
        let manifest = format!(
            "[package]\nname = 'program'\nversion = '0.0.0'\nedition = '2024'\n\n[dependencies]\n{}\n\n[workspace]\n",
            dependency.line
        );
        fs::write(folder.join("Cargo.toml"), manifest)?;
        let program = Self { folder };
        program.cargo(&["fetch"])?;
        Ok(program)
    }

    /// The seconds of a build for which nothing was built before, and nothing must be fetched.
    fn build_from_nothing(&self) -> io::Result<f64> {
        let built = self.folder.join("target");
        if built.exists() {
            fs::remove_dir_all(&built)?;
        }
        let started = Instant::now();
        self.cargo(&["build", "--offline", "--locked"])?;
        Ok(started.elapsed().as_secs_f64())
    }

    /// How many crates are built, without the program's own.
    fn crates(&self) -> io::Result<usize> {
        let tree = self.cargo(&[
            "tree",
            "--offline",
            "--edges",
            "normal,build",
            "--prefix",
            "none",
        ])?;
        let packages: BTreeSet<_> = tree
            .lines()
            .skip(1)
            .filter_map(|line| {
                let mut words = line.split_whitespace();
                Some((words.next()?, words.next()?))
            })
            .collect();
        Ok(packages.len())
    }

    fn cargo(&self, arguments: &[&str]) -> io::Result<String> {
        let output = Command::new("cargo")
            .args(arguments)
            .current_dir(&self.folder)
            // Wherever the caller builds to, this program builds in its own folder.
            .env("CARGO_TARGET_DIR", self.folder.join("target"))
            .output()?;
        if !output.status.success() {
            return Err(io::Error::other(format!(
                "cargo {} failed: {}",
                arguments.join(" "),
                String::from_utf8_lossy(&output.stderr)
            )));
        }
        String::from_utf8(output.stdout).map_err(io::Error::other)
    }
}
