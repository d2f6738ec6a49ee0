//! Which types own a guard, judged by how the compiler prints them.

use std::collections::BTreeMap;

use crate::mir::split_commas;

/// What dropping a value of a type means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owns {
    Nothing,
    /// It is a guard.
    Guard,
    /// It may hold guards, which are dropped with it.
    Inside,
}

/// The types of other crates that drop what their parameters are.
///
/// Shared pointers are left out: dropping one of several owners drops nothing.
const OWNERS: [&str; 36] = [
    "Option",
    "Result",
    "ControlFlow",
    "Poll",
    "Either",
    "Box",
    "Vec",
    "VecDeque",
    "LinkedList",
    "BinaryHeap",
    "HashMap",
    "BTreeMap",
    "IndexMap",
    "HashSet",
    "BTreeSet",
    "Mutex",
    "RwLock",
    "RefCell",
    "Cell",
    "OnceCell",
    "OnceLock",
    "IntoIter",
    "IntoValues",
    "Drain",
    "Rev",
    "Enumerate",
    "Peekable",
    "Zip",
    "Chain",
    "Fuse",
    "SendError",
    "TrySendError",
    "SetError",
    "TryInsertError",
    "SmallVec",
    "ArrayVec",
];

/// The structs and enums of the crate, each with the fields that own a guard.
#[derive(Debug, Default)]
pub struct Types {
    pub own: BTreeMap<String, Vec<Field>>,
    /// The same by the file and the name of the struct, also for those that own none: two modules may use one name.
    pub by_file: BTreeMap<(String, String), Vec<Field>>,
}

/// The position, the name and the type of a field.
pub type Field = (u32, String, String);

impl Types {
    /// The fields of the struct of this name, as the code of this file knows it.
    pub fn fields_in(&self, file: &str, name: &str) -> Option<&Vec<Field>> {
        let in_file = self.by_file.get(&(file.to_owned(), name.to_owned()));
        in_file.or_else(|| self.own.get(name))
    }
}

impl Types {
    pub fn owns(&self, written: &str) -> Owns {
        self.owns_nested(written, 50)
    }

    fn owns_nested(&self, written: &str, depth: u32) -> Owns {
        let Some(depth) = depth.checked_sub(1) else {
            return Owns::Nothing;
        };
        let inside = |mut parts: std::vec::IntoIter<&str>| {
            if parts.any(|part| self.owns_nested(part, depth) != Owns::Nothing) {
                Owns::Inside
            } else {
                Owns::Nothing
            }
        };
        let written = written.trim();
        if !written.contains("AsyncDropGuard") && self.own.is_empty() {
            return Owns::Nothing;
        }
        match written.as_bytes().first() {
            Some(b'(') => {
                let tuple = written[1..].strip_suffix(')').unwrap_or("");
                inside(split_commas(tuple).into_iter())
            }
            Some(b'[') => {
                let element = written[1..].strip_suffix(']').unwrap_or("");
                let element = element.rsplit_once("; ").map_or(element, |(ty, _)| ty);
                inside(vec![element].into_iter())
            }
            Some(first) if first.is_ascii_alphabetic() || *first == b'_' => {
                let (name, parameters) = name_and_parameters(written);
                if name == "AsyncDropGuard" {
                    return Owns::Guard;
                }
                if self.own.contains_key(name) {
                    return Owns::Inside;
                }
                if OWNERS.contains(&name) {
                    return inside(parameters.into_iter());
                }
                Owns::Nothing
            }
            _ => Owns::Nothing,
        }
    }

    /// Whether a value of this type is one of the owners of a guard that no other owner can clean up in its place.
    ///
    /// A lock in it would let each of them do so.
    pub fn shares(&self, written: &str) -> bool {
        const LOCKS: [&str; 4] = ["Mutex", "RwLock", "Cell", "Lock"];
        let (name, parameters) = name_and_parameters(written);
        if !matches!(name, "Arc" | "Rc") {
            return false;
        }
        let Some(content) = parameters.first() else {
            return false;
        };
        if self.owns(content) == Owns::Nothing || LOCKS.iter().any(|lock| content.contains(lock)) {
            return false;
        }
        let fields = self.own.get(name_and_parameters(content).0);
        let mut fields = fields.into_iter().flatten();
        fields.all(|(_, _, written)| !LOCKS.iter().any(|lock| written.contains(lock)))
    }

    /// Whether the variant with this number holds a guard. `None` for enums that are not known.
    pub fn variant_owns(&self, written: &str, variant: u128) -> Option<bool> {
        let (name, parameters) = name_and_parameters(written);
        let parameter = match (name, variant) {
            ("Option", 0) | ("Poll", 1) => return Some(false),
            ("Option", 1) | ("Result" | "Poll" | "Either", 0) => 0,
            ("Result" | "Either", 1) | ("ControlFlow", 0) => 1,
            ("ControlFlow", 1) => 0,
            _ => return None,
        };
        // The value of `ControlFlow` may be left out, as it is `()` then.
        let payload = parameters.get(parameter).copied().unwrap_or("()");
        Some(self.owns(payload) != Owns::Nothing)
    }
}

/// Whether it is the type of a future that a function or an `async` block has made, or of such a one in a box.
pub fn is_future(written: &str) -> bool {
    const MADE: [&str; 4] = [
        "{async block@",
        "{async fn body of ",
        "{async closure body@",
        "{coroutine@",
    ];
    if MADE.iter().any(|made| written.starts_with(made)) {
        return true;
    }
    if written.starts_with("impl ") {
        return written.contains("Future<");
    }
    let (name, parameters) = name_and_parameters(written);
    matches!(name, "Pin" | "Box") && parameters.first().is_some_and(|inner| is_future(inner))
}

/// The last segment of a path without its parameters, and the parameters, without lifetimes.
pub fn name_and_parameters(written: &str) -> (&str, Vec<&str>) {
    // Tuples, references and closures have no name.
    if !written.starts_with(|c: char| c.is_alphabetic() || c == '_') {
        return ("", Vec::new());
    }
    let open = written.find('<').unwrap_or(written.len());
    let path = written[..open].trim_end_matches(':');
    let name = path.rsplit("::").next().unwrap_or(path);
    let parameters = written[open..]
        .strip_prefix('<')
        .and_then(|parameters| parameters.strip_suffix('>'))
        .map(split_commas)
        .unwrap_or_default()
        .into_iter()
        .filter(|parameter| !parameter.starts_with('\''))
        .collect();
    (name, parameters)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guard_is_found_in_what_owns_it() {
        let types = Types::default();
        assert_eq!(types.owns("asyncdrop::AsyncDropGuard<T>"), Owns::Guard);
        for owner in [
            "std::option::Option<AsyncDropGuard<T>>",
            "(u8, renamed::AsyncDropGuard<T>)",
            "[AsyncDropGuard<T>; 3]",
            "std::collections::HashMap<u8, AsyncDropGuard<T>>",
            "std::task::Poll<std::result::Result<(u8, AsyncDropGuard<T>), E>>",
        ] {
            assert_eq!(types.owns(owner), Owns::Inside, "{owner}");
        }
    }

    #[test]
    fn what_only_refers_to_a_guard_owns_none() {
        let types = Types::default();
        for other in [
            "&mut AsyncDropGuard<T>",
            "std::option::Option<&mut AsyncDropGuard<T>>",
            "{async block@asyncdrop::AsyncDropGuard<T>::async_drop::{closure#0}}",
            "tokio::sync::MutexGuard<'_, AsyncDropGuard<T>>",
            "fn(AsyncDropGuard<T>) -> AsyncDropGuard<T>",
            "std::sync::Arc<AsyncDropGuard<T>>",
        ] {
            assert_eq!(types.owns(other), Owns::Nothing, "{other}");
        }
    }
}
