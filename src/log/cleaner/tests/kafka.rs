//! The same log, cleaned by Kafka 4.3.1 and by us.

use super::model::{CODECS, Model};
use super::*;

/// What the topic has in Kafka (see tests/fixtures/README.md).
fn kafkas() -> TopicConfig {
    TopicConfig { segment_bytes: 3000, ..compacted() }
}

/// Appends to the logs `t-0` (no compression) and `t-1` (all codecs) of the directory that
/// KLAMM_CLEANER_INPUT names, for a Kafka to clean. KLAMM_CLEANER_ROUND is the seed.
#[test]
#[ignore = "makes the fixtures"]
fn write_input() {
    let dir = PathBuf::from(std::env::var("KLAMM_CLEANER_INPUT").unwrap());
    let round: u64 = std::env::var("KLAMM_CLEANER_ROUND").unwrap().parse().unwrap();
    let codecs: [&[Compression]; 2] = [&CODECS[..1], CODECS];
    for (partition, codecs) in codecs.into_iter().enumerate() {
        let log = open(&dir.join(format!("t-{partition}")), &kafkas(), 0, false);
        let f = Fixture { log: Mutex::new(log), ..Fixture::new(kafkas()) };
        let random = fastrand::Rng::with_seed(round);
        let mut model = Model::of(f, random, codecs, 100 * round as i64);
        model.now = crate::clock::Clock::System.now();
        model.run(80, false);
        model.f.put("active", Some("1"));
        model.f.log().close().unwrap();
    }
}
