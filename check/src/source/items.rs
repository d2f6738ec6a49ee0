//! The types that a file defines, and what it imports.

use std::ops::Range;

use super::File;

/// A type that a file defines.
#[derive(Debug)]
pub(super) struct Item {
    pub name: String,
    /// The position of its name.
    pub at: usize,
    pub kind: ItemKind,
    /// The names of its parameters that are no lifetimes.
    pub generics: Vec<String>,
    /// The name of each field, and the tokens of its type. An alias has one, which is what it stands for.
    pub fields: Vec<(String, Range<usize>)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ItemKind {
    Struct,
    Alias,
    /// An enum or a union, of which only the name is known.
    Other,
}

/// What a `use` brings into its scope.
#[derive(Debug)]
pub(super) struct Import {
    /// The position of `use`.
    pub at: usize,
    pub path: Vec<String>,
    /// The name under which it is known. `None` for all that is in a module.
    pub name: Option<String>,
}

impl File {
    pub(super) fn items(&self) -> Vec<Item> {
        let mut items = Vec::new();
        for at in 0..self.tokens.len() {
            if !self.tokens.get(at + 1).is_some_and(|name| name.is_name) {
                continue;
            }
            let kind = match self.tokens[at].text.as_str() {
                "struct" => ItemKind::Struct,
                "type" if !self.is_associated(at) => ItemKind::Alias,
                "enum" | "union" => ItemKind::Other,
                _ => continue,
            };
            let (generics, after) = self.generics(at + 2);
            let fields = match kind {
                ItemKind::Struct => self.struct_fields(after),
                ItemKind::Alias => match self.alias_target(after) {
                    Some(target) => vec![(String::new(), target)],
                    None => continue,
                },
                // The name of a variable may be `union`.
                ItemKind::Other if !self.is(after, "{") && !self.is(after, "where") => continue,
                ItemKind::Other => Vec::new(),
            };
            items.push(Item {
                name: self.tokens[at + 1].text.clone(),
                at: at + 1,
                kind,
                generics,
                fields,
            });
        }
        items
    }

    /// The parameters in the angle brackets at `open`, if there are any, and the position after them.
    fn generics(&self, open: usize) -> (Vec<String>, usize) {
        let mut names = Vec::new();
        if !self.is(open, "<") {
            return (names, open);
        }
        let mut depth = 0_u32;
        let mut at = open;
        while let Some(token) = self.tokens.get(at) {
            let before = &self.tokens[at - 1].text;
            match token.text.as_str() {
                "<" => depth += 1,
                ">" if before != "-" => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        return (names, at + 1);
                    }
                }
                "(" | "[" | "{" => {
                    at = self.after_bracket(at);
                    continue;
                }
                name if depth == 1
                    && token.is_name
                    && name != "const"
                    && (before == "<" || before == "," || before == "const") =>
                {
                    names.push(name.to_owned());
                }
                _ => {}
            }
            at += 1;
        }
        (names, at)
    }

    fn struct_fields(&self, after: usize) -> Vec<(String, Range<usize>)> {
        let mut open = after;
        while open < self.tokens.len() && !["{", "(", ";"].iter().any(|text| self.is(open, text)) {
            open += 1;
        }
        if open >= self.tokens.len() || self.is(open, ";") {
            return Vec::new();
        }
        let end = self.after_bracket(open) - 1;
        self.fields(open + 1, end, self.is(open, "{"))
    }

    fn fields(&self, start: usize, end: usize, named: bool) -> Vec<(String, Range<usize>)> {
        let mut fields = Vec::new();
        let mut at = start;
        while at < end {
            while self.is(at, "#") && at + 1 < end {
                at = self.after_bracket(at + 1);
            }
            if self.is(at, "pub") {
                at += 1;
                if self.is(at, "(") {
                    at = self.after_bracket(at);
                }
            }
            let mut name = fields.len().to_string();
            if named && at + 1 < end {
                name.clone_from(&self.tokens[at].text);
                at += 2;
            }
            let begin = at;
            at = self.end_of_type(at, end);
            if at > begin {
                fields.push((name, begin..at));
            }
            at += 1;
        }
        fields
    }

    /// The position of the comma after a type, or `end`.
    fn end_of_type(&self, start: usize, end: usize) -> usize {
        let mut angles = 0_i32;
        let mut at = start;
        while at < end {
            match self.tokens[at].text.as_str() {
                "," if angles <= 0 => return at,
                "<" => angles += 1,
                ">" if self.tokens[at - 1].text != "-" => angles -= 1,
                "(" | "[" => {
                    at = self.after_bracket(at).min(end);
                    continue;
                }
                _ => {}
            }
            at += 1;
        }
        at.min(end)
    }

    fn alias_target(&self, after: usize) -> Option<Range<usize>> {
        // The type of a trait may have bounds and no target.
        if !self.is(after, "=") {
            return None;
        }
        let end = (after + 1..self.tokens.len()).find(|at| self.is(*at, ";"))?;
        Some(after + 1..end)
    }

    pub(super) fn imports(&self) -> Vec<Import> {
        let mut imports = Vec::new();
        for at in 0..self.tokens.len() {
            let is_use = self.is(at, "use") && !self.is(at + 1, "<");
            if is_use {
                self.import(at, at + 1, Vec::new(), &mut imports);
            }
        }
        imports
    }

    /// Reads one tree of a `use` from `start`, and returns the position after it.
    fn import(
        &self,
        of: usize,
        start: usize,
        mut path: Vec<String>,
        imports: &mut Vec<Import>,
    ) -> usize {
        let mut at = start;
        // A tree that nests deeper than this is none that someone has written.
        if path.len() > 100 {
            return self.tokens.len();
        }
        while let Some(token) = self.tokens.get(at) {
            match token.text.as_str() {
                ":" => at += 1,
                "*" => {
                    imports.push(Import {
                        at: of,
                        path,
                        name: None,
                    });
                    return at + 1;
                }
                "{" => {
                    let end = self.after_bracket(at);
                    at += 1;
                    while at + 1 < end {
                        let after = self.import(of, at, path.clone(), imports);
                        // The comma, or what is no part of a tree.
                        at = after.max(at) + 1;
                    }
                    return end;
                }
                "as" => {
                    let name = self.tokens.get(at + 1).map(|name| name.text.clone());
                    imports.push(Import { at: of, path, name });
                    return at + 2;
                }
                name if token.is_name => {
                    // `use pool::{self}` imports the module.
                    if name != "self" || path.is_empty() {
                        path.push(name.to_owned());
                    }
                    at += 1;
                }
                _ => break,
            }
        }
        let name = path.last().cloned();
        if name.is_some() {
            imports.push(Import { at: of, path, name });
        }
        at
    }
}
