//! The reader of MIR takes any text: it refuses what it does not understand, and never panics.

use std::fs;
use std::path::Path;

use cargo_asyncdrop::analysis::Krate;
use cargo_asyncdrop::mir::functions;
use cargo_asyncdrop::types::Types;

/// What `rustc --emit=mir` of 1.85, 1.95 and 1.97 prints for `tests/mir/sample.rs`, and 1.95 with its spans.
fn samples() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mir");
    let mut samples: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "mir"))
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect();
    samples.sort();
    samples
}

/// Reads and follows every function, and says how many there were, and what was not understood.
fn look(text: &str) -> (usize, Vec<String>) {
    let bodies: Vec<_> = functions(text)
        .into_iter()
        .map(|function| function.read())
        .collect();
    let refused = bodies
        .iter()
        .flat_map(|body| body.refused.clone())
        .collect();
    let krate = Krate::new(Types::default(), bodies);
    for number in 0..krate.bodies.len() {
        krate.look_at(number);
        krate.bodies[number].named();
    }
    (krate.bodies.len(), refused)
}

#[test]
fn all_of_what_the_compilers_print_is_understood() {
    let samples = samples();
    assert_eq!(samples.len(), 4);
    for (name, text) in samples {
        let (functions, refused) = look(&text);
        assert!(functions >= 20, "{name}: {functions} functions");
        assert_eq!(refused, Vec::<String>::new(), "{name}");
    }
}

#[test]
fn the_same_is_found_with_every_compiler() {
    let found: Vec<_> = samples()
        .into_iter()
        .map(|(name, text)| {
            let bodies = functions(&text).into_iter().map(|f| f.read()).collect();
            let krate = Krate::new(Types::default(), bodies);
            let mut found = Vec::new();
            for number in 0..krate.bodies.len() {
                let mut kinds: Vec<_> = krate
                    .look_at(number)
                    .findings
                    .into_iter()
                    .map(|finding| finding.kind.id())
                    .filter(|id| *id != "cancellation")
                    .collect();
                kinds.sort_unstable();
                if !kinds.is_empty() {
                    found.push((krate.bodies[number].name.clone(), kinds));
                }
            }
            found.sort();
            (name, found)
        })
        .collect();
    let (_, first) = &found[0];
    assert!(first.len() > 3, "{first:?}");
    for (name, other) in &found {
        assert_eq!(first, other, "{name}");
    }
}

#[test]
fn a_line_that_is_not_understood_is_refused() {
    for line in [
        "_1 <- move _2",
        "release(_1)",
        "_2 = magic move _1",
        "_2 = & two-phase _1",
        "drop(_1) -> later",
        "switchInt(move _1) -> [0: bb1, else: 2]",
        "_2 = f(move _1, by_magic(_3) -> [return: bb1",
        "tailcall f(move _1)",
    ] {
        let text = format!(
            "fn f(_1: AsyncDropGuard<T>) -> () {{\n    bb0: {{\n        {line};\n        return;\n    }}\n}}\n"
        );
        let (functions, refused) = look(&text);
        assert_eq!(functions, 1);
        assert_eq!(refused.len(), 1, "{line}: {refused:?}");
    }
}

/// A generator of numbers that gives the same ones in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(limit.max(1)).unwrap()).unwrap()
    }
}

const PIECES: [&str; 32] = [
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "<",
    ">",
    "->",
    " = ",
    "move ",
    "copy ",
    "&mut ",
    "_",
    "_1",
    "*",
    ".0: ",
    " as ",
    "bb",
    "bb0",
    "bb99999999999",
    ", ",
    "\"",
    "'",
    "\\",
    "drop(",
    "switchInt(",
    "discriminant(",
    "-> [return: bb1, unwind: bb2]",
    "AsyncDropGuard<",
    "é",
    "\n",
];

/// Changes a text in a few places, at the borders of characters.
fn mutate(text: &str, numbers: &mut Numbers) -> String {
    let mut text = text.to_owned();
    for _ in 0..=numbers.below(8) {
        let mut at = numbers.below(text.len() + 1);
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        match numbers.below(4) {
            0 => text.insert_str(at, PIECES[numbers.below(PIECES.len())]),
            1 => {
                let mut end = (at + numbers.below(12)).min(text.len());
                while !text.is_char_boundary(end) {
                    end -= 1;
                }
                text.replace_range(at..end.max(at), "");
            }
            2 => text.truncate(at),
            _ => {
                let mut end = (at + numbers.below(200)).min(text.len());
                while !text.is_char_boundary(end) {
                    end -= 1;
                }
                let piece = text[at..end.max(at)].to_owned();
                text.insert_str(at, &piece);
            }
        }
    }
    text
}

#[test]
fn mutated_mir_makes_no_panic() {
    let mut numbers = Numbers(0x2026_1128_0000_0001);
    let rounds =
        std::env::var("ASYNCDROP_FUZZ_ROUNDS").map_or(20, |rounds| rounds.parse().unwrap());
    let mut refused = 0_usize;
    for (_, text) in samples() {
        for function in functions(&text) {
            let text = format!("fn {} {{\n{}}}\n", function.header, function.lines);
            for _ in 0..rounds {
                refused += look(&mutate(&text, &mut numbers)).1.len();
            }
        }
    }
    // If nothing were refused, what was not understood would be passed over.
    assert!(refused > 100, "{refused}");
}

#[test]
fn texts_of_pieces_make_no_panic() {
    let mut numbers = Numbers(0x2026_1128_0000_0002);
    for _ in 0..3_000 {
        let mut text = "fn f(_1: AsyncDropGuard<T>) -> () {\n    bb0: {\n".to_owned();
        for _ in 0..numbers.below(60) {
            text.push_str(PIECES[numbers.below(PIECES.len())]);
            if numbers.below(6) == 0 {
                text.push_str(";\n        ");
            }
        }
        text.push_str("\n    }\n}\n");
        look(&text);
    }
}

#[test]
fn deep_nesting_does_not_overflow_the_stack() {
    for piece in ["(*", "(", "((", "Option<", "[", "{"] {
        let deep = piece.repeat(100_000);
        look(&format!(
            "fn f(_1: {deep}AsyncDropGuard<T>) -> () {{\n    bb0: {{\n        _2 = move {deep}_1;\n        return;\n    }}\n}}\n"
        ));
    }
}
