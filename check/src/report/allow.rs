//! Comments that silence a finding, each with its reason.

use std::path::PathBuf;

use crate::analysis::Kind;
use crate::source::{File, Position, Sources};

use super::Report;

/// A comment such as `// asyncdrop: allow(dropped-armed): the process ends here`.
#[derive(Debug)]
struct Allow {
    file: PathBuf,
    at: u32,
    /// The line of code that it is about.
    about: u32,
    kind: Kind,
    target: usize,
    used: bool,
}

/// All such comments of the sources that were looked at.
#[derive(Debug, Default)]
pub struct Allowed {
    allows: Vec<Allow>,
    complaints: Vec<Complaint>,
    files: Vec<PathBuf>,
}

/// A comment that is wrong itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    pub file: PathBuf,
    pub line: u32,
    pub message: String,
    /// The number of the target in which the file was seen first.
    pub target: usize,
}

impl Complaint {
    /// As rustc would print it.
    pub fn human(&self) -> String {
        let (path, line, message) = (self.file.display(), self.line, &self.message);
        format!("error[allow]: {message}\n --> {path}:{line}\n\n")
    }

    /// In one line.
    pub fn short(&self) -> String {
        let (path, line, message) = (self.file.display(), self.line, &self.message);
        format!("{path}:{line}: error[allow]: {message}")
    }
}

impl Allowed {
    /// Reads the comments of the sources that were not read before.
    pub fn read(&mut self, sources: &Sources, target: usize) {
        for file in &sources.files {
            if self.files.contains(&file.path) {
                continue;
            }
            self.files.push(file.path.clone());
            for comment in &file.comments {
                let Some(rest) = comment.text.strip_prefix("asyncdrop:") else {
                    continue;
                };
                let about = if comment.alone {
                    next_line(file, comment.line)
                } else {
                    comment.line
                };
                match read(rest) {
                    Ok(kind) => self.allows.push(Allow {
                        file: file.path.clone(),
                        at: comment.line,
                        about,
                        kind,
                        target,
                        used: false,
                    }),
                    Err(message) => self.complaints.push(Complaint {
                        file: file.path.clone(),
                        line: comment.line,
                        message,
                        target,
                    }),
                }
            }
        }
    }

    /// Takes the ways out of a report that are allowed. `None` if nothing is left.
    pub fn filter(&mut self, mut report: Report) -> Option<Report> {
        let Some(file) = report.file.clone() else {
            return Some(report);
        };
        let mut allows = |at: Option<Position>| {
            let Some(at) = at else { return false };
            let mut any = false;
            for allow in &mut self.allows {
                if allow.kind == report.kind && allow.file == file && allow.about == at.line {
                    allow.used = true;
                    any = true;
                }
            }
            any
        };
        let place = report.place.as_ref().map(|label| label.at);
        if allows(place) || allows(report.function_at) {
            return None;
        }
        let before = report.ways.len();
        report
            .ways
            .retain(|way| !allows(way.label.as_ref().map(|label| label.at)));
        (before == 0 || !report.ways.is_empty()).then_some(report)
    }

    /// What is wrong with the comments: those without a reason, and those that silence nothing.
    pub fn complaints(self, cancellation: bool) -> Vec<Complaint> {
        let unused = self
            .allows
            .into_iter()
            .filter(|allow| !allow.used && (cancellation || allow.kind != Kind::Cancellation))
            .map(|allow| Complaint {
                file: allow.file,
                line: allow.at,
                message: format!(
                    "nothing is found here, so `allow({})` can be removed",
                    allow.kind.id()
                ),
                target: allow.target,
            });
        self.complaints.into_iter().chain(unused).collect()
    }
}

fn read(text: &str) -> Result<Kind, String> {
    let rest = text.trim_start();
    let id = rest
        .strip_prefix("allow(")
        .and_then(|rest| rest.split_once(')'));
    let Some((id, reason)) = id else {
        return Err("write `// asyncdrop: allow(ID): reason`".to_owned());
    };
    let kind = Kind::ALL.into_iter().find(|kind| kind.id() == id.trim());
    let Some(kind) = kind else {
        let ids = Kind::ALL.map(Kind::id).join("`, `");
        return Err(format!("`{id}` is none of `{ids}`"));
    };
    let reason = reason.trim_start().strip_prefix(':').unwrap_or("");
    if reason.trim().is_empty() {
        return Err(format!(
            "a reason is missing: `// asyncdrop: allow({}): reason`",
            kind.id()
        ));
    }
    Ok(kind)
}

/// The line of the next code after a comment, past attributes and further comments.
fn next_line(file: &File, line: u32) -> u32 {
    let mut about = line;
    for text in file.text.lines().skip(line as usize) {
        about += 1;
        let text = text.trim_start();
        if !(text.is_empty() || text.starts_with("//") || text.starts_with("#[")) {
            break;
        }
    }
    about
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_required() {
        assert_eq!(
            read(" allow(dropped-armed): the process ends here"),
            Ok(Kind::Armed)
        );
        for wrong in [
            " allow(dropped-armed)",
            " allow(dropped-armed):  ",
            " allow(dropped): why",
            " dropped-armed",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_comment_is_about_the_next_code() {
        let text = "// asyncdrop: allow(leaked): x\n// more\n#[test]\nfn f() {}\n";
        let file = File::new("a.rs".into(), text.to_owned());
        assert_eq!(next_line(&file, 1), 4);
    }
}
