//! ShareFetch (78): a member of a share group acknowledges records and acquires others, which come
//! as ranges of files.

use super::Context;
use super::brokers::Leaders;
use super::share_acknowledge::{Results, has_moved, session_key};
use super::share_partitions::status;
use crate::codec::messages::share_fetch_response::{
    AcquiredRecords, LeaderIdAndEpoch, PartitionData, ShareFetchableTopicResponse,
};
use crate::codec::messages::{ShareFetchRequest, ShareFetchResponse, StrBytes};
use crate::codec::{Reply, splice};
use crate::disk::FileRange;
use crate::error::{Error, Result};
use crate::share::{
    Accepted, Acknowledgement, AcquireMode, Delivered, SessionKey, SessionRequest, ShareFetch, Told,
};
use crate::types::TopicIdPartition;
use bytes::Bytes;
use futures_util::future::join;
use kafka_protocol::error::ResponseError;
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

pub(super) async fn handle(cx: &Context, request: ShareFetchRequest) -> Result<Reply> {
    match fetch(cx, &request).await {
        Ok((response, files)) => Ok(cx.reply_with_files(&response, files)),
        Err(error) => Ok(cx.reply(
            &ShareFetchResponse::default()
                .with_error_code(error.code().code())
                .with_error_message(error.message().map(StrBytes::from_string)),
        )),
    }
}

async fn fetch(
    cx: &Context,
    request: &ShareFetchRequest,
) -> Result<(ShareFetchResponse, Vec<Vec<FileRange>>)> {
    let key = session_key(cx, request.group_id.as_ref(), request.member_id.as_ref())?;
    check_renewal(request)?;
    let said = said(request);
    let (accepted, partitions) = begin(cx, &key, request, !said.is_empty()).await?;
    let mode = acquire_mode(request.share_acquire_mode)?;
    let share = &cx.parts.share;
    let max_bytes = request.max_bytes.min(cx.parts.config.get().fetch_max_bytes).max(0) as usize;
    let settings = share.settings(&key.group);
    let fetch = ShareFetch {
        key,
        settings,
        partitions,
        mode,
        max_records: request.max_records,
        batch_size: request.batch_size,
        max_wait_ms: request.max_wait_ms,
        min_bytes: (request.min_bytes.max(0) as usize).min(max_bytes),
        max_bytes,
    };
    let acknowledging = share.acknowledge(&fetch.key, &settings, &said, request.is_renew_ack);
    let mut fetching = pin!(share.fetch(&fetch));
    let fetched = poll_fn(|cx| Poll::Ready(fetching.as_mut().poll(cx))).await;
    acknowledging.write();
    let acknowledged = acknowledging.written();
    let (acknowledged, fetched) = match fetched {
        Poll::Ready(fetched) => (acknowledged.await, fetched),
        Poll::Pending => join(acknowledged, fetching).await,
    };
    if accepted == Accepted::Ending {
        // A later request or the end of the connection may have ended it.
        let _ = share.end_session(&fetch.key);
    }
    let mut shaping = Shaping::new(cx);
    for (id, result) in shaping.news(&fetch.key, request, accepted, fetched)? {
        shaping.add(id, result);
    }
    shaping.add_acknowledged(acknowledged);
    Ok(shaping.finish(settings.records.lock_duration_ms))
}

/// How many records to acquire (KIP-1206). Kafka has no error of its own for other numbers either.
fn acquire_mode(id: i8) -> Result<AcquireMode> {
    match id {
        0 => Ok(AcquireMode::BatchOptimized),
        1 => Ok(AcquireMode::RecordLimit),
        _ => {
            let message = format!("ShareAcquireMode is {id}; it can be 0 or 1");
            Err(Error::Explained(ResponseError::UnknownServerError, message))
        }
    }
}

/// A request that renews locks fetches nothing (KIP-1222).
fn check_renewal(request: &ShareFetchRequest) -> Result<()> {
    let limits = [request.max_bytes, request.min_bytes, request.max_records, request.max_wait_ms];
    if request.is_renew_ack && limits != [0; 4] {
        let message = "A request that renews locks has the limits of a fetch".to_owned();
        return Err(Error::Explained(ResponseError::InvalidRequest, message));
    }
    Ok(())
}

/// What the request acknowledges. What is named twice counts as it is named last.
fn said(request: &ShareFetchRequest) -> Vec<(TopicIdPartition, Vec<Acknowledgement<'_>>)> {
    let mut said = BTreeMap::new();
    for topic in &request.topics {
        for partition in &topic.partitions {
            let batches = partition.acknowledgement_batches.iter().map(|batch| Acknowledgement {
                first: batch.first_offset,
                last: batch.last_offset,
                types: &batch.acknowledge_types,
            });
            let (topic_id, partition) = (topic.topic_id, partition.partition_index);
            said.insert(TopicIdPartition { topic_id, partition }, batches.collect::<Vec<_>>());
        }
    }
    said.into_iter().filter(|(_, batches)| !batches.is_empty()).collect()
}

/// Begins or continues the session; returns what to fetch. If there are too many sessions, the
/// client learns it only after the time that it would have waited.
async fn begin(
    cx: &Context,
    key: &SessionKey,
    request: &ShareFetchRequest,
    acknowledges: bool,
) -> Result<(Accepted, Vec<TopicIdPartition>)> {
    let id = |topic_id, partition| TopicIdPartition { topic_id, partition };
    let named = request.topics.iter().flat_map(|topic| {
        topic.partitions.iter().map(move |partition| id(topic.topic_id, partition.partition_index))
    });
    let forgotten = request.forgotten_topics_data.iter().flat_map(|topic| {
        topic.partitions.iter().map(move |partition| id(topic.topic_id, *partition))
    });
    let epoch = request.share_session_epoch;
    let begun = {
        let mut sessions = cx.parts.share.sessions();
        let asked = SessionRequest {
            epoch,
            partitions: &named.collect::<Vec<_>>(),
            forgotten: &forgotten.collect::<Vec<_>>(),
            acknowledges,
            connection: cx.session.id,
        };
        sessions.fetch(key, &asked).map(|accepted| {
            let fetches = accepted != Accepted::Ending && !request.is_renew_ack;
            (accepted, if fetches { sessions.partitions(key, epoch) } else { Vec::new() })
        })
    };
    if begun == Err(ResponseError::ShareSessionLimitReached) {
        let wait = u64::try_from(request.max_wait_ms).unwrap_or(0);
        tokio::time::sleep(Duration::from_millis(wait)).await;
    }
    Ok(begun?)
}

/// The response under construction.
struct Shaping<'a> {
    cx: &'a Context,
    leaders: Leaders,
    partitions: BTreeMap<TopicIdPartition, PartitionData>,
    files: BTreeMap<TopicIdPartition, FileRange>,
}

impl Shaping<'_> {
    fn new(cx: &Context) -> Shaping<'_> {
        let (partitions, files) = (BTreeMap::new(), BTreeMap::new());
        Shaping { cx, leaders: Leaders::default(), partitions, files }
    }

    /// The results that the response must have.
    fn news(
        &self,
        key: &SessionKey,
        request: &ShareFetchRequest,
        accepted: Accepted,
        mut fetched: Vec<(TopicIdPartition, Result<Delivered>)>,
    ) -> Result<Vec<(TopicIdPartition, Result<Delivered>)>> {
        if accepted != Accepted::Continued {
            return Ok(fetched);
        }
        let mut sessions = self.cx.parts.share.sessions();
        let mut outcome = Ok(());
        fetched.retain(|(id, result)| {
            let told = Told {
                has_records: result.as_ref().is_ok_and(|found| !found.acquired.is_empty()),
                has_error: result.is_err(),
            };
            let is_news = sessions.answered(key, request.share_session_epoch, *id, told);
            is_news.unwrap_or_else(|error| {
                outcome = Err(error);
                false
            })
        });
        outcome?;
        Ok(fetched)
    }

    fn add(&mut self, id: TopicIdPartition, result: Result<Delivered>) {
        let data = empty(id);
        let data = match result {
            Ok(Delivered { records, acquired }) => {
                let len = records.as_ref().map_or(0, |range| range.len);
                self.files.extend(records.map(|range| (id, range)));
                let acquired = acquired.into_iter().map(|range| {
                    AcquiredRecords::default()
                        .with_first_offset(range.first)
                        .with_last_offset(range.last)
                        .with_delivery_count(range.deliveries)
                });
                data.with_records(splice::placeholder(len))
                    .with_acquired_records(acquired.collect())
            }
            Err(error) => {
                let (code, message) = status(&Err(error));
                let mut data = data.with_error_code(code).with_error_message(message);
                let image = self.cx.image();
                if has_moved(code)
                    && let Some(topic) = image.topics.by_id(id.topic_id)
                {
                    let (leader, epoch) = self.leaders.of(self.cx, &image, topic, id.partition);
                    data.current_leader = LeaderIdAndEpoch::default()
                        .with_leader_id(leader.0)
                        .with_leader_epoch(epoch);
                }
                data
            }
        };
        self.partitions.insert(id, data);
    }

    fn add_acknowledged(&mut self, acknowledged: Results) {
        for (id, result) in acknowledged {
            let data = self.partitions.entry(id).or_insert_with(|| empty(id));
            (data.acknowledge_error_code, data.acknowledge_error_message) = status(&result);
        }
    }

    fn finish(self, lock_timeout_ms: i32) -> (ShareFetchResponse, Vec<Vec<FileRange>>) {
        let mut topics: Vec<ShareFetchableTopicResponse> = Vec::new();
        for (id, data) in self.partitions {
            match topics.last_mut() {
                Some(topic) if topic.topic_id == id.topic_id => topic.partitions.push(data),
                _ => topics.push(
                    ShareFetchableTopicResponse::default()
                        .with_topic_id(id.topic_id)
                        .with_partitions(vec![data]),
                ),
            }
        }
        let response = ShareFetchResponse::default()
            .with_acquisition_lock_timeout_ms(lock_timeout_ms)
            .with_responses(topics)
            .with_node_endpoints(self.leaders.endpoints());
        (response, self.files.into_values().map(|range| vec![range]).collect())
    }
}

fn empty(id: TopicIdPartition) -> PartitionData {
    PartitionData::default().with_partition_index(id.partition).with_records(Bytes::new())
}
