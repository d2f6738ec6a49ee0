//! The reader of MIR takes any text: it refuses what it does not understand, and never panics.

use std::fs;
use std::path::Path;

use std::time::{Duration, Instant};

use cargo_asyncdrop::analysis::Krate;
use cargo_asyncdrop::compile::Described;
use cargo_asyncdrop::mir::functions;
use cargo_asyncdrop::report;
use cargo_asyncdrop::source::{File, Sources};

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

/// The source of which the compilers made the samples, and which says what the types in it hold.
fn sources() -> Sources {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mir/sample.rs");
    let text = fs::read_to_string(path).unwrap();
    Sources::new(vec![File::new("sample.rs".into(), text)])
}

/// Reads and follows every function, reports what is found, and says how many there were, and what was not understood.
fn look(text: &str) -> (usize, Vec<String>) {
    let sources = sources();
    let bodies: Vec<_> = functions(text)
        .into_iter()
        .map(|function| function.read())
        .collect();
    let refused = bodies
        .iter()
        .flat_map(|body| body.refused.clone())
        .collect();
    let krate = Krate::new(sources.types(), bodies);
    for (outcome, body) in krate.look().iter().zip(&krate.bodies) {
        for report in report::reports(&krate, body, &outcome.findings, &sources) {
            report::human(&report, sources.files.first());
            report::as_json(&report, sources.files.first(), &Described::default());
        }
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
            let krate = Krate::new(sources().types(), bodies);
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

/// The next border of a character from `at` backwards.
fn border(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// Changes a text in a few places, at the borders of characters.
fn mutate(text: &str, numbers: &mut Numbers) -> String {
    let mut text = text.to_owned();
    for _ in 0..=numbers.below(8) {
        let at = border(&text, numbers.below(text.len() + 1));
        let end = |length: usize| border(&text, (at + length).min(text.len())).max(at);
        match numbers.below(6) {
            0 => text.insert_str(at, PIECES[numbers.below(PIECES.len())]),
            1 => {
                let end = end(numbers.below(12));
                text.replace_range(at..end, "");
            }
            2 => text.truncate(at),
            3 => {
                let piece = text[at..end(numbers.below(200))].to_owned();
                text.insert_str(at, &piece);
            }
            4 => text = with_lines_swapped(&text, numbers),
            _ => text = with_a_number_changed(&text, numbers),
        }
    }
    text
}

fn with_lines_swapped(text: &str, numbers: &mut Numbers) -> String {
    let mut lines: Vec<_> = text.split_inclusive('\n').collect();
    let (one, other) = (numbers.below(lines.len()), numbers.below(lines.len()));
    if !lines.is_empty() {
        lines.swap(one, other);
    }
    lines.concat()
}

/// Makes a block lead elsewhere, or a statement use another local. What comes out is still MIR, so it is followed.
fn with_a_number_changed(text: &str, numbers: &mut Numbers) -> String {
    let starts: Vec<usize> = ["bb", "_"]
        .iter()
        .flat_map(|word| text.match_indices(word).map(|(at, word)| at + word.len()))
        .filter(|at| text[*at..].starts_with(|c: char| c.is_ascii_digit()))
        .collect();
    if starts.is_empty() {
        return text.to_owned();
    }
    let start = starts[numbers.below(starts.len())];
    let rest = text[start..].trim_start_matches(|c: char| c.is_ascii_digit());
    format!("{}{}{rest}", &text[..start], numbers.below(24))
}

#[test]
fn mutated_mir_makes_no_panic() {
    let mut numbers = Numbers(0x2026_1128_0000_0001);
    let rounds =
        std::env::var("ASYNCDROP_FUZZ_ROUNDS").map_or(20, |rounds| rounds.parse().unwrap());
    let mut refused = 0_usize;
    let mut slowest = (Duration::ZERO, String::new());
    for (_, text) in samples() {
        for function in functions(&text) {
            let text = format!("fn {} {{\n{}}}\n", function.header, function.lines);
            for _ in 0..rounds {
                let mutated = mutate(&text, &mut numbers);
                let start = Instant::now();
                refused += look(&mutated).1.len();
                slowest = slowest.max((start.elapsed(), mutated));
            }
        }
    }
    // It takes a thousandth of this, and one that goes round and round takes for ever.
    assert!(slowest.0 < Duration::from_secs(60), "{slowest:?}");
    // If nothing were refused, what was not understood would be passed over.
    assert!(refused > 100, "{refused}");
}

/// Whole files, cut off where a full disk or a killed compiler may have cut them off.
#[test]
fn files_that_end_anywhere_make_no_panic() {
    for (_, text) in samples() {
        let lines = text.match_indices('\n').map(|(at, _)| at);
        for (number, end) in lines.enumerate() {
            if number % 37 == 0 {
                look(&text[..border(&text, end + number % 11)]);
            }
        }
    }
}

/// Functions whose blocks lead anywhere, with real statements in them.
#[test]
fn paths_that_lead_anywhere_come_to_an_end() {
    let mut numbers = Numbers(0x2026_1128_0000_0003);
    let rounds =
        std::env::var("ASYNCDROP_FUZZ_ROUNDS").map_or(10, |rounds| rounds.parse().unwrap());
    let mut followed = 0;
    for (_, text) in samples() {
        for function in functions(&text) {
            let original = format!("fn {} {{\n{}}}\n", function.header, function.lines);
            for _ in 0..rounds {
                let mut text = original.clone();
                for _ in 0..=numbers.below(20) {
                    text = with_a_number_changed(&text, &mut numbers);
                }
                let (functions, refused) = look(&text);
                followed += usize::from(functions == 1 && refused.is_empty());
            }
        }
    }
    // What is refused is not followed.
    assert!(followed > 500, "{followed}");
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
