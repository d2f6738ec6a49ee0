//! What `#[async_drop(..)]` says, on a type and on a field.

use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Attribute, Error, Ident, LitStr, Meta, Path, Token, Type, Variant};

use crate::errors::Errors;

const OF_A_TYPE: &[&str] = &["reverse", "concurrent", "error", "crate"];
const OF_A_FIELD: &[&str] = &["skip", "guard"];

/// In which order the fields are cleaned up. The names are those of `asyncdrop::__derive::Order`.
#[derive(Clone, Copy)]
pub(crate) enum Order {
    Declared,
    Reverse,
    Concurrent,
}

pub(crate) struct OfType {
    pub(crate) order: Order,
    /// The error type, if the user chose one.
    pub(crate) error: Option<Type>,
    /// The path at which the crate `asyncdrop` is found.
    pub(crate) krate: Path,
}

impl OfType {
    /// With a mistake in them, the options are as good as they can be: the mistake is in `errors`.
    pub(crate) fn read(attributes: &[Attribute], errors: &mut Errors) -> Self {
        let mut order = None;
        let mut options = Self {
            order: Order::Declared,
            error: None,
            krate: syn::parse_quote!(::asyncdrop),
        };
        for given in Given::all(attributes, "type", OF_A_TYPE, OF_A_FIELD, errors) {
            let result = match given.name.to_string().as_str() {
                "reverse" => given.choose(Order::Reverse, &mut order),
                "concurrent" => given.choose(Order::Concurrent, &mut order),
                "error" => given
                    .parsed("std::io::Error")
                    .map(|it| options.error = Some(it)),
                "crate" => given
                    .parsed("my_crate::asyncdrop")
                    .map(|it| options.krate = it),
                _ => unreachable!("`Given::all` lets only known names through"),
            };
            errors.take(result);
        }
        if let Some((_, chosen)) = order {
            options.order = chosen;
        }
        options
    }
}

/// What the attribute of a field says.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum OfField {
    /// Nothing: the type of the field decides.
    Unmarked,
    Guard,
    Skip,
}

impl OfField {
    pub(crate) fn read(attributes: &[Attribute], errors: &mut Errors) -> Self {
        let mut mark = None;
        for given in Given::all(attributes, "field", OF_A_FIELD, OF_A_TYPE, errors) {
            let chosen = match given.name.to_string().as_str() {
                "guard" => Self::Guard,
                "skip" => Self::Skip,
                _ => unreachable!("`Given::all` lets only known names through"),
            };
            errors.take(given.choose(chosen, &mut mark));
        }
        mark.map_or(Self::Unmarked, |(_, chosen)| chosen)
    }
}

pub(crate) fn refuse_on_variant(variant: &Variant, errors: &mut Errors) {
    for attribute in ours(&variant.attrs) {
        errors.add(Error::new_spanned(
            attribute,
            "`async_drop` has no options for a variant; put them on the type, or on a field of the variant",
        ));
    }
}

fn ours(attributes: &[Attribute]) -> impl Iterator<Item = &Attribute> {
    attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("async_drop"))
}

/// One option as it is written: `name`, or `name = ".."`.
struct Given {
    name: Ident,
    value: Option<LitStr>,
}

impl Parse for Given {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        // `crate` is a keyword.
        let name = Ident::parse_any(input)?;
        let value = match input.parse::<Option<Token![=]>>()? {
            Some(_) => Some(input.parse()?),
            None => None,
        };
        Ok(Self { name, value })
    }
}

impl Given {
    /// The options of a `place`, each with a known name and none twice. All others are `errors`.
    fn all(
        attributes: &[Attribute],
        place: &str,
        known: &[&str],
        of_the_other_place: &[&str],
        errors: &mut Errors,
    ) -> Vec<Self> {
        let mut all: Vec<Self> = Vec::new();
        for attribute in ours(attributes) {
            let list = match &attribute.meta {
                Meta::List(list) => {
                    list.parse_args_with(Punctuated::<_, Token![,]>::parse_terminated)
                }
                Meta::Path(_) | Meta::NameValue(_) => Ok(Punctuated::new()),
            };
            let Some(list) = errors.take(list) else {
                continue;
            };
            if list.is_empty() {
                let example = known[0];
                errors.add(Error::new_spanned(
                    attribute,
                    format!(
                        "this says nothing; a {place} has {}, as in `#[async_drop({example})]`",
                        listed(known)
                    ),
                ));
            }
            for given in list {
                let Self { name, .. } = &given;
                let refused = if known.iter().any(|it| name == it) {
                    all.iter()
                        .any(|earlier| earlier.name == *name)
                        .then(|| format!("`{name}` is given twice"))
                } else if of_the_other_place.iter().any(|it| name == it) {
                    let other = if place == "type" {
                        "a field"
                    } else {
                        "the type"
                    };
                    Some(format!(
                        "`{name}` belongs on {other}; a {place} has {}",
                        listed(known)
                    ))
                } else {
                    Some(format!(
                        "there is no option `{name}`; a {place} has {}",
                        listed(known)
                    ))
                };
                match refused {
                    Some(message) => errors.add(Error::new(name.span(), message)),
                    None => all.push(given),
                }
            }
        }
        all
    }

    /// Makes a choice where none was made before.
    fn choose<C>(self, choice: C, chosen: &mut Option<(Ident, C)>) -> syn::Result<()> {
        if let Some(value) = &self.value {
            let message = format!("`{}` takes no value", self.name);
            return Err(Error::new(value.span(), message));
        }
        if let Some((other, _)) = chosen {
            let message = format!("`{}` and `{other}` exclude each other", self.name);
            return Err(Error::new(self.name.span(), message));
        }
        *chosen = Some((self.name, choice));
        Ok(())
    }

    /// The value, which looks like `example`.
    fn parsed<V: Parse>(self, example: &str) -> syn::Result<V> {
        match self.value {
            Some(value) => value.parse(),
            None => {
                let name = self.name;
                let message = format!("`{name}` needs a value: `{name} = \"{example}\"`");
                Err(Error::new(name.span(), message))
            }
        }
    }
}

fn listed(names: &[&str]) -> String {
    let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    match names.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => names.join(""),
    }
}
