//! Keeps the broker in step with the metadata log.

use crate::config::LiveConfig;
use crate::coordinator::{Groups, ShareStates, Transactions};
use crate::error::Result;
use crate::metadata::{BROKER_CONFIG, Image, Published};
use crate::replica::Replicas;
use crate::share::SharePartitions;
use arc_swap::ArcSwap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use tokio::sync::{mpsc, watch};
use tracing::warn;

/// Applies the steps of the metadata log to the broker's parts, in order.
pub(super) struct Applier {
    pub config: LiveConfig,
    pub replicas: Arc<Replicas>,
    pub groups: Arc<Groups>,
    pub transactions: Arc<Transactions>,
    pub share_states: Arc<ShareStates>,
    pub share: Arc<SharePartitions>,
    pub image: Arc<ArcSwap<Image>>,
    pub applied: watch::Sender<i64>,
}

impl Applier {
    /// Runs until the controller ends. If a step cannot be applied, the broker would contradict the
    /// metadata log, so it fails with the reason.
    pub fn run(self, published: mpsc::Receiver<Published>, fail: &mpsc::Sender<String>) {
        let followed = catch_unwind(AssertUnwindSafe(|| self.follow(published)));
        let reason = match followed {
            Ok(Ok(())) => return,
            Ok(Err(error)) => format!("the metadata log could not be applied: {error}"),
            Err(_) => "applying the metadata log panicked; see above".to_owned(),
        };
        // If another failure was reported already, that one counts.
        let _ = fail.try_send(reason);
    }

    fn follow(&self, mut published: mpsc::Receiver<Published>) -> Result<()> {
        while let Some(step) = published.blocking_recv() {
            if step.delta.configs_of(BROKER_CONFIG).next().is_some() {
                self.apply_config(&step.image);
            }
            self.replicas.apply(&step.image, &step.delta)?;
            self.groups.apply(&step.image, &step.delta);
            self.transactions.apply(&step.image);
            self.share_states.apply(&step.image, &step.delta);
            self.share.apply(&step.image, &step.delta);
            self.image.store(step.image.clone());
            self.applied.send_replace(step.image.offset);
        }
        Ok(())
    }

    /// Applies the broker settings of `image`, before the other parts, which read them.
    fn apply_config(&self, image: &Image) {
        let (config, left_out) = image.broker_config(&self.config.get());
        for setting in left_out {
            warn!(
                "A setting in the metadata log is ignored; delete it with kafka-configs: {setting}"
            );
        }
        self.config.set(config);
    }
}
