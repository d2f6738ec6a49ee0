//! `--message-format json` prints what cargo prints, so that an editor reads it as it reads `cargo check`.

mod support;

use cargo_metadata::Message;
use cargo_metadata::diagnostic::{Diagnostic, DiagnosticLevel};
use serde_json::Value;

use support::{command, session, workspace};

const MANIFEST: &str = "[package]\nname = \"NAME\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n\
     [dependencies]\nasyncdrop = { path = \"LIBRARY\", default-features = false }\n";

/// The exit status, what an editor reads, and the totals, which are of no kind that cargo has.
fn messages(name: &str, source: &str) -> (Option<i32>, Vec<Message>, Option<Value>) {
    let manifest = MANIFEST.replace("NAME", name);
    let folder = workspace(name, &[("Cargo.toml", &manifest), ("src/lib.rs", source)]);
    let output = command(&folder, "json").output().unwrap();
    let mut messages = Vec::new();
    let mut totals = None;
    for message in Message::parse_stream(&output.stdout[..]) {
        match message.unwrap() {
            Message::TextLine(line) => totals = Some(serde_json::from_str(&line).unwrap()),
            message => messages.push(message),
        }
    }
    (output.status.code(), messages, totals)
}

/// What is said about the code, each with the name of its package and of its target.
fn diagnostics(messages: &[Message]) -> Vec<(&str, &str, &Diagnostic)> {
    let diagnostics = messages.iter().filter_map(|message| match message {
        Message::CompilerMessage(message) => Some((
            message.package_id.repr.as_str(),
            message.target.name.as_str(),
            &message.message,
        )),
        _ => None,
    });
    diagnostics.collect()
}

/// Whether the last message says that all is well.
fn success(messages: &[Message]) -> bool {
    let Some(Message::BuildFinished(end)) = messages.last() else {
        panic!("the last message is another one: {:?}", messages.last());
    };
    end.success
}

#[test]
fn a_finding_is_a_message_of_the_compiler() {
    let source = session("asyncdrop")
        + "
// A character of three bytes in its line shifts what is counted in bytes: → 3.
pub async fn forgets(yes: bool) -> Result<(), std::fmt::Error> {
    /* → */ let mut session = asyncdrop::AsyncDropGuard::new(Session);
    if yes {
        return Ok(());
    }
    session.async_drop().await
}

// asyncdrop: allow(leaked): it is not
pub fn other() {}
";
    let (code, messages, totals) = messages("messages", &source);
    assert_eq!(code, Some(1));
    assert!(!success(&messages));
    let totals = totals.expect("the totals");
    assert_eq!(totals["reason"], "summary");
    assert_eq!(totals["findings"], 2);

    let said = diagnostics(&messages);
    let about: Vec<_> = said.iter().map(|(_, _, d)| d.message.as_str()).collect();
    assert_eq!(
        about,
        [
            "`session` can be dropped before its cleanup",
            "nothing is found here, so `allow(leaked)` can be removed",
        ]
    );
    for (package, target, _) in &said {
        assert!(package.contains("messages"), "{package}");
        assert_eq!(*target, "messages");
    }

    let finding = said[0].2;
    assert_eq!(finding.level, DiagnosticLevel::Error);
    assert_eq!(finding.code.as_ref().unwrap().code, "dropped-armed");
    let rendered = finding.rendered.as_ref().unwrap();
    assert!(
        rendered.starts_with("error[dropped-armed]: `session` can be dropped"),
        "{rendered}"
    );
    let [guard, way] = &finding.spans[..] else {
        panic!("{:?}", finding.spans);
    };
    assert!(guard.is_primary && !way.is_primary);
    for (span, line, word, label) in [
        (guard, 16, "session", "this guard has to be cleaned up"),
        (
            way,
            18,
            "return",
            "this `return` leaves without the cleanup",
        ),
    ] {
        assert_eq!(span.file_name, "src/lib.rs");
        assert_eq!((span.line_start, span.line_end), (line, line));
        assert_eq!(span.label.as_deref(), Some(label));
        let bytes = span.byte_start as usize..span.byte_end as usize;
        assert_eq!(&source[bytes], word);
        let [text] = &span.text[..] else {
            panic!("{:?}", span.text);
        };
        let columns = text.highlight_end - text.highlight_start;
        let highlighted: String = text
            .text
            .chars()
            .skip(text.highlight_start - 1)
            .take(columns)
            .collect();
        assert_eq!(highlighted, word);
        assert_eq!(span.column_start, text.highlight_start);
        assert_eq!(span.column_end, text.highlight_end);
    }
    let [help] = &finding.children[..] else {
        panic!("{:?}", finding.children);
    };
    assert_eq!(help.level, DiagnosticLevel::Help);

    let comment = said[1].2;
    assert_eq!(comment.code.as_ref().unwrap().code, "allow");
    let span = &comment.spans[0];
    let bytes = span.byte_start as usize..span.byte_end as usize;
    assert_eq!(&source[bytes], "// asyncdrop: allow(leaked): it is not");
}

#[test]
fn what_the_compiler_says_is_passed_on_if_it_does_not_compile() {
    let (code, messages, totals) = messages("mistyped", "pub fn f() -> u8 { \"no number\" }\n");
    assert_eq!(code, Some(2));
    assert!(!success(&messages));
    assert!(totals.is_none(), "nothing was looked at: {totals:?}");
    let said = diagnostics(&messages);
    assert_eq!(said[0].2.message, "mismatched types");
}

#[test]
fn all_is_well_if_nothing_is_found() {
    let (code, messages, totals) = messages("nothing", &session("asyncdrop"));
    assert_eq!(code, Some(0));
    assert!(success(&messages));
    assert!(diagnostics(&messages).is_empty());
    assert_eq!(totals.expect("the totals")["findings"], 0);
}
