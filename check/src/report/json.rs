//! Prints findings as cargo prints what the compiler says, so that an editor reads them as it reads the compiler's.

use serde_json::{Value, json};

use crate::compile::Described;
use crate::source::{File, Position};

use super::print::{human, in_words, short};
use super::{Complaint, Label, Report};

/// A finding as a message of cargo, with what is known beyond that beside it.
pub fn as_json(report: &Report, file: Option<&File>, target: &Described) -> Value {
    let mut spans = Vec::new();
    let mut children = Vec::new();
    // The primary place is the one that the other formats name, too.
    let ways = report.ways.iter();
    let labels = ways.clone().filter_map(|way| way.label.as_ref());
    if let Some(file) = file {
        let labels = labels.filter(|label| Some(*label) != report.place.as_ref());
        let labels: Vec<&Label> = report.place.iter().chain(labels).collect();
        for (position, label) in labels.iter().enumerate() {
            spans.push(span(file, label, position == 0));
        }
        if let (true, Some(at)) = (spans.is_empty(), report.function_at) {
            spans.push(span(file, &whole_name(at), true));
        }
    }
    for way in ways.filter(|way| way.label.is_none()) {
        if report.kind != crate::analysis::Kind::Result {
            children.push(child("note", &in_words(way)));
        }
    }
    children.push(child("help", &report.help));
    let diagnostic = json!({
        "$message_type": "diagnostic",
        "message": report.message,
        "code": { "code": report.kind.id(), "explanation": null },
        "level": report.kind.level(),
        "spans": spans,
        "children": children,
        "rendered": human(report, file) + "\n",
    });
    let mut message = message(target, &diagnostic);
    message["asyncdrop"] = json!({
        "function": report.function,
        "variable": report.variable,
        "type": report.guarded,
        "ways": report
            .ways
            .iter()
            .map(|way| json!({
                "word": way.word,
                "after": way.after,
                "line": way.label.as_ref().map(|label| label.at.line),
            }))
            .collect::<Vec<_>>(),
        "short": short(report),
    });
    message
}

/// What is wrong with a comment that silences findings.
pub fn complaint_as_json(complaint: &Complaint, file: Option<&File>, target: &Described) -> Value {
    let place = |file: &File| {
        let code = file.line(complaint.line)?;
        let comment = code.rfind("//")?;
        let label = Label {
            at: Position {
                line: complaint.line,
                column: u32::try_from(code[..comment].chars().count() + 1).ok()?,
            },
            width: code[comment..].chars().count(),
            text: String::new(),
        };
        Some(span(file, &label, true))
    };
    let spans: Vec<Value> = file.and_then(place).into_iter().collect();
    let diagnostic = json!({
        "$message_type": "diagnostic",
        "message": complaint.message,
        "code": { "code": "allow", "explanation": null },
        "level": "error",
        "spans": spans,
        "children": [],
        "rendered": complaint.human(),
    });
    message(target, &diagnostic)
}

fn message(target: &Described, diagnostic: &Value) -> Value {
    json!({
        "reason": "compiler-message",
        "package_id": target.package_id,
        "manifest_path": target.manifest_path,
        "target": target.target,
        "message": diagnostic,
    })
}

fn child(level: &str, message: &str) -> Value {
    json!({
        "message": message,
        "code": null,
        "level": level,
        "spans": [],
        "children": [],
        "rendered": null,
    })
}

/// The word `fn` of a function of which nothing better is known.
fn whole_name(at: Position) -> Label {
    Label {
        at,
        width: 2,
        text: "in this function".to_owned(),
    }
}

fn span(file: &File, label: &Label, is_primary: bool) -> Value {
    let Position { line, column } = label.at;
    let code = file.line(line).unwrap_or_default();
    let before: usize = file
        .text
        .split_inclusive('\n')
        .take(line as usize - 1)
        .map(str::len)
        .sum();
    let in_line = |column: usize| code.chars().take(column).map(char::len_utf8).sum::<usize>();
    let first = column as usize - 1;
    let end = first + label.width;
    json!({
        "file_name": file.path,
        "byte_start": before + in_line(first),
        "byte_end": before + in_line(end),
        "line_start": line,
        "line_end": line,
        "column_start": column,
        "column_end": end + 1,
        "is_primary": is_primary,
        "text": [{
            "text": code,
            "highlight_start": column,
            "highlight_end": end + 1,
        }],
        "label": (!label.text.is_empty()).then_some(&label.text),
        "suggested_replacement": null,
        "suggestion_applicability": null,
        "expansion": null,
    })
}
