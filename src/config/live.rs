//! The settings of a running broker, some of which change while it runs.

use super::Config;
use arc_swap::{ArcSwap, Guard};
use std::sync::Arc;

/// The settings in effect. The applier replaces them when the metadata log changes one, so that the
/// new value takes effect wherever it is read. Readers must not keep them. Only the controller has
/// others: it checks requests against what it has appended, which the applier has yet to see.
#[derive(Clone, Debug, Default)]
pub struct LiveConfig(Arc<ArcSwap<Config>>);

impl LiveConfig {
    /// The current settings, for one request or one piece of work.
    pub fn get(&self) -> Guard<Arc<Config>> {
        self.0.load()
    }

    /// Replaces the settings.
    pub fn set(&self, config: Config) {
        self.0.store(Arc::new(config));
    }
}

impl From<Config> for LiveConfig {
    fn from(config: Config) -> LiveConfig {
        LiveConfig(Arc::new(ArcSwap::from_pointee(config)))
    }
}
