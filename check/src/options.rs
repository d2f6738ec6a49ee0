//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

use lexopt::prelude::{Long, Short, Value, ValueExt};

/// How findings are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    #[default]
    Human,
    Short,
    Json,
}

#[derive(Debug, Default)]
pub struct Options {
    pub packages: Vec<String>,
    pub workspace: bool,
    pub lib: bool,
    pub bins: bool,
    pub examples: bool,
    pub tests: bool,
    pub benches: bool,
    pub all_targets: bool,
    pub names: Vec<(Named, String)>,
    pub manifest_path: Option<PathBuf>,
    /// Options that cargo gets as they are.
    pub for_cargo: Vec<OsString>,
    pub format: Format,
    pub cancellation: bool,
    pub exact: bool,
}

/// A target that was asked for by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    Bin,
    Example,
    Test,
}

impl Named {
    pub fn kind(self) -> &'static str {
        match self {
            Self::Bin => "bin",
            Self::Example => "example",
            Self::Test => "test",
        }
    }
}

#[derive(Debug)]
pub enum Request {
    Check(Options),
    Help,
    Version,
}

pub const HELP: &str = "\
Finds the guards of asyncdrop that can be dropped before their cleanup

Usage: cargo asyncdrop [OPTIONS]

What is looked at, as with `cargo build`:
  -p, --package <SPEC>      Look at this package; may be repeated
      --workspace           Look at all packages of the workspace
      --lib, --bins, --examples, --tests, --benches, --all-targets
      --bin <NAME>, --example <NAME>, --test <NAME>
      --features <LIST>, --all-features, --no-default-features
      --manifest-path <PATH>
      --locked, --offline, --frozen
  -q, --quiet               Let cargo print no progress

What is printed:
      --message-format <F>  human (the default), short, or json
      --cancellation        List also each `.await` at which a cancellation would drop a guard
      --exact               Ask the compiler for exact places, which needs RUSTC_BOOTSTRAP=1;
                            this is set for your own packages alone
  -h, --help
  -V, --version

It exits with 0 if nothing was found, 1 if something was, and 2 if it could not look.

`// asyncdrop: allow(ID): reason` above the guard, above the way out, or above the function silences a finding.
";

/// Reads the arguments after `cargo asyncdrop`.
pub fn read(arguments: impl IntoIterator<Item = OsString>) -> Result<Request, lexopt::Error> {
    let mut arguments: Vec<OsString> = arguments.into_iter().collect();
    // Cargo gives the name of the subcommand first.
    if arguments.first().is_some_and(|first| first == "asyncdrop") {
        arguments.remove(0);
    }
    let mut parser = lexopt::Parser::from_args(arguments);
    let mut options = Options::default();
    while let Some(argument) = parser.next()? {
        match argument {
            Short('h') | Long("help") => return Ok(Request::Help),
            Short('V') | Long("version") => return Ok(Request::Version),
            Short('p') | Long("package") => options.packages.push(parser.value()?.string()?),
            Long("workspace" | "all") => options.workspace = true,
            Long("lib") => options.lib = true,
            Long("bins") => options.bins = true,
            Long("examples") => options.examples = true,
            Long("tests") => options.tests = true,
            Long("benches") => options.benches = true,
            Long("all-targets") => options.all_targets = true,
            Long("bin") => options.names.push((Named::Bin, parser.value()?.string()?)),
            Long("example") => {
                let name = parser.value()?.string()?;
                options.names.push((Named::Example, name));
            }
            Long("test") => options.names.push((Named::Test, parser.value()?.string()?)),
            Long("manifest-path") => options.manifest_path = Some(parser.value()?.into()),
            Short('F') | Long("features") => {
                options.for_cargo.push("--features".into());
                options.for_cargo.push(parser.value()?);
            }
            Long(
                flag @ ("all-features"
                | "no-default-features"
                | "locked"
                | "offline"
                | "frozen"
                | "quiet"),
            ) => {
                options.for_cargo.push(format!("--{flag}").into());
            }
            Short('q') => options.for_cargo.push("--quiet".into()),
            Long("message-format") => {
                options.format = match parser.value()?.string()?.as_str() {
                    "human" => Format::Human,
                    "short" => Format::Short,
                    "json" => Format::Json,
                    other => {
                        let error =
                            format!("`{other}` is not a format; write human, short, or json");
                        return Err(error.into());
                    }
                }
            }
            Long("cancellation") => options.cancellation = true,
            Long("exact") => options.exact = true,
            Value(_) | Short(_) | Long(_) => return Err(argument.unexpected()),
        }
    }
    Ok(Request::Check(options))
}
