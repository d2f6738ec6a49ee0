//! The library's own source as one module `asyncdrop`, without its docs and tests.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use proc_macro2::{Group, Ident, Punct, Spacing, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::visit_mut::{self, VisitMut};
use syn::{Attribute, Expr, ExprLit, Item, ItemMacro, Lit, Meta, Stmt, parse_quote};

/// Which of the library's features the module has, `tokio` and `tracing` in any case.
///
/// The others make the request longer and are rarely needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Library {
    /// None of the others.
    Plain,
    /// `testing`.
    Testing,
    /// `derive`, without the macro: that is a crate of its own, and the playground takes one file.
    /// What the macro writes stands in the snippet instead.
    Derive,
}

impl Library {
    fn has(self, feature: &str) -> bool {
        match feature {
            "tokio" | "tracing" => true,
            "testing" => self == Self::Testing,
            "derive" => self == Self::Derive,
            _ => false,
        }
    }
}

/// The module's text.
///
/// # Errors
///
/// When a file of `root/src` cannot be read or is not Rust, or when this code does not know what to do with it.
pub fn library(root: &Path, which: Library) -> Result<String> {
    let mut reader = Reader {
        which,
        macros: Vec::new(),
        fault: None,
    };
    let folder = root.join("src");
    let mut items = reader.items(&folder.join("lib.rs"), &folder)?;
    // An exported macro is a name of the crate's root, which the module is in the place of.
    for name in &reader.macros {
        items.push(parse_quote!(pub(crate) use macros::#name;));
    }
    // A lint that a snippet denies is no longer a warning.
    let file = syn::File {
        shebang: None,
        frontmatter: None,
        attrs: Vec::new(),
        items: vec![parse_quote! {
            #[allow(warnings, let_underscore_drop)]
            mod asyncdrop { #(#items)* }
        }],
    };
    Ok(format!(
        "// The library `asyncdrop` without its docs, since the playground does not have it.\n{}",
        narrow(&prettyplease::unparse(&file))
    ))
}

/// Indents by one space instead of four: of 170 kB, a third was indentation.
fn narrow(text: &str) -> String {
    let lines = text.lines().map(|line| {
        let code = line.trim_start();
        let depth = (line.len() - code.len()) / 4;
        format!("{}{code}\n", " ".repeat(depth))
    });
    lines.collect()
}

struct Reader {
    which: Library,
    /// The macros that are exported.
    macros: Vec<Ident>,
    fault: Option<anyhow::Error>,
}

impl Reader {
    /// The items of a file, with the modules that it names in them.
    ///
    /// `folder` is where these modules lie.
    fn items(&mut self, path: &Path, folder: &Path) -> Result<Vec<Item>> {
        let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
        let mut file = syn::parse_file(&text).with_context(|| path.display().to_string())?;
        self.visit_file_mut(&mut file);
        if let Some(fault) = self.fault.take() {
            return Err(fault.context(path.display().to_string()));
        }
        let mut items = Vec::new();
        for item in file.items {
            match item {
                Item::Mod(mut module) if module.content.is_none() => {
                    let name = module.ident.to_string();
                    let (path, folder) = place(folder, &name);
                    let inner = self.items(&path, &folder)?;
                    module.semi = None;
                    module.content = Some((syn::token::Brace::default(), inner));
                    items.push(Item::Mod(module));
                }
                Item::Macro(mut item) if is_exported(&item) => {
                    let name = item.ident.clone().context("a macro without a name")?;
                    item.attrs.clear();
                    items.push(Item::Macro(item));
                    items.push(parse_quote!(pub(crate) use #name;));
                    self.macros.push(name);
                }
                other => items.push(other),
            }
        }
        Ok(items)
    }

    /// Whether what has these attributes is compiled.
    fn keeps(&mut self, attributes: &[Attribute]) -> bool {
        attributes.iter().all(|attribute| {
            if !attribute.path().is_ident("cfg") {
                return true;
            }
            let condition = attribute.parse_args::<Meta>();
            match condition.context("a `cfg`").and_then(|it| self.holds(&it)) {
                Ok(holds) => holds,
                Err(error) => {
                    self.fault = Some(error);
                    true
                }
            }
        })
    }

    fn holds(&self, condition: &Meta) -> Result<bool> {
        match condition {
            Meta::NameValue(pair) if pair.path.is_ident("feature") => match &pair.value {
                Expr::Lit(ExprLit {
                    lit: Lit::Str(feature),
                    ..
                }) => Ok(self.which.has(&feature.value())),
                _ => bail!("a feature that is not a string"),
            },
            Meta::Path(path) => Ok(!["test", "doctest", "docsrs"]
                .iter()
                .any(|word| path.is_ident(word))),
            Meta::List(list) if list.path.is_ident("not") => {
                Ok(!self.holds(&syn::parse2(list.tokens.clone())?)?)
            }
            _ => bail!("a condition that is not known here: {}", quote!(#condition)),
        }
    }
}

/// The file of a module, and the folder of the modules in it.
fn place(folder: &Path, name: &str) -> (PathBuf, PathBuf) {
    let below = folder.join(name);
    let file = folder.join(format!("{name}.rs"));
    if file.is_file() {
        (file, below)
    } else {
        (below.join("mod.rs"), below)
    }
}

fn is_exported(item: &ItemMacro) -> bool {
    let exported = |attribute: &Attribute| attribute.path().is_ident("macro_export");
    item.attrs.iter().any(exported)
}

/// Whether this is the name of the derive macro, which is a crate of its own.
fn is_the_macro(item: &Item) -> bool {
    let Item::Use(item) = item else { return false };
    let path = item.tree.to_token_stream().to_string().replace(' ', "");
    ["asyncdrop_derive::AsyncDrop", "crate::derive::AsyncDrop"].contains(&path.as_str())
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(it) => &it.attrs,
        Item::Enum(it) => &it.attrs,
        Item::Fn(it) => &it.attrs,
        Item::Impl(it) => &it.attrs,
        Item::Macro(it) => &it.attrs,
        Item::Mod(it) => &it.attrs,
        Item::Static(it) => &it.attrs,
        Item::Struct(it) => &it.attrs,
        Item::Trait(it) => &it.attrs,
        Item::Type(it) => &it.attrs,
        Item::Use(it) => &it.attrs,
        _ => &[],
    }
}

fn attributes_of_statement(statement: &Stmt) -> &[Attribute] {
    match statement {
        Stmt::Local(it) => &it.attrs,
        Stmt::Item(it) => attributes(it),
        Stmt::Macro(it) => &it.attrs,
        Stmt::Expr(Expr::Block(it), _) => &it.attrs,
        Stmt::Expr(Expr::If(it), _) => &it.attrs,
        Stmt::Expr(Expr::Call(it), _) => &it.attrs,
        Stmt::Expr(Expr::MethodCall(it), _) => &it.attrs,
        Stmt::Expr(Expr::Macro(it), _) => &it.attrs,
        Stmt::Expr(..) => &[],
    }
}

impl VisitMut for Reader {
    fn visit_file_mut(&mut self, file: &mut syn::File) {
        file.items
            .retain(|item| !is_the_macro(item) && self.keeps(attributes(item)));
        visit_mut::visit_file_mut(self, file);
    }

    fn visit_item_mod_mut(&mut self, module: &mut syn::ItemMod) {
        if let Some((_, items)) = &mut module.content {
            items.retain(|item| self.keeps(attributes(item)));
        }
        visit_mut::visit_item_mod_mut(self, module);
    }

    fn visit_item_impl_mut(&mut self, block: &mut syn::ItemImpl) {
        block.items.retain(|item| match item {
            syn::ImplItem::Const(it) => self.keeps(&it.attrs),
            syn::ImplItem::Fn(it) => self.keeps(&it.attrs),
            syn::ImplItem::Type(it) => self.keeps(&it.attrs),
            _ => true,
        });
        visit_mut::visit_item_impl_mut(self, block);
    }

    fn visit_fields_named_mut(&mut self, fields: &mut syn::FieldsNamed) {
        fields.named = std::mem::take(&mut fields.named)
            .into_pairs()
            .filter(|field| self.keeps(&field.value().attrs))
            .collect();
        visit_mut::visit_fields_named_mut(self, fields);
    }

    fn visit_item_enum_mut(&mut self, item: &mut syn::ItemEnum) {
        item.variants = std::mem::take(&mut item.variants)
            .into_pairs()
            .filter(|variant| self.keeps(&variant.value().attrs))
            .collect();
        visit_mut::visit_item_enum_mut(self, item);
    }

    fn visit_expr_struct_mut(&mut self, expression: &mut syn::ExprStruct) {
        expression.fields = std::mem::take(&mut expression.fields)
            .into_pairs()
            .filter(|field| self.keeps(&field.value().attrs))
            .collect();
        visit_mut::visit_expr_struct_mut(self, expression);
    }

    fn visit_expr_match_mut(&mut self, expression: &mut syn::ExprMatch) {
        expression.arms.retain(|arm| self.keeps(&arm.attrs));
        visit_mut::visit_expr_match_mut(self, expression);
    }

    fn visit_block_mut(&mut self, block: &mut syn::Block) {
        block
            .stmts
            .retain(|statement| self.keeps(attributes_of_statement(statement)));
        visit_mut::visit_block_mut(self, block);
    }

    /// Docs go, and conditions are decided by now.
    fn visit_attributes_mut(&mut self, attributes: &mut Vec<Attribute>) {
        attributes.retain(|attribute| {
            !["doc", "cfg", "cfg_attr", "warn"]
                .iter()
                .any(|word| attribute.path().is_ident(word))
        });
    }

    fn visit_path_mut(&mut self, path: &mut syn::Path) {
        if path.segments.len() > 1 && path.segments[0].ident == "crate" {
            path.segments.insert(1, parse_quote!(asyncdrop));
        }
        visit_mut::visit_path_mut(self, path);
    }

    fn visit_use_path_mut(&mut self, path: &mut syn::UsePath) {
        if path.ident == "crate" {
            let rest = std::mem::replace(&mut *path.tree, parse_quote!(unused));
            *path.tree = syn::UseTree::Path(syn::UsePath {
                ident: Ident::new("asyncdrop", Span::call_site()),
                colon2_token: Default::default(),
                tree: Box::new(rest),
            });
        }
        // What is below cannot begin with `crate` again.
    }

    /// In a text of several lines, what looks like indentation is a part of the text.
    fn visit_lit_str_mut(&mut self, text: &mut syn::LitStr) {
        if text.value().contains("\n ") {
            self.fault = Some(anyhow!("a text of several lines: {:?}", text.value()));
        }
    }

    fn visit_macro_mut(&mut self, call: &mut syn::Macro) {
        visit_mut::visit_macro_mut(self, call);
        call.tokens = in_the_module(std::mem::take(&mut call.tokens));
    }
}

/// Puts the module's name behind each `crate` that a path begins with, `$crate` included.
fn in_the_module(tokens: TokenStream) -> TokenStream {
    let mut tokens = tokens.into_iter().peekable();
    let mut result = TokenStream::new();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Group(group) => {
                let inner = in_the_module(group.stream());
                result.extend([TokenTree::Group(Group::new(group.delimiter(), inner))]);
            }
            TokenTree::Ident(word) if word == "crate" => {
                let begins_a_path =
                    matches!(tokens.peek(), Some(TokenTree::Punct(next)) if next.as_char() == ':');
                result.extend([TokenTree::Ident(word)]);
                if begins_a_path {
                    result.extend([
                        TokenTree::Punct(Punct::new(':', Spacing::Joint)),
                        TokenTree::Punct(Punct::new(':', Spacing::Alone)),
                        TokenTree::Ident(Ident::new("asyncdrop", Span::call_site())),
                    ]);
                }
            }
            other => result.extend([other]),
        }
    }
    result
}
