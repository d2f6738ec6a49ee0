//! Finds its way in a line of MIR, in which brackets nest and texts may hold anything.

/// The bytes of `text` that stand outside of texts and characters, each with the number of brackets that are open around it.
///
/// An opening bracket counts as outside of itself, and so does a closing one.
pub(crate) fn outside(text: &str) -> impl Iterator<Item = (usize, u8, usize)> + '_ {
    let bytes = text.as_bytes();
    let mut at = 0;
    let mut depth = 0_usize;
    std::iter::from_fn(move || {
        loop {
            let byte = *bytes.get(at)?;
            let start = at;
            match byte {
                b'"' => {
                    at = end_of_literal(bytes, at, b'"');
                    continue;
                }
                b'\'' if is_character(bytes, at) => {
                    at = end_of_literal(bytes, at, b'\'');
                    continue;
                }
                // An arrow closes no bracket.
                b'-' if bytes.get(at + 1) == Some(&b'>') => {
                    at += 2;
                    return Some((start, byte, depth));
                }
                b'(' | b'[' | b'{' | b'<' => {
                    at += 1;
                    depth += 1;
                    return Some((start, byte, depth - 1));
                }
                b')' | b']' | b'}' | b'>' => {
                    at += 1;
                    depth = depth.saturating_sub(1);
                    return Some((start, byte, depth));
                }
                _ => {
                    at += 1;
                    return Some((start, byte, depth));
                }
            }
        }
    })
}

/// The position after the literal that begins at `start`.
fn end_of_literal(bytes: &[u8], start: usize, quote: u8) -> usize {
    let mut at = start + 1;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'\\' => at += 2,
            _ if byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// Whether the quotation mark begins a character, and not a lifetime.
fn is_character(bytes: &[u8], at: usize) -> bool {
    match bytes.get(at + 1) {
        Some(b'\\') => true,
        Some(&first) => {
            let length = match first {
                0..=0x7f => 1,
                0x80..=0xdf => 2,
                0xe0..=0xef => 3,
                _ => 4,
            };
            bytes.get(at + 1 + length) == Some(&b'\'')
        }
        None => false,
    }
}

/// Splits at the commas that stand in no bracket.
pub fn split_commas(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut start = 0;
    for (at, byte, depth) in outside(text) {
        if byte == b',' && depth == 0 {
            parts.push(text[start..at].trim());
            start = at + 1;
        }
    }
    let last = text[start..].trim();
    if !last.is_empty() {
        parts.push(last);
    }
    parts
}

/// The first position of `needle` outside of brackets and texts.
pub(crate) fn find_outside(text: &str, needle: &str) -> Option<usize> {
    outside(text)
        .find(|&(at, _, depth)| depth == 0 && text.as_bytes()[at..].starts_with(needle.as_bytes()))
        .map(|(at, _, _)| at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_in_brackets_and_texts_do_not_split() {
        let text = r#"move (_1.0: fn(A, B) -> C<D, E>), const "a, \", b", const ',', copy _2"#;
        assert_eq!(
            split_commas(text),
            [
                "move (_1.0: fn(A, B) -> C<D, E>)",
                r#"const "a, \", b""#,
                "const ','",
                "copy _2"
            ]
        );
    }

    #[test]
    fn a_lifetime_is_no_character() {
        assert_eq!(split_commas("Foo<'a, 'b>, Bar<'_>").len(), 2);
    }
}
