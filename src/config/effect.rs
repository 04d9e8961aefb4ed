//! What becomes of a setting here: it is served, it is taken and changes nothing, or every value
//! that asks for what klamm does not have is refused. The reasons are told to who sets it.

use super::{Config, SETTINGS, Setting};

/// What setting a setting does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// What its documentation says.
    Served,
    /// Nothing, for this reason.
    NoEffect(&'static str),
    /// Nothing for its default, an empty value and these; any other is refused, for this reason.
    OnlyThese(&'static [&'static str], &'static str),
}

pub(super) const THREADS: &str = "klamm has as many threads as the processors need";
pub(super) const ALONE: &str = "one node is the whole cluster, and nothing crosses a network in it";
pub(super) const PURGATORY: &str = "a request that waits is forgotten as soon as it is answered";
pub(super) const METRICS: &str = "klamm measures nothing in Kafka's way yet";
pub(super) const QUOTAS: &str = "quotas are not enforced yet";
pub(super) const SHARE: &str = "share groups are not served yet";
pub(super) const REMOTE: &str = "tiered storage is not served yet";
pub(super) const SECURITY: &str = "TLS, SASL and delegation tokens are not served yet";
pub(super) const TESTS: &str = "it is for the tests of Kafka itself";
pub(super) const AT_ONCE: &str = "records of a coordinator are written without waiting for more";
pub(super) const CONTROLLED: &str = "a clean stop always hands over what the broker leads";
pub(super) const BACKLOG: &str = "as many connections may wait as the system allows";
pub(super) const HELD: &str = "what is held for a connection, and for all, has bounds of its own";

pub(super) const CLASS: &str = "klamm runs no Java classes and has none of this name. Remove the \
                                setting if the broker may run without it";
pub(super) const REPORTER: &str = "klamm has no metrics reporters. Remove the setting if nobody \
                                   relies on them";
pub(super) const AUTHORIZER: &str = "klamm does not check permissions yet. Remove the setting if \
                                     everyone who reaches the listeners may do everything";
pub(super) const REMOTE_ENABLED: &str = "klamm does not serve tiered storage yet. Set it to false \
                                         if no topic has segments in remote storage";
pub(super) const TWO_PHASE: &str = "klamm does not serve transactions that outlive \
                                    transaction.max.timeout.ms yet. Set it to false";

pub(super) const RACK_AWARE: &str = "org.apache.kafka.common.replica.RackAwareReplicaSelector";
pub(super) const SIMPLE_ASSIGNOR: &str =
    "org.apache.kafka.coordinator.group.assignor.SimpleAssignor";

impl Setting {
    /// Why a value is refused that is right for Kafka and asks for what klamm does not have.
    pub(super) fn reason_refused(&self, text: &str) -> Option<&'static str> {
        let Effect::OnlyThese(others, why) = self.effect else { return None };
        let value = self.canonical(text);
        let is_harmless = value.is_empty()
            || self.default.is_some_and(|default| value == self.canonical(default))
            || others.contains(&value.as_str());
        (!is_harmless).then_some(why)
    }

    /// Whether `text` means what holds anyway.
    fn is_default(&self, text: &str) -> bool {
        self.canonical(text) == self.canonical(self.default.unwrap_or_default())
    }
}

impl Config {
    /// A sentence for each setting that somebody set to something and that changes nothing here.
    pub fn without_effect(&self) -> Vec<String> {
        let told = SETTINGS.iter().filter_map(|setting| {
            let Effect::NoEffect(why) = setting.effect else { return None };
            let text = self.values.get(setting.name)?;
            let is_news = self.is_set(setting.name) && !setting.is_default(text);
            is_news.then(|| format!("{} has no effect here: {why}", setting.name))
        });
        told.collect()
    }
}
