//! Which types own a guard, judged by how the compiler prints them.

use std::collections::{BTreeMap, BTreeSet};

use crate::mir::{find_outside, split_commas};

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

/// A type that the crate defines.
#[derive(Clone, Debug, Default)]
pub struct Struct {
    /// The names of its parameters that are no lifetimes.
    pub generics: Vec<String>,
    /// The name and the type of each field. In the type, the types of the crate are written as their paths,
    /// and others begin with `::`. An alias has one field, which is what it stands for, and an enum has none.
    pub fields: Vec<(String, String)>,
    pub is_alias: bool,
    pub is_in_function: bool,
}

/// A field that owns a guard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    pub position: usize,
    pub name: String,
    pub written: String,
}

/// The types that the crate defines, by their paths from its root.
#[derive(Debug, Default)]
pub struct Types {
    defined: BTreeMap<String, Struct>,
    /// The paths by the last name in them.
    by_name: BTreeMap<String, Vec<String>>,
    /// The types that own a guard whatever their parameters are.
    owning: BTreeSet<String>,
    /// The positions of the parameters that a type owns if it is made with them.
    owned_parameters: BTreeMap<String, BTreeSet<usize>>,
}

impl Types {
    pub fn new(defined: BTreeMap<String, Struct>) -> Self {
        let mut by_name: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for path in defined.keys() {
            let name = path.rsplit("::").next().unwrap_or(path).to_owned();
            by_name.entry(name).or_default().push(path.clone());
        }
        let mut types = Self {
            defined,
            by_name,
            ..Self::default()
        };
        // A struct may hold another one that holds a guard.
        while types.find_owners() {}
        types
    }

    /// Whether there were more owners to be found.
    fn find_owners(&mut self) -> bool {
        let mut owning = self.owning.clone();
        let mut owned_parameters = self.owned_parameters.clone();
        for (path, defines) in &self.defined {
            let owns = |written: &str| self.owns(written) != Owns::Nothing;
            if defines.fields.iter().any(|(_, written)| owns(written)) {
                owning.insert(path.clone());
            }
            for (position, generic) in defines.generics.iter().enumerate() {
                let with_a_guard = |(_, written): &(String, String)| {
                    let guard = [(generic.as_str(), "AsyncDropGuard")];
                    let replaced = replace_names(written, &guard);
                    replaced != *written && owns(&replaced)
                };
                if defines.fields.iter().any(with_a_guard) {
                    let of = owned_parameters.entry(path.clone()).or_default();
                    of.insert(position);
                }
            }
        }
        let more = (&owning, &owned_parameters) != (&self.owning, &self.owned_parameters);
        (self.owning, self.owned_parameters) = (owning, owned_parameters);
        more
    }

    /// The last names of the types that own a guard whatever their parameters are.
    pub fn names_of_owners(&self) -> BTreeSet<&str> {
        let names = self.owning.iter().map(|path| path.rsplit("::").next());
        names.flatten().collect()
    }

    /// The path of the type of the crate that is meant by a path in MIR.
    ///
    /// The compiler leaves out the first modules in some places, if the rest can mean only one type.
    pub fn path_of<'a>(&'a self, written: &str) -> Option<&'a str> {
        let path = path_and_parameters(written).0;
        let paths = self.by_name.get(path.rsplit("::").next()?)?;
        if let Some(whole) = paths.iter().find(|whole| *whole == path) {
            return Some(whole);
        }
        let only = |is_it: &dyn Fn(&str) -> bool| {
            let mut meant = paths.iter().filter(|whole| is_it(whole));
            meant.next().filter(|_| meant.next().is_none())
        };
        let is_end = |whole: &str| {
            let before = whole.strip_suffix(path);
            before.is_some_and(|before| before.ends_with("::"))
        };
        if let Some(found) = only(&is_end) {
            return Some(found);
        }
        // In a function: the path has the type of a method in it, and the coroutine of an `async fn`.
        let of_function = last_two(path)?;
        let in_function = |whole: &str| {
            self.defined[whole].is_in_function && last_two(whole) == Some(of_function)
        };
        only(&in_function).map(String::as_str)
    }

    /// The fields of a type of the crate that own a guard. `None` for other types.
    pub fn owning_fields(&self, written: &str) -> Option<Vec<Field>> {
        let defines = &self.defined[self.path_of(written)?];
        let parameters = name_and_parameters(written).1;
        let generics = defines.generics.iter().map(String::as_str);
        let replacements: Vec<_> = generics.zip(parameters).collect();
        let fields = defines.fields.iter().enumerate();
        let fields = fields.map(|(position, (name, written))| Field {
            position,
            name: name.clone(),
            written: replace_names(written, &replacements),
        });
        Some(
            fields
                .filter(|field| self.owns(&field.written) != Owns::Nothing)
                .collect(),
        )
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
        if !written.contains("AsyncDropGuard") && self.defined.is_empty() {
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
            Some(first) if first.is_ascii_alphabetic() || matches!(first, b'_' | b':' | b'<') => {
                let (name, parameters) = name_and_parameters(written);
                if name == "AsyncDropGuard" {
                    return Owns::Guard;
                }
                if let Some(path) = self.path_of(written) {
                    return self.type_of_crate_owns(path, &parameters, depth);
                }
                if OWNERS.contains(&name) {
                    return inside(parameters.into_iter());
                }
                Owns::Nothing
            }
            _ => Owns::Nothing,
        }
    }

    fn type_of_crate_owns(&self, path: &str, parameters: &[&str], depth: u32) -> Owns {
        let defines = &self.defined[path];
        if let ([(_, target)], true) = (&defines.fields[..], defines.is_alias) {
            let generics = defines.generics.iter().map(String::as_str);
            let replacements: Vec<_> = generics.zip(parameters.iter().copied()).collect();
            return self.owns_nested(&replace_names(target, &replacements), depth);
        }
        let owned = self.owned_parameters.get(path).into_iter().flatten();
        let mut owned = owned.filter_map(|position| parameters.get(*position));
        let is_owner = self.owning.contains(path)
            || owned.any(|parameter| self.owns_nested(parameter, depth) != Owns::Nothing);
        if is_owner {
            Owns::Inside
        } else {
            Owns::Nothing
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
        let fields = self.owning_fields(content);
        let mut fields = fields.into_iter().flatten();
        fields.all(|field| !LOCKS.iter().any(|lock| field.written.contains(lock)))
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
    let (path, parameters) = path_and_parameters(written);
    (path.rsplit("::").next().unwrap_or(path), parameters)
}

/// A path without its parameters, and the parameters, without lifetimes.
pub fn path_and_parameters(written: &str) -> (&str, Vec<&str>) {
    // Tuples, references and closures have no name.
    if !written.starts_with(|c: char| c.is_alphabetic() || matches!(c, '_' | ':' | '<')) {
        return ("", Vec::new());
    }
    // A type in a method of a trait: `<A as Trait>::method::Local`.
    let start = match written.strip_prefix('<') {
        Some(inside) => find_outside(inside, ">::").map_or(written.len(), |end| end + 4),
        None => 0,
    };
    let written = &written[start..];
    let open = written.find('<').unwrap_or(written.len());
    let path = written[..open].trim_end_matches(':');
    let parameters = written[open..]
        .strip_prefix('<')
        .and_then(|parameters| parameters.strip_suffix('>'))
        .map(split_commas)
        .unwrap_or_default()
        .into_iter()
        .filter(|parameter| !parameter.starts_with('\''))
        .collect();
    (path, parameters)
}

/// The last two names of a path, past the coroutine of an `async fn`.
fn last_two(path: &str) -> Option<(&str, &str)> {
    let mut names = path.rsplit("::").filter(|name| !name.starts_with('{'));
    let last = names.next()?;
    Some((names.next()?, last))
}

/// Replaces whole names in a text.
fn replace_names(text: &str, replacements: &[(&str, &str)]) -> String {
    let is_part = |c: char| c == '_' || c.is_alphanumeric();
    let mut replaced = String::new();
    let mut rest = text;
    while let Some(start) = rest.find(is_part) {
        let (before, from) = rest.split_at(start);
        let end = from.find(|c| !is_part(c)).unwrap_or(from.len());
        let (name, after) = from.split_at(end);
        replaced.push_str(before);
        let by = replacements.iter().find(|(wanted, _)| *wanted == name);
        replaced.push_str(by.map_or(name, |(_, by)| by));
        rest = after;
    }
    replaced.push_str(rest);
    replaced
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
