//! The arguments of the command line.

pub struct Arguments {
    pub words: Vec<String>,
    pub is_quick: bool,
    pub rounds: usize,
    /// Only loads with this text in their title run.
    pub part: String,
}

impl Arguments {
    /// `rounds` is how many there are usually.
    pub fn new(rounds: usize) -> Arguments {
        let words = std::env::args().collect();
        let mut arguments = Arguments { words, is_quick: false, rounds: 0, part: String::new() };
        arguments.is_quick = arguments.has("--quick");
        arguments.rounds = arguments.number("--rounds", rounds, 1);
        arguments.part = arguments.value("--load").unwrap_or_default();
        arguments
    }

    pub fn has(&self, name: &str) -> bool {
        self.words.iter().any(|word| word == name)
    }

    pub fn value(&self, name: &str) -> Option<String> {
        let at = self.words.iter().position(|word| word == name)?;
        self.words.get(at + 1).cloned()
    }

    pub fn number(&self, name: &str, usually: usize, quick: usize) -> usize {
        let value = self.value(name).map(|text| text.parse().unwrap());
        value.unwrap_or(if self.is_quick { quick } else { usually })
    }

    /// Those of the servers that are to be measured.
    pub fn servers(&self, names: &[&'static str]) -> Vec<&'static str> {
        let only = self.value("--only").unwrap_or_else(|| "floor,klamm,kafka".to_owned());
        let is_wanted = |name: &&str| only.split(',').any(|only| only == *name);
        names.iter().copied().filter(is_wanted).collect()
    }
}
