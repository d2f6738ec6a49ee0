//! Which locals are read later on.
//!
//! What is known of the others would only make states differ that are the same.

use std::collections::{BTreeMap, BTreeSet};

use crate::mir::{Block, Body, Operand, Place, Statement, Terminator, Value};

/// The locals that are read at the start of each block or after it.
pub(super) fn live(body: &Body) -> BTreeMap<u32, BTreeSet<u32>> {
    // A reference may lead to them wherever it goes.
    let mut lent = BTreeSet::from([0, 1]);
    for block in body.blocks.values() {
        for (statement, _) in &block.statements {
            if let Statement::Assign(_, Value::Borrow(place)) = statement {
                lent.insert(place.local);
            }
        }
    }
    let mut live: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
    let mut changed = true;
    // Suspended coroutines go on elsewhere, but with what they have kept, which is all in the first local.
    while changed {
        changed = false;
        for (number, block) in body.blocks.iter().rev() {
            if block.cleanup {
                continue;
            }
            let mut here = lent.clone();
            for target in targets(&block.terminator) {
                if let Some(there) = live.get(&target) {
                    here.extend(there);
                }
            }
            backwards(block, &mut here);
            here.extend(&lent);
            if live.get(number) != Some(&here) {
                live.insert(*number, here);
                changed = true;
            }
        }
    }
    live
}

fn targets(terminator: &Terminator) -> Vec<u32> {
    match terminator {
        Terminator::Goto(target) => vec![*target],
        Terminator::Switch(_, edges) => edges.iter().map(|(_, target)| *target).collect(),
        Terminator::Call { then, .. } | Terminator::Drop { then, .. } => {
            then.iter().copied().collect()
        }
        Terminator::Return | Terminator::End => Vec::new(),
    }
}

fn backwards(block: &Block, live: &mut BTreeSet<u32>) {
    match &block.terminator {
        Terminator::Switch(operand, _) => read(operand, live),
        Terminator::Drop { place, .. } => {
            live.insert(place.local);
        }
        Terminator::Call {
            into, arguments, ..
        } => {
            written(into, live);
            for argument in arguments {
                read(argument, live);
            }
        }
        Terminator::Goto(_) | Terminator::Return | Terminator::End => {}
    }
    for (statement, _) in block.statements.iter().rev() {
        let Statement::Assign(into, value) = statement else {
            continue;
        };
        written(into, live);
        match value {
            Value::Use(operand) => read(operand, live),
            Value::Borrow(place) | Value::Discriminant(place) => {
                live.insert(place.local);
            }
            Value::Build(_, operands) => {
                for operand in operands {
                    read(operand, live);
                }
            }
        }
    }
}

fn read(operand: &Operand, live: &mut BTreeSet<u32>) {
    if let Some(place) = operand.place() {
        live.insert(place.local);
    }
}

fn written(place: &Place, live: &mut BTreeSet<u32>) {
    if place.projections.is_empty() {
        live.remove(&place.local);
    } else {
        live.insert(place.local);
    }
}
