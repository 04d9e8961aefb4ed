//! UpdateFeatures (FeatureControlManager.updateFeatures). The error messages are an interface:
//! `kafka-features` prints them, and Kafka's tests of that tool compare what it prints.

use super::state::ControllerState;
use super::view::{ControllerResult, View, explained, text};
use crate::codec::messages::update_features_request::{FeatureUpdateKey, UpdateFeaturesRequest};
use crate::codec::messages::update_features_response::{
    UpdatableFeatureResult, UpdateFeaturesResponse,
};
use crate::codec::schema::metadata::FeatureLevelRecord;
use crate::error::Result;
use crate::metadata::features::{self, METADATA_VERSION, NEWEST_METADATA_VERSION};
use crate::metadata::features::{KRAFT_VERSION, OLDEST_METADATA_VERSION};
use crate::metadata::record::MetadataRecord;
use crate::types::{BrokerId, Offset};
use kafka_protocol::ResponseError;

const UPGRADE: i8 = 1;
const SAFE_DOWNGRADE: i8 = 2;
const UNSAFE_DOWNGRADE: i8 = 3;

/// Carries out UpdateFeatures, including `kraft.version`, which control records set.
pub(super) fn update(
    state: &mut ControllerState,
    request: &UpdateFeaturesRequest,
    version: i16,
) -> Result<(UpdateFeaturesResponse, Offset)> {
    let current = state.kraft_version();
    let outcome = state.view().update_features(request, version, current);
    let raised = raised_kraft_version(request, current);
    let offset = match raised.filter(|_| outcome.response.error_code == 0) {
        Some(level) => state.raise_kraft_version(level)?,
        None => -1,
    };
    let (response, last) = state.conclude(outcome)?;
    Ok((response, last.max(offset)))
}

impl View<'_> {
    /// Changes finalized features, all of them or none.
    pub fn update_features(
        self,
        request: &UpdateFeaturesRequest,
        version: i16,
        kraft_version: i16,
    ) -> ControllerResult<UpdateFeaturesResponse> {
        let updates = request.feature_updates.iter();
        let records: Result<Vec<Option<MetadataRecord>>> =
            updates.map(|update| self.update_feature(update, version, kraft_version)).collect();
        match records {
            Ok(records) => {
                let records = records.into_iter().flatten().collect();
                let response = succeeded(request, version);
                ControllerResult { records, response }.unless(request.validate_only)
            }
            Err(error) => ControllerResult::unchanged(
                UpdateFeaturesResponse::default()
                    .with_error_code(error.code().code())
                    .with_error_message(Some(text(format!(
                        "The update failed for all features since the following feature had an \
                         error: {}",
                        error.message().unwrap_or_default()
                    )))),
            ),
        }
    }

    fn update_feature(
        self,
        update: &FeatureUpdateKey,
        version: i16,
        kraft_version: i16,
    ) -> Result<Option<MetadataRecord>> {
        let (name, wanted) = (update.feature.as_str(), update.max_version_level);
        // Kafka's own tests compare the beginning, and the two sentences about a downgrade.
        let invalid = |message: &str| {
            let message = format!("Invalid update version {wanted} for feature {name}. {message}");
            Err(explained(ResponseError::InvalidUpdateVersion, message))
        };
        let upgrade_type = upgrade_type(update, version);
        if !(UPGRADE..=UNSAFE_DOWNGRADE).contains(&upgrade_type) {
            return invalid(&format!("There is no upgrade type {upgrade_type}."));
        }
        if wanted < 0 {
            return invalid("Versions begin at 0.");
        }
        if let Some(reason) = self.reason_not_supported(name, wanted) {
            return invalid(&reason);
        }
        let current = if name == KRAFT_VERSION { kraft_version } else { self.image.feature(name) };
        if wanted < current && upgrade_type == UPGRADE {
            return invalid(
                "Can't downgrade the version of this feature without setting the upgrade type to \
                 either safe or unsafe downgrade.",
            );
        }
        if wanted > current && upgrade_type != UPGRADE {
            return invalid("Can't downgrade to a newer version.");
        }
        match name {
            METADATA_VERSION => return self.update_metadata_version(wanted, upgrade_type),
            KRAFT_VERSION if wanted < current => {
                return invalid("The cluster cannot go back to it.");
            }
            // A control record sets this level: see `raised_kraft_version`.
            KRAFT_VERSION => return Ok(None),
            _ => {}
        }
        Ok(Some(level_record(name, wanted)))
    }

    fn update_metadata_version(
        self,
        wanted: i16,
        upgrade_type: i8,
    ) -> Result<Option<MetadataRecord>> {
        let current = self.image.metadata_version();
        let invalid = |message| Err(explained(ResponseError::InvalidUpdateVersion, message));
        if !(OLDEST_METADATA_VERSION..=NEWEST_METADATA_VERSION).contains(&wanted) {
            return invalid(format!(
                "There is no metadata.version {wanted} here: it goes from \
                 {OLDEST_METADATA_VERSION} to {NEWEST_METADATA_VERSION}."
            ));
        }
        if wanted < current && features::changes_records(wanted, current) {
            // Kafka's own tests compare these sentences.
            let reason = if upgrade_type == UNSAFE_DOWNGRADE {
                "Unsafe metadata downgrade is not supported in this version."
            } else {
                "Refusing to perform the requested downgrade because it might delete metadata \
                 information."
            };
            return invalid(format!(
                "Unsupported metadata.version downgrade from {current} to {wanted}. {reason}"
            ));
        }
        Ok(Some(level_record(METADATA_VERSION, wanted)))
    }

    /// Why a level cannot be finalized: this controller, a broker or another controller does not
    /// support it (FeatureControlManager.reasonNotSupported).
    fn reason_not_supported(self, name: &str, level: i16) -> Option<String> {
        let node_id = self.config.node_id;
        let us = (format!("Local controller {node_id}"), features::supported(name));
        let brokers = self.image.brokers.values().map(|broker| {
            let range = broker.features.iter().find(|(feature, ..)| feature == name);
            let range = range.map_or((0, 0), |&(_, least, greatest)| (least, greatest));
            (format!("Broker {}", broker.id), range)
        });
        let others = |id: &&BrokerId| **id != node_id;
        let controllers = self.image.controllers.keys().filter(others).map(|id| {
            let features = &self.image.controllers[id].features;
            let range = features.iter().find(|feature| feature.name == name);
            let range = range.map_or((0, 0), |feature| {
                (feature.min_supported_version, feature.max_supported_version)
            });
            (format!("Controller {id}"), range)
        });
        std::iter::once(us)
            .chain(brokers)
            .chain(controllers)
            .find(|(_, (least, greatest))| !(least..=greatest).contains(&&level))
            .map(|(who, (least, greatest))| match greatest {
                0 => format!("{who} does not support this feature."),
                _ => format!("{who} only supports versions {least}-{greatest}"),
            })
    }
}

/// The new level of `kraft.version`, if a request that was accepted raises it above `current`.
fn raised_kraft_version(request: &UpdateFeaturesRequest, current: i16) -> Option<i16> {
    let mut updates = request.feature_updates.iter();
    let update = updates.find(|update| update.feature.as_str() == KRAFT_VERSION);
    update
        .map(|update| update.max_version_level)
        .filter(|level| *level > current && !request.validate_only)
}

/// The kind of change; version 0 of the request could say only whether a downgrade is allowed.
fn upgrade_type(update: &FeatureUpdateKey, version: i16) -> i8 {
    match version {
        0 if update.allow_downgrade => SAFE_DOWNGRADE,
        0 => UPGRADE,
        _ => update.upgrade_type,
    }
}

fn level_record(name: &str, feature_level: i16) -> MetadataRecord {
    MetadataRecord::FeatureLevel(FeatureLevelRecord { name: name.to_owned(), feature_level })
}

fn succeeded(request: &UpdateFeaturesRequest, version: i16) -> UpdateFeaturesResponse {
    let response = UpdateFeaturesResponse::default().with_error_message(None);
    if version > 1 {
        return response;
    }
    let result = |update: &FeatureUpdateKey| {
        UpdatableFeatureResult::default()
            .with_feature(update.feature.clone())
            .with_error_message(Some(text("NONE")))
    };
    response.with_results(request.feature_updates.iter().map(result).collect())
}
