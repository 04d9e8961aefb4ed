//! First boot, restarts after clean and unclean stops, snapshots.

use super::support::*;
use crate::metadata::{BROKER_CONFIG, features};

#[tokio::test]
async fn a_new_directory_serves_and_remembers() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::start(dir.path(), &[]).await;
    let image = node.image();
    assert_eq!(image.metadata_version(), features::METADATA_VERSION_4_3);
    assert_eq!(image.configs_of(BROKER_CONFIG, "")["min.insync.replicas"], "1");
    assert_eq!(node.create(topic("t", 3)).await, (0, None));
    let made = node.image().topics.by_name("t").unwrap().clone();
    assert_eq!(made.partitions.len(), 3);
    assert!(made.partitions.iter().all(|partition| partition.leader == 1));
    let epoch = node.stop().await;

    for restart in 1..=3 {
        let mut node = Node::open(dir.path(), &[]);
        let image = node.image();
        assert_eq!(image.epoch, 1 + restart);
        let topic = image.topics.by_name("t").unwrap();
        assert_eq!(topic.id, made.id);
        assert!(topic.partitions.iter().all(|partition| partition.leader == -1), "fenced");
        node.register(if restart == 1 { epoch } else { -1 }).await;
        assert_eq!(node.beat(false).await, (false, false));
        let image = node.image();
        for partition in &image.topics.by_name("t").unwrap().partitions {
            assert_eq!((partition.leader, &partition.isr[..]), (1, &[1][..]));
            assert_eq!(partition.leader_epoch, 2 * restart, "one to lose it, one to get it");
            // Only who stopped cleanly surely has all records.
            assert_eq!(partition.leader_recovery_state, i8::from(restart > 1));
        }
        // As after kill -9: nothing is said to the controller.
        node.controller.close().unwrap();
    }
}
