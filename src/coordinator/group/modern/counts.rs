//! How many members name a topic, or a regular expression.

use std::collections::BTreeMap;

/// How often each name was added and not released; a name that nobody uses is not in it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Counts(BTreeMap<String, usize>);

impl Counts {
    /// Counts `name` once more.
    pub fn add(&mut self, name: &str) {
        match self.0.get_mut(name) {
            Some(count) => *count += 1,
            None => drop(self.0.insert(name.to_owned(), 1)),
        }
    }

    /// Counts `name` once less.
    pub fn release(&mut self, name: &str) {
        if let Some(count) = self.0.get_mut(name) {
            *count -= 1;
            if *count == 0 {
                self.0.remove(name);
            }
        }
    }

    /// How often `name` counts.
    pub fn of(&self, name: &str) -> usize {
        self.0.get(name).copied().unwrap_or(0)
    }

    /// The names that are used, in order.
    pub fn names(&self) -> impl Iterator<Item = &String> {
        self.0.keys()
    }
}
