//! What `#[derive(AsyncDrop)]` writes, put where the macro would put it, because the playground does not have the macro.

use std::ops::Range;

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::visit_mut::{self, VisitMut};
use syn::{Attribute, DeriveInput, Path, Token, parse_quote};

use crate::expand;

/// A type that derives `AsyncDrop`, and the text that takes its place.
///
/// Both have the same lines, so that the line numbers in messages stay those of the snippet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Derived {
    pub written: String,
    pub expanded: String,
}

/// Every type of a snippet that derives `AsyncDrop`.
///
/// # Errors
///
/// When the snippet is not Rust.
pub fn derived(snippet: &str) -> syn::Result<Vec<Derived>> {
    let mut file = syn::parse_file(snippet)?;
    let mut types = Types {
        snippet,
        found: Vec::new(),
    };
    types.visit_file_mut(&mut file);
    Ok(types.found)
}

struct Types<'a> {
    snippet: &'a str,
    found: Vec<Derived>,
}

impl Types<'_> {
    fn look_at(&mut self, item: TokenStream) {
        let whole = item.span().byte_range();
        let Ok(mut item) = syn::parse2::<DeriveInput>(item) else {
            return;
        };
        let mut edits: Vec<(Range<usize>, String)> = Vec::new();
        for attribute in &item.attrs {
            if let Some(rest) = without_our_derive(attribute) {
                edits.push((attribute.span().byte_range(), rest));
            }
        }
        if edits.is_empty() {
            return;
        }
        OfOthers(&mut edits).visit_derive_input_mut(&mut item);
        edits.sort_by_key(|(place, _)| place.start);

        let mut expanded = String::new();
        let mut done = whole.start;
        for (place, text) in edits {
            expanded += &self.snippet[done..place.start];
            expanded += &text;
            // The lines that it had.
            let lines = self.snippet[place.clone()].matches('\n').count();
            expanded += &"\n".repeat(lines);
            done = place.end;
        }
        expanded += &self.snippet[done..whole.end];

        // In the snippet, the library is a module of the same crate. If a snippet gave a path of its own, the macro would refuse the second one.
        item.attrs
            .push(parse_quote!(#[async_drop(crate = "crate::asyncdrop")]));
        expanded += " ";
        expanded += &expand::async_drop(&item).to_string();
        self.found.push(Derived {
            written: self.snippet[whole].to_owned(),
            expanded,
        });
    }
}

impl VisitMut for Types<'_> {
    fn visit_item_struct_mut(&mut self, item: &mut syn::ItemStruct) {
        self.look_at(item.to_token_stream());
    }

    fn visit_item_enum_mut(&mut self, item: &mut syn::ItemEnum) {
        self.look_at(item.to_token_stream());
    }
}

/// The attributes `#[async_drop(..)]`, which mean nothing without the macro.
struct OfOthers<'a>(&'a mut Vec<(Range<usize>, String)>);

impl VisitMut for OfOthers<'_> {
    fn visit_attribute_mut(&mut self, attribute: &mut Attribute) {
        if attribute.path().is_ident("async_drop") {
            self.0.push((attribute.span().byte_range(), String::new()));
        }
        visit_mut::visit_attribute_mut(self, attribute);
    }
}

/// The rest of a `#[derive(.., AsyncDrop)]`, and `None` for other attributes.
fn without_our_derive(attribute: &Attribute) -> Option<String> {
    if !attribute.path().is_ident("derive") {
        return None;
    }
    let list = attribute.parse_args_with(Punctuated::<Path, Token![,]>::parse_terminated);
    let (ours, others): (Vec<_>, Vec<_>) = list.ok()?.into_iter().partition(|path| {
        path.segments
            .last()
            .is_some_and(|it| it.ident == "AsyncDrop")
    });
    match (ours.as_slice(), others.as_slice()) {
        ([], _) => None,
        (_, []) => Some(String::new()),
        _ => Some(quote!(#[derive(#(#others),*)]).to_string()),
    }
}
