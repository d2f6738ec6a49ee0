//! Functions: where one begins and ends, its locals, its blocks.

use std::collections::BTreeMap;

use super::cursor::{outside, split_commas};
use super::statement::{self, Line};
use super::{Block, Body, Place, Span, Terminator};

/// The text of one function, not read yet: most functions have nothing to do with guards.
#[derive(Clone, Copy, Debug)]
pub struct FunctionText<'a> {
    pub header: &'a str,
    pub lines: &'a str,
}

/// The functions of a file of MIR.
pub fn functions(text: &str) -> Vec<FunctionText<'_>> {
    let mut found = Vec::new();
    let mut open: Option<(&str, usize)> = None;
    let mut at = 0;
    let mut twice = false;
    for line in text.split_inclusive('\n') {
        let start = at;
        at += line.len();
        let bare = line.trim_end();
        match open {
            Some((header, from)) if bare == "}" => {
                let lines = &text[from..start];
                found.push(FunctionText { header, lines });
                open = None;
            }
            Some(_) => {}
            None => {
                // A `const fn` is there a second time, as it is evaluated at compile time.
                if bare == "// MIR FOR CTFE" {
                    twice = true;
                } else if let Some(header) = bare.strip_suffix('{') {
                    if let Some(header) = header.strip_prefix("fn ") {
                        if !twice {
                            open = Some((header.trim_end(), at));
                        }
                        twice = false;
                    }
                }
            }
        }
    }
    found
}

/// The references that the compiler has evaluated already, each with the text of the value to which it refers.
///
/// Assertions compare with such values, as in `assert_eq!(polled, Poll::Ready(Ok(())))`.
pub fn constants(text: &str) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    let mut open: Option<(&str, BTreeMap<&str, &str>)> = None;
    for line in text.lines() {
        let Some((name, values)) = &mut open else {
            let header = line
                .strip_prefix("const ")
                .and_then(|l| l.strip_suffix(" = {"));
            let name = header.and_then(|header| header.split_once(": &"));
            if let Some((name, _)) = name.filter(|(name, _)| name.contains("::promoted[")) {
                open = Some((name, BTreeMap::new()));
            }
            continue;
        };
        if line == "}" {
            open = None;
            continue;
        }
        let Some((into, value)) = line.trim().trim_end_matches(';').split_once(" = ") else {
            continue;
        };
        if let ("_0", Some(of)) = (into, value.strip_prefix('&')) {
            if let Some(value) = values.get(of) {
                found.push((*name, *value));
            }
        } else {
            values.insert(into, value);
        }
    }
    found
}

impl FunctionText<'_> {
    /// Whether a word that makes a function interesting stands anywhere in it, but for its texts.
    pub fn mentions(&self, word: &str) -> bool {
        let in_text = |at: usize| {
            let start = self.lines[..at].rfind('\n').map_or(0, |end| end + 1);
            self.lines[start..at].matches('"').count() % 2 == 1
        };
        let mut found = self.lines.match_indices(word);
        self.header.contains(word) || found.any(|(at, _)| !in_text(at))
    }

    /// Reads the function. What was not understood stands in [`Body::refused`].
    pub fn read(&self) -> Body {
        let mut body = header(self.header);
        let mut block: Option<(u32, Block)> = None;
        let mut ended = false;
        for line in self.lines.lines() {
            let (line, span) = without_span(line.trim());
            if line.is_empty() || line.starts_with("//") {
                continue;
            }
            let Some((number, open)) = &mut block else {
                match outside_of_blocks(line, &mut body) {
                    Some(Outside::Block(number, cleanup)) => {
                        let empty = Block {
                            cleanup,
                            statements: Vec::new(),
                            terminator: Terminator::End,
                            span: None,
                        };
                        block = Some((number, empty));
                        ended = false;
                    }
                    Some(Outside::Nothing) => {}
                    None => body.refused.push(line.to_owned()),
                }
                continue;
            };
            if line == "}" {
                if !ended {
                    body.refused.push(format!("bb{number} has no end"));
                }
                if let Some((number, block)) = block.take() {
                    body.blocks.insert(number, block);
                }
                continue;
            }
            match statement::read(line) {
                Some(Line::Statement(statement)) => open.statements.push((statement, span)),
                Some(Line::Terminator(terminator)) => {
                    open.terminator = terminator;
                    open.span = span;
                    ended = true;
                }
                Some(Line::Nothing) => {}
                // After a panic nothing is reported, so it need not be understood.
                None if open.cleanup => ended = true,
                None => body.refused.push(line.to_owned()),
            }
        }
        if body.blocks.is_empty() {
            body.refused.push(format!("{} has no block", body.name));
        }
        body
    }
}

fn header(text: &str) -> Body {
    let parameters_at = text
        .find("(_1: ")
        .or_else(|| text.find("() -> "))
        .unwrap_or(text.len());
    let mut parameters = Vec::new();
    let mut types = BTreeMap::new();
    let after = &text[parameters_at..];
    let close = outside(after).find(|&(_, byte, depth)| byte == b')' && depth == 0);
    let mut refused = Vec::new();
    match close {
        Some((close, _, _)) if close > 0 => {
            for parameter in split_commas(&after[1..close]) {
                let read = parameter.split_once(": ").and_then(|(local, written)| {
                    Some((local.strip_prefix('_')?.parse().ok()?, written.to_owned()))
                });
                match read {
                    Some((local, written)) => {
                        types.insert(local, written.clone());
                        parameters.push((local, written));
                    }
                    None => refused.push(parameter.to_owned()),
                }
            }
        }
        _ => refused.push(text.to_owned()),
    }
    Body {
        name: text[..parameters_at].to_owned(),
        parameters,
        types,
        names: Vec::new(),
        blocks: BTreeMap::new(),
        refused,
    }
}

enum Outside {
    Block(u32, bool),
    Nothing,
}

fn outside_of_blocks(line: &str, body: &mut Body) -> Option<Outside> {
    if let Some(local) = line.strip_prefix("let ") {
        let local = local.strip_prefix("mut ").unwrap_or(local);
        let (number, written) = local.strip_suffix(';')?.split_once(": ")?;
        let number = number.strip_prefix('_')?.parse().ok()?;
        body.types.insert(number, written.to_owned());
        return Some(Outside::Nothing);
    }
    if let Some(named) = line.strip_prefix("debug ") {
        let (name, place) = named.strip_suffix(';')?.split_once(" => ")?;
        // A name can also stand for a constant.
        if let Some(place) = Place::read(place) {
            body.names.push((name.to_owned(), place));
        }
        return Some(Outside::Nothing);
    }
    if line == "}" || line.starts_with("scope ") || line.starts_with("coverage ") {
        return Some(Outside::Nothing);
    }
    let (number, rest) = line
        .strip_prefix("bb")?
        .split_once(|c: char| !c.is_ascii_digit())?;
    let cleanup = rest.starts_with("(cleanup)");
    if !line.ends_with('{') {
        return None;
    }
    Some(Outside::Block(number.parse().ok()?, cleanup))
}

/// Takes off the comment that says where a line comes from.
fn without_span(line: &str) -> (&str, Option<Span>) {
    let comment = ["// scope ", "// in scope ", "// return place in scope "]
        .iter()
        .filter_map(|start| line.rfind(start))
        .max();
    let Some(at) = comment else {
        return (line, None);
    };
    let (code, comment) = line.split_at(at);
    let span = comment.split_once(" at ").and_then(|(_, at)| read_span(at));
    (code.trim_end(), span)
}

/// Reads `src/main.rs:3:5: 3:12`.
pub fn read_span(text: &str) -> Option<Span> {
    let (start, _) = text.rsplit_once(": ")?;
    let (rest, column) = start.rsplit_once(':')?;
    let (file, line) = rest.rsplit_once(':')?;
    Some(Span {
        file: file.to_owned(),
        line: line.parse().ok()?,
        column: column.trim().parse().ok()?,
    })
}
