//! The figures as Markdown, and their place in the README.

use std::collections::HashMap;
use std::fmt::Write;
use std::path::Path;
use std::{fs, io};

use crate::contender::{Contender, Group, Run};
use crate::groups;
use crate::measure::{Ratio, Timing};

/// What was measured of one group, one timing for each contender.
#[derive(Debug)]
pub struct Measured {
    pub group: Group,
    pub timings: Vec<Option<Timing>>,
}

/// What each contender allocates for one operation.
#[derive(Debug, Default)]
pub struct Allocations(HashMap<(String, String), (f64, f64)>);

impl Measured {
    pub fn timing(&self, contender: &str) -> Option<&Timing> {
        let place = self
            .group
            .contenders
            .iter()
            .position(|candidate| candidate.name == contender)?;
        self.timings[place].as_ref()
    }

    /// Compares a contender with the first one of the group.
    pub fn ratio(&self, contender: &str) -> Option<Ratio> {
        Some(self.timing(contender)?.ratio_to(self.baseline()))
    }

    /// The time of a contender: that of the first one in the middle, times the ratio.
    ///
    /// Not the median of its own times: a machine that was slow in some rounds can move that and not the ratio,
    /// and then the two figures of one row contradict each other.
    pub fn time(&self, timing: &Timing) -> f64 {
        let baseline = self.baseline();
        baseline.median() * timing.ratio_to(baseline).median
    }

    fn baseline(&self) -> &Timing {
        self.timings[0]
            .as_ref()
            .expect("the first contender of a group can do its work")
    }
}

impl Allocations {
    /// Reads what the program `allocations` prints.
    pub fn parse(printed: &str) -> Option<Self> {
        printed
            .lines()
            .map(|line| {
                let mut fields = line.split('\t');
                let key = (fields.next()?.to_owned(), fields.next()?.to_owned());
                let count = fields.next()?.parse().ok()?;
                let bytes = fields.next()?.parse().ok()?;
                Some((key, (count, bytes)))
            })
            .collect::<Option<_>>()
            .map(Self)
    }

    /// The number of allocations, and their bytes.
    pub fn of(&self, group: &str, contender: &str) -> Option<(f64, f64)> {
        self.0.get(&(group.into(), contender.into())).copied()
    }
}

/// Marks a part of the figures, so that a page of the book can include it by this name and no figure is typed twice.
pub fn anchored(name: &str, text: &str) -> String {
    format!(
        "<!-- ANCHOR: {name} -->\n\n{}\n\n<!-- ANCHOR_END: {name} -->\n",
        text.trim()
    )
}

/// The section of one group.
pub fn section(measured: &Measured, allocations: &Allocations) -> String {
    let group = &measured.group;
    let text = format!("{}\n\n{}", group.operation, table(measured, allocations));
    format!("### {}\n\n{}", group.title, anchored(&group.id, &text))
}

fn table(measured: &Measured, allocations: &Allocations) -> String {
    let group = &measured.group;
    let mut text = String::new();
    let per_value = group.values.is_some_and(|values| values > 1);
    let (title, rule) = if per_value {
        (" per value |", "---:|")
    } else {
        ("", "")
    };
    text +=
        &format!("| contender | time |{title} ratio (8 of 10 rounds) | allocations | bytes |\n");
    text += &format!("|---|---:|{rule}---:|---:|---:|\n");
    for (contender, timing) in group.contenders.iter().zip(&measured.timings) {
        text += &match timing {
            Some(timing) => row(measured, contender, timing, allocations),
            None => impossible_row(contender, per_value),
        };
    }
    text
}

fn row(
    measured: &Measured,
    contender: &Contender,
    timing: &Timing,
    allocations: &Allocations,
) -> String {
    let group = &measured.group;
    let time = measured.time(timing);
    let mut row = format!("| {} | {} |", contender.name, duration(time));
    if let Some(values) = group.values.filter(|values| *values > 1) {
        let _ = write!(row, " {} |", duration(time / values as f64));
    }
    let ratio = timing.ratio_to(measured.baseline());
    let _ = write!(row, " {} |", ratio_text(ratio));
    let _ = match allocations.of(&group.id, contender.name) {
        Some((count, bytes)) => writeln!(row, " {} | {} |", number(count), number(bytes)),
        None => writeln!(row, " ? | ? |"),
    };
    row
}

fn impossible_row(contender: &Contender, per_value: bool) -> String {
    let Run::Impossible(reason) = contender.run else {
        unreachable!("whoever can take part has a timing")
    };
    // In the first cell, where text may wrap: the others hold figures.
    let dashes = if per_value {
        " – | – | – | – | – |"
    } else {
        " – | – | – | – |"
    };
    format!("| {} ({reason}) |{dashes}\n", contender.name)
}

/// How the cost of one value grows with the size of a map.
pub fn growth(all: &[Measured]) -> String {
    let maps: Vec<_> = all
        .iter()
        .filter(|measured| measured.group.id.starts_with("map-"))
        .collect();
    let mut text = String::from(
        "The time for the whole map, divided by the number of its values.\n\n| contender |",
    );
    for map in &maps {
        let size = map.group.values.unwrap_or(1);
        let values = if size == 1 { "value" } else { "values" };
        let _ = write!(text, " {} {values} |", number(size as f64));
    }
    text += "\n|---|";
    text += &"---:|".repeat(maps.len());
    text += "\n";
    let names = maps.first().map_or(&[][..], |map| &map.group.contenders);
    for contender in names {
        let _ = write!(text, "| {} |", contender.name);
        for map in &maps {
            let each = map
                .timing(contender.name)
                .map(|timing| duration(map.time(timing) / map.group.values.unwrap_or(1) as f64));
            let _ = write!(text, " {} |", each.unwrap_or_else(|| "–".into()));
        }
        text += "\n";
    }
    format!(
        "### What one value costs in a map\n\n{}",
        anchored("growth", &text)
    )
}

/// The time with asyncdrop beside the time without it, wherever both do the same work: narrow enough for a phone.
pub fn side_by_side(all: &[Measured]) -> String {
    let mut text =
        String::from("| operation | without asyncdrop | with asyncdrop |\n|---|---:|---:|\n");
    for measured in all {
        let without = measured.group.contenders[0].name;
        // A comparison of the library with itself has nothing to say here.
        if without.starts_with(groups::ASYNCDROP) {
            continue;
        }
        let ours = measured
            .group
            .contenders
            .iter()
            .find(|contender| contender.name.starts_with(groups::ASYNCDROP))
            .and_then(|contender| measured.timing(contender.name));
        if let Some(ours) = ours {
            let _ = writeln!(
                text,
                "| {} | {} | {} |",
                measured.group.title,
                duration(measured.baseline().median()),
                duration(measured.time(ours)),
            );
        }
    }
    format!("### Side by side\n\n{}", anchored("side-by-side", &text))
}

fn ratio_text(ratio: Ratio) -> String {
    format!(
        "{:.2} ({:.2} to {:.2})",
        ratio.median, ratio.low, ratio.high
    )
}

/// Puts `figures` between the two marks of that `name` in the file.
///
/// # Errors
///
/// When the file cannot be read or written, or has no such marks.
pub fn replace_figures(file: &Path, name: &str, figures: &str) -> io::Result<()> {
    let text = fs::read_to_string(file)?;
    let replaced = between_marks(&text, name, figures)
        .ok_or_else(|| io::Error::other(format!("{} has no marks for {name}", file.display())))?;
    fs::write(file, replaced)
}

fn between_marks(text: &str, name: &str, figures: &str) -> Option<String> {
    let (begin, end) = (
        format!("<!-- {name}: begin -->\n"),
        format!("<!-- {name}: end -->"),
    );
    let (before, rest) = text.split_once(&begin)?;
    let (_, after) = rest.split_once(&end)?;
    Some(format!(
        "{before}{begin}\n{}\n\n{end}{after}",
        figures.trim()
    ))
}

fn duration(nanoseconds: f64) -> String {
    let (unit, value) = match nanoseconds {
        ..1e4 => ("ns", nanoseconds),
        ..1e7 => ("µs", nanoseconds / 1e3),
        ..1e10 => ("ms", nanoseconds / 1e6),
        _ => ("s", nanoseconds / 1e9),
    };
    let digits = match value {
        ..10.0 => 2,
        ..100.0 => 1,
        _ => 0,
    };
    format!("{value:.digits$} {unit}")
}

/// A whole number without a fraction, and with commas.
fn number(value: f64) -> String {
    if value.fract() != 0.0 {
        return format!("{value:.1}");
    }
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_easy_to_read() {
        assert_eq!(number(1.0), "1");
        assert_eq!(number(1234567.0), "1,234,567");
        assert_eq!(number(0.25), "0.2");
        assert_eq!(duration(1.234), "1.23 ns");
        assert_eq!(duration(12_345.0), "12.3 µs");
        assert_eq!(duration(11_500_000.0), "11.5 ms");
        assert_eq!(duration(98_765.0), "98.8 µs");
    }

    #[test]
    fn figures_replace_what_stood_between_their_marks() {
        let text = "above\n<!-- times: begin -->\nold\n<!-- times: end -->\nbelow\n";
        assert_eq!(
            between_marks(text, "times", "new\n").as_deref(),
            Some("above\n<!-- times: begin -->\n\nnew\n\n<!-- times: end -->\nbelow\n")
        );
        assert_eq!(between_marks(text, "size", "new"), None);
    }

    /// One contender takes 2 ns, the other one 3 ns.
    fn two_contenders(without: &'static str, with: &'static str) -> Measured {
        let idle = |name| Contender::new(name, async |_, _| {});
        Measured {
            group: Group {
                id: "knock".into(),
                title: "Knock".into(),
                operation: "A door is knocked at.".into(),
                values: None,
                long: false,
                contenders: vec![idle(without), idle(with)],
            },
            timings: vec![Some(Timing(vec![2.0; 3])), Some(Timing(vec![3.0; 3]))],
        }
    }

    #[test]
    fn a_page_can_include_the_operation_and_its_table_without_the_heading() {
        let counts = Allocations::parse("knock\tby hand\t1\t8\nknock\tasyncdrop\t1\t8\n");
        let text = section(
            &two_contenders("by hand", "asyncdrop"),
            &counts.expect("two whole lines"),
        );
        assert_eq!(
            text,
            "### Knock\n\n\
             <!-- ANCHOR: knock -->\n\n\
             A door is knocked at.\n\n\
             | contender | time | ratio (8 of 10 rounds) | allocations | bytes |\n\
             |---|---:|---:|---:|---:|\n\
             | by hand | 2.00 ns | 1.00 (1.00 to 1.00) | 1 | 8 |\n\
             | asyncdrop | 3.00 ns | 1.50 (1.50 to 1.50) | 1 | 8 |\n\n\
             <!-- ANCHOR_END: knock -->\n"
        );
    }

    #[test]
    fn a_contender_that_cannot_take_part_says_so_and_has_a_cell_in_each_column() {
        let contender = Contender::impossible("somebody", "has no door");
        assert_eq!(
            impossible_row(&contender, false),
            "| somebody (has no door) | – | – | – | – |\n"
        );
        assert_eq!(
            impossible_row(&contender, true),
            "| somebody (has no door) | – | – | – | – | – |\n"
        );
    }

    #[test]
    fn side_by_side_compares_the_library_with_others_and_not_with_itself() {
        let all = [
            two_contenders("by hand", "asyncdrop, a reaper"),
            two_contenders("asyncdrop, 1 value", "asyncdrop, 2 values"),
            two_contenders("by hand", "somebody else"),
        ];
        let text = side_by_side(&all);
        let rows: Vec<_> = text.lines().filter(|line| line.contains("ns")).collect();
        assert_eq!(rows, ["| Knock | 2.00 ns | 3.00 ns |"]);
    }

    #[test]
    fn a_line_of_counts_that_is_not_whole_is_refused() {
        let counts = Allocations::parse("deref\tasyncdrop\t0\t0\ncreate\tasyncdrop\t1\t48\n");
        let counts = counts.expect("two whole lines");
        assert_eq!(counts.of("create", "asyncdrop"), Some((1.0, 48.0)));
        assert_eq!(counts.of("create", "somebody else"), None);
        assert!(Allocations::parse("create\tasyncdrop\t1\n").is_none());
    }
}
