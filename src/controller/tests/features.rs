//! UpdateFeatures: raising and lowering levels, and the reasons for refusals.

use super::support::*;
use crate::codec::messages::update_features_request::{FeatureUpdateKey, UpdateFeaturesRequest};
use crate::codec::messages::{ApiKey, UpdateFeaturesResponse};

const UPGRADE: i8 = 1;
const SAFE_DOWNGRADE: i8 = 2;

fn update(feature: &str, level: i16, upgrade_type: i8) -> UpdateFeaturesRequest {
    let update = FeatureUpdateKey::default()
        .with_feature(text(feature))
        .with_max_version_level(level)
        .with_upgrade_type(upgrade_type);
    UpdateFeaturesRequest::default().with_feature_updates(vec![update])
}

#[tokio::test]
async fn levels_move_within_what_everyone_supports() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::start(dir.path(), &[]).await;
    let prefix = "The update failed for all features since the following feature had an error: ";
    for (request, code, message) in [
        (update("group.version", 1, UPGRADE), 0, ""),
        (
            update("group.version", 0, UPGRADE),
            95,
            "Invalid update version 0 for feature \
            group.version. Can't downgrade the version of this feature without setting the \
            upgrade type to either safe or unsafe downgrade.",
        ),
        (update("group.version", 1, UPGRADE).with_validate_only(true), 0, ""),
        (update("group.version", 0, SAFE_DOWNGRADE), 0, ""),
        (
            update("transaction.version", 3, UPGRADE),
            95,
            "Invalid update version 3 for feature \
            transaction.version. Local controller 1 only supports versions 0-2",
        ),
        (
            update("foo.version", 1, UPGRADE),
            95,
            "Invalid update version 1 for feature \
            foo.version. Local controller 1 does not support this feature.",
        ),
        (
            update("transaction.version", -1, UPGRADE),
            95,
            "Invalid update version -1 for feature \
            transaction.version. Versions begin at 0.",
        ),
        (
            update("metadata.version", 29, SAFE_DOWNGRADE),
            95,
            "Unsupported metadata.version \
            downgrade from 30 to 29. Refusing to perform the requested downgrade because it might \
            delete metadata information.",
        ),
        (update("metadata.version", 30, UPGRADE), 0, ""),
        (
            update("transaction.version", 1, 0),
            95,
            "Invalid update version 1 for feature \
            transaction.version. There is no upgrade type 0.",
        ),
    ] {
        let answer: UpdateFeaturesResponse = node.ask(ApiKey::UpdateFeatures, 2, &request).await;
        let expected = (!message.is_empty()).then(|| format!("{prefix}{message}"));
        let got = answer.error_message.as_ref().map(ToString::to_string);
        assert_eq!((answer.error_code, got), (code, expected));
    }
    assert_eq!(node.image().feature("group.version"), 0);
    let request = update("group.version", 1, UPGRADE);
    let answer: UpdateFeaturesResponse = node.ask(ApiKey::UpdateFeatures, 1, &request).await;
    assert_eq!(answer.results[0].feature.as_str(), "group.version");
    assert_eq!(node.image().feature("group.version"), 1);
    node.stop().await;
}

/// The voters move from the settings into the log, as in Kafka since 4.1, and stay there.
#[tokio::test]
async fn kraft_version_goes_up_once() {
    let dir = tempfile::tempdir().unwrap();
    let voters = [("controller.quorum.voters", "1@localhost:9093")];
    let node = Node::start(dir.path(), &voters).await;
    let up = update("kraft.version", 1, UPGRADE);
    let mut with_another = up.clone();
    with_another.feature_updates.extend(update("foo.version", 1, UPGRADE).feature_updates);
    for (request, code, level) in [
        (up.clone().with_validate_only(true), 0, 0),
        (with_another, 95, 0),
        (update("kraft.version", 2, UPGRADE), 95, 0),
        (up.clone(), 0, 1),
        (up, 0, 1),
        (update("kraft.version", 0, SAFE_DOWNGRADE), 95, 1),
    ] {
        let answer: UpdateFeaturesResponse = node.ask(ApiKey::UpdateFeatures, 2, &request).await;
        assert_eq!((answer.error_code, node.image().kraft_version), (code, level), "{request:?}");
    }
    let finalized = node.image().finalized_features();
    node.stop().await;
    let node = Node::start(dir.path(), &voters).await;
    assert_eq!(node.image().finalized_features(), finalized);
    node.stop().await;
}
