//! From the type to its `impl AsyncDrop`.

use proc_macro2::{Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{
    Data, DeriveInput, Error, Fields, Index, Lifetime, Member, Path, Token, Type, WherePredicate,
    parse_quote,
};

use crate::errors::Errors;
use crate::guards::{Holds, names};
use crate::options::{self, OfField, OfType, Order};

pub(crate) fn async_drop(input: &DeriveInput) -> TokenStream {
    let (options, arms, errors) = read(input);
    match errors.into_error() {
        None => implementation(input, &options, &arms),
        Some(error) => {
            // There is still an implementation, because otherwise each use of the type would be an error of its own.
            let stand_in = implementation(input, &options, &[]);
            let error = error.into_compile_error();
            quote!(#error #stand_in)
        }
    }
}

pub(crate) fn read(input: &DeriveInput) -> (OfType, Vec<Arm<'_>>, Errors) {
    let mut errors = Errors::default();
    let options = OfType::read(&input.attrs, &mut errors);
    let arms = arms(input, &mut errors);
    if errors.is_empty() && arms.iter().all(|arm| arm.guards.is_empty()) {
        errors.add(without_a_guard(input));
    }
    (options, arms, errors)
}

/// One way the value can look: that of a struct, or a variant of an enum.
pub(crate) struct Arm<'a> {
    /// `Self::Variant`, if it is one.
    path: Option<TokenStream>,
    guards: Vec<Guard<'a>>,
}

struct Guard<'a> {
    member: Member,
    /// What an error calls it.
    name: String,
    ty: &'a Type,
}

impl<'a> Arm<'a> {
    fn new(variant: Option<&Ident>, fields: &'a Fields, errors: &mut Errors) -> Self {
        let mut guards = Vec::new();
        for (index, field) in fields.iter().enumerate() {
            let (member, name) = match &field.ident {
                Some(name) => (Member::Named(name.clone()), name.unraw().to_string()),
                None => (Member::Unnamed(Index::from(index)), index.to_string()),
            };
            let name = match variant {
                Some(variant) => format!("{}.{name}", variant.unraw()),
                None => name,
            };
            let ty = &field.ty;
            match (OfField::read(&field.attrs, errors), Holds::of(ty)) {
                (OfField::Guard, _) | (OfField::Unmarked, Holds::Guards) => {
                    guards.push(Guard { member, name, ty });
                }
                (OfField::Skip, _) | (OfField::Unmarked, Holds::Nothing) => {}
                (OfField::Unmarked, Holds::GuardsOutOfReach) => errors.add(Error::new_spanned(
                    ty,
                    "`derive(AsyncDrop)` does not reach this guard: it cleans up `AsyncDropGuard<..>`, and looks into `Option`, `Vec` and `Box`\n\
                     for a map there is `AsyncDropHashMap`, for several owners `AsyncDropArc`\n\
                     if it is cleaned up elsewhere, mark the field `#[async_drop(skip)]`",
                )),
            }
        }
        let path = variant.map(|variant| quote!(Self::#variant));
        Self { path, guards }
    }

    /// Adds the guards of a struct to `guards`. It makes no variable that could meet a name of the user.
    fn of_struct(&self, guards: TokenStream) -> TokenStream {
        self.add_all(guards, |guard| {
            let member = &guard.member;
            quote_spanned!(guard.ty.span()=> &mut self.#member)
        })
    }

    /// An arm of a `match` over an enum, which adds the guards of its variant to `guards`.
    fn of_enum(&self, guards: TokenStream) -> TokenStream {
        let path = &self.path;
        let members = self.guards.iter().map(|guard| &guard.member);
        let bindings = self.guards.iter().map(Guard::binding);
        let guards = self.add_all(guards, |guard| guard.binding().into_token_stream());
        quote!(#path { #(#members: #bindings,)* .. } => #guards,)
    }

    fn add_all(
        &self,
        guards: TokenStream,
        field: impl Fn(&Guard<'_>) -> TokenStream,
    ) -> TokenStream {
        self.guards.iter().fold(guards, |guards, guard| {
            let name = &guard.name;
            let field = field(guard);
            quote!(#guards.and(#name, #field))
        })
    }
}

impl Guard<'_> {
    /// A variable for the field. A macro cannot hide it from a `static` of the same name, so the name is one that nothing has.
    fn binding(&self) -> Ident {
        let member = match &self.member {
            Member::Named(name) => name.unraw().to_string(),
            Member::Unnamed(index) => index.index.to_string(),
        };
        // An error that the compiler has with this field shall point to its type.
        Ident::new(&format!("__asyncdrop_derive_{member}"), self.ty.span())
    }
}

fn arms<'a>(input: &'a DeriveInput, errors: &mut Errors) -> Vec<Arm<'a>> {
    match &input.data {
        Data::Struct(data) => vec![Arm::new(None, &data.fields, errors)],
        Data::Enum(data) => {
            let mut arms = Vec::new();
            for variant in &data.variants {
                options::refuse_on_variant(variant, errors);
                arms.push(Arm::new(Some(&variant.ident), &variant.fields, errors));
            }
            arms
        }
        Data::Union(data) => {
            errors.add(Error::new(
                data.union_token.span(),
                "`derive(AsyncDrop)` cannot know which field of a union is alive; implement `AsyncDrop` by hand",
            ));
            Vec::new()
        }
    }
}

fn without_a_guard(input: &DeriveInput) -> Error {
    Error::new(
        input.ident.span(),
        format!(
            "`{}` has no guard that could be cleaned up: no field is an `AsyncDropGuard<..>`, or an `Option`, `Vec` or `Box` of one\n\
             mark a field of another name for such a type with `#[async_drop(guard)]`\n\
             if the cleanup is code of its own, implement `AsyncDrop` by hand",
            input.ident
        ),
    )
}

/// Without `arms` it is a stand-in, which is never run.
fn implementation(input: &DeriveInput, options: &OfType, arms: &[Arm<'_>]) -> TokenStream {
    let DeriveInput {
        ident, generics, ..
    } = input;
    let OfType {
        order,
        error,
        krate,
    } = options;
    let collected = match error {
        Some(error) => quote!(#krate::__derive::First<#error>),
        None => quote!(#krate::__derive::Every),
    };

    let body = if arms.is_empty() {
        quote!(#krate::__derive::refused())
    } else {
        let order = match order {
            Order::Declared => quote!(Declared),
            Order::Reverse => quote!(Reverse),
            Order::Concurrent => quote!(Concurrent),
        };
        let none = quote!(#krate::__derive::Guards::<'_, #collected>::new());
        let guards = match arms {
            [arm] if arm.path.is_none() => arm.of_struct(none),
            arms => {
                let arms = arms.iter().map(|arm| arm.of_enum(none.clone()));
                quote!(match self { #(#arms)* })
            }
        };
        // The guards are taken out of `self` here, so that the future holds nothing else of it, and need not be `Send`.
        quote!(#krate::__derive::Guards::clean_up(#guards, #krate::__derive::Order::#order))
    };

    let mut generics = generics.clone();
    let bounds = bounds(input, arms, &collected, krate);
    if !bounds.is_empty() {
        generics.make_where_clause().predicates.extend(bounds);
    }
    let (impl_generics, type_generics, where_clause) = generics.split_for_impl();
    let [of_self, of_future] = ["async_drop_self", "async_drop_future"].map(|it| unused(it, input));
    let error = quote!(<#collected as #krate::__derive::Collected>::Error);
    quiet(quote! {
        #[automatically_derived]
        impl #impl_generics #krate::AsyncDrop for #ident #type_generics #where_clause {
            type Error = #error;

            // What `async_trait` makes of the method. Its own output names `Box`, which means something else in some modules.
            // `Self::Error` would mean a variant of that name, too.
            fn async_drop_impl<#of_self, #of_future>(
                &#of_self mut self,
            ) -> #krate::__derive::Cleanup<#of_future, #error>
            where
                #of_self: #of_future,
                Self: #of_future,
            {
                #body
            }
        }
    })
}

/// A lifetime that the type does not have.
fn unused(name: &str, input: &DeriveInput) -> Lifetime {
    let mut name = format!("'{name}");
    while input
        .generics
        .lifetimes()
        .any(|it| it.lifetime.to_string() == name)
    {
        name.push('_');
    }
    Lifetime::new(&name, Span::call_site())
}

/// Marks all of it as written by the macro, at the places where the user wrote it.
///
/// The compiler then does not warn of what the user did not write twice, as of a deprecated field.
/// An `#[allow]` would do that as well, and is an error in a crate that forbids the lint.
fn quiet(tokens: TokenStream) -> TokenStream {
    let quiet = |mut token: TokenTree| {
        if let TokenTree::Group(group) = &token {
            let span = group.span();
            let mut group = Group::new(group.delimiter(), quiet(group.stream()));
            group.set_span(span);
            token = group.into();
        }
        let keeps_its_meaning = match &token {
            // `$crate` is the crate of the macro that it comes from. `gen` is a keyword where this macro was written.
            TokenTree::Ident(ident) => ident != "$crate" && ident != "gen",
            _ => true,
        };
        if keeps_its_meaning {
            token.set_span(token.span().resolved_at(Span::call_site()));
        }
        token
    };
    tokens.into_iter().map(quiet).collect()
}

/// What the type parameters must be able to do, said of the fields that they stand in.
///
/// A bound on the parameter itself would be too much for some types and not enough for others:
/// `AsyncDropGuard<AsyncDropArc<T>>` needs a `T` that is `Sync`, and `AsyncDropGuard<Cache<T>>` perhaps nothing.
fn bounds(
    input: &DeriveInput,
    arms: &[Arm<'_>],
    collected: &TokenStream,
    krate: &Path,
) -> Vec<WherePredicate> {
    let parameters: Vec<_> = input.generics.type_params().map(|it| &it.ident).collect();
    let itself = Ident::from(<Token![Self]>::default());
    let types = arms
        .iter()
        .flat_map(|arm| &arm.guards)
        .map(|guard| guard.ty);
    types
        .filter(|ty| parameters.iter().any(|it| names(ty, it)))
        // A type that holds itself can be cleaned up if it can be cleaned up: as a bound, that has no end.
        .filter(|ty| !names(ty, &input.ident) && !names(ty, &itself))
        .map(|ty| {
            let bound = quote_spanned!(ty.span()=> #krate::__derive::Field<#collected>);
            parse_quote!(#ty: #bound)
        })
        .collect()
}
