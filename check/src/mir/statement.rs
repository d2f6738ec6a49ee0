//! One line of a block.

use super::cursor::{find_outside, outside, split_commas};
use super::{Operand, Place, Statement, Terminator, Value};

pub(super) enum Line {
    Statement(Statement),
    Terminator(Terminator),
    /// It says nothing about values.
    Nothing,
}

/// Statements that move nothing and branch nowhere.
const IGNORED: [&str; 16] = [
    "StorageLive(",
    "StorageDead(",
    "nop",
    "PlaceMention(",
    "FakeRead(",
    "AscribeUserType(",
    "Coverage::",
    "coverage ",
    "ConstEvalCounter",
    "Retag(",
    "Deinit(",
    "assume(",
    "copy_nonoverlapping(",
    "BackwardIncompatibleDropHint(",
    "backward incompatible drop(",
    "retag(",
];

pub(super) fn read(line: &str) -> Option<Line> {
    let line = line.strip_suffix(';').unwrap_or(line);
    if IGNORED.iter().any(|ignored| line.starts_with(ignored)) {
        return Some(Line::Nothing);
    }
    if let Some(terminator) = terminator(line) {
        return Some(Line::Terminator(terminator?));
    }
    if let Some(rest) = line.strip_prefix("discriminant(") {
        let (_, rest) = Place::read_start(rest)?;
        let number = rest.strip_prefix(") = ")?.parse().ok()?;
        return Some(Line::Statement(Statement::SetDiscriminant(number)));
    }
    let (into, rest) = Place::read_start(line)?;
    let value = rest.strip_prefix(" = ")?;
    if let Some(call) = call(into.clone(), value) {
        return Some(Line::Terminator(call?));
    }
    Some(Line::Statement(Statement::Assign(
        into,
        self::value(value)?,
    )))
}

/// `None` if the line is no terminator, `Some(None)` if it is one that was not understood.
fn terminator(line: &str) -> Option<Option<Terminator>> {
    match line {
        "return" => return Some(Some(Terminator::Return)),
        "unreachable" | "resume" | "coroutine_drop" => return Some(Some(Terminator::End)),
        _ => {}
    }
    if line.starts_with("terminate(") || line.starts_with("abort") {
        return Some(Some(Terminator::End));
    }
    if let Some(target) = line.strip_prefix("goto -> ") {
        return Some(block(target).map(Terminator::Goto));
    }
    if line.starts_with("switchInt(") {
        return Some(switch(line));
    }
    if line.starts_with("drop(") {
        return Some(dropped(line));
    }
    if line.starts_with("assert(") {
        let then = targets(line).and_then(|(_, targets)| target(targets, "success"));
        return Some(then.map(Terminator::Goto));
    }
    // They are only in MIR of earlier stages.
    if line.starts_with("falseEdge ") || line.starts_with("falseUnwind ") {
        let then = targets(line)
            .and_then(|(_, targets)| target(targets, "real").or_else(|| block(targets)));
        return Some(then.map(Terminator::Goto));
    }
    if line.starts_with("tailcall ") || line.starts_with("asm!(") || line.starts_with("yield(") {
        return Some(None);
    }
    None
}

fn block(text: &str) -> Option<u32> {
    text.trim().strip_prefix("bb")?.parse().ok()
}

/// The text before ` -> `, and the targets after it, without their brackets.
fn targets(line: &str) -> Option<(&str, &str)> {
    let arrow = outside(line)
        .filter(|&(at, byte, depth)| depth == 0 && byte == b'-' && line[at..].starts_with("-> "))
        .map(|(at, _, _)| at)
        .last()?;
    let before = line[..arrow].trim_end();
    let after = line[arrow + 3..].trim();
    let inside = after
        .strip_prefix('[')
        .and_then(|inside| inside.strip_suffix(']'));
    Some((before, inside.unwrap_or(after)))
}

/// The block that is listed under `name`.
fn target(targets: &str, name: &str) -> Option<u32> {
    targets.split(", ").find_map(|part| {
        let (label, target) = part.split_once(": ")?;
        (label == name).then(|| block(target)).flatten()
    })
}

fn switch(line: &str) -> Option<Terminator> {
    let (before, targets) = targets(line)?;
    let operand = operand(before.strip_prefix("switchInt(")?.strip_suffix(')')?)?;
    let mut edges = Vec::new();
    for part in targets.split(", ") {
        let (value, target) = part.split_once(": ")?;
        let target = block(target)?;
        if value == "otherwise" {
            edges.push((None, target));
        } else {
            // A negative value is none that we compare with.
            edges.push((Some(value.parse().unwrap_or(u128::MAX)), target));
        }
    }
    Some(Terminator::Switch(operand, edges))
}

fn dropped(line: &str) -> Option<Terminator> {
    let (before, targets) = targets(line)?;
    let place = Place::read(before.strip_prefix("drop(")?.strip_suffix(')')?)?;
    let then = where_to(targets)?;
    Some(Terminator::Drop { place, then })
}

/// Where a call or a drop goes on, if it does. `None` if the text says neither.
fn where_to(targets: &str) -> Option<Option<u32>> {
    if let Some(then) = target(targets, "return").or_else(|| block(targets)) {
        return Some(Some(then));
    }
    targets.starts_with("unwind").then_some(None)
}

/// `None` if the value is no call, `Some(None)` if it is one that was not understood.
fn call(into: Place, value: &str) -> Option<Option<Terminator>> {
    let (before, targets) = targets(value)?;
    if !before.ends_with(')') {
        return None;
    }
    // A function pointer in a cast has an arrow, too, but no target after it.
    let goes_somewhere = targets.starts_with("return: ")
        || targets.starts_with("unwind")
        || block(targets).is_some();
    if !goes_somewhere {
        return None;
    }
    Some(called(into, before, targets))
}

fn called(into: Place, before: &str, targets: &str) -> Option<Terminator> {
    let (function, arguments) = split_call(before)?;
    let arguments = split_commas(arguments)
        .into_iter()
        .map(operand)
        .collect::<Option<_>>()?;
    Some(Terminator::Call {
        into,
        function: function.to_owned(),
        arguments,
        then: where_to(targets)?,
    })
}

/// Splits `function(arguments)`.
fn split_call(text: &str) -> Option<(&str, &str)> {
    let open = outside(text)
        .filter(|&(_, byte, depth)| depth == 0 && byte == b'(')
        .map(|(at, _, _)| at)
        .last()?;
    Some((&text[..open], text[open + 1..].strip_suffix(')')?))
}

fn operand(text: &str) -> Option<Operand> {
    let text = text.strip_prefix("no_retag ").unwrap_or(text);
    if let Some(place) = text.strip_prefix("move ") {
        return Place::read(place).map(Operand::Move);
    }
    if let Some(place) = text
        .strip_prefix("copy ")
        .or_else(|| text.strip_prefix("deref_copy "))
    {
        return Place::read(place).map(Operand::Copy);
    }
    if let Some(constant) = text.strip_prefix("const ") {
        return Some(Operand::Const(constant.to_owned()));
    }
    // There are questions to the compiler, too, such as `ub_checks`. What reads a local is none of them.
    let bytes = text.as_bytes();
    let reads_a_local = bytes.windows(2).enumerate().any(|(at, pair)| {
        // `close_2` is the name of a function.
        let in_a_name = at > 0 && (bytes[at - 1] == b'_' || bytes[at - 1].is_ascii_alphanumeric());
        pair[0] == b'_' && pair[1].is_ascii_digit() && !in_a_name
    });
    (!reads_a_local).then(|| Operand::Const(text.to_owned()))
}

/// What stands behind the `&` of each way to borrow.
const BORROWS: [&str; 6] = [
    "mut ",
    "raw const (fake) ",
    "raw const ",
    "raw mut ",
    "fake ",
    "fake shallow ",
];

fn value(text: &str) -> Option<Value> {
    let text = text.strip_prefix("no_retag ").unwrap_or(text);
    // Older versions ask a slice for its length in this way, which moves nothing.
    if text.starts_with("Len(") {
        return Some(Value::Build("Len".to_owned(), Vec::new()));
    }
    if let Some(thread_local) = text.strip_prefix("&/*tls*/ ") {
        return Some(Value::Build(thread_local.to_owned(), Vec::new()));
    }
    if let Some(borrowed) = text.strip_prefix('&') {
        let borrowed = BORROWS
            .iter()
            .find_map(|kind| borrowed.strip_prefix(kind))
            .unwrap_or(borrowed);
        return Place::read(borrowed).map(Value::Borrow);
    }
    if let Some(place) = text.strip_prefix("discriminant(") {
        let place = place.strip_suffix(')')?;
        return Place::read(place).map(Value::Discriminant);
    }
    if text.starts_with("move ") || text.starts_with("copy ") || text.starts_with("deref_copy ") {
        // A cast keeps the value: `move _1 as Pin<Box<dyn Future>> (PointerCoercion(..))`.
        let uncast = find_outside(text, " as ").map_or(text, |at| &text[..at]);
        return operand(uncast).map(Value::Use);
    }
    if text.starts_with("const ") {
        return operand(text).map(Value::Use);
    }
    // A function that becomes a pointer: `session::close as fn(Session) (PointerCoercion(..))`.
    if let Some(at) = find_outside(text, " as ") {
        return build(&text[..at]);
    }
    build(text)
}

/// Whether every bracket is closed.
fn is_balanced(text: &str) -> bool {
    let count = |brackets: &[u8]| {
        outside(text)
            .filter(|(_, byte, _)| brackets.contains(byte))
            .count()
    };
    count(b"([{<") == count(b")]}>")
}

fn build(text: &str) -> Option<Value> {
    let (name, operands) = match text.as_bytes().first()? {
        b'(' => ("", text.strip_prefix('(')?.strip_suffix(')')?),
        b'[' => ("[]", text.strip_prefix('[')?.strip_suffix(']')?),
        _ if text.ends_with(" }") => {
            let open = outside(text)
                .filter(|&(at, byte, depth)| {
                    depth == 0 && byte == b'{' && text[..at].ends_with(' ')
                })
                .map(|(at, _, _)| at)
                .last()?;
            (text[..open].trim_end(), &text[open + 1..text.len() - 1])
        }
        _ if text.ends_with(')') => split_call(text)?,
        _ => (text, ""),
    };
    let spaced = outside(name).any(|(_, byte, depth)| byte == b' ' && depth == 0);
    if spaced || !is_balanced(name) {
        return None;
    }
    let operands = split_commas(operands)
        .into_iter()
        .map(|part| {
            // The length of an array that repeats one value.
            let part = find_outside(part, "; ").map_or(part, |at| &part[..at]);
            // The fields of a struct have names.
            let unnamed = part
                .split_once(": ")
                .filter(|(name, _)| name.chars().all(|c| c.is_alphanumeric() || c == '_'));
            operand(unnamed.map_or(part, |(_, value)| value))
        })
        .collect::<Option<Vec<_>>>()?;
    Some(Value::Build(name.to_owned(), operands))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_array_in_a_closure() {
        let line =
            "_2 = {closure@tests/a.rs:2:5: 2:7} { guards: move (_1.0: [(&str, Guard); 4]) };";
        assert!(
            matches!(
                read(line),
                Some(Line::Statement(Statement::Assign(_, Value::Build(_, operands))))
                    if matches!(operands[..], [Operand::Move(_)])
            ),
            "{line}"
        );
    }

    #[test]
    fn values_that_read_no_operand() {
        for value in [
            "close as for<'a> fn(&'a mut A) -> B (PointerCoercion(ReifyFnPointer(Safe), Implicit))",
            "<<S as Sink<I>>::Error as Into<E>>::into as fn(E) -> E (PointerCoercion(ReifyFnPointer(Safe), Implicit))",
            "Len((*_2))",
            "&/*tls*/ CONTEXT::{constant#0}::{closure#0}::VAL",
            "build(solution_6::close)",
        ] {
            let line = format!("_3 = {value};");
            assert!(
                matches!(
                    read(&line),
                    Some(Line::Statement(Statement::Assign(_, Value::Build(_, operands))))
                        if operands.iter().all(|operand| operand.place().is_none())
                ),
                "{line}"
            );
        }
    }
}
