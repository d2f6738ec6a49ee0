//! Results of cleanups that nothing looks at.

use crate::mir::{Body, Operand, Place, Projection, Statement, Terminator, Value};
use crate::types::name_and_parameters;

use super::calls::last_name;
use super::{Finding, Kind, Way};

/// The cleanups whose result is thrown away.
pub(super) fn thrown_away(body: &Body) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (number, block) in &body.blocks {
        let Terminator::Call { into, function, .. } = &block.terminator else {
            continue;
        };
        let polls_cleanup = last_name(function) == "poll"
            && function.contains("AsyncDropGuard<")
            && function.contains("::async_drop");
        if block.cleanup || !polls_cleanup || !into.projections.is_empty() {
            continue;
        }
        for result in results_of(body, into) {
            let written = body.type_of(&result).unwrap_or_default();
            let (name, parameters) = name_and_parameters(written);
            // A cleanup that cannot fail has no result worth looking at.
            let cannot_fail = parameters
                .get(1)
                .is_none_or(|error| error.ends_with("Infallible") || *error == "!");
            if name != "Result" || cannot_fail {
                continue;
            }
            if is_thrown_away(body, &result, 3) {
                findings.push(Finding {
                    kind: Kind::Result,
                    key: format!("_{}", result.local),
                    written_type: written.to_owned(),
                    origin: made_by(body, *number),
                    given: None,
                    way: Way::Call(*number),
                    at: *number,
                    span: block.span.clone(),
                });
            }
        }
    }
    findings
}

/// The call of `async_drop` before a poll, in the order of the blocks.
fn made_by(body: &Body, poll: u32) -> Option<u32> {
    // The future is polled soon after it was made.
    let calls = body.blocks.iter().filter(|(_, block)| {
        matches!(&block.terminator, Terminator::Call { function, .. }
            if last_name(function).starts_with("async_drop") && function.contains("AsyncDropGuard"))
    });
    calls
        .map(|(number, _)| *number)
        .filter(|number| *number <= poll)
        .max()
}

/// The locals into which the result of a poll is moved.
fn results_of(body: &Body, polled: &Place) -> Vec<Place> {
    let mut results = Vec::new();
    for (_, statement) in statements(body) {
        if let Statement::Assign(into, Value::Use(operand)) = statement {
            let is_result = operand.place().is_some_and(|place| {
                place.local == polled.local
                    && place.projections.first() == Some(&Projection::Variant("Ready".to_owned()))
            });
            if is_result && into.projections.is_empty() {
                results.push(into.clone());
            }
        }
    }
    results
}

fn statements(body: &Body) -> impl Iterator<Item = (u32, &Statement)> {
    let blocks = body.blocks.iter().filter(|(_, block)| !block.cleanup);
    blocks.flat_map(|(number, block)| {
        block
            .statements
            .iter()
            .map(|(statement, _)| (*number, statement))
    })
}

/// Whether a local is only dropped, or made into something that is only dropped.
fn is_thrown_away(body: &Body, local: &Place, depth: u32) -> bool {
    let Some(depth) = depth.checked_sub(1) else {
        return false;
    };
    let is_local = |operand: &Operand| {
        operand
            .place()
            .is_some_and(|place| place.local == local.local)
    };
    for (_, statement) in statements(body) {
        let Statement::Assign(into, value) = statement else {
            continue;
        };
        // A result whose error has to be dropped is moved on first.
        let moves = matches!(value, Value::Use(Operand::Move(place)) if place == local);
        if moves && into.projections.is_empty() && is_thrown_away(body, into, depth) {
            continue;
        }
        let reads = match value {
            Value::Use(operand) => is_local(operand),
            Value::Borrow(place) | Value::Discriminant(place) => place.local == local.local,
            Value::Build(_, operands) => operands.iter().any(is_local),
        };
        if reads {
            return false;
        }
    }
    for block in body.blocks.values().filter(|block| !block.cleanup) {
        match &block.terminator {
            Terminator::Switch(operand, _) if is_local(operand) => return false,
            Terminator::Call {
                into,
                function,
                arguments,
                ..
            } if arguments.iter().any(is_local) => {
                let name = last_name(function);
                let is_dropped = name == "drop" && function.contains("mem::drop");
                let is_made_silent = name == "ok" || name == "unwrap_or_default";
                let into_nothing = into.projections.is_empty() && is_thrown_away(body, into, depth);
                if !(is_dropped || is_made_silent && into.local != 0 && into_nothing) {
                    return false;
                }
            }
            _ => {}
        }
    }
    local.local != 0
}
