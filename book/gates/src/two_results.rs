//! Finds where a program has two results and keeps only one of the errors.
//!
//! `first.and(second)` drops the second error if there are two, and so does `first?` while the second result waits for its
//! turn. The compiler is content with both: a result that was handed on counts as used.

use std::collections::BTreeSet;

use proc_macro2::{Delimiter, Span, TokenStream, TokenTree};
use syn::punctuated::Punctuated;
use syn::visit::{self, Visit};
use syn::{Block, Expr, ExprMethodCall, ExprPath, ExprTry, ItemFn, Local, Macro, Pat, Token};

/// A place at which an error can be lost, and the name of the result that it was in.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lost {
    pub line: usize,
    pub result: String,
    pub by: String,
}

/// All of them in a file, each function for itself.
///
/// # Errors
///
/// When the text is not Rust.
pub fn lost_errors(source: &str) -> syn::Result<Vec<Lost>> {
    let mut found = Functions::default();
    found.visit_file(&syn::parse_file(source)?);
    found.lost.sort();
    Ok(found.lost)
}

#[derive(Default)]
struct Functions {
    lost: Vec<Lost>,
}

impl<'ast> Visit<'ast> for Functions {
    fn visit_item_fn(&mut self, function: &'ast ItemFn) {
        self.read(&function.block);
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        self.read(&function.block);
        visit::visit_impl_item_fn(self, function);
    }
}

impl Functions {
    fn read(&mut self, body: &Block) {
        let mut steps = Steps::default();
        steps.visit_block(body);
        self.lost.extend(steps.lost());
    }
}

/// What happens to the results of one function, in the order of its text.
#[derive(Default)]
struct Steps {
    steps: Vec<(usize, Step)>,
    /// Whether two errors at once have an arm of their own.
    tells_two_errors: bool,
}

enum Step {
    /// `let name = .. .await`, or one of `let (name, ..) = join!(..)`.
    Bound { name: String, cleanup: bool },
    /// `name?`, or `name.method()?`.
    Tried(String),
    /// `name.and(result)`.
    And(String),
    /// Any other use.
    Used(String),
}

impl Steps {
    fn lost(self) -> Vec<Lost> {
        // Which results wait for somebody to look at them.
        let mut waiting = BTreeSet::new();
        let tried: BTreeSet<_> = self
            .steps
            .iter()
            .filter_map(|(_, step)| match step {
                Step::Tried(name) => Some(name.clone()),
                _ => None,
            })
            .collect();
        let mut lost = Vec::new();
        for (line, step) in self.steps {
            match step {
                Step::Bound { name, cleanup } => {
                    if cleanup || tried.contains(&name) {
                        waiting.insert(name);
                    }
                }
                Step::Tried(name) => {
                    // If it is an error, the function returns with it, and drops what still waits.
                    waiting.remove(&name);
                    for result in std::mem::take(&mut waiting) {
                        let by = format!("`{name}?`");
                        lost.push(Lost { line, result, by });
                    }
                }
                Step::And(result) => {
                    if !self.tells_two_errors {
                        let by = "`and`".to_owned();
                        lost.push(Lost { line, result, by });
                    }
                }
                Step::Used(name) => {
                    waiting.remove(&name);
                }
            }
        }
        lost
    }

    fn push(&mut self, span: Span, step: Step) {
        self.steps.push((span.start().line, step));
    }
}

impl<'ast> Visit<'ast> for Steps {
    fn visit_item_fn(&mut self, _: &'ast ItemFn) {
        // It is read by itself.
    }

    fn visit_impl_item_fn(&mut self, _: &'ast syn::ImplItemFn) {
        // It is read by itself.
    }

    fn visit_local(&mut self, local: &'ast Local) {
        visit::visit_local(self, local);
        let Some(init) = &local.init else { return };
        let cleanup = match &*init.expr {
            Expr::Await(awaited) => method(&awaited.base).is_some_and(|name| {
                ["async_drop", "async_drop_within", "shutdown", "close"].contains(&&*name)
            }),
            Expr::Macro(called) => {
                let path = &called.mac.path;
                if path.segments.last().is_none_or(|last| last.ident != "join") {
                    return;
                }
                called.mac.tokens.to_string().contains("async_drop")
            }
            _ => return,
        };
        for name in names(&local.pat) {
            self.push(local.let_token.span, Step::Bound { name, cleanup });
        }
    }

    fn visit_expr_try(&mut self, tried: &'ast ExprTry) {
        if let Some(name) = root(&tried.expr) {
            self.push(tried.question_token.span, Step::Tried(name));
        }
        visit::visit_expr_try(self, tried);
    }

    fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
        visit::visit_expr_method_call(self, call);
        if call.method != "and" || call.args.len() != 1 {
            return;
        }
        let result = match &call.args[0] {
            Expr::Path(path) => path.path.get_ident().map(ToString::to_string),
            Expr::Await(_) => Some("what it awaits".to_owned()),
            _ => None,
        };
        if let Some(result) = result {
            self.push(call.method.span(), Step::And(result));
        }
    }

    fn visit_expr_path(&mut self, path: &'ast ExprPath) {
        if let Some(name) = path.path.get_ident() {
            self.push(name.span(), Step::Used(name.to_string()));
        }
    }

    fn visit_pat_tuple(&mut self, tuple: &'ast syn::PatTuple) {
        let errors = tuple.elems.iter().filter(|part| match part {
            Pat::TupleStruct(part) => part.path.is_ident("Err"),
            _ => false,
        });
        self.tells_two_errors |= errors.count() >= 2;
        visit::visit_pat_tuple(self, tuple);
    }

    fn visit_macro(&mut self, called: &'ast Macro) {
        let parser = Punctuated::<Expr, Token![,]>::parse_terminated;
        match called.parse_body_with(parser) {
            Ok(arguments) => arguments
                .iter()
                .for_each(|argument| self.visit_expr(argument)),
            Err(_) => self.read_tokens(called.tokens.clone()),
        }
        // What a text to print names.
        for token in called.tokens.clone() {
            if let TokenTree::Literal(text) = token {
                let text = text.to_string();
                for part in text.split('{').skip(1) {
                    let name = part.split(['}', ':']).next().unwrap_or_default();
                    self.push(Span::call_site(), Step::Used(name.to_owned()));
                }
            }
        }
    }
}

impl Steps {
    /// The blocks in a macro whose arguments are no expressions, such as `select!`.
    fn read_tokens(&mut self, tokens: TokenStream) {
        for token in tokens {
            match token {
                TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
                    let block = TokenStream::from(TokenTree::Group(group.clone()));
                    match syn::parse2::<Block>(block) {
                        Ok(block) => self.visit_block(&block),
                        Err(_) => self.read_tokens(group.stream()),
                    }
                }
                TokenTree::Group(group) => self.read_tokens(group.stream()),
                TokenTree::Ident(name) => self.push(name.span(), Step::Used(name.to_string())),
                _ => {}
            }
        }
    }
}

/// The last method of a call.
fn method(expr: &Expr) -> Option<String> {
    match expr {
        Expr::MethodCall(call) => Some(call.method.to_string()),
        _ => None,
    }
}

/// The variable that an expression begins with, if what is tried is this variable or what a method made of it.
fn root(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Path(path) => path.path.get_ident().map(ToString::to_string),
        // Its argument is looked at, too, and a step of its own says so.
        Expr::MethodCall(call) if call.method == "and" => None,
        Expr::MethodCall(call) => root(&call.receiver),
        Expr::Try(tried) => root(&tried.expr),
        Expr::Paren(inner) => root(&inner.expr),
        _ => None,
    }
}

fn names(pattern: &Pat) -> Vec<String> {
    match pattern {
        Pat::Ident(name) => vec![name.ident.to_string()],
        Pat::Tuple(tuple) => tuple.elems.iter().flat_map(names).collect(),
        Pat::Type(typed) => names(&typed.pat),
        _ => Vec::new(),
    }
}
