//! The metadata log of this process: led by its own controller, or followed as the quorum of others
//! writes it.

use super::identity::metadata_directory_id;
use crate::clock::Clock;
use crate::config::Config;
use crate::controller::{Client, Controller, Observer, Remote};
use crate::disk::Disk;
use crate::error::Result;
use crate::log::manager::LogManager;
use crate::metadata::Published;
use tokio::sync::mpsc;

/// Whoever has the metadata log open.
#[derive(Debug)]
pub(super) enum Quorum {
    /// The node is its own only controller.
    Led(Controller),
    /// The process is a broker only.
    Followed(Observer),
}

impl Quorum {
    /// Opens the metadata log, as `process.roles` wants it. A broker only waits until a controller
    /// has told it everything that is committed.
    pub async fn open(
        disk: Disk,
        clock: Clock,
        config: &Config,
        logs: &LogManager,
        cluster_id: &str,
        publish: mpsc::Sender<Published>,
    ) -> Result<Quorum> {
        let (dir, directory_id) = (&logs.metadata_dir().path, metadata_directory_id(logs)?);
        if !config.is_broker_only() {
            let config = config.clone();
            let opened =
                Controller::open(disk, clock, config, dir, cluster_id, directory_id, publish);
            return opened.map(Quorum::Led);
        }
        let observer = Observer::open(disk, clock, config, dir, cluster_id, directory_id, publish)?;
        observer.caught_up().await?;
        Ok(Quorum::Followed(observer))
    }

    /// A handle to the controller.
    pub fn client(&self, config: &Config) -> Client {
        match self {
            Quorum::Led(controller) => controller.client(),
            Quorum::Followed(observer) => {
                let (image, failed) = (observer.image.clone(), observer.failed.clone());
                Client::Remote(Remote::new(config, &observer.leader, image, failed))
            }
        }
    }

    /// Flushes and closes the metadata log. Blocks.
    pub fn close(self) -> Result<()> {
        match self {
            Quorum::Led(controller) => controller.close(),
            Quorum::Followed(observer) => observer.close(),
        }
    }
}
