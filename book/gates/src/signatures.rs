//! The public API as text: every signature that a user of the library can call or write.

use std::collections::BTreeMap;
use std::mem;

use syn::parse::{ParseStream, Parser};
use syn::{
    Attribute, Block, Fields, FieldsNamed, File, ImplItem, Item, ItemMacro, Token, TraitItem, Type,
    parse_quote,
};

use crate::api::{Room, is_hidden, is_public, public_items, sources};

/// What stands for the fields that only the library can name.
const PRIVATE: &str = "private_fields: _,";

/// Every public item without its body, by the module in which a user finds it.
///
/// # Panics
///
/// When the sources cannot be read.
pub fn signatures() -> String {
    let names: Vec<_> = public_items()
        .into_iter()
        .filter(|item| item.of.is_none())
        .map(|item| item.name)
        .collect();
    let sources = sources();
    let rooms: Vec<_> = sources
        .iter()
        .map(|(file, _)| Room::of(file, &sources))
        .collect();
    let mut modules: BTreeMap<String, Vec<Item>> = BTreeMap::new();
    for ((_, source), room) in sources.into_iter().zip(rooms) {
        let items = source
            .items
            .into_iter()
            .filter_map(|item| public(item, &room, &names));
        modules
            .entry(room.module.clone())
            .or_default()
            .extend(items);
    }
    let mut text = String::new();
    for (module, items) in modules.into_iter().filter(|(_, items)| !items.is_empty()) {
        let module = module.trim_end_matches('/');
        text += &match module {
            "" => String::from("// asyncdrop\n\n"),
            _ => format!("\n// asyncdrop::{module}\n\n"),
        };
        text += &prettyplease::unparse(&File {
            shebang: None,
            attrs: Vec::new(),
            items,
        });
    }
    // A function has no body here, and a list of private fields no names.
    let mut shown = String::new();
    for line in text.replace(PRIVATE, "..").lines() {
        match line.strip_suffix("{}") {
            // After a list of bounds the body has a line of its own.
            Some(indent) if indent.trim().is_empty() => {
                shown.truncate(shown.trim_end_matches([',', '\n']).len());
                shown += ";";
            }
            Some(signature) => {
                shown += signature.trim_end();
                shown += ";";
            }
            None => shown += line,
        }
        shown += "\n";
    }
    shown
}

/// The item as its user sees it, if it is for users.
fn public(mut item: Item, room: &Room, names: &[String]) -> Option<Item> {
    let is_name = |name: &syn::Ident| names.contains(&name.to_string());
    let is_shown = |vis: &syn::Visibility, attrs: &[Attribute], name: &syn::Ident| {
        is_public(vis) && !is_hidden(attrs) && room.shows(name)
    };
    match &mut item {
        Item::Fn(it) => {
            if !is_shown(&it.vis, &it.attrs, &it.sig.ident) {
                return None;
            }
            it.attrs.retain(is_part_of_the_api);
            *it.block = no_body();
        }
        Item::Macro(it) => {
            let name = it.ident.as_ref()?;
            if !is_name(name) || is_hidden(&it.attrs) {
                return None;
            }
            only_matchers(it);
        }
        Item::Struct(it) => {
            if !is_shown(&it.vis, &it.attrs, &it.ident) {
                return None;
            }
            it.attrs.retain(is_part_of_the_api);
            hide_private_fields(&mut it.fields);
            it.semi_token = matches!(it.fields, Fields::Unit).then(Default::default);
        }
        Item::Enum(it) => {
            if !is_shown(&it.vis, &it.attrs, &it.ident) {
                return None;
            }
            it.attrs.retain(is_part_of_the_api);
            for variant in &mut it.variants {
                variant.attrs.retain(is_part_of_the_api);
                for field in &mut variant.fields {
                    field.attrs.retain(is_part_of_the_api);
                }
            }
        }
        Item::Type(it) => {
            if !is_shown(&it.vis, &it.attrs, &it.ident) {
                return None;
            }
            it.attrs.retain(is_part_of_the_api);
        }
        Item::Const(it) => {
            if !is_shown(&it.vis, &it.attrs, &it.ident) {
                return None;
            }
            it.attrs.retain(is_part_of_the_api);
        }
        Item::Trait(it) => {
            if !is_shown(&it.vis, &it.attrs, &it.ident) {
                return None;
            }
            it.attrs.retain(is_part_of_the_api);
            for part in &mut it.items {
                match part {
                    TraitItem::Fn(part) => {
                        part.attrs.retain(is_part_of_the_api);
                        part.default = part.default.as_ref().map(|_| no_body());
                    }
                    TraitItem::Type(part) => part.attrs.retain(is_part_of_the_api),
                    _ => {}
                }
            }
        }
        Item::Impl(it) => {
            let of_ours = name_of(&it.self_ty).is_some_and(|of| is_name(&of));
            let by_ours = it.trait_.as_ref().is_some_and(|(_, path, _)| {
                path.segments
                    .last()
                    .is_some_and(|last| is_name(&last.ident))
            });
            if is_hidden(&it.attrs) || !(of_ours || by_ours) {
                return None;
            }
            it.attrs.retain(is_part_of_the_api);
            let of_a_trait = it.trait_.is_some();
            // The functions of a trait are those that the trait says; its types are the choice of this implementation.
            it.items.retain_mut(|part| match part {
                ImplItem::Fn(part) => {
                    let is_kept = !of_a_trait && is_public(&part.vis) && !is_hidden(&part.attrs);
                    part.attrs.retain(is_part_of_the_api);
                    part.block = no_body();
                    is_kept
                }
                ImplItem::Type(_) => of_a_trait,
                ImplItem::Const(part) => !of_a_trait && is_public(&part.vis),
                _ => false,
            });
            if !of_a_trait && it.items.is_empty() {
                return None;
            }
        }
        _ => return None,
    }
    Some(item)
}

/// Attributes that change what a user may write.
fn is_part_of_the_api(attr: &Attribute) -> bool {
    let kept = ["async_trait", "cfg", "derive", "must_use", "non_exhaustive"];
    let last = attr.path().segments.last();
    last.is_some_and(|last| kept.iter().any(|kept| last.ident == kept))
}

fn no_body() -> Block {
    parse_quote!({})
}

fn hide_private_fields(fields: &mut Fields) {
    let all = fields.len();
    let mut shown: FieldsNamed = parse_quote!({});
    match fields {
        Fields::Unit => return,
        // None of the library's public types is a tuple with public fields.
        Fields::Unnamed(_) => {}
        Fields::Named(named) => {
            let public = mem::take(&mut named.named).into_iter();
            shown
                .named
                .extend(public.filter(|field| is_public(&field.vis)));
        }
    }
    for field in &mut shown.named {
        field.attrs.retain(is_part_of_the_api);
    }
    if shown.named.len() < all {
        let private: FieldsNamed = parse_quote!({ private_fields: _ });
        shown.named.extend(private.named);
    }
    *fields = Fields::Named(shown);
}

/// Leaves of a macro what it takes, without what it makes of it.
fn only_matchers(item: &mut ItemMacro) {
    let arms = |input: ParseStream| {
        let mut arms = proc_macro2::TokenStream::new();
        while !input.is_empty() {
            let matcher: proc_macro2::Group = input.parse()?;
            input.parse::<Token![=>]>()?;
            input.parse::<proc_macro2::Group>()?;
            input.parse::<Option<Token![;]>>()?;
            // What begins with an `@` is how the macro calls itself.
            let begin = matcher.stream().into_iter().next().map(|it| it.to_string());
            if begin.as_deref() != Some("@") {
                arms.extend([proc_macro2::TokenTree::Group(matcher)]);
                arms.extend("=> {};".parse::<proc_macro2::TokenStream>()?);
            }
        }
        Ok(arms)
    };
    item.attrs.clear();
    item.mac.tokens = arms
        .parse2(mem::take(&mut item.mac.tokens))
        .expect("the compiler accepted these arms");
}

/// The name of a type, or of what a reference or a `Box` of it points to.
fn name_of(of: &Type) -> Option<syn::Ident> {
    match of {
        Type::Path(of) => Some(of.path.segments.last()?.ident.clone()),
        Type::Reference(of) => name_of(&of.elem),
        _ => None,
    }
}
