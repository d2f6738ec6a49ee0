//! A diagram that is made of figures is drawn from them here, so that it cannot say anything else; and each diagram can be read without seeing it.
//!
//! `cargo record` draws them again, and measures the cleanups again.

use std::error::Error;
use std::time::{Duration, Instant};
use std::{env, fs};

use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
use asyncdrop_book_gates::charts::{Anchor, Svg, nanoseconds, table};
use asyncdrop_book_gates::{files, root};
use tokio::time::sleep;

const REPORT: &str = "bench/README.md";

/// Compares a drawing with its file, or writes it.
fn compare(file: &str, now: &str) {
    let path = root().join(file);
    if env::var_os("RECORD").is_some() {
        // In one step, because the test of all drawings reads it meanwhile.
        let beside = path.with_extension("new");
        fs::write(&beside, now).expect("a drawing can be written");
        fs::rename(beside, &path).expect("a drawing can be replaced");
        return;
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == now,
        "{file} is not what `cargo record` draws of the figures as they are:\n{}",
        similar::TextDiff::from_lines(written.as_str(), now).unified_diff()
    );
}

fn report() -> String {
    fs::read_to_string(root().join(REPORT)).expect("the report of the benchmark can be read")
}

/// Rows that would show a reader nothing new: sizes and threads between the ones that are drawn.
const LEFT_OUT: [&str; 4] = [
    "Clean up a map of 10,000 values",
    "Share a reaper between 64 tasks, threads: 2",
    "Share a reaper between 64 tasks, threads: 4",
    "Hand over in 64 tasks, threads: 2",
];

#[test]
fn the_chart_of_the_costs_is_drawn_from_the_report() {
    let (_, rows) = table(&report(), "side-by-side");
    for left_out in LEFT_OUT {
        assert!(
            rows.iter().any(|row| row[0] == left_out),
            "{REPORT} has no row {left_out:?}"
        );
    }
    let rows: Vec<_> = rows
        .iter()
        .filter(|row| !LEFT_OUT.contains(&row[0].as_str()))
        .map(|row| (row, nanoseconds(&row[2]) / nanoseconds(&row[1])))
        .collect();
    let longest = rows.iter().map(|(_, ratio)| *ratio).fold(2.0, f64::max);
    let (height, left, right, top) = (40.0, 4.0, 436.0, 44.0);
    let unit = 290.0 / longest;
    let bottom = top + height * rows.len() as f64;
    let mut svg = Svg::new("costs", "What asyncdrop costs beside the same work by hand");
    svg.tell(
        "One bar for each operation. A bar of 1 takes as long as the same work without asyncdrop.",
    );
    svg.heading(left, 14.0, "time beside the same work by hand");
    for step in 0..=longest.floor() as usize {
        let (anchor, text) = match step {
            0 => (Anchor::Start, "0".to_owned()),
            1 => (Anchor::Middle, "1 (by hand)".to_owned()),
            _ => (Anchor::Middle, step.to_string()),
        };
        svg.text(left + unit * step as f64, top - 10.0, anchor, text);
    }
    for (number, (row, ratio)) in rows.iter().enumerate() {
        let (operation, by_hand, with) = (&row[0], &row[1], &row[2]);
        let y = top + height * number as f64;
        svg.text(left, y + 14.0, Anchor::Start, operation);
        svg.bar(left, y + 19.0, unit * ratio, 13.0);
        // The marks stand beside the bars alone, where they cross no text.
        for step in 1..=longest.floor() as usize {
            let mark = format!("M{:.0} {} v15", left + unit * step as f64, y + 18.0);
            match step {
                1 => svg.path(mark, "4 3"),
                _ => svg.thin(mark),
            }
        }
        svg.text(right, y + 30.0, Anchor::End, format!("{by_hand} → {with}"));
        svg.tell(format!(
            "{operation}: {ratio:.1}, {by_hand} by hand and {with} with asyncdrop."
        ));
    }
    compare("book/src/production/costs.svg", &svg.finish(bottom + 4.0));
}

/// What a reader may take the name of a contender for, in as many letters as fit beside its line.
fn short(contender: &str) -> &str {
    let name = contender.split(" (").next().unwrap_or(contender);
    let name = name.split(", and").next().unwrap_or(name);
    name.split(" in a").next().unwrap_or(name)
}

#[test]
fn the_chart_of_the_maps_is_drawn_from_the_report() {
    let (head, rows) = table(&report(), "growth");
    let (left, right, top, bottom) = (58.0, 256.0, 40.0, 300.0);
    // From 10 ns to 100 µs, each step ten times the one before.
    let y = |time: f64| bottom - (bottom - top) * (time.log10() - 1.0) / 4.0;
    let sizes = &head[1..];
    let x = |size: usize| left + (right - left) * size as f64 / (sizes.len() - 1) as f64;
    let mut svg = Svg::new("growth", "What one value costs in a map");
    svg.tell("One line for each way to clean up a map; the time for one value, in maps of different sizes.");
    svg.heading(4.0, 14.0, "time for one value");
    for (step, label) in ["10 ns", "100 ns", "1 µs", "10 µs", "100 µs"]
        .iter()
        .enumerate()
    {
        let y = y(10_f64.powi(step as i32 + 1));
        svg.thin(format!("M{left} {y:.0} H{right}"));
        svg.text(left - 6.0, y + 4.0, Anchor::End, label);
    }
    for (number, size) in sizes.iter().enumerate() {
        let size = size.trim_end_matches(" values").trim_end_matches(" value");
        svg.text(x(number), bottom + 20.0, Anchor::Middle, size);
    }
    svg.text(
        left + (right - left) / 2.0,
        bottom + 38.0,
        Anchor::Middle,
        "values in the map",
    );
    // The names stand one below the other where the ends of two lines are too near.
    let mut ends: Vec<_> = rows
        .iter()
        .map(|row| y(nanoseconds(row.last().expect("cells"))))
        .collect();
    let mut order: Vec<_> = (0..ends.len()).collect();
    order.sort_by(|one, other| ends[*one].total_cmp(&ends[*other]));
    for pair in 1..order.len() {
        let above = ends[order[pair - 1]] + 16.0;
        ends[order[pair]] = ends[order[pair]].max(above);
    }
    for (number, row) in rows.iter().enumerate() {
        let times: Vec<_> = row[1..].iter().map(|time| nanoseconds(time)).collect();
        let path: Vec<_> = times
            .iter()
            .enumerate()
            .map(|(size, time)| format!("{:.1} {:.1}", x(size), y(*time)))
            .collect();
        let dashes = ["2 3", "none", "8 4", "8 3 2 3"][number];
        svg.path(format!("M{}", path.join(" L")), dashes);
        svg.path(format!("M{} {:.0} h24", right + 6.0, ends[number]), dashes);
        svg.text(
            right + 34.0,
            ends[number] + 4.0,
            Anchor::Start,
            short(&row[0]),
        );
        let said: Vec<_> = sizes
            .iter()
            .zip(&row[1..])
            .map(|(size, time)| format!("{time} with {size}"))
            .collect();
        svg.tell(format!("{}: {}.", row[0], said.join(", ")));
    }
    compare("book/src/production/growth.svg", &svg.finish(bottom + 46.0));
}

#[test]
fn the_chart_of_the_builds_is_drawn_from_the_report() {
    let (_, rows) = table(&report(), "size");
    let seconds = |row: &[String]| -> f64 { row[2].parse().expect("a number of seconds") };
    let longest = rows.iter().map(|row| seconds(row)).fold(0.0, f64::max);
    let mut svg = Svg::new(
        "size",
        "What it takes to build a program with one dependency",
    );
    svg.tell("One bar for each dependency.");
    for (number, row) in rows.iter().enumerate() {
        let y = 40.0 * number as f64;
        let width = 290.0 * seconds(row) / longest;
        svg.text(4.0, y + 14.0, Anchor::Start, &row[0]);
        svg.bar(4.0, y + 19.0, width, 13.0);
        let label = format!("{} s, {} crates", row[2], row[1]);
        svg.text(4.0 + width + 6.0, y + 30.0, Anchor::Start, &label);
        svg.tell(format!("{}: {label}.", row[0]));
    }
    compare(
        "book/src/production/size.svg",
        &svg.finish(40.0 * rows.len() as f64),
    );
}

/// A member whose server needs a while to say that it has heard the goodbye.
#[derive(Debug)]
struct Connection {
    server: Duration,
    /// Where the cleanup says when it began and ended.
    seen: std::sync::mpsc::Sender<(Instant, Instant)>,
}

#[async_trait]
impl AsyncDrop for Connection {
    type Error = std::sync::mpsc::SendError<(Instant, Instant)>;

    async fn async_drop_impl(&mut self) -> Result<(), Self::Error> {
        let begin = Instant::now();
        sleep(self.server).await;
        self.seen.send((begin, Instant::now()))
    }
}

#[derive(Debug, AsyncDrop)]
struct OneAfterAnother {
    stock: AsyncDropGuard<Connection>,
    mail: AsyncDropGuard<Connection>,
}

#[derive(Debug, AsyncDrop)]
#[async_drop(concurrent)]
struct AtTheSameTime {
    stock: AsyncDropGuard<Connection>,
    mail: AsyncDropGuard<Connection>,
}

const STOCK: Duration = Duration::from_millis(200);
const MAIL: Duration = Duration::from_millis(300);

/// The milliseconds from the start to the begin and the end of a cleanup, first that of `stock`, then that of `mail`.
type Spans = [(u128, u128); 2];

/// What `clean_up` does with two new connections, on the clock of the machine.
fn measure<T>(
    clean_up: impl AsyncFnOnce(AsyncDropGuard<Connection>, AsyncDropGuard<Connection>) -> T,
) -> Spans {
    let (seen, all) = std::sync::mpsc::channel();
    let connect = |server| {
        AsyncDropGuard::new(Connection {
            server,
            seen: seen.clone(),
        })
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime");
    let start = Instant::now();
    runtime.block_on(clean_up(connect(STOCK), connect(MAIL)));
    let mut spans = all.try_iter().map(|(begin, end)| {
        let since = |moment: Instant| (moment - start).as_millis();
        (since(begin), since(end))
    });
    // The one that waits longer ends last in both cases.
    [(); 2].map(|()| spans.next().expect("each cleanup ran to its end"))
}

/// Both shops, the one after another first.
fn measure_both() -> [Spans; 2] {
    let one_after_another = measure(async |stock, mail| {
        let mut shop = AsyncDropGuard::new(OneAfterAnother { stock, mail });
        shop.async_drop().await
    });
    let at_the_same_time = measure(async |stock, mail| {
        let mut shop = AsyncDropGuard::new(AtTheSameTime { stock, mail });
        shop.async_drop().await
    });
    [one_after_another, at_the_same_time]
}

/// Whether no time differs by more than a reader of the drawing could see.
fn near(now: [Spans; 2], recorded: [Spans; 2]) -> bool {
    now.iter()
        .flatten()
        .zip(recorded.iter().flatten())
        .all(|(now, recorded)| now.0.abs_diff(recorded.0) <= 40 && now.1.abs_diff(recorded.1) <= 40)
}

#[test]
fn the_time_line_of_two_cleanups_shows_what_was_measured() -> Result<(), Box<dyn Error>> {
    const FILE: &str = "book/src/patterns/two-goodbyes.svg";
    let written = fs::read_to_string(root().join(FILE)).unwrap_or_default();
    let shown = recorded(&written);
    let mut now = measure_both();
    // On a busy machine a timer may be late, but hardly each time.
    for _ in 0..5 {
        if shown.is_some_and(|shown| near(now, shown)) {
            break;
        }
        now = measure_both();
    }
    let shown = shown.filter(|shown| near(now, *shown));
    if env::var_os("RECORD").is_some() {
        // What is still true is left as it is, so that there is no difference to read.
        fs::write(root().join(FILE), time_line(shown.unwrap_or(now)))?;
        return Ok(());
    }
    let shown = shown.ok_or_else(|| format!("measured {now:?} ms, which {FILE} does not show"))?;
    assert_eq!(
        written,
        time_line(shown),
        "{FILE} does not show the times that it names"
    );
    Ok(())
}

fn recorded(svg: &str) -> Option<[Spans; 2]> {
    let (_, rest) = svg.split_once("<!-- measured: ")?;
    let (numbers, _) = rest.split_once(" -->")?;
    let numbers: Vec<u128> = numbers
        .split(' ')
        .map(|number| number.parse().ok())
        .collect::<Option<_>>()?;
    let [a, b, c, d, e, f, g, h] = numbers.try_into().ok()?;
    Some([[(a, b), (c, d)], [(e, f), (g, h)]])
}

fn time_line(measured: [Spans; 2]) -> String {
    let x = |ms: u128| 60.0 + 0.7 * ms as f64;
    let mut svg = Svg::new("goodbyes", "One after another, and at the same time");
    let numbers: Vec<_> = measured
        .iter()
        .flatten()
        .flat_map(|span| [span.0.to_string(), span.1.to_string()])
        .collect();
    svg.remark(format!("measured: {}", numbers.join(" ")));
    for step in 0..=5 {
        let at = x(step * 100);
        svg.thin(format!("M{at} 34 V226"));
        svg.text(at, 246.0, Anchor::Middle, format!("{} ms", step * 100));
    }
    for (number, (heading, spans)) in ["one after another", "at the same time"]
        .iter()
        .zip(measured)
        .enumerate()
    {
        let top = 22.0 + 114.0 * number as f64;
        let all = spans[0].1.max(spans[1].1);
        svg.heading(60.0, top, format!("{heading}: {all} ms"));
        for (row, (member, (begin, end))) in ["stock", "mail"].iter().zip(spans).enumerate() {
            let y = top + 18.0 + 34.0 * row as f64;
            svg.text(52.0, y + 16.0, Anchor::End, member);
            svg.bar(x(begin), y, x(end) - x(begin), 22.0);
            svg.tell(format!(
                "{heading}: the cleanup of {member} runs from {begin} to {end} ms."
            ));
        }
        svg.tell(format!("Both are done after {all} ms."));
    }
    svg.finish(256.0)
}

/// A text for those who do not see it, and no color that a theme does not know.
#[test]
fn every_diagram_has_a_text_alternative_and_the_colors_of_its_page() {
    let drawings = files("book/src", "svg");
    assert!(drawings.len() > 5, "{drawings:?}");
    let mut complaints = Vec::new();
    for file in drawings {
        let text = fs::read_to_string(root().join(&file)).expect("a drawing can be read");
        let has = |what: &str| text.contains(what);
        if !has("<title id=") || !has("<desc id=") || !has("aria-labelledby=") || !has("role=") {
            complaints.push(format!("{file}: give it a role, a <title>, a <desc> and `aria-labelledby` with the ids of both"));
        }
        for attribute in ["fill=\"", "stroke=\""] {
            for value in text.split(attribute).skip(1) {
                let value = value.split('"').next().unwrap_or_default();
                if !["none", "currentColor"].contains(&value) {
                    complaints.push(format!(
                        "{file}: {attribute}{value}\" does not follow the theme; use currentColor"
                    ));
                }
            }
        }
        if has("font-family=\"") && !has("font-family=\"monospace\"") || has("style=") {
            complaints.push(format!("{file}: leave fonts and styles to the page"));
        }
    }
    assert!(complaints.is_empty(), "\n  {}\n", complaints.join("\n  "));
}
