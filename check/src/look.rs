//! Looks at what was built, and prints what was found.

use std::collections::BTreeSet;
use std::error::Error as _;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::analysis::{Kind, Krate};
use crate::compile::{self, Built, Target};
use crate::mir::{constants, functions};
use crate::options::{Format, Options};
use crate::report::{self, Allowed, Report};
use crate::source::Sources;

/// The compilers whose MIR the tests have read.
pub const TESTED: [&str; 3] = ["1.85", "1.95", "1.97"];

/// How a closure is called whose type is a parameter.
const CALLS: [&str; 3] = [" as FnOnce<", " as FnMut<", " as Fn<"];

const FOUND: u8 = 1;
const COULD_NOT_LOOK: u8 = 2;

/// Does what the command line asks for.
pub fn run(options: &Options) -> ExitCode {
    let built = match compile::build(options) {
        Ok(built) => built,
        Err(error) => {
            eprint!("error: {error}");
            let mut source = error.source();
            while let Some(cause) = source {
                eprint!(": {cause}");
                source = cause.source();
            }
            eprintln!();
            if options.format == Format::Json {
                println!(
                    "{}",
                    json!({ "reason": "build-finished", "success": false })
                );
            }
            return ExitCode::from(COULD_NOT_LOOK);
        }
    };
    let mut look = Look::default();
    for number in 0..built.targets.len() {
        look.target(number, &built, options);
    }
    look.end(&built, options)
}

/// What was seen so far.
#[derive(Default)]
struct Look {
    functions: usize,
    targets: usize,
    findings: usize,
    /// Why something was not looked at.
    refused: Vec<String>,
    allowed: Allowed,
    /// What was printed: a library and its tests are two targets with the same functions.
    printed: BTreeSet<String>,
    took: Duration,
}

impl Look {
    fn target(&mut self, number: usize, built: &Built, options: &Options) {
        let target = &built.targets[number];
        let start = Instant::now();
        let (text, paths) = match compile::read_mir(&target.mir) {
            Ok(read) => read,
            Err(error) => {
                let path = target.mir.display();
                let refused = format!("{} {}: {path}: {error}", target.kind, target.name);
                self.refused.push(refused);
                return;
            }
        };
        self.targets += 1;
        let sources = Sources::read(&built.root, &paths);
        let types = sources.types();
        let owners = types.names_of_owners();
        let mut bodies = Vec::new();
        let mut concerned = BTreeSet::new();
        for function in functions(&text) {
            let concerns_guards = function.mentions("AsyncDropGuard")
                || owners.iter().any(|name| function.mentions(name));
            // A closure with a guard may be called here.
            let calls_closures = CALLS.iter().any(|call| function.mentions(call))
                || function.header.contains("impl Fn");
            if !concerns_guards && !calls_closures {
                continue;
            }
            let body = function.read();
            if !concerns_guards {
                // What is not understood of it is not known, and nothing worse.
                if body.refused.is_empty() {
                    bodies.push(body);
                }
                continue;
            }
            if let Some(line) = body.refused.first() {
                let refused = format!("{}: {}: `{line}`", target.name, body.name);
                self.refused.push(refused);
                continue;
            }
            concerned.insert(bodies.len());
            bodies.push(body);
        }
        self.functions += concerned.len();
        self.allowed.read(&sources, number);
        let krate = Krate::new(types, bodies).with_constants(&constants(&text));
        let mut reports = Vec::new();
        for (number, outcome) in krate.look().into_iter().enumerate() {
            let body = &krate.bodies[number];
            if outcome.given_up && concerned.contains(&number) {
                let refused = format!("{}: {}: too many paths", target.name, body.name);
                self.refused.push(refused);
            }
            let mut findings = outcome.findings;
            findings.retain(|finding| options.cancellation || finding.kind != Kind::Cancellation);
            if !findings.is_empty() {
                let found = report::reports(&krate, body, &findings, &sources);
                reports.extend(found);
            }
        }
        reports.sort_by_key(|report| (report.file.clone(), report.at()));
        self.took += start.elapsed();
        for report in reports {
            self.print(report, &sources, target, options.format);
        }
    }

    fn print(&mut self, report: Report, sources: &Sources, target: &Target, format: Format) {
        let Some(report) = self.allowed.filter(report) else {
            return;
        };
        if !self.printed.insert(report::short(&report)) {
            return;
        }
        self.findings += usize::from(report.kind.is_fault());
        let path = report.file.as_ref();
        let file = path.and_then(|path| sources.files.iter().find(|file| &file.path == path));
        match format {
            Format::Human => println!("{}", report::human(&report, file)),
            Format::Short => println!("{}", report::short(&report)),
            Format::Json => println!("{}", report::as_json(&report, file, &target.described)),
        }
    }

    fn end(self, built: &Built, options: &Options) -> ExitCode {
        let mut findings = self.findings;
        for complaint in self.allowed.complaints(options.cancellation) {
            findings += 1;
            match options.format {
                Format::Human => print!("{}", complaint.human()),
                Format::Short => println!("{}", complaint.short()),
                Format::Json => {
                    let sources = Sources::read(&built.root, std::slice::from_ref(&complaint.file));
                    let file = sources.files.first();
                    let target = &built.targets[complaint.target].described;
                    println!("{}", report::complaint_as_json(&complaint, file, target));
                }
            }
        }
        for refused in &self.refused {
            eprintln!("error: not understood: {refused}");
        }
        let tested = TESTED
            .iter()
            .any(|tested| built.compiler.contains(&format!(" {tested}.")));
        if options.format == Format::Json {
            let summary = json!({
                "reason": "summary",
                "functions": self.functions,
                "targets": self.targets,
                "findings": findings,
                "not_understood": self.refused,
                "compiler": built.compiler,
                "tested_compilers": TESTED,
                "microseconds": u64::try_from(self.took.as_micros()).unwrap_or(u64::MAX),
            });
            println!("{summary}");
            // The last word of a run of cargo.
            let end = json!({ "reason": "build-finished", "success": findings == 0 });
            println!("{end}");
        }
        if !tested {
            eprintln!(
                "warning: {} is none of the versions that this was tested with: {}",
                built.compiler,
                TESTED.join(", ")
            );
        }
        let s = |count: usize| if count == 1 { "" } else { "s" };
        eprintln!(
            "asyncdrop: {} function{} with guards in {} target{}, {findings} finding{}; {}, tested with {}",
            self.functions,
            s(self.functions),
            self.targets,
            s(self.targets),
            s(findings),
            built.compiler,
            TESTED.join(", "),
        );
        if !self.refused.is_empty() || self.targets == 0 {
            return ExitCode::from(COULD_NOT_LOOK);
        }
        if findings > 0 {
            return ExitCode::from(FOUND);
        }
        ExitCode::SUCCESS
    }
}
