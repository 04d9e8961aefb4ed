//! Internal topics that are being created, and why some could not be
//! (DefaultAutoTopicCreationManager).

use crate::types::Timestamp;
use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The most failures that are remembered.
const MAX_FAILURES: usize = 1_000;

/// Every heartbeat of a group finds the same topics missing. They are requested only once, and
/// after a failure only when some time has passed.
#[derive(Debug, Default)]
pub struct InternalTopics {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    in_flight: HashSet<String>,
    /// Why a topic could not be created, and until when that is reported.
    failures: HashMap<String, (String, Timestamp)>,
}

impl InternalTopics {
    /// Those of `topics` that the caller has to create. It has to call `finish` for them.
    pub fn begin(&self, now: Timestamp, topics: impl Iterator<Item = String>) -> HashSet<String> {
        let mut state = self.state();
        state.failures.retain(|_, (_, until)| *until > now);
        let mut begun = HashSet::new();
        for topic in topics {
            if !state.failures.contains_key(&topic) && state.in_flight.insert(topic.clone()) {
                begun.insert(topic);
            }
        }
        begun
    }

    /// Notes that `topics` were created or could not be. `failures` are reported for `for_ms`
    /// milliseconds.
    pub fn finish(
        &self,
        now: Timestamp,
        topics: &HashSet<String>,
        failures: impl Iterator<Item = (String, String)>,
        for_ms: i64,
    ) {
        let mut state = self.state();
        state.in_flight.retain(|topic| !topics.contains(topic));
        for (topic, message) in failures {
            if state.failures.len() < MAX_FAILURES {
                state.failures.insert(topic, (message, now + for_ms));
            }
        }
    }

    /// Why some of `topics` could not be created lately.
    pub fn failures<'a>(
        &self,
        now: Timestamp,
        topics: impl Iterator<Item = &'a str>,
    ) -> Vec<(&'a str, String)> {
        let state = self.state();
        let failure = |topic: &'a str| {
            let (message, until) = state.failures.get(topic)?;
            (*until > now).then(|| (topic, message.clone()))
        };
        topics.filter_map(failure).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_is_asked_for_once_and_after_a_failure_later() {
        let topics = InternalTopics::default();
        let begin = |now| topics.begin(now, ["a".to_owned(), "b".to_owned()].into_iter());
        let begun = begin(0);
        assert_eq!(begun.len(), 2);
        assert!(begin(1).is_empty());
        topics.finish(10, &begun, [("a".to_owned(), "no".to_owned())].into_iter(), 100);
        assert_eq!(topics.failures(109, ["a", "b"].into_iter()), [("a", "no".to_owned())]);
        assert_eq!(begin(109), HashSet::from(["b".to_owned()]));
        assert!(topics.failures(110, ["a", "b"].into_iter()).is_empty());
        assert_eq!(begin(110), HashSet::from(["a".to_owned()]));
    }
}
