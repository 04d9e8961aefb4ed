//! Draws the figures that have goals as bars, scaled to the largest of each row. A thin line is the
//! range over the rounds, a tick the maximum for klamm. The colours are readable on white and on
//! black.

use super::goals::goal_of;
use super::report::{Row, number};
use std::fmt::Write;

const LEFT: f64 = 300.0;
const BARS: f64 = 380.0;
const WIDTH: f64 = LEFT + BARS + 100.0;
const TOP: f64 = 40.0;
const BAR: f64 = 9.0;
const STEP: f64 = 13.0;
const BETWEEN: f64 = 14.0;
const INK: &str = "#808890";
const SERVERS: [(&str, &str, &str); 3] = [
    ("klamm", "klamm", "#2f81f7"),
    ("kafka", "Apache Kafka", "#9a8c98"),
    ("floor", "floor", "#3fa45b"),
];

/// The plot as an SVG document.
pub fn svg(rows: &[Row]) -> String {
    let rows: Vec<&Row> =
        rows.iter().filter(|row| goal_of(row.work, row.figure).is_some()).collect();
    let mut body = legend();
    let mut y = TOP;
    for row in rows {
        y += draw(&mut body, row, y) + BETWEEN;
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {y}\" width=\"{WIDTH}\" \
         font-family=\"system-ui, sans-serif\" font-size=\"11\" fill=\"{INK}\">\n{body}</svg>\n"
    )
}

fn legend() -> String {
    let mut out = String::new();
    for (at, (_, name, colour)) in SERVERS.iter().enumerate() {
        let x = LEFT + at as f64 * 110.0;
        bar(&mut out, x, 12.0, 14.0, colour);
        text(&mut out, x + 20.0, 20.5, "start", name);
    }
    tick(&mut out, LEFT + 330.0, 9.0, 15.0);
    text(&mut out, LEFT + 337.0, 20.5, "start", "klamm's goal");
    out
}

/// Draws a row at `top`. Returns its height.
fn draw(out: &mut String, row: &Row, top: f64) -> f64 {
    let measured: Vec<_> =
        SERVERS.iter().filter(|(server, ..)| row.median(server).is_some()).collect();
    let ends = measured.iter().filter_map(|(server, ..)| Some(row.range(server)?.1));
    let limit = goal_of(row.work, row.figure).and_then(|goal| goal.limit(row));
    let scale = BARS / ends.chain(limit).fold(f64::MIN_POSITIVE, f64::max);
    text(out, LEFT - 12.0, top + 9.0, "end", row.work);
    text(out, LEFT - 12.0, top + 22.0, "end", row.figure);
    for (at, (server, _, colour)) in measured.iter().enumerate() {
        let y = top + at as f64 * STEP;
        let (Some(median), Some((least, most))) = (row.median(server), row.range(server)) else {
            continue;
        };
        bar(out, LEFT, y, (median * scale).max(1.0), colour);
        let (from, to, middle) = (LEFT + least * scale, LEFT + most * scale, y + BAR / 2.0);
        line(out, (from, middle), (to, middle), 1.0);
        let tick = limit.map_or(0.0, |limit| LEFT + limit * scale);
        let end = to.max(LEFT + median * scale);
        // Keeps the number clear of the tick.
        let end = if (end..end + 40.0).contains(&tick) { tick } else { end };
        text(out, end + 6.0, y + BAR - 0.5, "start", &number(median));
    }
    if let Some(limit) = limit {
        tick(out, LEFT + limit * scale, top - 2.0, BAR + 4.0);
    }
    (measured.len() as f64 * STEP).max(2.0 * STEP)
}

fn bar(out: &mut String, x: f64, y: f64, width: f64, colour: &str) {
    writeln!(
        out,
        "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{BAR}\" rx=\"1.5\" \
         fill=\"{colour}\"/>"
    )
    .unwrap();
}

fn tick(out: &mut String, x: f64, y: f64, height: f64) {
    line(out, (x, y), (x, y + height), 2.0);
}

fn line(out: &mut String, from: (f64, f64), to: (f64, f64), width: f64) {
    writeln!(
        out,
        "<line x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\" stroke=\"{INK}\" \
         stroke-width=\"{width}\"/>",
        from.0, from.1, to.0, to.1
    )
    .unwrap();
}

fn text(out: &mut String, x: f64, y: f64, anchor: &str, text: &str) {
    writeln!(out, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>")
        .unwrap();
}
