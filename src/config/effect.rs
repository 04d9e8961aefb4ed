//! What klamm does with a setting: serve it, accept it without an effect, or refuse the values that
//! ask for something klamm does not have. The last two have a reason, which the operator is told.

/// What a setting does here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// What its documentation says.
    Served,
    /// Nothing, for this reason.
    NoEffect(&'static str),
    /// Nothing for the default, an empty value and these values. All others are refused, for this
    /// reason.
    OnlyThese(&'static [&'static str], &'static str),
}

pub(super) const THREADS: &str = "klamm has as many threads as the processors need";
pub(super) const ALONE: &str = "it is the controller's, and klamm's own controller has one broker";
pub(super) const LINKS: &str = "klamm sets up its connections to other nodes in its own way";
pub(super) const VOTERS: &str = "klamm is never one of several controllers";
pub(super) const PURGATORY: &str = "a request that waits is forgotten as soon as it is answered";
pub(super) const METRICS: &str = "klamm measures nothing in Kafka's way yet";
pub(super) const QUOTAS: &str = "quotas are not enforced yet";
pub(super) const REMOTE: &str = "tiered storage is not supported yet";
pub(super) const SECURITY: &str = "TLS, SASL and delegation tokens are not supported yet";
pub(super) const TESTS: &str = "it is for the tests of Kafka itself";
pub(super) const AT_ONCE: &str = "records of a coordinator are written without waiting for more";
pub(super) const CONTROLLED: &str = "a clean stop always hands over what the broker leads";
pub(super) const BACKLOG: &str = "as many connections may wait as the system allows";
pub(super) const MOVES: &str = "the limit of moves is kept without taking samples";
pub(super) const NO_WAIT: &str = "klamm goes on as soon as it can";
pub(super) const OPENED: &str = "no listener waits for an authorizer";

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
