//! What a Run button sends to the playground: a snippet, and behind it the library as a module.
//!
//! The module stands behind the snippet and not in front of it, so that the line numbers in messages are those of the snippet.

mod library;
mod snippet;

pub use library::{Library, library};
pub use snippet::{Online, online, shown, with_classes};

/// The text that is sent: the same as `book/theme/run.js` puts together.
///
/// `snippet` is what the reader sees, with the lines that the page hides.
pub fn request(snippet: &str, library: &str) -> String {
    format!("{}\n{library}", snippet::as_a_program(snippet))
}
