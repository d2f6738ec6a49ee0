//! The derive macro of the crate [`asyncdrop`](https://docs.rs/asyncdrop), which re-exports and documents it.
//!
//! You need not depend on this crate, because `asyncdrop` has it with the feature `derive`.

#![warn(missing_docs)]

mod errors;
mod expand;
mod guards;
mod options;
#[cfg(test)]
mod tests;

/// Implements the trait `AsyncDrop` of the crate `asyncdrop` by cleaning up every guard that a value holds in its fields.
///
/// You find its documentation where it is re-exported: `asyncdrop::AsyncDrop`.
#[proc_macro_derive(AsyncDrop, attributes(async_drop))]
pub fn derive_async_drop(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    let input = syn::parse_macro_input!(input as syn::DeriveInput);
    expand::async_drop(&input).into()
}
