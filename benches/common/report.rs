//! Medians over the rounds with their ranges, their ratios to Kafka and to the floor, and whether
//! klamm reaches its goals.

use super::goals::{Goal, goal_of};
use super::{plot, process};
use std::collections::BTreeMap;

/// A figure of one kind of work, with the values of each server, one per round.
pub struct Row {
    pub work: &'static str,
    pub figure: &'static str,
    rounds: BTreeMap<&'static str, Vec<f64>>,
}

#[derive(Default)]
pub struct Table {
    /// The rows in the order in which they were measured.
    rows: Vec<Row>,
}

impl Table {
    /// Adds the figures of a round of work.
    pub fn add(
        &mut self,
        work: &'static str,
        target: &'static str,
        figures: &[(&'static str, f64)],
    ) {
        let shown = figures.iter().map(|(figure, value)| format!("{figure} {value:.3}"));
        eprintln!("{target:6} {work:40} {}", shown.collect::<Vec<_>>().join(", "));
        for &(figure, value) in figures {
            self.add_value(work, figure, target, value);
        }
    }

    /// Adds a figure that stands alone.
    pub fn add_figure(
        &mut self,
        work: &'static str,
        figure: &'static str,
        target: &'static str,
        value: f64,
    ) {
        eprintln!("{target:6} {work:40} {figure} {value:.3}");
        self.add_value(work, figure, target, value);
    }

    fn add_value(
        &mut self,
        work: &'static str,
        figure: &'static str,
        target: &'static str,
        value: f64,
    ) {
        let found = self.rows.iter().position(|row| (row.work, row.figure) == (work, figure));
        let at = found.unwrap_or_else(|| {
            self.rows.push(Row { work, figure, rounds: BTreeMap::new() });
            self.rows.len() - 1
        });
        self.rows[at].rounds.entry(target).or_default().push(value);
    }

    /// Prints the table, and writes it and its plot to files with this name in `target/bench`.
    pub fn finish(&self, name: &str) {
        let text = self.text();
        print!("\n{text}");
        for (suffix, content) in [("md", text), ("svg", plot::svg(&self.rows))] {
            let path = process::output(&format!("{name}.{suffix}"));
            std::fs::write(&path, content).unwrap();
            eprintln!("{}", path.display());
        }
    }

    /// The floor's columns are left out if it has no row.
    fn text(&self) -> String {
        let has_floor = self.rows.iter().any(|row| row.median("floor").is_some());
        let line = |cells: [&str; 9]| {
            let cells = cells.into_iter().enumerate();
            let shown = cells.filter(|(at, _)| has_floor || ![2, 5].contains(at));
            format!("| {} |\n", shown.map(|(_, cell)| cell).collect::<Vec<_>>().join(" | "))
        };
        let (to_floor, to_kafka) = ("klamm / floor", "klamm / Kafka");
        let heads =
            ["work", "figure", "floor", "klamm", "Kafka", to_floor, to_kafka, "goal", "met"];
        let mut text = line(heads) + &line(["---"; 9]).replace(" ", "");
        for row in &self.rows {
            let ratio = |to: &str| match (row.median("klamm"), row.median(to)) {
                (Some(ours), Some(theirs)) => format!("{:.2}", ours / theirs),
                _ => "-".to_owned(),
            };
            let goal = goal_of(row.work, row.figure);
            let met = match goal.and_then(|goal| goal.is_met(row)) {
                Some(true) => "yes",
                Some(false) => "no",
                None => "-",
            };
            text.push_str(&line([
                row.work,
                row.figure,
                &row.shown("floor"),
                &row.shown("klamm"),
                &row.shown("kafka"),
                &ratio("floor"),
                &ratio("kafka"),
                &goal.map_or("-".to_owned(), Goal::text),
                met,
            ]));
        }
        text
    }
}

impl Row {
    pub fn median(&self, target: &str) -> Option<f64> {
        let mut values = self.rounds.get(target)?.clone();
        values.sort_by(f64::total_cmp);
        Some(values[values.len() / 2])
    }

    /// The lowest and the highest value of the rounds.
    pub fn range(&self, target: &str) -> Option<(f64, f64)> {
        let values = self.rounds.get(target)?.iter().copied();
        Some((values.clone().fold(f64::INFINITY, f64::min), values.fold(0.0, f64::max)))
    }

    /// `median (lowest-highest)`.
    fn shown(&self, target: &str) -> String {
        match (self.median(target), self.range(target)) {
            (Some(median), Some((least, most))) if self.rounds[target].len() > 1 => {
                format!("{} ({}-{})", number(median), number(least), number(most))
            }
            (Some(median), _) => number(median),
            _ => "-".to_owned(),
        }
    }
}

/// Formats a number with three digits or more.
pub fn number(value: f64) -> String {
    match value.abs() {
        100.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        1.0.. => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}
