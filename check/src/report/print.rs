//! Prints reports, in the manner of rustc, or in a line.

use std::fmt::Write as _;

use crate::source::File;

use super::{Label, Report, WayOut};

/// A report as rustc would print it.
pub fn human(report: &Report, file: Option<&File>) -> String {
    let mut text = format!(
        "{}[{}]: {}\n",
        report.kind.level(),
        report.kind.id(),
        report.message
    );
    let (Some(file), Some(at)) = (file, report.at()) else {
        let _ = writeln!(text, "  --> in `{}`", report.function);
        let _ = writeln!(
            text,
            "   = note: no source has this function, so a macro has probably made it"
        );
        for way in &report.ways {
            let _ = writeln!(text, "   = note: {}", in_words(way));
        }
        let _ = writeln!(text, "   = help: {}", report.help);
        return text;
    };
    let mut labels: Vec<&Label> = report.place.iter().collect();
    labels.extend(report.ways.iter().filter_map(|way| way.label.as_ref()));
    labels.sort();
    labels.dedup();
    let widest = labels.iter().map(|label| label.at.line).max();
    let margin = widest.unwrap_or(1).to_string().len();
    let path = file.path.display();
    let _ = writeln!(text, "{:margin$}--> {path}:{}:{}", "", at.line, at.column);
    let _ = writeln!(text, "{:margin$} |", "");
    let mut previous: Option<u32> = None;
    for (position, label) in labels.iter().enumerate() {
        let line = label.at.line;
        match previous {
            Some(before) if before == line => {}
            Some(before) if before + 1 < line => {
                let _ = writeln!(text, "...");
                source_line(&mut text, file, line, margin);
            }
            _ => source_line(&mut text, file, line, margin),
        }
        previous = Some(line);
        let indent = label.at.column as usize - 1;
        let mark = if Some(*label) == report.place.as_ref() {
            "-"
        } else {
            "^"
        };
        let _ = writeln!(
            text,
            "{:margin$} | {:indent$}{} {}",
            "",
            "",
            mark.repeat(label.width),
            label.text
        );
        if position + 1 == labels.len() {
            let _ = writeln!(text, "{:margin$} |", "");
        }
    }
    for way in report.ways.iter().filter(|way| way.label.is_none()) {
        if report.kind != crate::analysis::Kind::Result {
            let _ = writeln!(text, "{:margin$} = note: {}", "", in_words(way));
        }
    }
    let _ = writeln!(text, "{:margin$} = help: {}", "", report.help);
    text
}

fn source_line(text: &mut String, file: &File, line: u32, margin: usize) {
    let code = file.line(line).unwrap_or_default();
    // A tab is one column wide for us.
    let code = code.replace('\t', " ");
    let _ = writeln!(text, "{line:margin$} | {}", code.trim_end());
}

pub(super) fn in_words(way: &WayOut) -> String {
    let after = way
        .after
        .as_ref()
        .map(|after| format!(" after `{after}`"))
        .unwrap_or_default();
    match way.word.as_str() {
        "end" => format!("it is dropped at the end of its block{after}"),
        "?" => format!("a `?`{after} returns without the cleanup"),
        "assignment" => format!("an assignment{after} drops what was there before"),
        "await" => format!("a cancellation{after} drops it"),
        word => format!("`{word}` drops it{after}"),
    }
}

/// A report in one line.
pub fn short(report: &Report) -> String {
    let mut text = String::new();
    match (&report.file, report.at()) {
        (Some(file), Some(at)) => {
            let _ = write!(text, "{}:{}:{}: ", file.display(), at.line, at.column);
        }
        _ => {
            let _ = write!(text, "{}: ", report.function);
        }
    }
    let _ = write!(
        text,
        "{}[{}]: {}",
        report.kind.level(),
        report.kind.id(),
        report.message
    );
    let ways: Vec<String> = report
        .ways
        .iter()
        .filter(|_| report.kind != crate::analysis::Kind::Result)
        .map(|way| {
            let line = way.label.as_ref().map(|label| label.at.line);
            let place = line.map(|line| format!(" in line {line}"));
            let word = match way.word.as_str() {
                word @ ("end" | "assignment" | "await") => word.to_owned(),
                word => format!("`{word}`"),
            };
            format!("{word}{}", place.unwrap_or_default())
        })
        .collect();
    if !ways.is_empty() {
        let _ = write!(text, ": {}", ways.join(", "));
    }
    text
}
