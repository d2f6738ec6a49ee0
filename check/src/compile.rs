//! Has cargo build what is to be looked at, into a target folder of its own, with the MIR of it.
//!
//! Cargo calls this program in place of rustc for the packages of the workspace.
//! Programs are compiled without being linked, so the MIR takes the place of the executable, and cargo says where it is.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use serde_json::Value;

use crate::options::{Format, Options};

/// Set where this program is called in place of rustc.
pub const WRAPPER: &str = "CARGO_ASYNCDROP_WRAPPER";
const EXACT: &str = "CARGO_ASYNCDROP_EXACT";
/// The last line of a file of MIR, written by the wrapper: the sources of which it was made.
const SOURCES: &str = "// asyncdrop sources: ";

/// Why nothing could be looked at.
#[derive(Debug)]
pub enum Error {
    /// Cargo could not be started, or its output not be read.
    Cargo(io::Error),
    /// `cargo metadata` failed, and said why.
    Metadata(String),
    /// The packages do not compile, or there are none of that name. Cargo has printed why.
    Build,
    /// What cargo said is none of what it is known to say.
    Message(serde_json::Error),
    /// This program does not know where it is.
    Itself(io::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cargo(_) => write!(f, "cargo could not be run"),
            Self::Metadata(said) => {
                let said = said.trim();
                let said = said.strip_prefix("error: ").unwrap_or(said);
                write!(f, "cargo finds no package: {said}")
            }
            Self::Build => write!(
                f,
                "nothing was looked at, because cargo could not build it; it says why above"
            ),
            Self::Message(_) => write!(f, "the output of cargo was not understood"),
            Self::Itself(_) => write!(f, "the program does not find itself"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Cargo(error) | Self::Itself(error) => Some(error),
            Self::Message(error) => Some(error),
            Self::Metadata(_) | Self::Build => None,
        }
    }
}

/// One target that was built.
#[derive(Debug)]
pub struct Target {
    pub package: String,
    /// Such as `lib`, `bin`, `example`.
    pub kind: String,
    pub name: String,
    /// Whether it was built with its unit tests.
    pub test: bool,
    /// Where its MIR should be.
    pub mir: PathBuf,
    /// What cargo says of it beside every message of the compiler: the package and the target.
    pub described: Described,
}

/// A target in the words of cargo, which are repeated as they are.
#[derive(Clone, Debug, Default)]
pub struct Described {
    pub package_id: Value,
    pub manifest_path: Value,
    pub target: Value,
}

/// What cargo built.
#[derive(Debug)]
pub struct Built {
    pub targets: Vec<Target>,
    /// The folder to which the paths of the sources are relative.
    pub root: PathBuf,
    /// Such as `rustc 1.95.0 (59807616e 2026-04-14)`.
    pub compiler: String,
}

fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

struct Workspace {
    root: PathBuf,
    target_directory: PathBuf,
    /// The id and the name of each package.
    members: Vec<(String, String)>,
    chosen: Vec<String>,
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

fn strings(value: &Value) -> Vec<&str> {
    let values = value.as_array().into_iter().flatten();
    values.filter_map(Value::as_str).collect()
}

fn workspace(options: &Options) -> Result<Workspace, Error> {
    let mut command = cargo();
    command.args(["metadata", "--format-version", "1", "--no-deps"]);
    if let Some(path) = &options.manifest_path {
        command.arg("--manifest-path").arg(path);
    }
    let output = command.output().map_err(Error::Cargo)?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(Error::Metadata(said));
    }
    let metadata: Value = serde_json::from_slice(&output.stdout).map_err(Error::Message)?;
    let members: Vec<(String, String)> = metadata["packages"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|package| {
            (
                text(package, "id").to_owned(),
                text(package, "name").to_owned(),
            )
        })
        .collect();
    let root = PathBuf::from(text(&metadata, "workspace_root"));
    let is_named = |(id, name): &&(String, String)| {
        options.packages.iter().any(|wanted| {
            let bare = wanted.split('@').next().unwrap_or(wanted);
            bare == name || wanted == id
        })
    };
    let ids = |members: &mut dyn Iterator<Item = &(String, String)>| {
        members.map(|(id, _)| id.clone()).collect::<Vec<_>>()
    };
    let chosen = if options.workspace {
        ids(&mut members.iter())
    } else if options.packages.is_empty() {
        // In the folder of a member that one alone is built, as cargo does.
        let defaults = strings(&metadata["workspace_default_members"]);
        let folder = match &options.manifest_path {
            Some(path) => path.parent().map(Path::to_path_buf),
            None => std::env::current_dir().ok(),
        };
        let folder = folder.and_then(|folder| fs::canonicalize(folder).ok());
        let own = folder.and_then(|folder| {
            let packages = metadata["packages"].as_array()?.iter();
            let mut around = packages
                .filter_map(|package| {
                    let manifest = fs::canonicalize(text(package, "manifest_path")).ok()?;
                    let inside = folder.starts_with(manifest.parent()?);
                    inside.then(|| (manifest, text(package, "id").to_owned()))
                })
                .collect::<Vec<_>>();
            around.sort_by_key(|(manifest, _)| manifest.as_os_str().len());
            let (manifest, id) = around.pop()?;
            let in_root = Some(fs::canonicalize(&root).ok()?.as_path()) == manifest.parent();
            (!in_root).then_some(id)
        });
        match own {
            Some(own) => vec![own],
            None => defaults.into_iter().map(str::to_owned).collect(),
        }
    } else {
        ids(&mut members.iter().filter(is_named))
    };
    Ok(Workspace {
        root,
        target_directory: PathBuf::from(text(&metadata, "target_directory")),
        members,
        chosen,
    })
}

/// Builds the targets, and shows the progress and the errors of cargo.
pub fn build(options: &Options) -> Result<Built, Error> {
    let workspace = workspace(options)?;
    // Flags that cargo does not know of must not be mixed in one folder.
    let folder = if options.exact { "exact" } else { "mir" };
    let for_programs = options.format == Format::Json;
    let mut command = cargo();
    command
        .arg("build")
        .arg(if for_programs {
            "--message-format=json"
        } else {
            "--message-format=json-render-diagnostics"
        })
        .arg("--target-dir")
        .arg(workspace.target_directory.join("asyncdrop").join(folder))
        .env(
            "RUSTC_WORKSPACE_WRAPPER",
            std::env::current_exe().map_err(Error::Itself)?,
        )
        .env(WRAPPER, "1")
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .env("CARGO_PROFILE_TEST_DEBUG", "0")
        // Without machine code there is little to reuse, and it would take more room than all the rest.
        .env("CARGO_INCREMENTAL", "0")
        .env_remove(EXACT)
        .stdout(Stdio::piped());
    if options.exact {
        command.env(EXACT, "1");
    }
    for package in &options.packages {
        command.arg("--package").arg(package);
    }
    for (flag, is_set) in [
        ("--workspace", options.workspace),
        ("--lib", options.lib),
        ("--bins", options.bins),
        ("--examples", options.examples),
        ("--tests", options.tests),
        ("--benches", options.benches),
        ("--all-targets", options.all_targets),
    ] {
        if is_set {
            command.arg(flag);
        }
    }
    for (named, name) in &options.names {
        command.arg(format!("--{}", named.kind())).arg(name);
    }
    if let Some(path) = &options.manifest_path {
        command.arg("--manifest-path").arg(path);
    }
    command.args(&options.for_cargo);
    let mut child = command.spawn().map_err(Error::Cargo)?;
    let lines = child.stdout.take().map(BufReader::new);
    let mut targets = Vec::new();
    for line in lines.into_iter().flat_map(|lines| lines.split(b'\n')) {
        let line = line.map_err(Error::Cargo)?;
        // A build script of a dependency may print what it likes.
        if !line.starts_with(b"{") {
            continue;
        }
        let message: Value = serde_json::from_slice(&line).map_err(Error::Message)?;
        // Warnings are left to `cargo check`, but an editor wants to see why nothing was looked at.
        if for_programs && text(&message, "reason") == "compiler-message" {
            println!("{message}");
        }
        targets.extend(target(&message, &workspace, options));
    }
    if !child.wait().map_err(Error::Cargo)?.success() {
        return Err(Error::Build);
    }
    // Cargo builds in an order that differs from run to run.
    targets.sort_by(|a, b| {
        (&a.package, &a.kind, &a.name, a.test).cmp(&(&b.package, &b.kind, &b.name, b.test))
    });
    let compiler = compiler();
    Ok(Built {
        targets,
        root: workspace.root,
        compiler,
    })
}

fn compiler() -> String {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).arg("--version").output();
    output.map_or_else(
        |_| "an unknown compiler".to_owned(),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    )
}

/// The target of a message of cargo, if it is one that was asked for.
fn target(message: &Value, workspace: &Workspace, options: &Options) -> Option<Target> {
    if text(message, "reason") != "compiler-artifact" {
        return None;
    }
    let id = text(message, "package_id");
    if !workspace.chosen.iter().any(|chosen| chosen == id) {
        return None;
    }
    let (_, package) = workspace.members.iter().find(|(member, _)| member == id)?;
    let kinds = strings(&message["target"]["kind"]);
    let kind = *kinds.first()?;
    let name = text(&message["target"], "name");
    let is_lib = !matches!(
        kind,
        "bin" | "example" | "test" | "bench" | "custom-build" | "proc-macro"
    );
    let test = message["profile"]["test"].as_bool().unwrap_or(false);
    let nothing_chosen = !(options.lib
        || options.bins
        || options.examples
        || options.tests
        || options.benches
        || options.all_targets)
        && options.names.is_empty();
    let by_name = options
        .names
        .iter()
        .any(|(named, wanted)| named.kind() == kind && wanted == name);
    // What is built only because something else needs it was not asked for.
    let wanted = by_name
        || match kind {
            "bin" => {
                nothing_chosen || options.all_targets || options.bins || (options.tests && test)
            }
            "example" => options.all_targets || options.examples,
            "test" => options.all_targets || options.tests,
            "bench" => options.all_targets || options.benches,
            _ if is_lib => {
                nothing_chosen || options.all_targets || options.lib || (options.tests && test)
            }
            _ => false,
        };
    if !wanted {
        return None;
    }
    let files = strings(&message["filenames"]);
    let mir = match files.iter().find(|file| file.ends_with(".rmeta")) {
        Some(library) => {
            let library = Path::new(library);
            let name = library.file_stem()?.to_str()?;
            let name = name.strip_prefix("lib").unwrap_or(name);
            library.with_file_name(format!("{name}.mir"))
        }
        None => PathBuf::from(files.first()?),
    };
    Some(Target {
        package: package.clone(),
        kind: if is_lib { "lib" } else { kind }.to_owned(),
        name: name.to_owned(),
        test,
        mir,
        described: Described {
            package_id: message["package_id"].clone(),
            manifest_path: message["manifest_path"].clone(),
            target: message["target"].clone(),
        },
    })
}

/// The text of a file of MIR, and the sources of which it was made.
pub fn read_mir(path: &Path) -> io::Result<(String, Vec<PathBuf>)> {
    let bytes = fs::read(path)?;
    let text = String::from_utf8(bytes)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is no text"))?;
    let Some(at) = text.rfind(SOURCES) else {
        let error = "it does not end as it was written";
        return Err(io::Error::new(io::ErrorKind::InvalidData, error));
    };
    let sources = text[at + SOURCES.len()..]
        .trim_end()
        .split('\t')
        .map(PathBuf::from)
        .collect();
    Ok((text, sources))
}

/// Does the work of rustc, whose path is the first argument, and has it print the MIR.
pub fn wrap(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let mut arguments = arguments.collect::<Vec<_>>();
    if arguments.is_empty() {
        eprintln!("error: no compiler to call");
        return ExitCode::from(2);
    }
    let rustc = arguments.remove(0);
    let mut command = Command::new(rustc);
    let call = Call::read(&arguments);
    match &call {
        Some(call) => {
            command.args(call.arguments(&arguments));
            if std::env::var_os(EXACT).is_some() {
                command
                    .env("RUSTC_BOOTSTRAP", "1")
                    .arg("-Zmir-include-spans");
            }
        }
        None => {
            command.args(&arguments);
        }
    }
    match command.status() {
        Ok(status) if status.success() => {}
        Ok(status) => {
            let code = status.code().and_then(|code| u8::try_from(code).ok());
            return ExitCode::from(code.unwrap_or(1));
        }
        Err(error) => {
            eprintln!("error: the compiler could not be run: {error}");
            return ExitCode::from(2);
        }
    }
    if let Some(call) = call {
        if let Err(error) = call.note_sources() {
            eprintln!(
                "error: {} could not be written: {error}",
                call.mir.display()
            );
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

/// A call of rustc of which the MIR is wanted.
struct Call {
    mir: PathBuf,
    dep_info: PathBuf,
    is_library: bool,
    is_test: bool,
}

impl Call {
    fn read(arguments: &[OsString]) -> Option<Self> {
        let value = |flag: &str| {
            let at = arguments.iter().position(|argument| argument == flag)?;
            arguments.get(at + 1)
        };
        let name = value("--crate-name")?.to_str()?;
        let emits = arguments.iter().find_map(|argument| {
            let list = argument.to_str()?.strip_prefix("--emit=")?;
            Some(list.to_owned())
        })?;
        // Build scripts and macros have to run.
        let runs = name.starts_with("build_script_")
            || value("--crate-type").is_some_and(|kind| kind == "proc-macro");
        if name == "___" || runs || !emits.contains("link") {
            return None;
        }
        let out = PathBuf::from(value("--out-dir")?);
        let extra = arguments
            .iter()
            .find_map(|argument| argument.to_str()?.strip_prefix("extra-filename="));
        let stem = format!("{name}{}", extra.unwrap_or_default());
        let is_test = arguments.iter().any(|argument| argument == "--test");
        let is_library = !is_test && value("--crate-type").is_some_and(|kind| kind != "bin");
        let file = if is_library {
            format!("{stem}.mir")
        } else {
            // Where cargo expects the program.
            format!("{stem}{}", std::env::consts::EXE_SUFFIX)
        };
        Some(Self {
            mir: out.join(file),
            dep_info: out.join(format!("{stem}.d")),
            is_library,
            is_test,
        })
    }

    fn arguments(&self, given: &[OsString]) -> Vec<OsString> {
        let mut arguments = Vec::new();
        let mut given = given.iter().peekable();
        let mut caps_lints = false;
        while let Some(argument) = given.next() {
            let as_text = argument.to_str().unwrap_or_default();
            caps_lints |= as_text.starts_with("--cap-lints");
            if as_text.starts_with("--emit=") {
                let mut emit = OsString::from(if self.is_library {
                    as_text
                } else {
                    "--emit=dep-info"
                });
                emit.push(",mir=");
                emit.push(&self.mir);
                arguments.push(emit);
            } else if as_text == "bin" && !self.is_test && is_crate_type(arguments.last()) {
                // What nothing calls from outside need not be turned into machine code.
                arguments.push("staticlib".into());
            } else if as_text == "-C" && given.peek().is_some_and(|option| changes_mir(option)) {
                given.next();
            } else {
                arguments.push(argument.clone());
            }
        }
        // Optimized, the cleanups would be inlined out of sight.
        arguments.extend(["-C", "opt-level=0"].map(OsString::from));
        // The warnings are those of `cargo check`, where they can be read in peace.
        if !caps_lints {
            arguments.extend(["--cap-lints", "allow"].map(OsString::from));
        }
        arguments
    }

    fn note_sources(&self) -> io::Result<()> {
        let dep_info = fs::read_to_string(&self.dep_info)?;
        let mut file = OpenOptions::new().append(true).open(&self.mir)?;
        writeln!(file, "\n{SOURCES}{}", sources(&dep_info).join("\t"))
    }
}

fn is_crate_type(argument: Option<&OsString>) -> bool {
    argument.is_some_and(|argument| argument == "--crate-type")
}

fn changes_mir(option: &OsStr) -> bool {
    let option = option.to_str().unwrap_or_default();
    ["opt-level=", "lto", "linker-plugin-lto"]
        .iter()
        .any(|changing| option.starts_with(changing))
}

/// The Rust sources that a file of dependencies lists. A space in a path is escaped.
fn sources(dep_info: &str) -> Vec<String> {
    let mut sources = Vec::new();
    for line in dep_info.lines() {
        let Some(source) = line.strip_suffix(':') else {
            continue;
        };
        if source.ends_with(".rs") {
            sources.push(source.replace("\\ ", " "));
        }
    }
    sources
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    #[test]
    fn a_program_is_compiled_but_not_linked() {
        let given = arguments(
            "--crate-name my_bin --crate-type bin --emit=dep-info,link -C opt-level=3 -C extra-filename=-1f --out-dir /t/deps",
        );
        let call = Call::read(&given).unwrap();
        let line = call.arguments(&given).join(OsStr::new(" "));
        assert_eq!(
            line.to_str().unwrap(),
            "--crate-name my_bin --crate-type staticlib --emit=dep-info,mir=/t/deps/my_bin-1f -C extra-filename=-1f --out-dir /t/deps -C opt-level=0 --cap-lints allow"
        );
    }

    #[test]
    fn questions_scripts_and_macros_are_left_alone() {
        for line in [
            "-vV",
            "- --crate-name ___ --print=file-names --crate-type bin",
            "--crate-name build_script_build --crate-type bin --emit=dep-info,link --out-dir /t",
            "--crate-name derive --crate-type proc-macro --emit=dep-info,link --out-dir /t",
        ] {
            assert!(Call::read(&arguments(line)).is_none(), "{line}");
        }
    }

    #[test]
    fn a_space_in_the_path_of_a_source() {
        assert_eq!(
            sources("/t/a.d: src/my\\ lib.rs\n\nsrc/my\\ lib.rs:\nREADME.md:\n"),
            ["src/my lib.rs"]
        );
    }
}
