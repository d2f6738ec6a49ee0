//! Names for places that are the same wherever the place stands.

use crate::mir::{Place, Projection};

use super::state::{Known, State};

/// Names a place, after the references on the way to it.
pub(super) fn key(place: &Place, state: &State) -> String {
    let mut key = format!("_{}", place.local);
    for projection in &place.projections {
        match projection {
            Projection::Deref => match state.known.get(&key) {
                Some(Known::Reference(to)) => key.clone_from(to),
                Some(Known::Element(of)) => key = joined(of, "[]"),
                _ => key.push('*'),
            },
            Projection::Field(field) => {
                key.push('.');
                key.push_str(&field.to_string());
            }
            Projection::Variant(variant) => {
                key.push('/');
                key.push_str(variant);
            }
            Projection::Index => key.push_str("[]"),
        }
    }
    joined(&key, "")
}

/// Names a part of a place. Past a depth that nothing is looked for in, all parts are one:
/// a loop that goes along a list would otherwise find a new place in each turn.
pub(super) fn joined(key: &str, part: &str) -> String {
    let mut joined = format!("{key}{part}");
    let end = joined.match_indices(JOINTS).nth(MOST_JOINTS);
    if let Some((end, _)) = end {
        joined.truncate(end);
    }
    joined
}

const MOST_JOINTS: usize = 24;
const JOINTS: [char; 4] = ['.', '/', '*', '['];

/// Whether `key` is `whole`, or a part of it.
pub(super) fn is_within(key: &str, whole: &str) -> bool {
    key.strip_prefix(whole)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(JOINTS))
}

/// The places of which `key` is a part, the nearest first.
pub(super) fn wholes(key: &str) -> impl Iterator<Item = &str> {
    let mut end = key.len();
    std::iter::from_fn(move || {
        end = key[..end].rfind(JOINTS)?;
        (end > 0).then(|| &key[..end])
    })
}

/// Whether the place belongs to a caller.
pub(super) fn is_foreign(key: &str) -> bool {
    // What a coroutine keeps is behind a pin, and yet its own.
    key.starts_with('^') || key.strip_prefix("_1.0*").unwrap_or(key).contains('*')
}

/// The number of the captured variable, if the place is one of a closure or a coroutine.
pub(super) fn captured(key: &str) -> Option<usize> {
    let rest = ["_1.0*.", "_1*.", "_1."]
        .iter()
        .find_map(|start| key.strip_prefix(start))?;
    rest.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wholes_of_a_part() {
        let parts: Vec<_> = wholes("_1.0*/v#3.2[]").collect();
        assert_eq!(parts, ["_1.0*/v#3.2", "_1.0*/v#3", "_1.0*", "_1.0", "_1"]);
    }

    #[test]
    fn another_local_is_no_part() {
        assert!(is_within("_1.0", "_1"));
        assert!(!is_within("_12", "_1"));
    }

    #[test]
    fn what_a_coroutine_keeps_is_its_own() {
        assert!(!is_foreign("_1.0*/variant#3.0"));
        assert!(is_foreign("_1.0*.0*.2"));
        assert_eq!(captured("_1.0*.3"), Some(3));
        assert_eq!(captured("_1.0*/variant#3.0"), None);
    }
}
