//! Goes along the paths of one function.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use crate::mir::{
    Block, Body, Operand, Place, Projection, Span, Statement, Terminator, Value, dereferenced,
    split_commas,
};
use crate::types::{Field, Owns, is_future, name_and_parameters};

use super::calls::last_name;
use super::key::{captured, is_foreign, joined, key, wholes};
use super::state::{Branches, Cleanups, Condition, Ending, Entry, Known, Owner, State};
use super::{Finding, Given, Gives, Kind, Krate, Outcome, Summary, Way, type_key};

/// How the compiler calls operators. Some have `WithOverflow` or `Unchecked` at their end.
const OPERATORS: [&str; 19] = [
    "Add", "Sub", "Mul", "Div", "Rem", "BitXor", "BitAnd", "BitOr", "Shl", "Shr", "Eq", "Lt", "Le",
    "Ne", "Ge", "Gt", "Cmp", "Not", "Neg",
];

/// More than this many states, and the function is not looked at to its end.
const MOST_STATES: usize = 20_000;

pub(super) struct Walk<'a> {
    pub(super) krate: &'a Krate,
    pub(super) body: &'a Body,
    /// Where a coroutine goes on, by the number that it noted.
    resume: BTreeMap<u128, u32>,
    first: Option<u32>,
    /// The containers whose elements are cleaned up one by one somewhere in the function.
    pub(super) emptied: BTreeSet<String>,
    /// What a path has dropped, numbered as in [`State::dropped`].
    candidates: Vec<Finding>,
    /// The candidates that are no mere prelude to a panic.
    confirmed: BTreeSet<u32>,
    /// The locals that are read after the start of a block, or lent to something.
    live: BTreeMap<u32, BTreeSet<u32>>,
    /// The parameters, or captured variables, that are references to guards.
    lent: BTreeSet<usize>,
    summary: Option<Summary>,
    pub(super) gives: Gives,
    /// The boxes that are copied on the way to their content. Without optimization a box is never copied otherwise.
    boxes: BTreeSet<u32>,
    given_up: bool,
}

pub(super) fn look_at(krate: &Krate, body: &Body) -> Outcome {
    let mut emptied = BTreeSet::new();
    // What is emptied in a loop is known only after the loop was seen.
    loop {
        let mut walk = Walk {
            krate,
            body,
            resume: BTreeMap::new(),
            first: None,
            emptied: emptied.clone(),
            candidates: Vec::new(),
            confirmed: BTreeSet::new(),
            live: super::live::live(body),
            lent: BTreeSet::new(),
            summary: None,
            gives: Gives::new(),
            boxes: copied_boxes(body),
            given_up: false,
        };
        walk.run();
        // What was emptied once stays so, or two views of a loop could alternate.
        walk.emptied.extend(emptied.iter().cloned());
        if walk.emptied == emptied || walk.given_up {
            let confirmed = walk.confirmed;
            let numbered = (0_u32..).zip(walk.candidates);
            return Outcome {
                findings: numbered
                    .filter(|(number, _)| confirmed.contains(number))
                    .map(|(_, finding)| finding)
                    .collect(),
                given_up: walk.given_up,
                summary: walk.summary.unwrap_or_default(),
                gives: walk.gives,
            };
        }
        emptied = walk.emptied;
    }
}

impl Walk<'_> {
    fn run(&mut self) {
        let body = self.body;
        let Some(first) = body.blocks.keys().next().copied() else {
            return;
        };
        let mut start = State::default();
        for (position, (local, written)) in body.parameters.iter().enumerate() {
            let key = format!("_{local}");
            match self.krate.types.owns(written) {
                Owns::Nothing if written.starts_with('&') => {
                    self.lend(&mut start, position, &key, written);
                }
                Owns::Nothing => {
                    start.known.insert(key, Known::Parameter(position));
                }
                Owns::Guard | Owns::Inside => {
                    let mut owner = Owner::new(Condition::Armed, None, written);
                    if body.written_own_type().is_some() && position > 0 {
                        owner.given = Some(Given::Argument);
                    }
                    start.owners.insert(key, owner);
                }
            }
        }
        self.lend_captured(&mut start);
        self.first = Some(first);
        self.find_resume_points(&body.blocks[&first]);
        // Their hashes, because the states of a large function would fill the memory.
        let mut seen = HashSet::new();
        let mut work = vec![(first, start)];
        while let Some((number, mut state)) = work.pop() {
            let Some(block) = body.blocks.get(&number) else {
                continue;
            };
            if let Some(live) = self.live.get(&number) {
                state.keep(live);
            }
            if block.cleanup || !seen.insert(hash(number, &state)) {
                continue;
            }
            if seen.len() > MOST_STATES {
                self.given_up = true;
                return;
            }
            self.block(number, block, state, &mut work);
        }
    }

    /// A reference to a guard that is not ours: what becomes of it is what the callers want to know.
    fn lend(&mut self, state: &mut State, position: usize, key: &str, written: &str) {
        if !written.starts_with('&') || !written.contains("mut ") {
            return;
        }
        let Some(to) = dereferenced(written) else {
            return;
        };
        if self.krate.types.owns(to) == Owns::Nothing {
            return;
        }
        self.lent.insert(position);
        let lent = format!("^{position}");
        state
            .owners
            .entry(lent.clone())
            .or_insert_with(|| Owner::new(Condition::Armed, None, to));
        state.known.insert(key.to_owned(), Known::Reference(lent));
    }

    /// The references that a closure or a coroutine has captured.
    fn lend_captured(&mut self, state: &mut State) {
        if self.body.written_own_type().is_none() {
            return;
        }
        let lent: Vec<_> = self
            .body
            .named()
            .into_keys()
            .filter_map(|key| Some((captured(&key)?, key)))
            .collect();
        for (position, key) in lent {
            let written = self.body.names.iter().find_map(|(_, place)| {
                let is_it = place.projections.last() == Some(&Projection::Field(position as u32));
                let written = place.written_type.as_deref()?;
                (is_it && captured_by(place) == Some(position)).then_some(written)
            });
            if let Some(written) = written {
                self.lend(state, position, &key, written);
            }
        }
    }

    fn find_resume_points(&mut self, first: &Block) {
        let reads_itself = first.statements.iter().any(|(statement, _)| {
            matches!(statement, Statement::Assign(_, Value::Discriminant(place))
                if !place.projections.is_empty())
        });
        let coroutine = self.body.parameters.first().is_some_and(|(_, written)| {
            written.starts_with("Pin<&mut {") || written.starts_with("std::pin::Pin<&mut {")
        });
        if let (true, true, Terminator::Switch(_, edges)) =
            (reads_itself, coroutine, &first.terminator)
        {
            let edges = edges.iter();
            self.resume = edges
                .filter_map(|(value, target)| Some(((*value)?, *target)))
                .collect();
        }
    }

    fn block(
        &mut self,
        number: u32,
        block: &Block,
        mut state: State,
        work: &mut Vec<(u32, State)>,
    ) {
        let mut noted = None;
        if matches!(block.terminator, Terminator::Return) {
            self.confirmed.extend(&state.dropped);
        }
        for (statement, _) in &block.statements {
            match statement {
                Statement::Assign(into, value) => self.assign(number, into, value, &mut state),
                Statement::SetDiscriminant(value) => noted = Some(*value),
            }
        }
        match &block.terminator {
            Terminator::Goto(target) => work.push((*target, state)),
            Terminator::End => {}
            Terminator::Return => self.returned(number, noted, state, work),
            Terminator::Drop { place, then } => {
                self.dropped(number, place, *then, &mut state);
                if let Some(then) = then {
                    work.push((*then, state));
                }
            }
            Terminator::Call {
                into,
                function,
                arguments,
                then,
            } => {
                self.call(number, into, function, arguments, &mut state);
                if let Some(then) = then {
                    work.push((*then, state));
                }
            }
            // A coroutine begins at its start. Where it goes on is followed from where it stopped.
            Terminator::Switch(_, _) if self.first == Some(number) && !self.resume.is_empty() => {
                if let Some(start) = self.resume.get(&0) {
                    work.push((*start, state));
                }
            }
            Terminator::Switch(operand, edges) => self.switch(operand, edges, &state, work),
        }
    }

    pub(super) fn owns(&self, place: &Place) -> Owns {
        self.body
            .type_of(place)
            .map_or(Owns::Nothing, |written| self.krate.types.owns(written))
    }

    fn assign(&mut self, block: u32, into: &Place, value: &Value, state: &mut State) {
        match value {
            Value::Use(Operand::Const(constant)) => {
                let into = key(into, state);
                state.forget(&into);
                if constant == "true" || constant == "false" {
                    state.known.insert(into, Known::Flag(constant == "true"));
                } else if let Some(variant) = self.krate.constant(constant) {
                    if let Some(variant) = number_of_variant(variant) {
                        let place = format!("={constant}");
                        state.known.insert(place.clone(), Known::Variant(variant));
                        state.known.insert(into, Known::Reference(place));
                    }
                }
            }
            Value::Use(operand) => {
                let Some(place) = operand.place() else { return };
                if into.projections.is_empty() && self.boxes.contains(&into.local) {
                    let content = Known::Box(key(place, state));
                    let into = key(into, state);
                    state.forget(&into);
                    state.known.insert(into, content);
                    return;
                }
                let entries = self.read(place, matches!(operand, Operand::Move(_)), state);
                let into = key(into, state);
                state.forget(&into);
                state.put(&into, entries);
            }
            Value::Borrow(place) => {
                let to = key(place, state);
                let into = key(into, state);
                state.forget(&into);
                // It may be changed through the reference.
                if let Some(Known::Variant(_)) = state.known.get(&to) {
                    state.known.remove(&to);
                }
                state.known.insert(into, Known::Reference(to));
            }
            Value::Discriminant(place) => {
                let of = key(place, state);
                let written = self.body.type_of(place).unwrap_or_default().to_owned();
                let into = key(into, state);
                state.forget(&into);
                let known = Known::Discriminant(of, written);
                state.known.insert(into, known);
            }
            Value::Build(name, operands) => self.build(block, into, name, operands, state),
        }
    }

    /// What is in a place that is read, or moved out of it.
    pub(super) fn read(
        &mut self,
        place: &Place,
        moved: bool,
        state: &mut State,
    ) -> Vec<(String, Entry)> {
        let from = key(place, state);
        let written = self.body.type_of(place).unwrap_or_default();
        let owns = self.krate.types.owns(written);
        // The compiler writes `copy` for the last use of what it need not keep. A guard is never copied.
        if !moved && owns == Owns::Nothing {
            let mut entries = state.copy(&from);
            // What a reference leads to is not copied with it.
            if written.starts_with('&') {
                entries.retain(|(part, _)| part.is_empty());
            }
            if entries.is_empty() {
                entries.extend(self.unknown(&from, written, state));
            }
            return entries;
        }
        let mut entries = state.take(&from);
        let has_owner = entries
            .iter()
            .any(|(_, entry)| matches!(entry, Entry::Owner(_)));
        // Such as the `None` that was just built.
        let is_empty = entries.iter().any(|(part, entry)| match entry {
            Entry::Known(Known::Variant(variant)) if part.is_empty() => {
                self.krate.types.variant_owns(written, *variant) == Some(false)
            }
            _ => false,
        });
        if is_empty {
            return entries;
        }
        if owns != Owns::Nothing && !has_owner {
            let mut owner = Owner::new(Condition::Armed, None, written);
            if let Some(whole) = state.whole_of(&from) {
                let part = from[whole.len()..].to_owned();
                if let Some(whole) = state.owners.get_mut(&whole) {
                    owner.condition = whole.condition;
                    owner.origin = whole.origin;
                    owner.given = whole.given;
                    whole.without.insert(part);
                }
            } else if entries.is_empty() && !is_foreign(&from) && captured(&from).is_none() {
                // Nothing was ever put there, so nothing is in it.
                return entries;
            } else {
                owner.given = captured(&from).map(Given::Captured);
            }
            entries.push((String::new(), Entry::Owner(owner)));
            return entries;
        }
        if entries.is_empty() {
            return self.unknown(&from, written, state).into_iter().collect();
        }
        entries
    }

    /// What follows from the type of a place and from what it is a part of.
    fn unknown(&mut self, from: &str, written: &str, state: &mut State) -> Option<(String, Entry)> {
        let whole = wholes(from).find_map(|whole| state.known.get(whole));
        let known = match whole {
            Some(Known::Element(of)) => Known::Element(of.clone()),
            Some(Known::Box(of)) => Known::Reference(of.clone()),
            Some(Known::Polled(cleanups)) if from.ends_with("/Ready.0") => {
                Known::Ended(cleanups.clone())
            }
            _ if box_of_pointer(from, written).is_some() => {
                Known::Reference(box_of_pointer(from, written)?.to_owned())
            }
            _ if written.starts_with('&') => {
                if let Some(position) = captured(from) {
                    self.lend(state, position, from, written);
                    if let Some(lent) = state.known.get(from) {
                        return Some((String::new(), Entry::Known(lent.clone())));
                    }
                }
                Known::Reference(joined(from, "*"))
            }
            _ => return None,
        };
        Some((String::new(), Entry::Known(known)))
    }

    fn build(
        &mut self,
        block: u32,
        into: &Place,
        name: &str,
        operands: &[Operand],
        state: &mut State,
    ) {
        let mut read = Vec::new();
        for operand in operands {
            let entries = match operand {
                Operand::Move(place) => self.read(place, true, state),
                Operand::Copy(place) => self.read(place, false, state),
                Operand::Const(_) => Vec::new(),
            };
            read.push(entries);
        }
        let written = self.body.type_of(into).unwrap_or_default().to_owned();
        let into_key = key(into, state);
        state.forget(&into_key);
        if name.starts_with('{') {
            // Guards that are moved into a closure or a coroutine are its own from now on.
            self.give_captured(name, &read);
            for (_, entry) in read.iter().flatten() {
                if let Entry::Known(Known::Reference(to)) = entry {
                    state.release(to, &self.krate.types);
                }
            }
            if is_future(&written) && read.iter().flatten().any(|(_, entry)| is_armed(entry)) {
                let owner = Owner::new(Condition::Armed, None, &written);
                state.owners.insert(into_key.clone(), owner);
            }
            let cleanups = self.captured_cleanups(name, &read, state);
            if !cleanups.is_empty() {
                let future = Known::Future(Cleanups {
                    of: cleanups,
                    ending: Ending::All,
                });
                state.known.insert(into_key, future);
            }
            return;
        }
        let type_name = name_and_parameters(&written).0;
        if type_name == "Pin" {
            if let Some(entries) = read.pop() {
                state.put(&into_key, entries);
            }
            return;
        }
        let last = last_name(name);
        // The result of an operator is a number or a `bool`.
        if last != type_name && is_operator(name) {
            return;
        }
        let variant = if name.is_empty() || name == "[]" || last == type_name {
            String::new()
        } else {
            format!("/{last}")
        };
        let owns = self.krate.types.owns(&written);
        let has_two = matches!(type_name, "Option" | "Result" | "Poll");
        if let Some(number) = number_of_variant(&last).filter(|_| has_two) {
            let variant = Known::Variant(number);
            state.known.insert(into_key.clone(), variant);
        }
        let mut armed = None;
        for (position, entries) in read.into_iter().enumerate() {
            for (part, entry) in entries {
                match entry {
                    Entry::Owner(owner) if name == "[]" => {
                        armed = armed.max(Some(owner.condition != Condition::Clean));
                    }
                    entry if name == "[]" => drop(entry),
                    entry => {
                        let key = format!("{into_key}{variant}.{position}");
                        state.put(&key, vec![(part, entry)]);
                    }
                }
            }
        }
        if armed == Some(true) {
            let owner = Owner::new(Condition::Armed, Some(block), &written);
            state.owners.insert(into_key, owner);
        } else if owns != Owns::Nothing
            && is_foreign(&into_key)
            && state.owners_within(&into_key).is_empty()
        {
            // The caller's place is empty now, as after `self.session = None`.
            let owner = Owner::new(Condition::Clean, None, &written);
            state.owners.insert(into_key, owner);
        }
    }

    /// Notes whether what a closure or a coroutine owns from now on is clean.
    fn give_captured(&mut self, name: &str, captured: &[Vec<(String, Entry)>]) {
        let Some(to) = type_key(name) else { return };
        for (position, entries) in captured.iter().enumerate() {
            let mut conditions = entries
                .iter()
                .filter_map(|(_, entry)| match entry {
                    Entry::Owner(owner) => Some(owner.condition == Condition::Clean),
                    Entry::Known(_) => None,
                })
                .peekable();
            if conditions.peek().is_some() {
                let clean = conditions.all(|clean| clean);
                self.give(to.clone(), Given::Captured(position), clean);
            }
        }
    }

    pub(super) fn give(&mut self, to: String, how: Given, clean: bool) {
        let all = self.gives.entry((to, how)).or_insert(true);
        *all = *all && clean;
    }

    /// The guards that a closure or a coroutine cleans up, of those to which it got references.
    fn captured_cleanups(
        &mut self,
        name: &str,
        captured: &[Vec<(String, Entry)>],
        state: &State,
    ) -> Branches {
        let mut of = Branches::new();
        let mut summary = None;
        for (position, entries) in captured.iter().enumerate() {
            for (_, entry) in entries {
                match entry {
                    Entry::Known(Known::Reference(to)) => {
                        let futures = futures_within(to, state);
                        if !futures.is_empty() {
                            of.extend(futures);
                            continue;
                        }
                        if state.condition(to).is_none() && !is_foreign(to) {
                            continue;
                        }
                        let summary = summary.get_or_insert_with(|| {
                            self.krate.summary_of_type(name).unwrap_or_default()
                        });
                        if summary.cleans.contains(&position) {
                            of.insert((to.clone(), 0));
                        }
                    }
                    Entry::Known(Known::Element(container)) => {
                        let summary = summary.get_or_insert_with(|| {
                            self.krate.summary_of_type(name).unwrap_or_default()
                        });
                        if summary.cleans.contains(&position) {
                            of.insert((joined(container, "[]"), 0));
                        }
                    }
                    Entry::Known(Known::Future(cleanups)) => of.extend(cleanups.of.clone()),
                    _ => {}
                }
            }
        }
        of
    }

    /// Notes that the cleanup of a place has come to its end.
    pub(super) fn clean(&mut self, key: &str, state: &mut State) {
        if let Some(container) = self.container_of(key, state) {
            let container = container.as_str();
            self.emptied.insert(container.to_owned());
            let holds_one = state
                .owners_within(container)
                .iter()
                .any(|owner| holds_at_most_one(&state.owners[owner].written_type));
            if holds_one {
                state.set(container, Condition::Clean);
            }
            return;
        }
        state.set(key, Condition::Clean);
        // Once every field that owns a guard is clean, so is the whole.
        let Some(whole) = state.whole_of(key) else {
            return;
        };
        let Some(owner) = state.owners.get_mut(&whole) else {
            return;
        };
        let mut written = owner.written_type.as_str();
        if let ("Box", [content, ..]) = (
            name_and_parameters(written).0,
            &name_and_parameters(written).1[..],
        ) {
            written = content;
        }
        // What is in an option is all that is in it.
        let payload = name_and_parameters(written).1;
        let part = &key[whole.len()..];
        if matches!(name_and_parameters(written).0, "Option" | "Result")
            && !part.contains('*')
            && payload
                .first()
                .is_some_and(|payload| self.krate.types.owns(payload) == Owns::Guard)
            && payload
                .get(1)
                .is_none_or(|other| self.krate.types.owns(other) == Owns::Nothing)
        {
            owner.condition = Condition::Clean;
        }
        if let Some(fields) = self.krate.types.owning_fields(written) {
            let mut fields = fields.iter();
            let all = fields.all(|field| owner.without.contains(&format!(".{}", field.position)));
            if all {
                owner.condition = Condition::Clean;
            }
        }
    }

    /// The container whose elements are cleaned up with this one: the key is one of an element, or of the only guard in it.
    fn container_of(&self, key: &str, state: &State) -> Option<String> {
        let (container, part) = key.rsplit_once("[]")?;
        if part.is_empty() {
            return Some(container.to_owned());
        }
        let position: usize = part.strip_prefix('.')?.parse().ok()?;
        let written = state.owners.get(container)?.written_type.as_str();
        let element = *name_and_parameters(written).1.first()?;
        let is_only = if let Some(fields) = self.krate.types.owning_fields(element) {
            matches!(&fields[..], [field] if field.position == position)
        } else {
            let tuple = element.strip_prefix('(')?.strip_suffix(')')?;
            let mut others = split_commas(tuple).into_iter().enumerate();
            others.all(|(at, part)| at == position || self.krate.types.owns(part) == Owns::Nothing)
        };
        is_only.then(|| container.to_owned())
    }

    pub(super) fn clean_all(&mut self, cleanups: &Cleanups, state: &mut State) {
        for (of, _) in &cleanups.of {
            self.clean(of, state);
        }
    }

    pub(super) fn interrupt_all(cleanups: &Cleanups, state: &mut State) {
        for (of, _) in &cleanups.of {
            // Of a container only some elements are interrupted, and it is armed until it was emptied.
            if !of.ends_with("[]") && state.condition(of) != Some(Condition::Clean) {
                state.set(of, Condition::Interrupted);
            }
        }
    }

    fn switch(
        &mut self,
        operand: &Operand,
        edges: &[(Option<u128>, u32)],
        state: &State,
        work: &mut Vec<(u32, State)>,
    ) {
        let known = operand
            .place()
            .and_then(|place| state.known.get(&key(place, state)))
            .cloned();
        let known = match (&known, operand) {
            (None, Operand::Const(constant)) if constant == "true" || constant == "false" => {
                Some(Known::Flag(constant == "true"))
            }
            _ => known,
        };
        let listed: Vec<u128> = edges.iter().filter_map(|(value, _)| *value).collect();
        for &(value, target) in edges {
            let mut state = state.clone();
            match &known {
                Some(Known::Flag(flag)) => {
                    let wanted = u128::from(*flag);
                    let taken = match value {
                        Some(value) => value == wanted,
                        None => !listed.contains(&wanted),
                    };
                    if !taken {
                        continue;
                    }
                }
                Some(Known::CleanIf(of, when)) => {
                    let is_true = value != Some(0);
                    if is_true == *when {
                        self.clean(of, &mut state);
                    }
                }
                Some(Known::OkIf(cleanups, when)) => {
                    let is_true = value != Some(0);
                    if is_true == *when {
                        self.clean_all(cleanups, &mut state);
                    }
                }
                Some(Known::Discriminant(of, written)) => {
                    if let Some(Known::Variant(built)) = state.known.get(of) {
                        let taken = match value {
                            Some(value) => value == *built,
                            None => !listed.contains(built),
                        };
                        if !taken {
                            continue;
                        }
                    }
                    // Of two variants, the one that is not listed is the other.
                    let variant = value.or_else(|| match listed[..] {
                        [0] => Some(1),
                        [1] => Some(0),
                        _ => None,
                    });
                    if let Some(variant) = variant {
                        self.enter_variant(of, written, variant, &mut state);
                    }
                }
                _ => {}
            }
            work.push((target, state));
        }
    }

    /// What follows from the variant of an enum that a path goes on with.
    fn enter_variant(&mut self, of: &str, written: &str, variant: u128, state: &mut State) {
        let type_name = name_and_parameters(written).0;
        if self.krate.types.variant_owns(written, variant) == Some(false) {
            let taken_from = state.owners.get(of).and_then(|o| o.taken_from.clone());
            if let Some(container) = taken_from {
                state.set(&container, Condition::Clean);
            }
            if state.condition(of).is_some() || is_foreign(of) || captured(of).is_some() {
                state.set(of, Condition::Clean);
            }
        }
        // Where it is matched again, on its own or after a move, it has the same variant.
        if self.krate.types.owns(written) != Owns::Nothing {
            let known = state.known.entry(of.to_owned());
            known.or_insert(Known::Variant(variant));
        }
        match state.known.get(of).cloned() {
            Some(Known::Element(container))
                if type_name == "Option" && variant == 0 && self.emptied.contains(&container) =>
            {
                self.clean(&container, state);
            }
            Some(Known::Polled(cleanups)) => {
                let has_ended = Some(variant) == variant_of_the_end(type_name);
                if has_ended && cleanups.ending == Ending::All {
                    self.clean_all(&cleanups, state);
                } else {
                    Self::interrupt_all(&cleanups, state);
                }
            }
            Some(Known::Ended(cleanups)) => match cleanups.ending {
                Ending::IfOk if variant == 0 => self.clean_all(&cleanups, state),
                Ending::Branch => {
                    for (of, branch) in &cleanups.of {
                        if *branch == variant {
                            self.clean(of, state);
                        }
                    }
                }
                _ => {}
            },
            _ => {}
        }
        if type_name == "ControlFlow" && variant == 1 {
            state.failed = Some(state.last);
        }
    }

    fn returned(
        &mut self,
        block: u32,
        noted: Option<u128>,
        mut state: State,
        work: &mut Vec<(u32, State)>,
    ) {
        if let (Some(noted), false) = (noted, self.resume.is_empty()) {
            if noted > 2 {
                self.cancellation(block, &state);
                state.dropped.clear();
                if let Some(target) = self.resume.get(&noted) {
                    work.push((*target, state));
                }
                return;
            }
        }
        let is_clean =
            |position: &usize| state.condition(&format!("^{position}")) == Some(Condition::Clean);
        let cleans: BTreeSet<usize> = self.lent.iter().copied().filter(is_clean).collect();
        let mut returns_cleanup_of = BTreeSet::new();
        for (of, _) in futures_within("_0", &state) {
            if let Some(Ok(position)) = of.strip_prefix('^').map(str::parse) {
                returns_cleanup_of.insert(position);
            }
        }
        self.fields_left(block, &mut state);
        let here = Summary {
            cleans,
            returns_cleanup_of,
            calls: std::mem::take(&mut state.called),
            returns_clean: state.condition("_0") == Some(Condition::Clean),
        };
        self.summary = Some(match self.summary.take() {
            None => here,
            Some(before) => before.common(&here),
        });
    }

    /// A type's own cleanup must clean up the guards in its fields, which are dropped right after it.
    fn fields_left(&mut self, block: u32, state: &mut State) {
        let is_cleanup = self.body.name.ends_with("::async_drop_impl::{closure#0}");
        let Some(written) = self.types_of_self().filter(|_| is_cleanup) else {
            return;
        };
        let Some(fields) = self.krate.types.owning_fields(&written) else {
            return;
        };
        for Field {
            position,
            name,
            written,
        } in fields
        {
            // What may be empty need not be cleaned up.
            if self.krate.types.owns(&written) != Owns::Guard {
                continue;
            }
            let key = format!("^0.{position}");
            let condition = state.condition(&key).unwrap_or(Condition::Armed);
            if condition == Condition::Clean {
                continue;
            }
            let way = match state.failed {
                Some(failed) => Way::QuestionMark(failed),
                None => Way::After(state.last),
            };
            self.report_now(
                Kind::Inside,
                format!("self.{name}"),
                written,
                None,
                None,
                way,
                block,
            );
        }
    }

    /// The type behind the `self` that a coroutine has captured first.
    fn types_of_self(&self) -> Option<String> {
        let blocks = self.body.blocks.values();
        let statements = blocks.flat_map(|block| &block.statements);
        let names = self.body.names.iter().map(|(name, place)| (name, place));
        let written = names
            .filter(|(name, _)| *name == "self" || *name == "__self")
            .find_map(|(_, place)| place.written_type.clone());
        let written = written.or_else(|| {
            statements
                .filter_map(|(statement, _)| match statement {
                    Statement::Assign(_, Value::Use(operand)) => operand.place(),
                    _ => None,
                })
                .find_map(|place| place.written_type.clone())
        })?;
        dereferenced(&written).map(str::to_owned)
    }

    fn cancellation(&mut self, block: u32, state: &State) {
        for (key, owner) in &state.owners {
            if owner.condition == Condition::Clean || is_foreign(key) {
                continue;
            }
            let (key, written) = (key.clone(), owner.written_type.clone());
            let way = Way::Await(state.last);
            self.report_now(
                Kind::Cancellation,
                key,
                written,
                owner.origin,
                owner.given,
                way,
                block,
            );
        }
    }

    fn dropped(&mut self, block: u32, place: &Place, then: Option<u32>, state: &mut State) {
        let owns = self.owns(place);
        let place_key = key(place, state);
        // A future owns what was moved into it, which its type does not say.
        if owns == Owns::Nothing && !state.hides_owners(&place_key, &self.krate.types) {
            state.forget(&place_key);
            return;
        }
        let way = match state.failed {
            Some(failed) => Way::QuestionMark(failed),
            None if is_foreign(&place_key) || self.is_assigned(place, then) => {
                Way::Assigned(state.last)
            }
            None => Way::After(state.last),
        };
        let written = self.body.type_of(place).unwrap_or_default().to_owned();
        self.drop_value(block, &place_key, &written, way, state);
    }

    /// Whether a place gets a new value right after its drop.
    fn is_assigned(&self, place: &Place, then: Option<u32>) -> bool {
        let block = then.and_then(|then| self.body.blocks.get(&then));
        let mut statements = block.into_iter().flat_map(|block| &block.statements);
        // Some versions of the compiler get the coroutine out of its pin before each use.
        let assigned = statements.find_map(|(statement, _)| match statement {
            Statement::Assign(_, Value::Use(Operand::Copy(pin))) if pin.local == 1 => None,
            Statement::Assign(into, _) => Some(Some(into)),
            Statement::SetDiscriminant(_) => Some(None),
        });
        assigned.flatten().is_some_and(|into| {
            let same =
                into.local == place.local || into.projections.first() == Some(&Projection::Deref);
            same && into.projections == place.projections
        })
    }

    /// Reports the guards that a drop of this place would find armed.
    pub(super) fn drop_value(
        &mut self,
        block: u32,
        place: &str,
        written: &str,
        way: Way,
        state: &mut State,
    ) {
        let is_guard = self.krate.types.owns(written) == Owns::Guard;
        let within = state.owners_within(place);
        let condition = state.condition(place).or_else(|| {
            let never_moved = captured(place).is_some() || is_foreign(place);
            never_moved.then_some(Condition::Armed)
        });
        let origin = within.iter().find_map(|owner| state.owners[owner].origin);
        let whole = state.whole_of(place);
        let given = match within.first().or(whole.as_ref()) {
            Some(owner) => state.owners[owner].given,
            None => captured(place).map(Given::Captured),
        };
        let kind = match condition {
            None | Some(Condition::Clean) => None,
            Some(Condition::Interrupted) => Some(Kind::Interrupted),
            Some(Condition::Armed) if is_guard && !is_foreign(place) => Some(Kind::Armed),
            Some(Condition::Armed) => {
                // A container out of which something was taken may well be empty.
                let emptied = within
                    .iter()
                    .all(|owner| !state.owners[owner].without.is_empty());
                (within.is_empty() || !emptied).then_some(Kind::Inside)
            }
        };
        if let Some(kind) = kind {
            let written = written.to_owned();
            let number = self.report(kind, place.to_owned(), written, origin, given, way, block);
            state.dropped.insert(number);
        }
        if within.is_empty() {
            if let Some(whole) = state.whole_of(place) {
                let part = place[whole.len()..].to_owned();
                if let Some(owner) = state.owners.get_mut(&whole) {
                    owner.without.insert(part);
                }
            }
        }
        state.forget(place);
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one finding")]
    pub(super) fn report(
        &mut self,
        kind: Kind,
        key: String,
        written_type: String,
        origin: Option<u32>,
        given: Option<Given>,
        way: Way,
        at: u32,
    ) -> u32 {
        let known = self.candidates.iter().position(|other| {
            (other.kind, &other.key, other.way, other.at) == (kind, &key, way, at)
        });
        let number = known.unwrap_or_else(|| {
            let span = self.span_of(way);
            self.candidates.push(Finding {
                kind,
                key,
                written_type,
                origin,
                given,
                way,
                at,
                span,
            });
            self.candidates.len() - 1
        });
        u32::try_from(number).unwrap_or(u32::MAX)
    }

    /// Notes a finding that stands whatever the path leads to.
    #[expect(clippy::too_many_arguments, reason = "the parts of one finding")]
    pub(super) fn report_now(
        &mut self,
        kind: Kind,
        key: String,
        written_type: String,
        origin: Option<u32>,
        given: Option<Given>,
        way: Way,
        at: u32,
    ) {
        let number = self.report(kind, key, written_type, origin, given, way, at);
        self.confirmed.insert(number);
    }

    fn span_of(&self, way: Way) -> Option<Span> {
        let (Way::QuestionMark(block)
        | Way::After(block)
        | Way::Call(block)
        | Way::Assigned(block)
        | Way::Await(block)) = way;
        self.body.blocks.get(&block)?.span.clone()
    }
}

/// The number of a variant of the standard library, by its name.
fn number_of_variant(name: &str) -> Option<u128> {
    match name {
        "None" | "Ok" | "Ready" => Some(0),
        "Some" | "Err" | "Pending" => Some(1),
        _ => None,
    }
}

/// Which variant says that a future has ended: of what polling it returns, and of what trying it once returns.
pub(super) fn variant_of_the_end(type_name: &str) -> Option<u128> {
    match type_name {
        "Poll" => Some(0),
        "Option" => Some(1),
        _ => None,
    }
}

fn hash(block: u32, state: &State) -> u64 {
    let mut hasher = DefaultHasher::new();
    (block, state).hash(&mut hasher);
    hasher.finish()
}

fn is_operator(name: &str) -> bool {
    OPERATORS.iter().any(|operator| {
        let rest = name.strip_prefix(operator);
        rest.is_some_and(|rest| matches!(rest, "" | "WithOverflow" | "Unchecked"))
    })
}

/// The box whose pointer the compiler reads, to reach what is in it. Older compilers read the bare pointer.
fn box_of_pointer<'a>(place: &'a str, written: &str) -> Option<&'a str> {
    if written.starts_with("*const ") {
        return place.strip_suffix(".0.0.0");
    }
    let is_pointer = name_and_parameters(written).0 == "NonNull";
    place.strip_suffix(".0.0").filter(|_| is_pointer)
}

/// The boxes that are read only by way of their pointers, as the compiler does to reach what is in a box.
fn copied_boxes(body: &Body) -> BTreeSet<u32> {
    let mut copied = BTreeSet::new();
    let mut others = BTreeSet::new();
    let mut read = |operand: &Operand| {
        if let Some(place) = operand.place() {
            if place.projections.first() != Some(&Projection::Field(0)) {
                others.insert(place.local);
            }
        }
    };
    for block in body.blocks.values() {
        for (statement, _) in &block.statements {
            match statement {
                Statement::Assign(into, Value::Use(operand)) => {
                    let is_copy = matches!(operand, Operand::Copy(_));
                    let is_box = body
                        .type_of(into)
                        .is_some_and(|written| name_and_parameters(written).0 == "Box");
                    if is_copy && is_box && into.projections.is_empty() {
                        copied.insert(into.local);
                    }
                    read(operand);
                }
                Statement::Assign(_, Value::Build(_, operands)) => {
                    operands.iter().for_each(&mut read);
                }
                Statement::Assign(_, Value::Borrow(place) | Value::Discriminant(place)) => {
                    read(&Operand::Copy(place.clone()));
                }
                Statement::SetDiscriminant(_) => {}
            }
        }
        match &block.terminator {
            Terminator::Switch(operand, _) => read(operand),
            Terminator::Call { arguments, .. } => arguments.iter().for_each(&mut read),
            Terminator::Drop { place, .. } => read(&Operand::Copy(place.clone())),
            Terminator::Goto(_) | Terminator::Return | Terminator::End => {}
        }
    }
    &copied - &others
}

/// The position of the captured variable that a place is, if it is one.
fn captured_by(place: &Place) -> Option<usize> {
    let Some((Projection::Field(position), before)) = place.projections.split_last() else {
        return None;
    };
    let only_on_the_way = before
        .iter()
        .all(|projection| matches!(projection, Projection::Deref | Projection::Field(0)));
    only_on_the_way.then_some(*position as usize)
}

fn is_armed(entry: &Entry) -> bool {
    matches!(entry, Entry::Owner(owner) if owner.condition != Condition::Clean)
}

/// Whether there is no more to clean up once one guard in it was.
fn holds_at_most_one(written: &str) -> bool {
    matches!(
        name_and_parameters(written).0,
        "Option" | "Result" | "Box" | "Poll" | "ControlFlow" | "AsyncDropGuard"
    )
}

/// The cleanups of the futures in a place, each with the number of its part.
pub(super) fn futures_within(place: &str, state: &State) -> Branches {
    let mut found = Branches::new();
    collect_futures(place, state, 4, &mut found);
    found
}

fn collect_futures(place: &str, state: &State, depth: u32, found: &mut Branches) {
    let Some(depth) = depth.checked_sub(1) else {
        return;
    };
    for (part, entry) in state.copy(place) {
        let number: Option<u128> = part
            .trim_start_matches('.')
            .split(['.', '/', '*', '['])
            .next()
            .and_then(|number| number.parse().ok());
        match entry {
            Entry::Known(Known::Future(cleanups)) => {
                let of = cleanups.of.into_iter();
                found.extend(of.map(|(of, _)| (of, number.unwrap_or(0))));
            }
            // A future that was pinned before is borrowed, and so are those of a macro.
            Entry::Known(Known::Reference(to)) if to != place => {
                let mut inner = Branches::new();
                collect_futures(&to, state, depth, &mut inner);
                for (of, branch) in inner {
                    found.insert((of, number.unwrap_or(branch)));
                }
            }
            _ => {}
        }
    }
}
