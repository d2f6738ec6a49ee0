//! Follows the guards of a function along each of its paths.
//!
//! A state says of each place what is in it: a guard that is still armed, a reference to one, the future of its cleanup.
//! States that differ are not joined, so a flag that says "moved" on one path says nothing on another.

mod calls;
mod key;
mod live;
mod names;
mod results;
mod state;
mod walk;

use std::collections::{BTreeMap, BTreeSet};

use crate::mir::{Body, Span, dereferenced};
use crate::types::{Types, name_and_parameters};

pub use calls::last_name;
pub use names::Named;

/// What kind of mistake was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A guard is dropped, and nothing has begun to clean it up.
    Armed,
    /// A guard is dropped after its cleanup may have been interrupted.
    Interrupted,
    /// The result of a cleanup is thrown away.
    Result,
    /// A guard is dropped with what it is in.
    Inside,
    /// A guard leaves for where nothing is ever dropped.
    Leaked,
    /// A cancellation at an `.await` would drop the guard. A list, not a fault.
    Cancellation,
}

impl Kind {
    pub const ALL: [Self; 6] = [
        Self::Armed,
        Self::Interrupted,
        Self::Result,
        Self::Inside,
        Self::Leaked,
        Self::Cancellation,
    ];

    pub fn id(self) -> &'static str {
        match self {
            Self::Armed => "dropped-armed",
            Self::Interrupted => "dropped-interrupted",
            Self::Result => "result-dropped",
            Self::Inside => "dropped-inside",
            Self::Leaked => "leaked",
            Self::Cancellation => "cancellation",
        }
    }
}

impl Kind {
    /// Whether it is a mistake, and not an entry of a list that was asked for.
    pub fn is_fault(self) -> bool {
        self != Self::Cancellation
    }

    /// How rustc would call it.
    pub fn level(self) -> &'static str {
        if self.is_fault() { "error" } else { "note" }
    }
}

/// Where a path leaves without the cleanup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// A `?`, on the result of the call in this block.
    QuestionMark(u32),
    /// Something else, after the call in this block.
    After(u32),
    /// The guard is dropped by this very call, such as `drop(guard)` or `list.clear()`.
    Call(u32),
    /// An assignment drops what the place held before, after the call in this block.
    Assigned(u32),
    /// The `.await` that can be cancelled, by the call in this block.
    Await(u32),
}

/// How a closure or a coroutine gets what it owns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Given {
    /// By capturing it, in this position.
    Captured(usize),
    /// As an argument of whoever calls the closure.
    Argument,
}

/// One guard that one function can drop.
#[derive(Clone, Debug)]
pub struct Finding {
    pub kind: Kind,
    /// The place of the guard, or of what it is in.
    pub key: String,
    /// The type of that place.
    pub written_type: String,
    /// The call that made it, if a call did.
    pub origin: Option<u32>,
    /// How a closure or a coroutine got it: what was clean already when it did is no mistake.
    pub given: Option<Given>,
    pub way: Way,
    /// The block that drops it.
    pub at: u32,
    /// The code last run on the way, if the compiler said where that is.
    pub span: Option<Span>,
}

/// What a function does for those who call it.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// The parameters, or what a coroutine has captured, by position: each is cleaned up when the function has ended.
    pub cleans: BTreeSet<usize>,
    /// The parameters that the future cleans up which the function returns.
    pub returns_cleanup_of: BTreeSet<usize>,
    /// The parameters that are closures, and are called whenever the function returns.
    pub calls: BTreeSet<usize>,
    /// Whether the guards in what it returns are clean already.
    pub returns_clean: bool,
}

impl Summary {
    /// What both do.
    fn common(&self, other: &Self) -> Self {
        Self {
            cleans: &self.cleans & &other.cleans,
            returns_cleanup_of: &self.returns_cleanup_of & &other.returns_cleanup_of,
            calls: &self.calls & &other.calls,
            returns_clean: self.returns_clean && other.returns_clean,
        }
    }
}

/// What came out of one function.
#[derive(Debug, Default)]
pub struct Outcome {
    pub findings: Vec<Finding>,
    /// The paths were too many to look at each.
    pub given_up: bool,
    pub summary: Summary,
    /// What the closures and coroutines got that are made here, each with whether all of it was clean.
    pub gives: Gives,
}

/// By the type of the closure or coroutine, and by how it gets the guard: whether each one was clean.
pub type Gives = BTreeMap<(String, Given), bool>;

/// The functions of a crate that have to do with guards.
#[derive(Debug, Default)]
pub struct Krate {
    pub types: Types,
    pub bodies: Vec<Body>,
    /// The bodies of closures and coroutines, by their types.
    by_type: BTreeMap<String, Vec<usize>>,
    /// The functions by the last name of their path.
    by_name: BTreeMap<String, Vec<usize>>,
    /// The variants to which evaluated references lead, by the names of these.
    constants: BTreeMap<String, String>,
    summaries: std::cell::RefCell<BTreeMap<usize, Option<Summary>>>,
}

impl Krate {
    pub fn new(types: Types, bodies: Vec<Body>) -> Self {
        let mut krate = Self {
            types,
            bodies,
            ..Self::default()
        };
        for (number, body) in krate.bodies.iter().enumerate() {
            if let Some(own) = body.own_type() {
                krate.by_type.entry(own).or_default().push(number);
            }
            // A closure in a function is not called by the name of the function.
            if !body.name.ends_with('}') {
                let name = last_name(&body.name);
                krate.by_name.entry(name).or_default().push(number);
            }
        }
        krate
    }

    /// Says to what the evaluated references of the crate lead, as [`mir::constants`](crate::mir::constants) returns it.
    #[must_use]
    pub fn with_constants(mut self, constants: &[(&str, &str)]) -> Self {
        for (name, value) in constants {
            let variant = last_name(value);
            let known = self.constants.entry((*name).to_owned());
            // Two functions in different modules may be called the same here.
            known
                .and_modify(|known| {
                    if *known != variant {
                        known.clear();
                    }
                })
                .or_insert(variant);
        }
        self
    }

    /// The variant to which an evaluated reference leads. It is named with its modules where it is used, and without them
    /// where it is evaluated.
    fn constant(&self, name: &str) -> Option<&str> {
        let mut rest = name;
        loop {
            if let Some(variant) = self.constants.get(rest) {
                return Some(variant);
            }
            rest = rest.split_once("::")?.1;
        }
    }

    /// Looks at one function.
    pub fn look_at(&self, number: usize) -> Outcome {
        let body = &self.bodies[number];
        let mut outcome = walk::look_at(self, body);
        outcome.findings.extend(results::thrown_away(body));
        outcome
    }

    /// Looks at all functions, in their order.
    ///
    /// What a closure drops is no mistake if those that call it only ever give it what is clean.
    pub fn look(&self) -> Vec<Outcome> {
        let numbers = 0..self.bodies.len();
        let mut outcomes: Vec<_> = numbers.map(|number| self.look_at(number)).collect();
        let mut gives = Gives::new();
        for outcome in &mut outcomes {
            for (to, clean) in std::mem::take(&mut outcome.gives) {
                let all = gives.entry(to).or_insert(true);
                *all = *all && clean;
            }
        }
        for (outcome, body) in outcomes.iter_mut().zip(&self.bodies) {
            let Some(own) = body.own_type() else { continue };
            outcome.findings.retain(|finding| {
                let given = finding.given.map(|given| (own.clone(), given));
                given.is_none_or(|given| gives.get(&given) != Some(&true))
            });
        }
        outcomes
    }

    fn summary_of_body(&self, number: usize) -> Summary {
        if let Some(known) = self.summaries.borrow().get(&number) {
            // One that is being looked at right now calls itself. What it does is not known yet.
            return known.clone().unwrap_or_default();
        }
        self.summaries.borrow_mut().insert(number, None);
        let summary = self.look_at(number).summary;
        let known = Some(summary.clone());
        self.summaries.borrow_mut().insert(number, known);
        summary
    }

    /// The bodies of the closures or coroutines of this type.
    fn of_type(&self, written: &str) -> Vec<usize> {
        let Some(key) = type_key(written) else {
            return Vec::new();
        };
        if let Some(numbers) = self.by_type.get(&key) {
            return numbers.clone();
        }
        // The compiler writes the whole path of a function in some places, and its end in others.
        let Some(path) = key.strip_prefix(BODY_OF) else {
            return Vec::new();
        };
        let is_end = |long: &str, short: &str| {
            long.strip_suffix(short)
                .is_some_and(|before| before.ends_with("::"))
        };
        let same = self.by_type.iter().filter_map(|(other, numbers)| {
            let other = other.strip_prefix(BODY_OF)?;
            let same = is_end(other, path) || is_end(path, other);
            same.then_some((other.len().min(path.len()), numbers))
        });
        let same: Vec<_> = same.collect();
        // `clean_up` is an end of `Slot::clean_up`, but not if there is a function that is called so.
        let longest = same.iter().map(|(length, _)| *length).max();
        same.into_iter()
            .filter(|(length, _)| Some(*length) == longest)
            .flat_map(|(_, numbers)| numbers.clone())
            .collect()
    }

    /// What every closure or coroutine of this type does. A macro makes several at one place.
    fn summary_of_type(&self, written: &str) -> Option<Summary> {
        self.common(&self.of_type(written))
    }

    /// What the function that is called so does.
    ///
    /// Of a method of a trait it may be any, if the type is not known. It is `None` for a function of another crate.
    fn summary_of_name(&self, function: &str) -> Option<Summary> {
        let numbers = self.by_name.get(&last_name(function))?;
        let path = calls::path_of_call(function);
        let with_this_path: Vec<usize> = numbers
            .iter()
            .copied()
            .filter(|number| self.bodies[*number].name == path)
            .collect();
        if !with_this_path.is_empty() {
            return self.common(&with_this_path);
        }
        let is_in_impl = |number: &usize| self.bodies[*number].name.contains("<impl at ");
        let Some(of) = calls::type_of_call(function) else {
            // The compiler leaves out the modules of a name that is there once.
            let free: Vec<usize> = numbers.iter().copied().filter(|n| !is_in_impl(n)).collect();
            return self.common(&free);
        };
        let methods: Vec<usize> = numbers
            .iter()
            .copied()
            .filter(|number| self.is_method_of(&self.bodies[*number], of))
            .collect();
        if !methods.is_empty() {
            return self.common(&methods);
        }
        // A function without a `self`, or one that a trait provides, or a type of which nothing is known here.
        let may_be_here = function.starts_with('<') || self.types.path_of(of).is_some();
        may_be_here.then(|| self.common(numbers)).flatten()
    }

    /// Whether the first parameter is one of this type, or a reference to one.
    fn is_method_of(&self, body: &Body, of: &str) -> bool {
        let Some((_, written)) = body.parameters.first() else {
            return false;
        };
        let written = dereferenced(written).unwrap_or(written);
        match (self.types.path_of(written), self.types.path_of(of)) {
            (Some(one), Some(other)) => one == other,
            (None, None) => name_and_parameters(written).0 == name_and_parameters(of).0,
            _ => false,
        }
    }

    fn common(&self, numbers: &[usize]) -> Option<Summary> {
        let mut summaries = numbers.iter().map(|number| self.summary_of_body(*number));
        let first = summaries.next()?;
        Some(summaries.fold(first, |a, b| a.common(&b)))
    }
}

/// How the key of the coroutine of an `async fn` begins.
const BODY_OF: &str = "{asyncfnbodyof";

/// The type of a closure or coroutine without what differs between a definition and its use.
pub(crate) fn type_key(written: &str) -> Option<String> {
    let start = written.find('{')?;
    // The compiler leaves out the modules of `Pin` where no other type is called so.
    let wrapped = written[..start].replace("std::pin::", "");
    if !wrapped.chars().all(|c| "&mut Pin<*const ".contains(c)) {
        return None;
    }
    let mut depth = 0_u32;
    let mut generic = 0_u32;
    let mut key = String::new();
    let mut previous = ' ';
    for c in written[start..].chars() {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            '<' => generic += 1,
            _ => {}
        }
        // The parameters of a generic function are other ones where it is called.
        if generic == 0 && c != ' ' {
            key.push(c);
        }
        if c == '>' && previous != '-' {
            generic = generic.saturating_sub(1);
        }
        previous = c;
        if depth == 0 {
            break;
        }
    }
    let key = key.replace("::::", "::").replace("::()", "()");
    // A coroutine is built under its general name, and printed under that of its kind.
    for kind in [
        "{asyncblock@",
        "{coroutine@",
        "{asyncclosurebody@",
        "{coroutine-closure@",
        "{asyncclosure@",
    ] {
        if let Some(place) = key.strip_prefix(kind) {
            let place = place.split("(#").next().unwrap_or(place);
            return Some(format!("{{@{}", place.trim_end_matches('}')));
        }
    }
    let key = key.split("(#").next().unwrap_or(&key);
    Some(key.trim_end_matches('}').replace("{closure@", "{@"))
}

impl Body {
    /// The type of which this is the body, if it is one of a closure or coroutine.
    fn own_type(&self) -> Option<String> {
        type_key(self.written_own_type()?)
    }

    /// That type, as the compiler writes it.
    pub fn written_own_type(&self) -> Option<&str> {
        let (_, written) = self.parameters.first()?;
        self.name.ends_with('}').then_some(written)
    }
}
