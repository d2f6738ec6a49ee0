//! What a call does to the guards that it is given.

use crate::mir::{Operand, Place, dereferenced, find_outside, outside};
use crate::types::{Owns, is_future, name_and_parameters};

use super::key::{is_foreign, joined, key};
use super::state::{Branches, Cleanups, Condition, Ending, Entry, Known, Owner, State};
use super::walk::{Walk, futures_within, variant_of_the_end};
use super::{Given, Kind, Way, type_key};

/// What stands between the calls that a reader of the source sees.
const PLUMBING: [&str; 40] = [
    "into_future",
    "new_unchecked",
    "poll",
    "branch",
    "from_residual",
    "from_output",
    "deref",
    "deref_mut",
    "into_iter",
    "next",
    "new_display",
    "new_debug",
    "new_const",
    "new_v1",
    "from_str",
    "get_context",
    "as_mut",
    "as_ref",
    "borrow",
    "borrow_mut",
    "drop",
    "into",
    "from",
    "index",
    "index_mut",
    "eq",
    "poll_fn",
    "must_use",
    "_print",
    "_eprint",
    // What the macros of tracing ask first.
    "le",
    "ge",
    "lt",
    "gt",
    "ne",
    "cmp",
    "is_never",
    "__is_enabled",
    "is_enabled",
    "call",
];

/// Calls that call the closure which they are given before they return.
const CALLERS: [&str; 6] = [
    "block_in_place",
    "catch_unwind",
    "call",
    "call_mut",
    "call_once",
    "in_scope",
];

/// Calls that return an empty container.
const EMPTY: [&str; 3] = ["new", "with_capacity", "default"];

/// The last name in a path, without what stands in brackets.
pub fn last_name(path: &str) -> String {
    let plain = without_brackets(path);
    let mut segments = plain.rsplit("::").filter(|segment| !segment.is_empty());
    segments.next().unwrap_or("").trim().to_owned()
}

/// The path of a function that is called, without parameters.
pub(super) fn path_of_call(function: &str) -> String {
    let plain = without_brackets(function);
    let segments = plain.split("::").filter(|segment| !segment.is_empty());
    segments.collect::<Vec<_>>().join("::")
}

/// The type of which a function is called as a method, if the call names one: `Plain` in `fields::Plain::close` and in
/// `<fields::Plain as Close>::close`, each with its path. It may also be the module of a function.
pub(super) fn type_of_call(function: &str) -> Option<&str> {
    if let Some(inside) = function.strip_prefix('<') {
        let end = find_outside(inside, " as ").or_else(|| find_outside(inside, ">"))?;
        let of = &inside[..end];
        return Some(dereferenced(of).unwrap_or(of));
    }
    // The last separator outside of brackets, but for one before parameters.
    let mut separators = outside(function)
        .filter(|&(at, _, depth)| depth == 0 && function[at..].starts_with("::"))
        .map(|(at, _, _)| at)
        .filter(|at| !function[at + 2..].starts_with('<'))
        .collect::<Vec<_>>();
    let of = &function[..separators.pop()?];
    Some(of.trim_end_matches(':'))
}

fn without_brackets(path: &str) -> String {
    let mut plain = String::new();
    let mut depth = 0_u32;
    let mut previous = ' ';
    for c in path.chars() {
        match c {
            '<' | '{' | '(' | '[' => depth += 1,
            '>' if previous != '-' => depth = depth.saturating_sub(1),
            '}' | ')' | ']' => depth = depth.saturating_sub(1),
            _ if depth == 0 => plain.push(c),
            _ => {}
        }
        previous = c;
    }
    plain
}

struct Argument {
    key: Option<String>,
    written: String,
    entries: Vec<(String, Entry)>,
}

impl Argument {
    fn known(&self) -> Option<&Known> {
        self.entries.iter().find_map(|(part, entry)| match entry {
            Entry::Known(known) if part.is_empty() => Some(known),
            _ => None,
        })
    }

    fn is_armed(&self) -> bool {
        self.entries.iter().any(|(_, entry)| {
            matches!(entry, Entry::Owner(owner) if owner.condition != Condition::Clean)
        })
    }

    fn has_owner(&self) -> bool {
        let mut entries = self.entries.iter();
        entries.any(|(_, entry)| matches!(entry, Entry::Owner(_)))
    }

    /// The place to which the argument refers.
    fn target(&self) -> Option<String> {
        match self.known()? {
            Known::Reference(to) => Some(to.clone()),
            Known::Element(of) => Some(joined(of, "[]")),
            _ => None,
        }
    }
}

fn is_reference(written: &str) -> bool {
    written.starts_with('&') || name_and_parameters(written).0 == "Pin" && written.contains("Pin<&")
}

impl Walk<'_> {
    pub(super) fn call(
        &mut self,
        block: u32,
        into: &Place,
        function: &str,
        arguments: &[Operand],
        state: &mut State,
    ) {
        let name = last_name(function);
        let into_type = self.body.type_of(into).unwrap_or_default().to_owned();
        let arguments: Vec<Argument> = arguments
            .iter()
            .map(|operand| self.argument(operand, state))
            .collect();
        let into_key = key(into, state);
        let plumbing = PLUMBING.contains(&name.as_str()) || function.contains("Arguments")
            // What the scopes expand to.
            || function.contains("__private::");
        self.leaves(block, function, &name, &arguments, state);
        self.give_arguments(&arguments);
        // Where a shared pointer leads says nothing about the pointer.
        if !matches!(name.as_str(), "deref" | "as_ref" | "borrow" | "fmt") {
            for argument in &arguments {
                if let Some(of) = argument.target() {
                    state.release(&of, &self.krate.types);
                }
            }
        }
        for argument in &arguments {
            // It may have another variant afterwards.
            if argument.written.contains("mut ") {
                if let Some(of) = argument.target() {
                    state
                        .known
                        .retain(|key, known| key != &of || !matches!(known, Known::Variant(_)));
                }
            }
        }
        state.forget(&into_key);
        if !plumbing {
            state.last = block;
        }
        let first = arguments.first();
        let target = first.and_then(Argument::target);
        // The scope macros lend their guard to the cleanup, beside what the block has returned.
        // Older compilers leave the modules out of the name of the function, but not out of that of its future.
        let is_of_scope = [function, &into_type]
            .iter()
            .any(|text| text.contains("__private::"));
        if is_of_scope && ["end", "end_infallible"].contains(&name.as_str()) {
            let lent = arguments.iter().find_map(Argument::target);
            if let Some(of) = lent {
                let cleanups = Cleanups {
                    of: Branches::from([(of, 0)]),
                    ending: Ending::All,
                };
                state.known.insert(into_key, Known::Future(cleanups));
                return;
            }
        }
        match (name.as_str(), target) {
            ("async_drop" | "async_drop_within", Some(of))
                if function.contains("AsyncDropGuard") =>
            {
                let cleanups = Cleanups {
                    of: Branches::from([(of, 0)]),
                    ending: Ending::All,
                };
                state.known.insert(into_key, Known::Future(cleanups));
                return;
            }
            ("poll" | "poll_unpin", _) if never_ends(function) => {
                // Only what never happens comes after its end.
                state.known.insert(into_key, Known::Variant(1));
                return;
            }
            ("poll" | "poll_unpin", Some(of)) => {
                if let Some(Known::Future(cleanups)) = state.known.get(&of) {
                    let cleanups = cleanups.clone();
                    Self::interrupt_all(&cleanups, state);
                    state
                        .known
                        .insert(into_key.clone(), Known::Polled(cleanups));
                }
            }
            ("async_drop_impl", Some(of))
                if state.condition(&of).is_some() && !of.ends_with('*') =>
            {
                // Whether it cleans up all of them is looked at where it is written.
                let cleanups = Cleanups {
                    of: Branches::from([(of, 0)]),
                    ending: Ending::All,
                };
                state.known.insert(into_key, Known::Future(cleanups));
                return;
            }
            ("push" | "push_back", Some(of)) => {
                // A list of cleanups, which are awaited later on.
                let pushed = arguments.get(1).and_then(Argument::known);
                if let Some(Known::Future(cleanups)) = pushed {
                    let mut cleanups = cleanups.clone();
                    if let Some(Known::Future(before)) = state.known.get(&of) {
                        cleanups.of.extend(before.of.iter().cloned());
                        cleanups.ending = combined(cleanups.ending, before.ending);
                    }
                    state.known.insert(of, Known::Future(cleanups));
                }
            }
            ("block_on" | "block_on_stream", _) => {
                for argument in &arguments {
                    let known = match argument.known() {
                        // It may be pinned, and lent.
                        Some(Known::Reference(to)) => state.known.get(to),
                        known => known,
                    };
                    if let Some(Known::Future(cleanups)) = known {
                        if cleanups.ending == Ending::All {
                            let cleanups = cleanups.clone();
                            self.clean_all(&cleanups, state);
                        }
                    }
                }
            }
            ("now_or_never", _) => {
                let future = match first.and_then(Argument::known) {
                    // It may be pinned, and lent.
                    Some(Known::Reference(to)) => state.known.get(to),
                    known => known,
                };
                if let Some(Known::Future(cleanups)) = future {
                    let cleanups = cleanups.clone();
                    Self::interrupt_all(&cleanups, state);
                    state.known.insert(into_key, Known::Polled(cleanups));
                }
                return;
            }
            ("branch" | "map_err" | "context" | "with_context", _) => {
                if let Some(argument) = first {
                    if let Some(ended @ Known::Ended(_)) = argument.known() {
                        state.known.insert(into_key.clone(), ended.clone());
                    }
                    if self.pass_owner(&argument.entries, &into_key, &into_type, state) {
                        return;
                    }
                }
            }
            ("unwrap" | "expect", _) => match first.and_then(Argument::known) {
                Some(Known::Ended(cleanups)) if cleanups.ending == Ending::IfOk => {
                    let cleanups = cleanups.clone();
                    self.clean_all(&cleanups, state);
                }
                Some(Known::Polled(cleanups)) if cleanups.ending == Ending::All => {
                    let cleanups = cleanups.clone();
                    self.clean_all(&cleanups, state);
                }
                _ => {}
            },
            ("eq" | "ne", Some(_)) => {
                if let Some(ended) = compared(name == "eq", &arguments, state) {
                    state.known.insert(into_key, ended);
                }
                return;
            }
            (
                "entry" | "or_insert_with" | "get_or_insert_with" | "resize_with" | "extend",
                Some(of),
            ) if state.owners.contains_key(&of) => {
                state.set(&of, Condition::Armed);
            }
            (
                "is_none" | "is_some" | "is_ok" | "is_err" | "is_ready" | "is_pending"
                | "is_dropped" | "is_empty",
                Some(of),
            ) => {
                let written = first.map_or("", |first| first.written.as_str());
                let written = dereferenced(written).unwrap_or_default();
                if let Some(known) = self.asked(name.as_str(), of, written, state) {
                    state.known.insert(into_key, known);
                }
                return;
            }
            ("swap", Some(one)) if function.contains("mem::swap") => {
                if let Some(other) = arguments.get(1).and_then(Argument::target) {
                    let of_one = state.take(&one);
                    let of_other = state.take(&other);
                    state.put(&one, of_other);
                    state.put(&other, of_one);
                }
                return;
            }
            ("take", Some(of)) if self.krate.types.owns(&into_type) != Owns::Nothing => {
                let mut entries = state.take(&of);
                if entries.is_empty() {
                    let owner = Owner::new(Condition::Armed, Some(block), &into_type);
                    entries.push((String::new(), Entry::Owner(owner)));
                }
                state.put(&into_key, entries);
                if of.ends_with("[]") {
                    state.set(&of, Condition::Clean);
                } else {
                    self.clean(&of, state);
                }
                return;
            }
            ("replace", Some(of)) if self.krate.types.owns(&into_type) != Owns::Nothing => {
                let mut old = state.take(&of);
                if old.is_empty() {
                    let owner = Owner::new(Condition::Armed, Some(block), &into_type);
                    old.push((String::new(), Entry::Owner(owner)));
                }
                state.put(&into_key, old);
                let by_armed = arguments.get(1).is_some_and(Argument::is_armed);
                let condition = if by_armed {
                    Condition::Armed
                } else {
                    Condition::Clean
                };
                let owner = Owner::new(condition, Some(block), &into_type);
                state.owners.insert(of, owner);
                return;
            }
            (
                "drain" | "remove" | "swap_remove" | "pop" | "pop_front" | "pop_back" | "insert"
                | "split_off" | "next",
                Some(of),
            ) if self.krate.types.owns(&into_type) != Owns::Nothing
                && state.condition(&of) == Some(Condition::Clean)
                && !arguments.iter().any(Argument::is_armed) =>
            {
                // What comes out of where everything was cleaned up is clean.
                let owner = Owner::new(Condition::Clean, Some(block), &into_type);
                state.owners.insert(into_key, owner);
                return;
            }
            ("pop" | "pop_front" | "pop_back" | "pop_first" | "pop_last" | "next", Some(of))
                if self.krate.types.owns(&into_type) != Owns::Nothing =>
            {
                let mut owner = Owner::new(Condition::Armed, Some(block), &into_type);
                owner.taken_from = Some(of);
                state.owners.insert(into_key, owner);
                return;
            }
            _ => {}
        }
        self.returned_value(
            block, function, &name, &arguments, &into_key, &into_type, state,
        );
    }

    /// What follows from the answer to a question such as `is_none` about a place.
    fn asked(&self, name: &str, of: String, written: &str, state: &State) -> Option<Known> {
        match (state.known.get(&of), name) {
            (Some(Known::Ended(cleanups)), "is_ok" | "is_err") => {
                return Some(Known::OkIf(cleanups.clone(), name == "is_ok"));
            }
            (Some(Known::Polled(cleanups)), "is_ready" | "is_pending" | "is_some" | "is_none")
                if cleanups.ending == Ending::All =>
            {
                let end = matches!(name, "is_ready" | "is_some");
                return Some(Known::OkIf(cleanups.clone(), end));
            }
            _ => {}
        }
        if state.condition(&of).is_none() && !is_foreign(&of) {
            return None;
        }
        let when = match name {
            "is_none" | "is_pending" | "is_dropped" | "is_empty" => true,
            "is_some" | "is_ready" => false,
            // Only if the guard is in the other variant.
            "is_err" if self.krate.types.variant_owns(written, 1) == Some(false) => true,
            "is_ok" if self.krate.types.variant_owns(written, 1) == Some(false) => false,
            "is_ok" if self.krate.types.variant_owns(written, 0) == Some(false) => true,
            "is_err" if self.krate.types.variant_owns(written, 0) == Some(false) => false,
            _ => return None,
        };
        Some(Known::CleanIf(of, when))
    }

    fn argument(&mut self, operand: &Operand, state: &mut State) -> Argument {
        match operand {
            Operand::Const(_) => Argument {
                key: None,
                written: String::new(),
                entries: Vec::new(),
            },
            Operand::Move(place) | Operand::Copy(place) => {
                let moved = matches!(operand, Operand::Move(_));
                let key = key(place, state);
                let written = self.body.type_of(place).unwrap_or_default().to_owned();
                Argument {
                    key: Some(key),
                    written,
                    entries: self.read(place, moved, state),
                }
            }
        }
    }

    /// `drop(guard)`, `forget(guard)`, `list.clear()`.
    fn leaves(
        &mut self,
        block: u32,
        function: &str,
        name: &str,
        arguments: &[Argument],
        state: &mut State,
    ) {
        let Some(first) = arguments.first() else {
            return;
        };
        let owns = self.krate.types.owns(&first.written);
        match name {
            "drop"
                if (owns != Owns::Nothing || first.is_armed())
                    && function.contains("mem::drop") =>
            {
                // The value is in no place any more, so it is put back for a moment.
                let Some(key) = &first.key else { return };
                state.put(key, first.entries.clone());
                let written = first.written.clone();
                self.drop_value(block, key, &written, Way::Call(block), state);
            }
            // A method of our own may be called like that, too.
            "forget" | "leak"
                if owns != Owns::Nothing
                    && first.is_armed()
                    && (function.contains("mem::forget") || name_of_owner(function) == "Box") =>
            {
                self.leaked(block, first);
            }
            "new"
                if function.contains("ManuallyDrop")
                    && owns != Owns::Nothing
                    && first.is_armed() =>
            {
                self.leaked(block, first);
            }
            "set" if function.contains("OnceLock") || function.contains("OnceCell") => {
                if let Some(second) = arguments.get(1) {
                    if self.krate.types.owns(&second.written) != Owns::Nothing && second.is_armed()
                    {
                        self.leaked(block, second);
                    }
                }
            }
            "clear" | "truncate" | "retain" | "retain_mut" => {
                let Some(of) = first.target() else { return };
                let owner = dereferenced(&first.written).unwrap_or_default().to_owned();
                if self.krate.types.owns(&owner) != Owns::Inside {
                    return;
                }
                if !matches!(state.condition(&of), Some(Condition::Clean)) {
                    let way = Way::Call(block);
                    self.report_now(Kind::Inside, of.clone(), owner, None, None, way, block);
                }
                if name == "clear" {
                    state.set(&of, Condition::Clean);
                }
            }
            _ => {}
        }
    }

    fn leaked(&mut self, block: u32, argument: &Argument) {
        let key = argument.key.clone().unwrap_or_default();
        let written = argument.written.clone();
        let way = Way::Call(block);
        self.report_now(Kind::Leaked, key, written, None, None, way, block);
    }

    /// Hands what was in an argument on to the result, if it is of a type that can hold it.
    fn pass_owner(
        &self,
        entries: &[(String, Entry)],
        into: &str,
        into_type: &str,
        state: &mut State,
    ) -> bool {
        if self.krate.types.owns(into_type) == Owns::Nothing {
            return false;
        }
        let owner = entries.iter().find_map(|(_, entry)| match entry {
            Entry::Owner(owner) => Some(owner),
            Entry::Known(_) => None,
        });
        let Some(owner) = owner else {
            return false;
        };
        let mut owner = owner.clone();
        owner.written_type = into_type.to_owned();
        owner.without.clear();
        state.owners.insert(into.to_owned(), owner);
        true
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one call")]
    fn returned_value(
        &mut self,
        block: u32,
        function: &str,
        name: &str,
        arguments: &[Argument],
        into: &str,
        into_type: &str,
        state: &mut State,
    ) {
        let owns = self.krate.types.owns(into_type);
        let gives_guard = arguments.iter().any(Argument::is_armed);
        self.closures_called(function, name, arguments, state);
        for argument in arguments {
            // A guard goes into a container that is lent to the call.
            if let (true, Some(of)) = (gives_guard, argument.target()) {
                let container = dereferenced(&argument.written).unwrap_or_default();
                let holds_futures = container.contains("{async ") && name.starts_with("push");
                if self.krate.types.owns(container) == Owns::Inside || holds_futures {
                    let owner = Owner::new(Condition::Armed, Some(block), container);
                    state.forget(&of);
                    state.owners.insert(of, owner);
                }
            }
        }
        if owns != Owns::Nothing {
            let empty = arguments.is_empty() || (arguments.len() == 1 && name == "with_capacity");
            let is_empty = empty && EMPTY.contains(&name);
            let stays_clean = !gives_guard && self.gives_clean(arguments);
            let returns_clean = || {
                let called = self.krate.summary_of_name(function);
                called.is_some_and(|called| called.returns_clean)
            };
            let condition = if owns == Owns::Inside && (is_empty || stays_clean) || returns_clean()
            {
                Condition::Clean
            } else {
                Condition::Armed
            };
            // What a future returns comes from the call that made it.
            let origin = if name == "poll" { state.last } else { block };
            let owner = Owner::new(condition, Some(origin), into_type);
            state.owners.insert(into.to_owned(), owner);
        }
        // So does a future own the arguments of its `async fn`, and an `Arc` what it was made of.
        let keeps = is_future(into_type) && name != "into_future"
            || self.krate.types.shares(into_type) && matches!(name, "new" | "from");
        if owns == Owns::Nothing && keeps && gives_guard {
            let owner = Owner::new(Condition::Armed, Some(block), into_type);
            state.owners.insert(into.to_owned(), owner);
        }
        if let Some(Known::Polled(_)) = state.known.get(into) {
            return;
        }
        let mut of = Self::futures_of(arguments, state);
        let inherited = inherited_ending(arguments);
        let cleans = self.add_summaries(function, arguments, into_type, state, &mut of);
        // Neither nothing nor the future of an `async fn` is an iterator over what the call was lent.
        let may_refer =
            !cleans && !matches!(into_type, "()" | "bool") && !into_type.starts_with('{');
        if is_reference(into_type) || refers(into_type) || (of.is_empty() && may_refer) {
            self.returned_reference(name, arguments, into, into_type, state);
            if state.known.contains_key(into) {
                return;
            }
        }
        // What it returns is no future any more.
        if name == "block_on" {
            return;
        }
        // A closure that cleans up, and is called at once.
        let is_future = into_type.contains('{') || into_type.contains("Future");
        if CALLERS.contains(&name) && !is_future {
            for (cleaned, _) in of {
                self.clean(&cleaned, state);
            }
            return;
        }
        if of.is_empty() || owns != Owns::Nothing || into_type == "()" || into_type == "bool" {
            return;
        }
        let ending = combined(ending(function, name), inherited);
        let cleanups = Cleanups { of, ending };
        let wrapper = name_and_parameters(into_type).0;
        // A function that polls what it is given, and returns what it got.
        if wrapper == "Poll" {
            Self::interrupt_all(&cleanups, state);
            state.known.insert(into.to_owned(), Known::Polled(cleanups));
            return;
        }
        state.known.insert(into.to_owned(), Known::Future(cleanups));
    }

    /// The closures that are called before the call returns, by itself or by the function of the crate that it calls.
    fn closures_called(
        &mut self,
        function: &str,
        name: &str,
        arguments: &[Argument],
        state: &mut State,
    ) {
        let is_parameter = |argument: &Argument| match argument.known()? {
            Known::Parameter(position) => Some(*position),
            _ => None,
        };
        let gets_closures = arguments.iter().any(|argument| {
            is_parameter(argument).is_some() || matches!(argument.known(), Some(Known::Future(_)))
        });
        if !gets_closures {
            return;
        }
        if let ("call" | "call_mut" | "call_once", Some(first)) = (name, arguments.first()) {
            let lent = first.target().and_then(|of| match state.known.get(&of) {
                Some(Known::Parameter(position)) => Some(*position),
                _ => None,
            });
            state.called.extend(is_parameter(first).or(lent));
        }
        let Some(called) = self.krate.summary_of_name(function) else {
            return;
        };
        for position in called.calls {
            let Some(argument) = arguments.get(position) else {
                continue;
            };
            state.called.extend(is_parameter(argument));
            if let (Some(Known::Future(cleanups)), true) =
                (argument.known(), argument.written.contains("closure"))
            {
                let cleanups = cleanups.clone();
                self.clean_all(&cleanups, state);
            }
        }
    }

    /// Notes whether what a closure is called with, by a call that got it, is clean.
    fn give_arguments(&mut self, arguments: &[Argument]) {
        for argument in arguments {
            if !argument.written.starts_with('{') {
                continue;
            }
            let Some(to) = type_key(&argument.written) else {
                continue;
            };
            let clean = self.gives_clean(arguments);
            self.give(to, Given::Argument, clean);
        }
    }

    /// Whether the containers that were given had nothing in them.
    fn gives_clean(&self, arguments: &[Argument]) -> bool {
        let mut owners = arguments
            .iter()
            .filter(|argument| self.krate.types.owns(&argument.written) != Owns::Nothing)
            .peekable();
        owners.peek().is_some()
            && owners.all(|argument| argument.has_owner() && !argument.is_armed())
    }

    /// The cleanups of the futures that a call is given.
    fn futures_of(arguments: &[Argument], state: &State) -> Branches {
        let mut of = Branches::new();
        for (position, argument) in arguments.iter().enumerate() {
            for (_, entry) in &argument.entries {
                match entry {
                    Entry::Known(Known::Future(cleanups)) => {
                        for (cleaned, branch) in &cleanups.of {
                            // The branches of `select(a, b)` are its parameters.
                            let branch = if arguments.len() > 1 {
                                position as u128
                            } else {
                                *branch
                            };
                            of.insert((cleaned.clone(), branch));
                        }
                    }
                    Entry::Known(Known::Reference(to)) => {
                        for (cleaned, branch) in futures_within(to, state) {
                            let branch = if arguments.len() > 1 {
                                position as u128
                            } else {
                                branch
                            };
                            of.insert((cleaned, branch));
                        }
                    }
                    _ => {}
                }
            }
        }
        of
    }

    /// A reference, or something that refers, to what the call was lent.
    fn returned_reference(
        &mut self,
        name: &str,
        arguments: &[Argument],
        into: &str,
        into_type: &str,
        state: &mut State,
    ) {
        let Some(first) = arguments.first() else {
            return;
        };
        let known = match first.known() {
            Some(Known::Reference(to)) if is_reference(into_type) => match name {
                // What a guard derefs to is not the guard.
                "deref" | "deref_mut" if self.is_guard(&first.written) => {
                    Known::Reference(joined(to, "*"))
                }
                "index" | "index_mut" => Known::Element(to.clone()),
                _ => Known::Reference(to.clone()),
            },
            Some(Known::Reference(to)) => {
                // An iterator that is lent to `next` refers to what it iterates over.
                match state.known.get(to) {
                    Some(element @ Known::Element(_)) => element.clone(),
                    _ if is_container(self, &first.written) => Known::Element(to.clone()),
                    _ => return,
                }
            }
            Some(Known::Element(of)) => {
                // As in `.map(AsyncDropGuard::async_drop)`, whose function stands in the type.
                let by_path =
                    into_type.contains("AsyncDropGuard::<") && into_type.contains("::async_drop}");
                if by_path || self.closure_cleans(arguments) {
                    Known::Future(Cleanups {
                        of: Branches::from([(of.clone(), 0)]),
                        ending: Ending::All,
                    })
                } else {
                    Known::Element(of.clone())
                }
            }
            _ => return,
        };
        state.known.insert(into.to_owned(), known);
    }

    fn is_guard(&self, written: &str) -> bool {
        dereferenced(written).is_some_and(|to| self.krate.types.owns(to) == Owns::Guard)
    }

    /// Whether a closure among the arguments cleans up what it is given, as in `.map(|guard| guard.async_drop())`.
    fn closure_cleans(&self, arguments: &[Argument]) -> bool {
        arguments.iter().any(|argument| {
            let summary = self.krate.summary_of_type(&argument.written);
            summary.is_some_and(|summary| {
                !summary.cleans.is_empty() || !summary.returns_cleanup_of.is_empty()
            })
        })
    }

    /// The guards that a function of the crate cleans up, of those that it is lent. Says whether it has cleaned up any.
    fn add_summaries(
        &mut self,
        function: &str,
        arguments: &[Argument],
        into_type: &str,
        state: &mut State,
        of: &mut Branches,
    ) -> bool {
        let lends = |argument: &Argument| {
            let lent = argument.target()?;
            let to = dereferenced(&argument.written)?;
            (self.krate.types.owns(to) != Owns::Nothing).then_some(lent)
        };
        let lent: Vec<_> = arguments.iter().map(lends).collect();
        if lent.iter().all(Option::is_none) {
            return false;
        }
        // An `async fn` returns its coroutine, which captured the arguments in their order.
        let future = self.krate.summary_of_type(into_type);
        let called = self.krate.summary_of_name(function);
        let mut now = Vec::new();
        for (position, lent) in lent.into_iter().enumerate() {
            let Some(lent) = lent else { continue };
            if future
                .as_ref()
                .is_some_and(|s| s.cleans.contains(&position))
            {
                of.insert((lent, 0));
            } else if let Some(called) = &called {
                if called.cleans.contains(&position) {
                    now.push(lent);
                } else if called.returns_cleanup_of.contains(&position) {
                    of.insert((lent, 0));
                }
            }
        }
        for lent in &now {
            self.clean(lent, state);
        }
        !now.is_empty()
    }
}

/// Whether a future is polled that is never ready.
fn never_ends(function: &str) -> bool {
    let of = type_of_call(function).unwrap_or_default();
    name_and_parameters(of).0 == "Pending" && of.contains("future::")
}

/// The name of the type of which a method is called.
fn name_of_owner(function: &str) -> &str {
    type_of_call(function).map_or("", |of| name_and_parameters(of).0)
}

/// What follows if what a future returned is the same as a variant, or another one.
fn compared(same: bool, arguments: &[Argument], state: &State) -> Option<Known> {
    let targets: Vec<_> = arguments.iter().filter_map(Argument::target).collect();
    let [one, other] = &targets[..] else {
        return None;
    };
    let written = dereferenced(&arguments[0].written).unwrap_or_default();
    let type_name = name_and_parameters(written).0;
    for (returned, with) in [(one, other), (other, one)] {
        let Some(Known::Variant(variant)) = state.known.get(with) else {
            continue;
        };
        match state.known.get(returned) {
            Some(Known::Polled(cleanups)) if cleanups.ending == Ending::All => {
                let ended = Some(*variant) == variant_of_the_end(type_name);
                // If it is not the same as `Ready(Ok(()))`, it may be another `Ready`.
                return ended
                    .then(|| Known::OkIf(cleanups.clone(), same))
                    .or_else(|| Some(Known::OkIf(cleanups.clone(), !same)));
            }
            Some(Known::Ended(cleanups)) if cleanups.ending == Ending::IfOk && *variant == 0 => {
                return Some(Known::OkIf(cleanups.clone(), same));
            }
            _ => {}
        }
    }
    None
}

fn is_container(walk: &Walk<'_>, written: &str) -> bool {
    let Some(to) = dereferenced(written) else {
        return false;
    };
    walk.krate.types.owns(to) == Owns::Inside || to.starts_with('[')
}

/// Whether a type holds references, as an iterator or an option of one does.
fn refers(written: &str) -> bool {
    const REFERRING: [&str; 16] = [
        "IterMut",
        "ValuesMut",
        "Iter",
        "Map",
        "Enumerate",
        "Rev",
        "Chain",
        "Zip",
        "Filter",
        "FilterMap",
        "Flatten",
        "Take",
        "Skip",
        "Peekable",
        "RangeMut",
        "FlatMap",
    ];
    let (name, parameters) = name_and_parameters(written);
    REFERRING.contains(&name)
        || (name == "Option"
            && parameters
                .iter()
                .any(|p| p.contains("&mut ") || p.contains(" mut ")))
}

/// How the futures end that a call wraps into another one.
fn inherited_ending(arguments: &[Argument]) -> Ending {
    let endings = arguments
        .iter()
        .filter_map(|argument| match argument.known()? {
            Known::Future(cleanups) => Some(cleanups.ending),
            _ => None,
        });
    endings.fold(Ending::All, combined)
}

fn combined(a: Ending, b: Ending) -> Ending {
    match (a, b) {
        (Ending::All, other) | (other, Ending::All) => other,
        (a, b) if a == b => a,
        _ => Ending::Unknown,
    }
}

fn ending(function: &str, name: &str) -> Ending {
    if function.contains("Timeout") || name.starts_with("timeout") {
        return Ending::IfOk;
    }
    if name.starts_with("try_join") {
        return Ending::IfOk;
    }
    if name == "select" {
        // Of two futures, which it returns in an `Either`.
        return Ending::Branch;
    }
    if name.starts_with("select") || name == "race" {
        return Ending::Unknown;
    }
    if name == "poll_fn" {
        let output = function
            .rfind("poll_fn::<")
            .map(|at| &function[at + "poll_fn::<".len()..]);
        let output = output.map_or("", |o| {
            crate::mir::split_commas(o).first().copied().unwrap_or("")
        });
        let output_name = name_and_parameters(output).0;
        if output_name == "Out" {
            return Ending::Branch;
        }
        if output_name == "Result" && function.contains("try_join") {
            return Ending::IfOk;
        }
        if output_name == "Option" || output_name == "Result" && function.contains("select") {
            return Ending::Unknown;
        }
    }
    Ending::All
}
