//! What the library makes public, read from its sources.

use std::collections::BTreeSet;
use std::{fs, mem};

use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::visit::{self, Visit};
use syn::{
    Attribute, Expr, Fields, GenericArgument, ImplItem, Item, PathArguments, Token, TraitItem,
    Type, UseTree, Visibility,
};

use crate::{files, root};

/// One public name of the library.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Public {
    /// The type or trait that it belongs to, for a method, a field or a variant.
    pub of: Option<String>,
    pub name: String,
    /// Its page on docs.rs, below the crate's.
    pub rustdoc: String,
}

impl Public {
    /// As it is written in a text: `AsyncDropGuard::new`, `with_async_drop_2!`.
    pub fn shown(&self) -> String {
        match &self.of {
            Some(of) => format!("{of}::{}", self.name),
            None if self.rustdoc.starts_with("macro.") => format!("{}!", self.name),
            // A function is called with the name of its module, as those of the standard library are.
            None => match self.rustdoc.split_once("/fn.") {
                Some((module, _)) => format!("{module}::{}", self.name),
                None => self.name.clone(),
            },
        }
    }

    /// Whether a snippet of these [`words`] uses it: names it, and the type that it belongs to.
    pub fn is_among(&self, words: &BTreeSet<&str>) -> bool {
        words.contains(self.name.as_str()) && self.of.as_deref().is_none_or(|of| words.contains(of))
    }
}

/// The names in a snippet.
pub fn words(snippet: &str) -> BTreeSet<&str> {
    snippet
        .split(|letter: char| !(letter.is_alphanumeric() || letter == '_'))
        .collect()
}

/// Everything that a user of the library can name, with all features on.
///
/// # Panics
///
/// When the sources cannot be read.
pub fn public_items() -> BTreeSet<Public> {
    let sources = sources();
    let mut found = BTreeSet::new();
    for (file, source) in &sources {
        let room = Room::of(file, &sources);
        for item in &source.items {
            add(item, &room, &mut found);
        }
    }
    found
}

/// Every file of the library.
pub(crate) fn sources() -> Vec<(String, syn::File)> {
    files("src", "rs")
        .into_iter()
        .map(|file| {
            let text = fs::read_to_string(root().join(&file)).expect("a source can be read");
            let parsed = syn::parse_file(&text).unwrap_or_else(|error| panic!("{file}: {error}"));
            (file, parsed)
        })
        .collect()
}

/// The public module that a file belongs to, and what of the file can be named there.
pub(crate) struct Room {
    /// As in an address of the documentation: empty for the root, `incident/` for a public module.
    pub(crate) module: String,
    /// The file is the module's own, so everything public in it can be named.
    is_open: bool,
    /// What the module's own file re-exports from the files of its private modules.
    exported: BTreeSet<String>,
}

impl Room {
    pub(crate) fn of(file: &str, sources: &[(String, syn::File)]) -> Self {
        let (_, lib) = sources
            .iter()
            .find(|(file, _)| file == "src/lib.rs")
            .expect("the library has a root");
        let public_modules = lib.items.iter().filter_map(|item| match item {
            Item::Mod(item) if is_public(&item.vis) => Some(item.ident.to_string()),
            _ => None,
        });
        for module in public_modules {
            let own = [format!("src/{module}.rs"), format!("src/{module}/mod.rs")];
            if own.iter().any(|own| own == file) || file.starts_with(&format!("src/{module}/")) {
                let (_, root) = sources
                    .iter()
                    .find(|(file, _)| own.contains(file))
                    .expect("a module has a file");
                return Self {
                    module: format!("{module}/"),
                    is_open: own.iter().any(|own| own == file),
                    exported: exported(root),
                };
            }
        }
        Self {
            module: String::new(),
            is_open: false,
            exported: exported(lib),
        }
    }

    /// Whether a public item of this file can be named from outside of the library.
    pub(crate) fn shows(&self, name: &syn::Ident) -> bool {
        self.is_open || self.exported.contains(&name.to_string())
    }
}

/// The names that the file of a module re-exports.
fn exported(root: &syn::File) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for item in &root.items {
        if let Item::Use(item) = item
            && is_public(&item.vis)
            && !is_hidden(&item.attrs)
        {
            leaves(&item.tree, &mut names);
        }
    }
    names
}

fn leaves(tree: &UseTree, names: &mut BTreeSet<String>) {
    match tree {
        UseTree::Path(path) => leaves(&path.tree, names),
        UseTree::Name(name) => {
            names.insert(name.ident.to_string());
        }
        UseTree::Rename(rename) => {
            names.insert(rename.rename.to_string());
        }
        UseTree::Group(group) => group.items.iter().for_each(|tree| leaves(tree, names)),
        UseTree::Glob(_) => {}
    }
}

fn add(item: &Item, room: &Room, found: &mut BTreeSet<Public>) {
    let Room {
        module, exported, ..
    } = room;
    let is_exported = |name: &syn::Ident, vis: &Visibility, attrs: &[Attribute]| {
        is_public(vis) && !is_hidden(attrs) && room.shows(name)
    };
    let mut top = |kind: &str, name: &syn::Ident| {
        found.insert(Public {
            of: None,
            name: name.to_string(),
            rustdoc: format!("{module}{kind}.{name}.html"),
        });
    };
    match item {
        Item::Fn(item) if is_exported(&item.sig.ident, &item.vis, &item.attrs) => {
            top("fn", &item.sig.ident);
        }
        Item::Macro(item)
            if item
                .attrs
                .iter()
                .any(|it| it.path().is_ident("macro_export")) =>
        {
            if let Some(name) = &item.ident
                && !is_hidden(&item.attrs)
            {
                top("macro", name);
            }
        }
        Item::Struct(item) if is_exported(&item.ident, &item.vis, &item.attrs) => {
            top("struct", &item.ident);
            if let Fields::Named(fields) = &item.fields {
                for field in fields.named.iter().filter(|field| is_public(&field.vis)) {
                    let name = field.ident.as_ref().expect("a named field");
                    member(module, "struct", &item.ident, "structfield", name, found);
                }
            }
        }
        Item::Enum(item) if is_exported(&item.ident, &item.vis, &item.attrs) => {
            top("enum", &item.ident);
            for variant in &item.variants {
                member(
                    module,
                    "enum",
                    &item.ident,
                    "variant",
                    &variant.ident,
                    found,
                );
            }
        }
        Item::Type(item) if is_exported(&item.ident, &item.vis, &item.attrs) => {
            top("type", &item.ident);
        }
        Item::Trait(item) if is_exported(&item.ident, &item.vis, &item.attrs) => {
            top("trait", &item.ident);
            for part in &item.items {
                match part {
                    TraitItem::Fn(part) => {
                        member(
                            module,
                            "trait",
                            &item.ident,
                            "tymethod",
                            &part.sig.ident,
                            found,
                        );
                    }
                    TraitItem::Type(part) => {
                        member(
                            module,
                            "trait",
                            &item.ident,
                            "associatedtype",
                            &part.ident,
                            found,
                        );
                    }
                    _ => {}
                }
            }
        }
        Item::Impl(item) if item.trait_.is_none() => {
            let Type::Path(path) = &*item.self_ty else {
                return;
            };
            let of = &path
                .path
                .segments
                .last()
                .expect("a path names something")
                .ident;
            let known = exported.contains(&of.to_string())
                || found.iter().any(|it| it.of.is_none() && *of == it.name);
            for part in &item.items {
                if let ImplItem::Fn(part) = part
                    && known
                    && is_public(&part.vis)
                    && !is_hidden(&part.attrs)
                {
                    let kind = if found
                        .iter()
                        .any(|it| it.of.is_none() && *of == it.name && it.rustdoc.contains("enum."))
                    {
                        "enum"
                    } else {
                        "struct"
                    };
                    member(module, kind, of, "method", &part.sig.ident, found);
                }
            }
        }
        _ => {}
    }
}

fn member(
    module: &str,
    kind: &str,
    of: &syn::Ident,
    part: &str,
    name: &syn::Ident,
    found: &mut BTreeSet<Public>,
) {
    found.insert(Public {
        of: Some(of.to_string()),
        name: name.to_string(),
        rustdoc: format!("{module}{kind}.{of}.html#{part}.{name}"),
    });
}

pub(crate) fn is_public(vis: &Visibility) -> bool {
    matches!(vis, Visibility::Public(_))
}

pub(crate) fn is_hidden(attrs: &[Attribute]) -> bool {
    attrs.iter().any(|attr| {
        attr.path().is_ident("doc")
            && attr
                .parse_args::<syn::Ident>()
                .is_ok_and(|word| word == "hidden")
    })
}

/// The texts that the library can show its user: those of panics, of incidents and errors, and of the compiler on its behalf.
pub fn messages() -> BTreeSet<String> {
    let mut found = Messages::default();
    for file in files("src", "rs") {
        let text = fs::read_to_string(root().join(&file)).expect("a source can be read");
        let parsed = syn::parse_file(&text).unwrap_or_else(|error| panic!("{file}: {error}"));
        found.visit_file(&parsed);
    }
    found.texts
}

#[derive(Default)]
struct Messages {
    texts: BTreeSet<String>,
    /// The type whose `impl` is being read, as a message names it: `AsyncDropArc<..>`.
    of: Option<String>,
}

impl Visit<'_> for Messages {
    fn visit_item_impl(&mut self, item: &syn::ItemImpl) {
        let outer = mem::replace(&mut self.of, shown_type(&item.self_ty));
        visit::visit_item_impl(self, item);
        self.of = outer;
    }

    fn visit_macro(&mut self, call: &syn::Macro) {
        let name = call.path.segments.last().map(|last| last.ident.to_string());
        let shows = ["panic", "format", "write", "writeln"];
        if name.is_some_and(|name| shows.contains(&name.as_str())) {
            // What stands before the text, such as the formatter of `write!`, is no literal.
            let text = call
                .tokens
                .clone()
                .into_iter()
                .find_map(|token| syn::parse2::<syn::LitStr>(token.into()).ok());
            self.texts
                .extend(text.map(|text| self.with_own_name(&text.value(), call)));
        }
        visit::visit_macro(self, call);
    }

    fn visit_attribute(&mut self, attr: &Attribute) {
        if attr.path().is_ident("must_use")
            && let syn::Meta::NameValue(meta) = &attr.meta
            && let Expr::Lit(literal) = &meta.value
            && let syn::Lit::Str(text) = &literal.lit
        {
            self.texts.insert(text.value());
        }
        if attr
            .path()
            .segments
            .last()
            .is_some_and(|last| last.ident == "on_unimplemented")
        {
            let _ = attr.parse_nested_meta(|meta| {
                let text: syn::LitStr = meta.value()?.parse()?;
                if meta.path.is_ident("message") {
                    self.texts.insert(text.value());
                }
                Ok(())
            });
        }
        visit::visit_attribute(self, attr);
    }
}

impl Messages {
    /// The text with the name of the type where `type_name::<Self>()` puts it.
    /// Without it, two types that say the same would be one message, and one of them would be explained nowhere.
    fn with_own_name(&self, text: &str, call: &syn::Macro) -> String {
        let of = self.of.as_deref().unwrap_or("Self");
        let parts = Punctuated::<Expr, Token![,]>::parse_terminated
            .parse2(call.tokens.clone())
            .unwrap_or_default();
        let is_text = |part: &Expr| matches!(part, Expr::Lit(literal) if matches!(literal.lit, syn::Lit::Str(_)));
        let mut arguments = parts.iter().skip_while(|part| !is_text(part)).skip(1);
        let mut shown = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let Some((placeholder, after)) = after.split_once('}') else {
                break;
            };
            let takes_one = placeholder.is_empty() || placeholder.starts_with(':');
            let argument = if takes_one { arguments.next() } else { None };
            shown += before;
            if argument.is_some_and(is_own_name) {
                shown += of;
            } else {
                shown += &format!("{{{placeholder}}}");
            }
            rest = after;
        }
        shown + rest
    }
}

/// Whether this is `type_name::<Self>()`.
fn is_own_name(argument: &Expr) -> bool {
    let Expr::Call(call) = argument else {
        return false;
    };
    let Expr::Path(function) = &*call.func else {
        return false;
    };
    function.path.segments.last().is_some_and(|last| {
        last.ident == "type_name"
            && matches!(&last.arguments, PathArguments::AngleBracketed(of)
                if of.args.iter().any(|of| matches!(of, GenericArgument::Type(Type::Path(of)) if of.path.is_ident("Self"))))
    })
}

/// A type as the messages of the book write it.
fn shown_type(of: &Type) -> Option<String> {
    let Type::Path(of) = of else {
        return None;
    };
    let last = of.path.segments.last()?;
    let arguments = if last.arguments.is_empty() {
        ""
    } else {
        "<..>"
    };
    Some(format!("{}{arguments}", last.ident))
}

/// The longest piece of a text that no placeholder interrupts.
pub fn longest_piece(text: &str) -> &str {
    text.split(['{', '}'])
        .step_by(2)
        .max_by_key(|piece| piece.len())
        .unwrap_or_default()
        .trim()
}
