//! Medians over the rounds with their ranges, their ratios to Kafka and to the floor, and whether
//! klamm reaches its goals.

use crate::goals::{Goal, goal_of};
use crate::load::Measured;
use crate::{plot, target};
use std::collections::BTreeMap;
use std::fmt::Write;

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
    pub fn add(&mut self, work: &'static str, target: &'static str, measured: &Measured) {
        eprintln!("{target:6} {work:40} {measured}");
        for (figure, value) in measured.figures() {
            self.add_value(work, figure, target, value);
        }
    }

    /// Adds a figure that does not come from a load.
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
            let path = target::output(&format!("{name}.{suffix}"));
            std::fs::write(&path, content).unwrap();
            eprintln!("{}", path.display());
        }
    }

    fn text(&self) -> String {
        let mut text = String::from(
            "| work | figure | floor | klamm | Kafka | klamm / floor | klamm / Kafka | goal | met |\n\
             |---|---|---|---|---|---|---|---|---|\n",
        );
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
            writeln!(
                text,
                "| {} | {} | {} | {} | {} | {} | {} | {} | {met} |",
                row.work,
                row.figure,
                row.shown("floor"),
                row.shown("klamm"),
                row.shown("kafka"),
                ratio("floor"),
                ratio("kafka"),
                goal.map_or("-".to_owned(), Goal::text),
            )
            .unwrap();
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
