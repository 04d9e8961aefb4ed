//! Medians over the rounds, with their ranges, and ratios to Kafka and to the floor.

use crate::load::Measured;
use std::collections::BTreeMap;

/// The servers' figures, one for each round.
type Rounds = BTreeMap<&'static str, Vec<f64>>;

#[derive(Default)]
pub struct Table {
    /// In the order in which they were measured.
    rows: Vec<(&'static str, &'static str, Rounds)>,
}

impl Table {
    pub fn add(&mut self, work: &'static str, target: &'static str, measured: &Measured) {
        eprintln!("{target:6} {work:40} {measured}");
        for (figure, value) in measured.figures() {
            self.note(work, figure, target, value);
        }
    }

    /// One figure by itself.
    pub fn tell(
        &mut self,
        work: &'static str,
        figure: &'static str,
        target: &'static str,
        value: f64,
    ) {
        eprintln!("{target:6} {work:40} {figure} {value:.3}");
        self.note(work, figure, target, value);
    }

    fn note(&mut self, work: &'static str, figure: &'static str, target: &'static str, value: f64) {
        let found = self.rows.iter().position(|row| (row.0, row.1) == (work, figure));
        let at = found.unwrap_or_else(|| {
            self.rows.push((work, figure, Rounds::new()));
            self.rows.len() - 1
        });
        self.rows[at].2.entry(target).or_default().push(value);
    }

    pub fn print(&self) {
        println!("\n| work | figure | floor | klamm | Kafka | klamm / floor | klamm / Kafka |");
        println!("|---|---|---|---|---|---|---|");
        for (work, figure, rounds) in &self.rows {
            let ratio = |to: &str| match (median(rounds, "klamm"), median(rounds, to)) {
                (Some(ours), Some(theirs)) => format!("{:.2}", ours / theirs),
                _ => "-".to_owned(),
            };
            println!(
                "| {work} | {figure} | {} | {} | {} | {} | {} |",
                shown(rounds, "floor"),
                shown(rounds, "klamm"),
                shown(rounds, "kafka"),
                ratio("floor"),
                ratio("kafka"),
            );
        }
    }
}

fn median(rounds: &Rounds, target: &str) -> Option<f64> {
    let mut values = rounds.get(target)?.clone();
    values.sort_by(f64::total_cmp);
    Some(values[values.len() / 2])
}

/// `median (least-most)`.
fn shown(rounds: &Rounds, target: &str) -> String {
    let Some(median) = median(rounds, target) else { return "-".to_owned() };
    let values = &rounds[target];
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(0.0, f64::max);
    format!("{median:.3} ({least:.3}-{most:.3})")
}
