//! Finds in the sources what the compiler does not say: the line of a function, of a variable, of a call.
//!
//! On stable, MIR has no positions.
//! So the sources are cut into tokens, and names are looked up among those of the function.

mod items;
mod modules;
mod tokens;

use std::path::{Path, PathBuf};

pub use tokens::{Comment, Token};

/// A position in a source, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    pub line: u32,
    pub column: u32,
}

#[derive(Debug)]
pub struct File {
    /// As the compiler was given it.
    pub path: PathBuf,
    pub text: String,
    pub tokens: Vec<Token>,
    pub comments: Vec<Comment>,
    functions: Vec<Function>,
    /// The functions and the inline modules, in the order in which they begin.
    blocks: Vec<Block>,
    /// The positions of the `impl`s and traits, and of the tokens after each.
    impls: Vec<(usize, usize)>,
}

#[derive(Debug)]
struct Function {
    name: String,
    /// The position of `fn`, and of the tokens after its body.
    start: usize,
    end: usize,
    /// The line of the `impl` in which it stands.
    impl_line: Option<u32>,
}

/// A function or an inline module, in which others may stand.
#[derive(Debug)]
struct Block {
    name: String,
    /// The position of `fn` or `mod`, and of the tokens after it.
    start: usize,
    end: usize,
    is_function: bool,
}

/// The part of a source in which a body stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    pub file: usize,
    pub start: usize,
    pub end: usize,
    /// Where the function begins around it.
    pub function: usize,
}

/// The sources of a crate, its root first.
#[derive(Debug, Default)]
pub struct Sources {
    pub files: Vec<File>,
    /// The module that each file is.
    modules: Vec<Option<Vec<String>>>,
}

impl Sources {
    /// Reads the sources. One that cannot be read has no positions, and nothing worse.
    pub fn read(root: &Path, paths: &[PathBuf]) -> Self {
        let files = paths
            .iter()
            .filter_map(|path| {
                let text = std::fs::read_to_string(root.join(path)).ok()?;
                Some(File::new(path.clone(), text))
            })
            .collect();
        Self::new(files)
    }

    pub fn new(files: Vec<File>) -> Self {
        let modules = modules::modules_of(&files);
        Self { files, modules }
    }

    /// Where the body with this path of the compiler stands.
    pub fn region(&self, path: &str, own_type: Option<&str>) -> Option<Region> {
        let Some(function) = self.function(path) else {
            // A closure in a constant stands in no function.
            let (number, first) = self.token_at(&span_of_type(own_type?)?)?;
            let file = &self.files[number];
            let (start, end) = file.body_after(first, file.tokens.len())?;
            return Some(Region {
                file: number,
                start,
                end,
                function: start,
            });
        };
        // A closure says where it stands itself, if no macro made it.
        let Some(span) = own_type.and_then(span_of_type) else {
            return Some(function);
        };
        let file = &self.files[function.file];
        if file.path != Path::new(&span.0) {
            return Some(function);
        }
        let first = file
            .tokens
            .iter()
            .position(|token| (token.at.line, token.at.column) >= (span.1, span.2))?;
        // The attribute of an async main stands before all of it.
        if first <= function.start || file.tokens[first].text == "#" || first >= function.end {
            return Some(function);
        }
        let (start, end) = file.body_after(first, function.end)?;
        Some(Region {
            start,
            end,
            ..function
        })
    }

    /// The file of a place, and the first token there.
    fn token_at(&self, (path, line, column): &(String, u32, u32)) -> Option<(usize, usize)> {
        let number = self
            .files
            .iter()
            .position(|file| file.path == Path::new(path))?;
        let mut tokens = self.files[number].tokens.iter();
        let first =
            tokens.position(|token| (token.at.line, token.at.column) >= (*line, *column))?;
        Some((number, first))
    }

    fn function(&self, path: &str) -> Option<Region> {
        let (impl_at, rest) = match path.find("<impl at ") {
            Some(at) => {
                let end = path[at..].find('>')? + at;
                let span = crate::mir::read_span(&path[at + "<impl at ".len()..end]);
                (span, &path[end + 1..])
            }
            None => (None, path),
        };
        let segments: Vec<&str> = rest
            .split("::")
            .filter(|segment| !segment.is_empty() && !segment.starts_with(['{', '<']))
            .collect();
        let name = *segments
            .first()
            .filter(|_| impl_at.is_some())
            .or(segments.last())?;
        let mut best: Option<(usize, Region)> = None;
        for (number, file) in self.files.iter().enumerate() {
            for function in &file.functions {
                if function.name != name {
                    continue;
                }
                let mut score = 1;
                if let Some(span) = &impl_at {
                    if file.path == Path::new(&span.file) && function.impl_line == Some(span.line) {
                        score += 100;
                    }
                } else if function.impl_line.is_none() {
                    score += 10;
                }
                score += self.agreement(number, function, &segments);
                let region = Region {
                    file: number,
                    start: function.start,
                    end: function.end,
                    function: function.start,
                };
                if best.is_none_or(|(other, _)| score > other) {
                    best = Some((score, region));
                }
            }
        }
        best.map(|(_, region)| region)
    }

    /// How many of the modules and functions around a function are those of the path.
    fn agreement(&self, number: usize, function: &Function, path: &[&str]) -> usize {
        let file = &self.files[number];
        let Some(module) = &self.modules[number] else {
            // Which module it is was not found, as if a macro wrote the `mod`. Most have the name of their file.
            let stem = file.path.file_stem().and_then(|stem| stem.to_str());
            let is_in_path = path.iter().any(|name| Some(*name) == stem);
            return if is_in_path { 3 } else { 0 };
        };
        let around = file.blocks.iter();
        let around = around
            .filter(|block| block.start < function.start && function.start < block.end)
            .map(|block| &block.name);
        let own: Vec<&String> = module.iter().chain(around).collect();
        let agree = |own: &[&String]| {
            let pairs = own.iter().zip(path);
            pairs.take_while(|(own, name)| own == name).count()
        };
        let same = agree(&own);
        // The path of a method begins with the modules of its `impl`, which may be other ones.
        if same == own.len() {
            return 2 * same + 1;
        }
        // The compiler leaves out the first modules of a path where the rest is there once.
        let rests = (1..own.len()).map(|left_out| &own[left_out..]);
        let mut whole = rests.filter(|rest| agree(rest) == rest.len());
        2 * same.max(whole.next().map_or(0, <[_]>::len))
    }

    pub fn file(&self, region: Region) -> &File {
        &self.files[region.file]
    }
}

/// Where a type such as `{async block@src/main.rs:3:5: 3:10}` stands.
fn span_of_type(written: &str) -> Option<(String, u32, u32)> {
    let at = written.find('@')?;
    let end = written[at..]
        .find(['}', '('])
        .map_or(written.len(), |end| at + end);
    let span = crate::mir::read_span(written[at + 1..end].trim())?;
    Some((span.file, span.line, span.column))
}

impl File {
    pub fn new(path: PathBuf, text: String) -> Self {
        let (tokens, comments) = tokens::read(&text);
        let mut file = Self {
            path,
            text,
            tokens,
            comments,
            functions: Vec::new(),
            blocks: Vec::new(),
            impls: Vec::new(),
        };
        file.find_blocks();
        file
    }

    pub fn line(&self, line: u32) -> Option<&str> {
        self.text.lines().nth(line as usize - 1)
    }

    fn is(&self, at: usize, text: &str) -> bool {
        self.tokens.get(at).is_some_and(|token| token.text == text)
    }

    /// The position after the bracket that closes the one at `open`.
    fn after_bracket(&self, open: usize) -> usize {
        let mut depth = 0_u32;
        for (at, token) in self.tokens.iter().enumerate().skip(open) {
            match token.text.as_str() {
                "(" | "[" | "{" => depth += 1,
                ")" | "]" | "}" => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        return at + 1;
                    }
                }
                _ => {}
            }
        }
        self.tokens.len()
    }

    /// The block, or the expression, of the closure or the async block that begins at `start`.
    fn body_after(&self, start: usize, end: usize) -> Option<(usize, usize)> {
        let mut at = start;
        while at < end {
            match self.tokens[at].text.as_str() {
                "{" => return Some((start, self.after_bracket(at))),
                "(" | "[" => at = self.after_bracket(at),
                "," | ")" | ";" | "]" | "}" if at > start => return Some((start, at)),
                // The parameters of a closure may have commas.
                "|" => {
                    at += 1;
                    while at < end && !self.is(at, "|") {
                        at += 1;
                    }
                    at += 1;
                }
                _ => at += 1,
            }
        }
        None
    }

    fn find_blocks(&mut self) {
        let mut functions = Vec::new();
        let mut blocks = Vec::new();
        let mut impls: Vec<(usize, usize)> = Vec::new();
        let mut at = 0;
        while at < self.tokens.len() {
            let token = &self.tokens[at];
            match token.text.as_str() {
                "mod" if self.is(at + 2, "{") => {
                    blocks.push(Block {
                        name: self.tokens[at + 1].text.clone(),
                        start: at,
                        end: self.after_bracket(at + 2),
                        is_function: false,
                    });
                    at += 3;
                    continue;
                }
                "impl" | "trait" => {
                    let mut open = at + 1;
                    while open < self.tokens.len() && !self.is(open, "{") && !self.is(open, ";") {
                        open += 1;
                    }
                    // `impl Trait` in a signature has a block after it, too, which is that of a function.
                    let begins = at == 0
                        || matches!(
                            self.tokens[at - 1].text.as_str(),
                            "}" | ";" | "]" | "{" | "unsafe" | "pub" | ")"
                        );
                    if begins && self.is(open, "{") {
                        impls.push((at, self.after_bracket(open)));
                    }
                }
                "fn" if self.tokens.get(at + 1).is_some_and(|name| name.is_name) => {
                    let mut open = at + 2;
                    while open < self.tokens.len() && !self.is(open, "{") && !self.is(open, ";") {
                        open = if self.is(open, "(") || self.is(open, "[") {
                            self.after_bracket(open)
                        } else {
                            open + 1
                        };
                    }
                    if self.is(open, "{") {
                        let name = self.tokens[at + 1].text.clone();
                        let end = self.after_bracket(open);
                        functions.push(Function {
                            name: name.clone(),
                            start: at,
                            end,
                            impl_line: around(&impls, at)
                                .map(|(start, _)| self.tokens[start].at.line),
                        });
                        blocks.push(Block {
                            name,
                            start: at,
                            end,
                            is_function: true,
                        });
                    }
                }
                _ => {}
            }
            at += 1;
        }
        self.functions = functions;
        self.blocks = blocks;
        self.impls = impls;
    }

    fn is_in_function(&self, at: usize) -> bool {
        let mut functions = self.blocks.iter().filter(|block| block.is_function);
        functions.any(|block| block.start < at && at < block.end)
    }

    /// Whether a `type` belongs to the `impl` or the trait around it.
    fn is_associated(&self, at: usize) -> bool {
        let functions = self.blocks.iter().filter(|block| block.is_function);
        around(&self.impls, at).is_some_and(|(start, _)| {
            let mut inner = functions.filter(|block| block.start > start);
            !inner.any(|block| block.start < at && at < block.end)
        })
    }
}

/// The last of the ranges that has the position in it.
fn around(ranges: &[(usize, usize)], at: usize) -> Option<(usize, usize)> {
    let mut ranges = ranges.iter().rev();
    ranges
        .find(|(start, end)| (*start..*end).contains(&at))
        .copied()
}

impl Region {
    /// The tokens of the body itself: those of the closures and async blocks in it belong to others.
    fn own(self, file: &File) -> Vec<usize> {
        let mut own = Vec::new();
        let mut at = self.start;
        // The body of an async block begins with `async`.
        let mut first = true;
        while at < self.end {
            let inner = if first && self.start != self.function {
                None
            } else {
                nested(file, at)
            };
            first = false;
            match inner {
                Some(end) if end <= self.end => at = end.max(at + 1),
                _ => {
                    own.push(at);
                    at += 1;
                }
            }
        }
        own
    }

    /// The position of the binding of a variable: the `nth` of this name, or the last one outside of a closure.
    pub fn binding(self, file: &File, name: &str, nth: Option<usize>) -> Option<usize> {
        let is_binding = |at: &usize| {
            let at = *at;
            if file.tokens[at].text != name || at == 0 {
                return false;
            }
            let before = file.tokens[at - 1].text.as_str();
            let after = file
                .tokens
                .get(at + 1)
                .map_or("", |token| token.text.as_str());
            let next = file
                .tokens
                .get(at + 2)
                .map_or("", |token| token.text.as_str());
            let bound = matches!(after, ":" | "=" | "," | ")" | "|" | "in" | ";");
            // `==` is no binding, and neither is the pattern of an arm.
            if !bound || (after == "=" && next == "=") {
                return false;
            }
            match before {
                "let" | "mut" | "ref" | "for" => true,
                "(" | "," | "|" => self.is_pattern(file, at),
                _ => false,
            }
        };
        if let Some(nth) = nth {
            let own: Vec<usize> = self.own(file).into_iter().filter(is_binding).collect();
            if let Some(at) = own.get(nth).or(own.last()) {
                return Some(*at);
            }
        }
        (self.function..self.start.max(self.function)).rfind(is_binding)
    }

    /// Whether the name in brackets is one of a pattern or a parameter, and not an argument.
    fn is_pattern(self, file: &File, at: usize) -> bool {
        let typed = file.is(at + 1, ":");
        // Walk back to the start of the statement.
        let mut before = at;
        while before > self.function {
            before -= 1;
            match file.tokens[before].text.as_str() {
                "let" | "for" | "fn" | "|" => return true,
                ";" | "{" | "}" | "=" => return typed && file.is(before, "{"),
                _ => {}
            }
        }
        false
    }

    /// The positions at which something of this name is called.
    pub fn calls(self, file: &File, name: &str) -> Vec<usize> {
        let is_call = |at: &usize| {
            let at = *at;
            if file.tokens[at].text != name || (at > 0 && file.is(at - 1, "fn")) {
                return false;
            }
            // `name(`, `name::<T>(`, and a macro that calls a function of its name.
            file.is(at + 1, "(")
                || file.is(at + 1, "!")
                || (file.is(at + 1, ":") && file.is(at + 2, ":") && file.is(at + 3, "<"))
        };
        self.own(file).into_iter().filter(is_call).collect()
    }

    /// Where the block ends in which the token at `inside` stands.
    pub fn end_of_block(self, file: &File, inside: usize) -> usize {
        let mut depth = 0_i32;
        for at in inside..self.end {
            match file.tokens[at].text.as_str() {
                "{" => depth += 1,
                "}" if depth <= 0 => return at,
                "}" => depth -= 1,
                _ => {}
            }
        }
        self.end.saturating_sub(1)
    }

    /// The first of these words that stands after `start`, and before `end`.
    pub fn word(self, file: &File, words: &[&str], start: usize, end: usize) -> Option<usize> {
        self.own(file)
            .into_iter()
            .find(|at| *at > start && *at < end && words.contains(&file.tokens[*at].text.as_str()))
    }

    /// The `?` that belongs to the call at `call`, after its arguments and further calls on its result.
    pub fn question_mark(self, file: &File, call: usize) -> Option<usize> {
        let mut at = call + 1;
        while at < self.end {
            match file.tokens[at].text.as_str() {
                "(" | "[" => at = file.after_bracket(at),
                "?" => return Some(at),
                "." | ":" | "<" | ">" | "!" | "," | ")" => at += 1,
                "{" if file.is(at - 1, "!") || file.is(at - 1, ",") => at = file.after_bracket(at),
                _ if file.tokens[at].is_name => at += 1,
                _ => return None,
            }
        }
        None
    }
}

/// The end of the closure or async block that begins at `at`, if one does.
fn nested(file: &File, at: usize) -> Option<usize> {
    let mut open = at;
    if file.is(open, "async") {
        open += 1;
        if file.is(open, "move") {
            open += 1;
        }
        if file.is(open, "{") {
            return Some(file.after_bracket(open));
        }
        if !file.is(open, "|") {
            return None;
        }
    } else if file.is(open, "|") {
        let before = if at > 0 {
            file.tokens[at - 1].text.as_str()
        } else {
            ""
        };
        if !matches!(before, "(" | "," | "=" | "move" | "{" | ";" | "return") {
            return None;
        }
    } else {
        return None;
    }
    // A closure: its parameters, then a block. Without one its few calls count as ours.
    let mut close = open + 1;
    while close < file.tokens.len() && !file.is(close, "|") {
        close += 1;
    }
    file.is(close + 1, "{")
        .then(|| file.after_bracket(close + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(text: &str) -> Sources {
        Sources::new(vec![File::new("src/main.rs".into(), text.to_owned())])
    }

    #[test]
    fn the_fields_that_own_a_guard() {
        let sources = sources(
            "pub struct A<T> { n: HashMap<u8, u8>, #[x(1)] pub(crate) s: Option<AsyncDropGuard<T>>, }
             struct B(u8, A<u8>); struct C;",
        );
        let types = sources.types();
        let own = |name: &str| {
            let fields = types.owning_fields(name).unwrap().into_iter();
            fields
                .map(|field| (field.position, field.name))
                .collect::<Vec<_>>()
        };
        assert_eq!(own("A"), [(1, "s".to_owned())]);
        assert_eq!(own("B"), [(1, "1".to_owned())]);
        assert_eq!(own("C"), []);
    }

    fn line_of(path: &str, sources: &Sources) -> u32 {
        let region = sources.region(path, None).unwrap();
        sources.files[0].tokens[region.start].at.line
    }

    #[test]
    fn a_method_is_found_by_the_line_of_its_impl() {
        let sources =
            sources("impl A {\n fn run() {}\n}\nimpl B {\n fn run() { x() }\n}\nfn run() {}");
        let line = |path: &str| line_of(path, &sources);
        assert_eq!(line("<impl at src/main.rs:1:1: 1:7>::run"), 2);
        assert_eq!(line("<impl at src/main.rs:4:1: 4:7>::run::{closure#0}"), 5);
        assert_eq!(line("run"), 7);
    }

    #[test]
    fn a_function_is_found_by_the_end_of_its_path() {
        let sources = sources(
            "mod groups { mod one { fn run() {} }\n mod two { fn run() {} } }\nmod two { fn stop() {} }",
        );
        let line = |path: &str| line_of(path, &sources);
        assert_eq!(line("groups::two::run"), 2);
        // The compiler leaves out what is not needed to tell the paths apart.
        assert_eq!(line("two::run::{closure#0}"), 2);
        assert_eq!(line("one::run"), 1);
    }

    #[test]
    fn calls_of_inner_blocks_belong_to_them() {
        let sources =
            sources("async fn f() { a(); spawn(async move { a(); }); g(|x| { a(x) }); a()?; }");
        let file = &sources.files[0];
        let region = sources.region("f", None).unwrap();
        let calls = region.calls(file, "a");
        assert_eq!(calls.len(), 2);
        assert!(region.question_mark(file, calls[0]).is_none());
        assert!(region.question_mark(file, calls[1]).is_some());
    }

    #[test]
    fn the_second_of_two_bindings() {
        let sources = sources("fn f(a: u8) { let b = g(a); let mut a = b; if let Some(a) = a {} }");
        let file = &sources.files[0];
        let region = sources.region("f", None).unwrap();
        let column = |nth| {
            file.tokens[region.binding(file, "a", Some(nth)).unwrap()]
                .at
                .column
        };
        assert_eq!([column(0), column(1), column(2)], [6, 37, 56]);
    }
}
