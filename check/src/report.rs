//! Says where in the source a finding is, and by which ways the guard gets there.

mod allow;
mod json;
mod print;

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::analysis::{Finding, Kind, Krate, Named, Way, last_name};
use crate::mir::{Body, Terminator};
use crate::source::{File, Position, Region, Sources};
use crate::types::{Owns, name_and_parameters};

pub use allow::{Allowed, Complaint};
pub use json::{as_json, complaint_as_json};
pub use print::{human, short};

/// A place in a source, with what is to be said about it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Label {
    pub at: Position,
    /// How many columns it is wide.
    pub width: usize,
    pub text: String,
}

/// One way by which a guard is dropped.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WayOut {
    /// `?`, `return`, `break`, `continue`, `end`, `drop`, and the like.
    pub word: String,
    /// The call after which the path leaves, if there is one.
    pub after: Option<String>,
    pub label: Option<Label>,
}

/// A finding as it is shown.
#[derive(Clone, Debug)]
pub struct Report {
    pub kind: Kind,
    pub function: String,
    /// The guard as the source calls it.
    pub guard: String,
    pub variable: Option<String>,
    pub guarded: String,
    pub file: Option<PathBuf>,
    /// Where the guard is bound, or made.
    pub place: Option<Label>,
    /// The line of the function.
    pub function_at: Option<Position>,
    pub ways: Vec<WayOut>,
    pub message: String,
    pub help: String,
}

/// Makes reports of the findings in one function.
pub fn reports(krate: &Krate, body: &Body, findings: &[Finding], sources: &Sources) -> Vec<Report> {
    let region = sources.region(&body.name, body.written_own_type());
    let view = View {
        krate,
        body,
        region,
        file: region.map(|region| sources.file(region)),
        names: body.named(),
    };
    let mut groups: BTreeMap<(Kind, String, Option<Label>), Vec<&Finding>> = BTreeMap::new();
    for finding in findings {
        let (guard, _) = view.guard(finding);
        let label = view.place(finding);
        let group = groups.entry((finding.kind, guard, label)).or_default();
        group.push(finding);
    }
    let mut reports = Vec::new();
    for ((kind, guard, place), findings) in groups {
        let first = findings[0];
        let mut ways = view.ways(&findings);
        ways.sort_by_key(|way| way.label.as_ref().map(|label| label.at));
        ways.dedup_by(|a, b| a == b || (a.label.is_some() && a.label == b.label));
        // A way that is known by its line needs no second mention without one.
        if ways.iter().any(|way| way.label.is_some()) {
            ways.retain(|way| way.label.is_some());
        }
        let (_, variable) = view.guard(first);
        let function = pretty(&body.name);
        let message = message(kind, &guard, &function);
        let help = help(kind, variable.as_deref());
        reports.push(Report {
            kind,
            function,
            guard,
            variable,
            guarded: first.written_type.clone(),
            file: view.file.map(|file| file.path.clone()),
            place,
            function_at: region
                .zip(view.file)
                .map(|(region, file)| file.tokens[region.function].at),
            ways,
            message,
            help,
        });
    }
    reports
}

struct View<'a> {
    krate: &'a Krate,
    body: &'a Body,
    region: Option<Region>,
    file: Option<&'a File>,
    names: BTreeMap<String, Named>,
}

impl View<'_> {
    /// How to speak of a guard, and the name of its variable.
    fn guard(&self, finding: &Finding) -> (String, Option<String>) {
        if finding.key.starts_with("self.") {
            return (format!("`{}`", finding.key), Some(finding.key.clone()));
        }
        if let Some(named) = self.named(&finding.key) {
            return (format!("`{}`", named.name), Some(named.name.clone()));
        }
        if let Some(position) = finding.key.strip_prefix('^') {
            // A parameter, or something behind one.
            let position: usize = position
                .split(['.', '/', '*', '['])
                .next()
                .and_then(|position| position.parse().ok())
                .unwrap_or(0);
            let keys = [
                format!("_1.0*.{position}"),
                format!("_1*.{position}"),
                format!("_{}", position + 1),
            ];
            let named = keys.iter().find_map(|key| self.names.get(key));
            if let Some(named) = named {
                return (format!("`*{}`", named.name), Some(named.name.clone()));
            }
        }
        let origin = finding.origin.and_then(|block| self.called(block));
        match origin {
            Some(called) if finding.kind == Kind::Result => {
                (format!("what `{called}` returns"), None)
            }
            Some(called) => (format!("what `{called}` returned"), None),
            None => ("a guard".to_owned(), None),
        }
    }

    fn named(&self, key: &str) -> Option<&Named> {
        let named = self.names.get(key).or_else(|| {
            // A part of a variable, such as what an option holds.
            let whole = key.rfind(['/', '['])?;
            self.names.get(&key[..whole])
        })?;
        // Names of what macros and `.await` make mean nothing to a reader.
        let hidden = named.name.starts_with("__") || named.name == "result" || named.name == "iter";
        (!hidden).then_some(named)
    }

    fn called(&self, block: u32) -> Option<String> {
        match &self.body.blocks.get(&block)?.terminator {
            Terminator::Call { function, .. } => Some(last_name(function)),
            _ => None,
        }
    }

    /// The token of the call that ends a block.
    fn call(&self, block: u32) -> Option<usize> {
        let (file, region) = (self.file?, self.region?);
        if let Some(span) = &self.body.blocks.get(&block)?.span {
            if file.path.as_os_str() == span.file.as_str() {
                let name = self.called(block)?;
                let start = file.tokens.iter().position(|token| {
                    (token.at.line, token.at.column) >= (span.line, span.column)
                })?;
                // The span of a method call begins at what it is called on.
                let calls = region.calls(file, &name);
                return calls
                    .into_iter()
                    .find(|call| *call >= start)
                    .or(Some(start));
            }
        }
        let name = self.called(block)?;
        let calls = region.calls(file, &name);
        let mut same: Vec<(u32, u32)> = self
            .body
            .blocks
            .iter()
            .filter(|(_, block)| !block.cleanup)
            .filter_map(|(number, block)| match &block.terminator {
                Terminator::Call { function, into, .. } if last_name(function) == name => {
                    // Locals are numbered in the order of the source, blocks are not.
                    let order = if into.projections.is_empty() {
                        into.local
                    } else {
                        self.next_local(*number)
                    };
                    Some((order, *number))
                }
                _ => None,
            })
            .collect();
        same.sort_unstable();
        let nth = same.iter().position(|(_, number)| *number == block)?;
        if calls.len() == 1 {
            return calls.first().copied();
        }
        if calls.len() == same.len() {
            return calls.get(nth).copied();
        }
        None
    }

    /// A local that is numbered near a call whose result goes into a variable of a coroutine.
    fn next_local(&self, block: u32) -> u32 {
        let arguments = match &self.body.blocks[&block].terminator {
            Terminator::Call { arguments, .. } => arguments,
            _ => return block,
        };
        arguments
            .iter()
            .filter_map(|argument| argument.place())
            .map(|place| place.local)
            .filter(|local| *local > 2)
            .min()
            .unwrap_or(block)
    }

    fn label(&self, token: usize, text: impl Into<String>) -> Option<Label> {
        let token = self.file?.tokens.get(token)?;
        Some(Label {
            at: token.at,
            width: token.text.chars().count().max(1),
            text: text.into(),
        })
    }

    /// Where the guard is bound or made.
    fn place(&self, finding: &Finding) -> Option<Label> {
        let (file, region) = (self.file?, self.region?);
        let is_guard = self.krate.types.owns(&finding.written_type) == Owns::Guard;
        if finding.key.starts_with("self.") {
            return self.label(
                region.function + 1,
                "the guard in this field is dropped when this returns",
            );
        }
        if finding.kind == Kind::Result {
            let call = self.call(finding.origin?)?;
            return self.label(call, "its error would be lost");
        }
        let text = if is_guard {
            "this guard has to be cleaned up"
        } else {
            "a guard in here has to be cleaned up"
        };
        if let Some(named) = self.named(&finding.key) {
            if let Some(token) = region.binding(file, &named.name, named.nth) {
                return self.label(token, text);
            }
        }
        let call = finding.origin.and_then(|origin| self.call(origin));
        if let Some(call) = call {
            return self.label(call, text.replace("this guard", "the guard from here"));
        }
        self.label(
            region.function + 1,
            text.replace("this guard", "a guard in this function"),
        )
    }

    fn ways(&self, findings: &[&Finding]) -> Vec<WayOut> {
        let mut ways = Vec::new();
        // Where a `?` leaves, a `return` drops the same things, so they share the code that does it.
        let shared: Vec<u32> = findings
            .iter()
            .filter(|finding| matches!(finding.way, Way::QuestionMark(_)))
            .map(|finding| finding.at)
            .collect();
        for finding in findings {
            let way = match finding.way {
                Way::QuestionMark(block) => self.question_mark(block, finding.kind),
                Way::After(block) => {
                    let early = shared.contains(&finding.at);
                    self.after(block, finding, early, &ways)
                }
                Way::Call(block) => self.at_call(block, finding.kind),
                Way::Assigned(block) => {
                    let call = self.call(block);
                    WayOut {
                        word: "assignment".to_owned(),
                        after: self.called(block),
                        label: call.and_then(|call| {
                            self.label(call, "the assignment of this drops what was there before")
                        }),
                    }
                }
                Way::Await(block) => {
                    let call = self.call(block);
                    WayOut {
                        word: "await".to_owned(),
                        after: self.called(block),
                        label: call.and_then(|call| {
                            self.label(call, "a cancellation while this is awaited drops the guard")
                        }),
                    }
                }
            };
            ways.push(way);
        }
        ways
    }

    fn question_mark(&self, block: u32, kind: Kind) -> WayOut {
        let after = self.called(block);
        let mark = self.call(block).and_then(|call| {
            let (file, region) = (self.file?, self.region?);
            // Without further calls, the next `?` is the one.
            region
                .question_mark(file, call)
                .or_else(|| region.word(file, &["?"], call, region.end))
        });
        WayOut {
            word: "?".to_owned(),
            label: mark
                .and_then(|mark| self.label(mark, format!("this `?` returns{}", missing(kind)))),
            after,
        }
    }

    fn at_call(&self, block: u32, kind: Kind) -> WayOut {
        let called = self.called(block).unwrap_or_default();
        let text = match kind {
            Kind::Leaked => "this keeps the value from ever being dropped".to_owned(),
            Kind::Result => "nothing looks at the result".to_owned(),
            _ => format!("this `{called}` drops it"),
        };
        let label = if kind == Kind::Result {
            None
        } else {
            self.call(block).and_then(|call| self.label(call, text))
        };
        WayOut {
            word: called,
            after: None,
            label,
        }
    }

    /// A way that is not a `?`: the MIR does not say which, so the source is asked.
    fn after(&self, block: u32, finding: &Finding, early: bool, before: &[WayOut]) -> WayOut {
        let after = self.called(block);
        let unknown = WayOut {
            word: "end".to_owned(),
            after: after.clone(),
            label: None,
        };
        let (Some(file), Some(region)) = (self.file, self.region) else {
            return unknown;
        };
        let binding = self
            .named(&finding.key)
            .and_then(|named| region.binding(file, &named.name, named.nth));
        let start = self.call(block).or(binding).unwrap_or(region.start);
        let scope_end = match binding.filter(|binding| self.is_local(region, *binding)) {
            Some(binding) => region.end_of_block(file, binding),
            None => region.end.saturating_sub(1),
        };
        let word = region.word(file, &["return", "break", "continue"], start, scope_end);
        if let Some(word) = word {
            let text = file.tokens[word].text.clone();
            let label = self.label(
                word,
                format!("this `{text}` leaves{}", missing(finding.kind)),
            );
            let known = before.iter().any(|way| way.label == label);
            // Two ways after the same call are the early one and the end.
            if early || !known {
                return WayOut {
                    word: text,
                    after,
                    label,
                };
            }
        }
        let what = if scope_end + 1 >= region.end {
            "function"
        } else {
            "block"
        };
        let text = format!("the {what} ends here{}", missing(finding.kind));
        WayOut {
            label: self.label(scope_end, text),
            ..unknown
        }
    }

    /// Whether a binding is one of the block, and not a parameter, which lives as long as the function.
    fn is_local(&self, region: Region, binding: usize) -> bool {
        let Some(file) = self.file else { return false };
        // A captured variable is bound outside.
        if binding < region.start {
            return false;
        }
        let block = file.tokens[region.start..binding].iter();
        let mut depth = 0_i32;
        for token in block {
            match token.text.as_str() {
                "{" => depth += 1,
                "}" => depth -= 1,
                _ => {}
            }
        }
        depth > 0
    }
}

/// What is wrong where a path leaves.
fn missing(kind: Kind) -> &'static str {
    match kind {
        Kind::Interrupted => ", and the cleanup may have been stopped before its end",
        _ => " without the cleanup",
    }
}

/// The path of a function without what the compiler adds.
fn pretty(name: &str) -> String {
    let mut pretty = String::new();
    let mut rest = name;
    while let Some(at) = rest.find("<impl at ") {
        pretty.push_str(&rest[..at]);
        let end = rest[at..].find('>').map_or(rest.len(), |end| at + end + 1);
        rest = rest[end..].trim_start_matches("::");
    }
    pretty.push_str(rest);
    match pretty.find("::{") {
        Some(at) => pretty[..at].to_owned(),
        None => pretty,
    }
}

fn message(kind: Kind, guard: &str, function: &str) -> String {
    match kind {
        Kind::Armed => format!("{guard} can be dropped before its cleanup"),
        Kind::Interrupted => format!("{guard} can be dropped after its cleanup was interrupted"),
        Kind::Result => "the result of a cleanup is thrown away".to_owned(),
        Kind::Inside if guard.starts_with("`self.") => {
            format!("`{function}` can return without having cleaned up {guard}")
        }
        Kind::Inside => format!("{guard} can be dropped with a guard in it"),
        Kind::Leaked => format!("{guard} is leaked, so its cleanup never runs"),
        Kind::Cancellation => format!("a cancellation can drop {guard} before its cleanup"),
    }
}

fn help(kind: Kind, variable: Option<&str>) -> String {
    let name = variable.unwrap_or("guard");
    let it = variable.map_or("it".to_owned(), |name| format!("`{name}`"));
    match kind {
        Kind::Armed => format!(
            "let a scope clean up on every path, `with_async_drop_2!({name}, {{ .. }})`, or call `{name}.async_drop().await` before you leave"
        ),
        Kind::Interrupted => format!(
            "call `{name}.async_drop().await` again after the interruption, or limit the cleanup with `{name}.async_drop_within(..)`"
        ),
        Kind::Result => "return the error with `?`, or log it".to_owned(),
        Kind::Inside if variable.is_some_and(|name| name.starts_with("self.")) => format!(
            "clean up every field, then return the first error; `#[derive(AsyncDrop)]` does it. Here `{name}.async_drop().await` is skipped"
        ),
        Kind::Inside => format!(
            "take each guard out of {it} and call `async_drop` on it, or hand all of them to `async_drop_all`"
        ),
        Kind::Leaked => "clean it up first".to_owned(),
        Kind::Cancellation => format!(
            "if that can happen, hand {it} to an `AsyncDropReaper`, which cleans up after a cancellation, too"
        ),
    }
}

impl Report {
    /// The type that the guard holds, as a reader would write it.
    pub fn guarded_type(&self) -> Option<&str> {
        let (name, parameters) = name_and_parameters(&self.guarded);
        (name == "AsyncDropGuard")
            .then(|| parameters.first().copied())
            .flatten()
    }

    /// The position that stands for the whole: that of the guard, or of the first way out.
    pub fn at(&self) -> Option<Position> {
        let way = self.ways.iter().find_map(|way| way.label.as_ref());
        self.place
            .as_ref()
            .or(way)
            .map(|label| label.at)
            .or(self.function_at)
    }
}
