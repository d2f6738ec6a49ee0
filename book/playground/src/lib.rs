//! What a Run button sends to the playground: a snippet, and behind it the library as a module.
//!
//! The module stands behind the snippet and not in front of it, so that the line numbers in messages are those of the snippet.

// The derive macro's own code. It is included because a crate of macros exports nothing else.
#[path = "../../../derive/src/errors.rs"]
mod errors;
#[path = "../../../derive/src/expand.rs"]
mod expand;
#[path = "../../../derive/src/guards.rs"]
mod guards;
#[path = "../../../derive/src/options.rs"]
mod options;

mod derived;
mod library;
mod snippet;

pub use derived::{Derived, derived};
pub use library::{Library, library};
pub use snippet::{Online, online, runnable, shown, with_classes};

/// The text that is sent: the same as `book/theme/run.js` puts together.
///
/// `snippet` is what the reader sees, with the lines that the page hides.
///
/// # Errors
///
/// When the snippet derives `AsyncDrop` and is not Rust.
pub fn request(snippet: &str, library: &str) -> syn::Result<String> {
    let mut program = snippet.to_owned();
    if snippet::derives(snippet) {
        for Derived { written, expanded } in derived(snippet)? {
            program = program.replace(&written, &expanded);
        }
    }
    Ok(format!("{}\n{library}", snippet::as_a_program(&program)))
}
