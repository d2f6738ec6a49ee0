//! What the source calls the places of a function.

use std::collections::BTreeMap;

use crate::mir::{Body, Operand, Projection, Statement, Value};

use super::key::{captured, key};
use super::state::{Known, State};

/// The name of a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    pub name: String,
    /// How many variables of this name come before it in the function. `None` if it was captured.
    pub nth: Option<usize>,
}

impl Body {
    /// The names of places, by the keys of [`Finding`](super::Finding).
    pub fn named(&self) -> BTreeMap<String, Named> {
        let mut state = State::default();
        if let Some(first) = self.blocks.values().next() {
            for (statement, _) in &first.statements {
                // A coroutine reaches itself by a local, in some versions of the compiler.
                if let Statement::Assign(into, Value::Use(Operand::Copy(place))) = statement {
                    let itself = place.local == 1 && place.projections == [Projection::Field(0)];
                    if itself && into.projections.is_empty() {
                        let to = Known::Reference("_1.0*".to_owned());
                        state.known.insert(format!("_{}", into.local), to);
                    }
                }
            }
        }
        let mut named = BTreeMap::new();
        let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
        for (name, place) in &self.names {
            let key = key(place, &state);
            let nth = if captured(&key).is_some() && self.name.ends_with('}') {
                None
            } else {
                let seen = seen.entry(name).or_default();
                *seen += 1;
                Some(*seen - 1)
            };
            let name = name.clone();
            named.entry(key).or_insert(Named { name, nth });
        }
        named
    }
}
