//! Which fields hold guards.
//!
//! A macro sees how a type is written, but not what it means. So the rule is about what is written, and if it cannot
//! decide, it refuses, because a guard that the macro passed over would be found missing only when the program runs.

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{GenericArgument, PathArguments, Type};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holds {
    Guards,
    /// There is a guard somewhere, and not where the macro reaches it.
    GuardsOutOfReach,
    Nothing,
}

const GUARD: &str = "AsyncDropGuard";

/// Types that `asyncdrop::__derive::Field` is implemented for, if it is for what they hold.
const LOOKED_INTO: [&str; 3] = ["Option", "Vec", "Box"];

impl Holds {
    pub(crate) fn of(ty: &Type) -> Self {
        if is_guard(ty) {
            Self::Guards
        } else if mentions(ty, |name| name == GUARD) {
            Self::GuardsOutOfReach
        } else {
            Self::Nothing
        }
    }
}

fn is_guard(ty: &Type) -> bool {
    match ty {
        // A type that a `macro_rules!` was given is in a group.
        Type::Group(group) => is_guard(&group.elem),
        Type::Paren(paren) => is_guard(&paren.elem),
        Type::Path(path) => {
            let Some(last) = path.path.segments.last() else {
                return false;
            };
            last.ident == GUARD
                || LOOKED_INTO.iter().any(|name| last.ident == name)
                    && only_argument(&last.arguments).is_some_and(is_guard)
        }
        _ => false,
    }
}

fn only_argument(arguments: &PathArguments) -> Option<&Type> {
    let PathArguments::AngleBracketed(arguments) = arguments else {
        return None;
    };
    match arguments.args.first() {
        Some(GenericArgument::Type(ty)) if arguments.args.len() == 1 => Some(ty),
        _ => None,
    }
}

/// Whether one of the names in `tokens` is such a one.
fn mentions(tokens: &impl ToTokens, name: impl Fn(&Ident) -> bool) -> bool {
    fn any(tokens: TokenStream, name: &dyn Fn(&Ident) -> bool) -> bool {
        tokens.into_iter().any(|token| match token {
            TokenTree::Ident(ident) => name(&ident),
            TokenTree::Group(group) => any(group.stream(), name),
            TokenTree::Punct(_) | TokenTree::Literal(_) => false,
        })
    }
    any(tokens.to_token_stream(), &name)
}

/// Whether a path in `tokens` begins with this name, so that it stands for what the name means here.
///
/// In `other::Pool<T>` the name `Pool` means something else than the `Pool` of this module, and `T` what it means here.
pub(crate) fn names(tokens: &impl ToTokens, name: &Ident) -> bool {
    fn any(tokens: TokenStream, name: &Ident) -> bool {
        // The two tokens before the current one.
        let mut before: [Option<TokenTree>; 2] = [None, None];
        tokens.into_iter().any(|token| {
            let within_path = before.iter().all(is_colon);
            let found = match &token {
                TokenTree::Ident(ident) => ident == name && !within_path,
                TokenTree::Group(group) => any(group.stream(), name),
                TokenTree::Punct(_) | TokenTree::Literal(_) => false,
            };
            before = [before[1].take(), Some(token)];
            found
        })
    }
    any(tokens.to_token_stream(), name)
}

fn is_colon(token: &Option<TokenTree>) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == ':')
}
