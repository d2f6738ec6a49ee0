//! Draws the diagrams that are made of figures: SVG in the color and the font of the text around it.

use std::fmt::{Display, Write};

/// As wide as the other diagrams of the book, so that their letters have one size on a phone.
const WIDTH: f64 = 440.0;

/// A drawing that grows from its first line to its last.
#[derive(Debug)]
pub struct Svg {
    id: &'static str,
    title: &'static str,
    /// What somebody hears who does not see it.
    told: String,
    shown: String,
}

impl Svg {
    /// Begins a drawing. Its id has to differ from those of the other drawings of its page.
    pub fn new(id: &'static str, title: &'static str) -> Self {
        Self {
            id,
            title,
            told: String::new(),
            shown: String::new(),
        }
    }

    /// Says one more sentence in the text that stands for the drawing.
    pub fn tell(&mut self, sentence: impl Display) {
        if !self.told.is_empty() {
            self.told.push(' ');
        }
        write!(self.told, "{}", escaped(&sentence.to_string())).expect("a string takes everything");
    }

    /// A thin line, such as one of a grid.
    pub fn thin(&mut self, path: impl Display) {
        self.line(format!(
            "<path d=\"{path}\" fill=\"none\" stroke=\"currentColor\" stroke-opacity=\"0.35\"/>"
        ));
    }

    /// A line that shows something. `dashes` tells it from others without a color.
    pub fn path(&mut self, path: impl Display, dashes: &str) {
        self.line(format!(
            "<path d=\"{path}\" fill=\"none\" stroke=\"currentColor\" stroke-width=\"2\" stroke-dasharray=\"{dashes}\"/>"
        ));
    }

    /// A bar.
    pub fn bar(&mut self, x: f64, y: f64, width: f64, height: f64) {
        self.line(format!(
            "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"currentColor\" fill-opacity=\"0.3\" stroke=\"currentColor\" stroke-width=\"1\"/>",
            place(x),
            place(y),
            place(width.max(1.0)),
            place(height)
        ));
    }

    /// A text that begins, ends or has its middle at a place.
    pub fn text(&mut self, x: f64, y: f64, anchor: Anchor, text: impl Display) {
        self.line(format!(
            "<text x=\"{}\" y=\"{}\"{}>{}</text>",
            place(x),
            place(y),
            anchor.attribute(),
            escaped(&text.to_string())
        ));
    }

    /// The same in bold, for what a part of the drawing is about.
    pub fn heading(&mut self, x: f64, y: f64, text: impl Display) {
        self.line(format!(
            "<text x=\"{}\" y=\"{}\" font-weight=\"bold\">{}</text>",
            place(x),
            place(y),
            escaped(&text.to_string())
        ));
    }

    /// A comment, from which a test reads what the drawing was made of.
    pub fn remark(&mut self, remark: impl Display) {
        self.line(format!("<!-- {remark} -->"));
    }

    fn line(&mut self, line: String) {
        self.shown.push_str(&line);
        self.shown.push('\n');
    }

    /// The whole drawing, of this height.
    pub fn finish(self, height: f64) -> String {
        let Self {
            id,
            title,
            told,
            shown,
        } = self;
        format!(
            "<svg width=\"520\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-labelledby=\"{id}-title {id}-desc\" xmlns=\"http://www.w3.org/2000/svg\">\n\
             <title id=\"{id}-title\">{title}</title>\n\
             <desc id=\"{id}-desc\">{told}</desc>\n\
             <g fill=\"currentColor\" font-size=\"13\">\n{shown}</g>\n</svg>\n"
        )
    }
}

/// Which end of a text stands at its place.
#[derive(Debug, Clone, Copy)]
pub enum Anchor {
    Start,
    Middle,
    End,
}

impl Anchor {
    fn attribute(self) -> &'static str {
        match self {
            Self::Start => "",
            Self::Middle => " text-anchor=\"middle\"",
            Self::End => " text-anchor=\"end\"",
        }
    }
}

/// A place, to a tenth of a unit: more would only make the file larger.
fn place(at: f64) -> String {
    let tenths = format!("{at:.1}");
    tenths.strip_suffix(".0").unwrap_or(&tenths).to_owned()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('`', "")
}

/// A row of a Markdown table.
pub type Row = Vec<String>;

/// The rows of the table between the marks of an anchor, without its head.
///
/// # Panics
///
/// When there is none.
pub fn table(text: &str, anchor: &str) -> (Row, Vec<Row>) {
    let (_, rest) = text
        .split_once(&format!("<!-- ANCHOR: {anchor} -->"))
        .unwrap_or_else(|| panic!("no anchor {anchor:?}"));
    let (part, _) = rest
        .split_once(&format!("<!-- ANCHOR_END: {anchor} -->"))
        .unwrap_or_else(|| panic!("the anchor {anchor:?} has no end"));
    let mut rows = part
        .lines()
        .filter_map(|line| line.strip_prefix('|')?.strip_suffix('|'))
        .map(|line| line.split('|').map(|cell| cell.trim().to_owned()).collect());
    let head = rows.next().expect("a table has a head");
    (head, rows.skip(1).collect())
}

/// The nanoseconds of a time of the report: `13.9 ns`, `12.0 µs`.
///
/// # Panics
///
/// When it is none.
pub fn nanoseconds(time: &str) -> f64 {
    let (number, unit) = time
        .split_once(' ')
        .unwrap_or_else(|| panic!("{time:?} has no unit"));
    let number: f64 = number
        .parse()
        .unwrap_or_else(|_| panic!("{time:?} is no time"));
    number
        * match unit {
            "ns" => 1.0,
            "µs" => 1e3,
            "ms" => 1e6,
            "s" => 1e9,
            _ => panic!("{time:?} has an unknown unit"),
        }
}
