//! The epochs of sessions, what a response has, and how sessions end.

use super::*;
use crate::types::TopicIdPartition;
use kafka_protocol::error::ResponseError;
use std::sync::Arc;
use uuid::Uuid;

fn key(group: &str, member: &str) -> SessionKey {
    SessionKey { group: Arc::from(group), member: Arc::from(member) }
}

fn partition(partition: i32) -> TopicIdPartition {
    TopicIdPartition { topic_id: Uuid::from_u128(7), partition }
}

fn indexes(partitions: &[TopicIdPartition]) -> Vec<i32> {
    partitions.iter().map(|partition| partition.partition).collect()
}

/// A fetch of member a in group g, over connection 1.
fn fetch(
    sessions: &mut ShareSessions,
    epoch: i32,
    added: &[i32],
    forgotten: &[i32],
) -> Result<Accepted, ResponseError> {
    fetch_by(sessions, &key("g", "a"), 1, epoch, added, forgotten)
}

fn fetch_by(
    sessions: &mut ShareSessions,
    key: &SessionKey,
    connection: ConnectionId,
    epoch: i32,
    added: &[i32],
    forgotten: &[i32],
) -> Result<Accepted, ResponseError> {
    let all = |indexes: &[i32]| indexes.iter().map(|index| partition(*index)).collect::<Vec<_>>();
    let (partitions, forgotten) = (&all(added)[..], &all(forgotten)[..]);
    let request = SessionRequest { epoch, partitions, forgotten, acknowledges: false, connection };
    sessions.fetch(key, &request)
}

fn begun() -> ShareSessions {
    let mut sessions = ShareSessions::new(2);
    assert_eq!(fetch(&mut sessions, 0, &[0, 1, 2], &[]), Ok(Accepted::Begun));
    sessions
}

#[test]
fn each_request_has_the_next_epoch() {
    let sessions = &mut ShareSessions::new(2);
    for epoch in [-1, 1, 7] {
        assert_eq!(fetch(sessions, epoch, &[], &[]), Err(ResponseError::ShareSessionNotFound));
        let acknowledged = sessions.acknowledge(&key("g", "a"), epoch);
        assert_eq!(acknowledged, Err(ResponseError::ShareSessionNotFound));
    }
    let sessions = &mut begun();
    assert_eq!(fetch(sessions, 1, &[], &[]), Ok(Accepted::Continued));
    assert_eq!(fetch(sessions, 1, &[9], &[]), Err(ResponseError::InvalidShareSessionEpoch));
    assert_eq!(sessions.acknowledge(&key("g", "a"), 2), Ok(()));
    for epoch in [0, 2, 4, i32::MIN] {
        let acknowledged = sessions.acknowledge(&key("g", "a"), epoch);
        assert_eq!(acknowledged, Err(ResponseError::InvalidShareSessionEpoch), "{epoch}");
    }
    assert_eq!(fetch(sessions, 3, &[], &[]), Ok(Accepted::Continued));
    // The last request changes nothing, so that another may carry it out.
    assert_eq!(fetch(sessions, -1, &[], &[]), Ok(Accepted::Ending));
    assert_eq!(sessions.acknowledge(&key("g", "a"), -1), Ok(()));
    assert_eq!(fetch(sessions, 4, &[], &[]), Ok(Accepted::Continued));
}

#[test]
fn epochs_begin_again_when_they_have_run_out() {
    let sessions = &mut begun();
    sessions.set_epoch(&key("g", "a"), i32::MAX);
    assert_eq!(fetch(sessions, i32::MAX, &[], &[]), Ok(Accepted::Continued));
    assert_eq!(fetch(sessions, 1, &[], &[]), Ok(Accepted::Continued));
}

#[test]
fn a_first_request_begins_anew_and_may_not_acknowledge() {
    let sessions = &mut begun();
    assert_eq!(fetch(sessions, 1, &[], &[]), Ok(Accepted::Continued));
    let mut first = SessionRequest {
        epoch: 0,
        partitions: &[partition(5)],
        forgotten: &[],
        acknowledges: true,
        connection: 1,
    };
    assert_eq!(sessions.fetch(&key("g", "a"), &first), Err(ResponseError::InvalidRequest));
    assert_eq!(sessions.partitions(&key("g", "a"), 0).len(), 3);
    first.acknowledges = false;
    assert_eq!(sessions.fetch(&key("g", "a"), &first), Ok(Accepted::Begun));
    assert_eq!(indexes(&sessions.partitions(&key("g", "a"), 0)), [5]);
    assert_eq!(fetch(sessions, 2, &[], &[]), Err(ResponseError::InvalidShareSessionEpoch));
    assert_eq!(fetch(sessions, 1, &[], &[]), Ok(Accepted::Continued));
}

#[test]
fn there_are_only_so_many_sessions() {
    let sessions = &mut begun();
    let full = Err(ResponseError::ShareSessionLimitReached);
    assert_eq!(fetch_by(sessions, &key("g", "b"), 2, 0, &[0], &[]), Ok(Accepted::Begun));
    assert_eq!(fetch_by(sessions, &key("g", "c"), 3, 0, &[0], &[]), full);
    assert_eq!(fetch(sessions, 0, &[0], &[]), Ok(Accepted::Begun), "its own place is free");
    assert_eq!(sessions.end(&key("g", "b")), Ok(vec![partition(0)]));
    assert_eq!(sessions.end(&key("g", "b")), Err(ResponseError::ShareSessionNotFound));
    assert_eq!(fetch_by(sessions, &key("g", "c"), 3, 0, &[0], &[]), Ok(Accepted::Begun));
    assert_eq!(sessions.len(), 2);
}

#[test]
fn partitions_come_and_go_and_take_turns() {
    let sessions = &mut begun();
    assert_eq!(fetch(sessions, 1, &[1, 3], &[0, 8]), Ok(Accepted::Continued));
    let a = &key("g", "a");
    assert_eq!(indexes(&sessions.partitions(a, 0)), [1, 2, 3]);
    assert_eq!(indexes(&sessions.partitions(a, 1)), [2, 3, 1]);
    assert_eq!(indexes(&sessions.partitions(a, 5)), [3, 1, 2]);
    // Who had records goes to the end.
    let told = Told { has_records: true, has_error: false };
    assert_eq!(sessions.answered(a, 1, partition(1), told), Ok(true));
    assert_eq!(indexes(&sessions.partitions(a, 0)), [2, 3, 1]);
    assert_eq!(sessions.partitions(&key("g", "x"), 0), []);
}

#[test]
fn a_response_has_only_news() {
    let sessions = &mut begun();
    let a = &key("g", "a");
    let (nothing, error) = (Told::default(), Told { has_error: true, has_records: false });
    assert_eq!(fetch(sessions, 1, &[9], &[]), Ok(Accepted::Continued));
    let mut answer = |told, index| sessions.answered(a, 1, partition(index), told);
    assert_eq!(answer(nothing, 0), Ok(false));
    assert_eq!(answer(nothing, 9), Ok(true), "it is new");
    assert_eq!(answer(nothing, 9), Ok(false));
    assert_eq!(answer(error, 9), Ok(true));
    assert_eq!(answer(error, 9), Ok(true));
    assert_eq!(answer(nothing, 9), Ok(true), "the error is gone");
    assert_eq!(answer(nothing, 9), Ok(false));
    assert_eq!(answer(nothing, 77), Ok(true), "forgotten in the meantime");
    assert_eq!(fetch(sessions, 2, &[], &[]), Ok(Accepted::Continued));
    let late = sessions.answered(a, 1, partition(0), error);
    assert_eq!(late, Err(ResponseError::InvalidShareSessionEpoch));
}

#[test]
fn a_session_ends_with_the_connection_that_began_it() {
    let sessions = &mut begun();
    assert_eq!(fetch_by(sessions, &key("h", "b"), 1, 0, &[4], &[]), Ok(Accepted::Begun));
    // Later requests may come over another one.
    assert_eq!(fetch_by(sessions, &key("h", "b"), 5, 1, &[], &[]), Ok(Accepted::Continued));
    assert_eq!(sessions.disconnected(5), []);
    assert!(sessions.has_group("g") && sessions.has_group("h") && !sessions.has_group("f"));
    // b begins anew elsewhere.
    assert_eq!(fetch_by(sessions, &key("h", "b"), 2, 0, &[4], &[]), Ok(Accepted::Begun));
    let ended = sessions.disconnected(1);
    assert_eq!(ended, [(key("g", "a"), vec![partition(0), partition(1), partition(2)])]);
    assert!(!sessions.has_group("g") && sessions.has_group("h"));
    assert_eq!(sessions.disconnected(1), []);
    assert_eq!(sessions.disconnected(2), [(key("h", "b"), vec![partition(4)])]);
    assert!(sessions.is_empty());
}
