//! Cuts a source into tokens: names, literals, and single characters.

use super::Position;

#[derive(Debug, PartialEq, Eq)]
pub struct Token {
    /// Literals of text are left out: nothing is looked up in them.
    pub text: String,
    pub at: Position,
    pub is_name: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Comment {
    /// Without the slashes.
    pub text: String,
    pub line: u32,
    /// Whether nothing else stands before it in its line.
    pub alone: bool,
}

pub(super) fn read(text: &str) -> (Vec<Token>, Vec<Comment>) {
    let mut reader = Reader {
        rest: text,
        line: 1,
        column: 1,
    };
    let mut tokens: Vec<Token> = Vec::new();
    let mut comments = Vec::new();
    while let Some(c) = reader.rest.chars().next() {
        let at = Position {
            line: reader.line,
            column: reader.column,
        };
        if c.is_whitespace() {
            reader.skip(c.len_utf8());
        } else if reader.rest.starts_with("//") {
            let length = reader.rest.find('\n').unwrap_or(reader.rest.len());
            comments.push(Comment {
                text: reader.rest[2..length].trim().to_owned(),
                line: at.line,
                alone: tokens.last().is_none_or(|token| token.at.line != at.line),
            });
            reader.skip(length);
        } else if reader.rest.starts_with("/*") {
            reader.skip(length_of_block_comment(reader.rest));
        } else if let Some(length) = length_of_text(reader.rest) {
            reader.skip(length);
            tokens.push(Token {
                text: "\"".to_owned(),
                at,
                is_name: false,
            });
        } else if c == '_' || c.is_alphanumeric() {
            let length = reader
                .rest
                .find(|c: char| c != '_' && !c.is_alphanumeric())
                .unwrap_or(reader.rest.len());
            tokens.push(Token {
                text: reader.rest[..length].to_owned(),
                at,
                is_name: !c.is_ascii_digit(),
            });
            reader.skip(length);
        } else {
            reader.skip(c.len_utf8());
            tokens.push(Token {
                text: c.to_string(),
                at,
                is_name: false,
            });
        }
    }
    (tokens, comments)
}

struct Reader<'a> {
    rest: &'a str,
    line: u32,
    column: u32,
}

impl Reader<'_> {
    fn skip(&mut self, length: usize) {
        let (skipped, rest) = self.rest.split_at(length);
        for c in skipped.chars() {
            if c == '\n' {
                self.line += 1;
                self.column = 1;
            } else {
                self.column += 1;
            }
        }
        self.rest = rest;
    }
}

fn length_of_block_comment(text: &str) -> usize {
    let mut depth = 0_u32;
    let mut at = 0;
    while at < text.len() {
        let rest = &text.as_bytes()[at..];
        if rest.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    text.len()
}

/// The length of the text, the raw text or the character with which `text` begins.
fn length_of_text(text: &str) -> Option<usize> {
    let prefix = ["br", "cr", "b", "c", "r", ""]
        .iter()
        .find(|prefix| {
            text.strip_prefix(**prefix)
                .is_some_and(|rest| rest.starts_with(['"', '\'', '#']))
        })
        .copied()?;
    let rest = &text[prefix.len()..];
    if prefix.ends_with('r') {
        let hashes = rest.find(|c| c != '#')?;
        if !rest[hashes..].starts_with('"') {
            return None;
        }
        let close = format!("\"{}", "#".repeat(hashes));
        let inside = &rest[hashes + 1..];
        let length = inside
            .find(&close)
            .map_or(inside.len(), |at| at + close.len());
        return Some(prefix.len() + hashes + 1 + length);
    }
    let quote = rest.chars().next()?;
    match quote {
        '"' => {}
        '\'' => {
            // `'a` is a lifetime or a label.
            let mut chars = rest.chars().skip(1);
            let first = chars.next()?;
            if first != '\\' && chars.next() != Some('\'') {
                return None;
            }
        }
        _ => return None,
    }
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        if escaped {
            escaped = false;
        } else if c == '\\' {
            escaped = true;
        } else if c == quote {
            return Some(prefix.len() + at + c.len_utf8());
        }
    }
    Some(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<String> {
        read(text).0.into_iter().map(|token| token.text).collect()
    }

    #[test]
    fn texts_and_comments_are_no_code() {
        assert_eq!(
            texts("a \"fn // {\" b /* fn /* x */ y */ r#\"\"}\"# '{' 'life c // d"),
            ["a", "\"", "b", "\"", "\"", "'", "life", "c"]
        );
    }

    #[test]
    fn a_comment_knows_its_line() {
        let (tokens, comments) = read("a\n// one\nb // two\n");
        assert_eq!(tokens[1].at, Position { line: 3, column: 1 });
        assert_eq!(comments[0].text, "one");
        assert_eq!([comments[0].line, comments[1].line], [2, 3]);
        assert_eq!([comments[0].alone, comments[1].alone], [true, false]);
    }
}
