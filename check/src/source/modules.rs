//! Which module each file is, and which type a path of a source means.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::{Component, Path, PathBuf};

use crate::types::{Struct, Types};

use super::items::ItemKind;
use super::{File, Sources};

/// The path of a module, a function or a type, from the root of its crate.
type Names = Vec<String>;

/// More imports than this lead nowhere.
const MOST_STEPS: u32 = 32;

/// What the files of a crate define and import.
#[derive(Default)]
struct Modules {
    /// The module that each file is. `None` if no `mod` leads there.
    files: Vec<Option<Names>>,
    /// The modules and types.
    items: BTreeSet<Names>,
    functions: BTreeSet<Names>,
    imports: BTreeMap<Names, Vec<(String, Names)>>,
    globs: BTreeMap<Names, Vec<Names>>,
}

impl Sources {
    /// The types that the sources define, each by its path.
    pub fn types(&self) -> Types {
        let modules = Modules::of(self);
        let mut defined = BTreeMap::new();
        for (number, file) in self.files.iter().enumerate() {
            for item in file.items() {
                let scope = modules.scope(number, file, item.at);
                let fields = item.fields.iter().map(|(name, tokens)| {
                    let written = modules.written(file, tokens.clone(), &scope, &item.generics);
                    (name.clone(), written)
                });
                let defines = Struct {
                    generics: item.generics.clone(),
                    fields: fields.collect(),
                    is_alias: item.kind == ItemKind::Alias,
                    is_in_function: file.is_in_function(item.at),
                };
                let path = [scope, vec![item.name.clone()]].concat().join("::");
                defined
                    .entry(path)
                    .and_modify(|known: &mut Struct| {
                        // For two platforms, of which one has fewer fields.
                        if known.fields.len() < defines.fields.len() {
                            known.clone_from(&defines);
                        }
                    })
                    .or_insert(defines);
            }
        }
        Types::new(defined)
    }
}

impl Modules {
    fn of(sources: &Sources) -> Self {
        let mut modules = Self {
            files: sources.modules.clone(),
            ..Self::default()
        };
        for (number, file) in sources.files.iter().enumerate() {
            if let Some(module) = &modules.files[number] {
                modules.items.insert(module.clone());
            }
            for block in &file.blocks {
                let path = [
                    modules.scope(number, file, block.start),
                    vec![block.name.clone()],
                ]
                .concat();
                if block.is_function {
                    modules.functions.insert(path);
                } else {
                    modules.items.insert(path);
                }
            }
            for item in file.items() {
                let scope = modules.scope(number, file, item.at);
                modules.items.insert([scope, vec![item.name]].concat());
            }
            for import in file.imports() {
                let scope = modules.scope(number, file, import.at);
                match import.name {
                    Some(name) => {
                        let imports = modules.imports.entry(scope).or_default();
                        imports.push((name, import.path));
                    }
                    None => modules.globs.entry(scope).or_default().push(import.path),
                }
            }
        }
        modules
    }

    /// The modules and functions around a token.
    fn scope(&self, number: usize, file: &File, at: usize) -> Names {
        let mut scope = match &self.files[number] {
            Some(module) => module.clone(),
            // It is compared with nothing.
            None => vec![file.path.display().to_string()],
        };
        let around = file.blocks.iter();
        let around = around.filter(|block| block.start < at && at < block.end);
        scope.extend(around.map(|block| block.name.clone()));
        scope
    }

    /// The text of a type, in which each type of the crate is written as its path,
    /// and each other path begins with `::`, so that it is taken for none of them.
    fn written(
        &self,
        file: &File,
        tokens: Range<usize>,
        scope: &[String],
        generics: &[String],
    ) -> String {
        let mut written = String::new();
        let mut at = tokens.start;
        while at < tokens.end {
            let token = &file.tokens[at];
            if !token.is_name {
                written.push_str(&token.text);
                at += 1;
                continue;
            }
            if written.ends_with(|c: char| c == '_' || c.is_alphanumeric()) {
                written.push(' ');
            }
            let is_lifetime = at > 0 && file.is(at - 1, "'");
            let is_word = matches!(
                token.text.as_str(),
                "dyn" | "mut" | "const" | "fn" | "impl" | "for" | "where" | "unsafe" | "extern"
            );
            if is_lifetime || is_word {
                written.push_str(&token.text);
                at += 1;
                continue;
            }
            let mut path = vec![token.text.clone()];
            at += 1;
            while at + 2 < tokens.end
                && file.is(at, ":")
                && file.is(at + 1, ":")
                && file.tokens[at + 2].is_name
            {
                path.push(file.tokens[at + 2].text.clone());
                at += 3;
            }
            let is_parameter = path.len() == 1 && generics.contains(&path[0]);
            if is_parameter || written.ends_with("::") {
                written.push_str(&path.join("::"));
                continue;
            }
            match self.find(scope, &path, MOST_STEPS) {
                Found::Here(path) => written.push_str(&path.join("::")),
                Found::Elsewhere(path) => {
                    written.push_str("::");
                    written.push_str(&path.join("::"));
                }
            }
        }
        written
    }

    /// What a path means in a scope.
    fn find(&self, scope: &[String], path: &[String], steps: u32) -> Found {
        let elsewhere = || Found::Elsewhere(path.to_vec());
        let Some(steps) = steps.checked_sub(1) else {
            return elsewhere();
        };
        let Some((first, mut rest)) = path.split_first() else {
            return elsewhere();
        };
        let mut module = scope.to_vec();
        let mut base = match first.as_str() {
            "crate" => Names::new(),
            "self" | "super" => {
                while self.functions.contains(&module) {
                    module.pop();
                }
                if first == "super" {
                    module.pop();
                }
                while let Some(("super", others)) = rest
                    .split_first()
                    .map(|(one, others)| (one.as_str(), others))
                {
                    module.pop();
                    rest = others;
                }
                module
            }
            _ => loop {
                match self.named(&module, first, steps) {
                    Some(Found::Here(found)) => break found,
                    Some(Found::Elsewhere(mut found)) => {
                        found.extend_from_slice(rest);
                        return Found::Elsewhere(found);
                    }
                    None if self.functions.contains(&module) => {
                        module.pop();
                    }
                    None => return elsewhere(),
                }
            },
        };
        for (position, name) in rest.iter().enumerate() {
            match self.named(&base, name, steps) {
                Some(Found::Here(found)) => base = found,
                Some(Found::Elsewhere(mut found)) => {
                    found.extend_from_slice(&rest[position + 1..]);
                    return Found::Elsewhere(found);
                }
                None => return elsewhere(),
            }
        }
        Found::Here(base)
    }

    /// What a name means in a module or a function itself.
    fn named(&self, scope: &[String], name: &str, steps: u32) -> Option<Found> {
        let steps = steps.checked_sub(1)?;
        let own = [scope, &[name.to_owned()]].concat();
        if self.items.contains(&own) {
            return Some(Found::Here(own));
        }
        let imports = self.imports.get(scope).into_iter().flatten();
        for (known_as, path) in imports {
            // `use pool;` names itself.
            if known_as == name && !(path.len() == 1 && path[0] == name) {
                return Some(self.find(scope, path, steps));
            }
        }
        let globs = self.globs.get(scope).into_iter().flatten();
        globs
            .filter_map(|path| match self.find(scope, path, steps) {
                Found::Here(module) if module != scope => self.named(&module, name, steps),
                _ => None,
            })
            .find(|found| matches!(found, Found::Here(_)))
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Found {
    /// The path of a module or a type of the crate.
    Here(Names),
    /// A path of another crate, or one that means nothing here.
    Elsewhere(Names),
}

/// Follows the `mod` lines from the root of the crate, which is the first of the files.
pub(super) fn modules_of(files: &[File]) -> Vec<Option<Names>> {
    let mut modules: Vec<Option<Names>> = files.iter().map(|_| None).collect();
    if files.is_empty() {
        return modules;
    }
    modules[0] = Some(Names::new());
    // Each file with the folder in which its modules are looked for.
    let mut work = vec![(0, parent(&files[0].path))];
    while let Some((number, folder)) = work.pop() {
        let file = &files[number];
        let module = modules[number].clone().unwrap_or_default();
        for at in 0..file.tokens.len() {
            let is_mod = file.is(at, "mod") && file.is(at + 2, ";");
            if !is_mod {
                continue;
            }
            let name = &file.tokens[at + 1].text;
            let around = file.blocks.iter();
            let around: Names = around
                .filter(|block| block.start < at && at < block.end)
                .map(|block| block.name.clone())
                .collect();
            let inside = around.iter().fold(folder.clone(), |to, name| to.join(name));
            let candidates = match file.path_attribute(at) {
                Some(path) => {
                    let from = if around.is_empty() {
                        parent(&file.path)
                    } else {
                        inside
                    };
                    let path = from.join(path);
                    let next = parent(&path);
                    vec![(path, next)]
                }
                None => vec![
                    (inside.join(format!("{name}.rs")), inside.join(name)),
                    (inside.join(name).join("mod.rs"), inside.join(name)),
                ],
            };
            for (path, next) in candidates {
                let path = plain(&path);
                let found = files.iter().position(|file| plain(&file.path) == path);
                if let Some(found) = found.filter(|found| modules[*found].is_none()) {
                    modules[found] =
                        Some([&module[..], &around, std::slice::from_ref(name)].concat());
                    work.push((found, next));
                }
            }
        }
    }
    modules
}

fn parent(path: &Path) -> PathBuf {
    path.parent().map(Path::to_path_buf).unwrap_or_default()
}

/// A path without `.` and `..`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir if plain.file_name().is_some() => {
                plain.pop();
            }
            other => plain.push(other),
        }
    }
    plain
}

impl File {
    /// What `#[path = ".."]` before the `mod` at `at` says.
    fn path_attribute(&self, at: usize) -> Option<String> {
        let mut before = at;
        // Past `pub` and `pub(crate)`.
        while before > 0 && !matches!(self.tokens[before - 1].text.as_str(), "]" | ";" | "}" | "{")
        {
            before -= 1;
        }
        let start = before.checked_sub(6)?;
        let words: Vec<_> = (start..before)
            .map(|at| self.tokens[at].text.as_str())
            .collect();
        if words != ["#", "[", "path", "=", "\"", "]"] {
            return None;
        }
        let text = &self.tokens[start + 4].at;
        let line = self.line(text.line)?;
        let from = line
            .chars()
            .skip(text.column as usize - 1)
            .collect::<String>();
        from.split('"').nth(1).map(str::to_owned)
    }
}
