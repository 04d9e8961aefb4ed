//! Share sessions: what each member of a share group fetches, from request to request. A session
//! ends with a request of its member, or with the connection that began it.

use crate::replica::fetch_session::PARTITIONS_MAX;
use crate::types::TopicIdPartition;
use kafka_protocol::error::ResponseError;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// Tells the connections of the broker apart.
pub type ConnectionId = u64;

/// The epoch of a request that begins a session.
const FIRST_EPOCH: i32 = 0;
/// The epoch of a request that ends one.
const LAST_EPOCH: i32 = -1;

/// Whose session it is. A member has one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SessionKey {
    /// `group.id`.
    pub group: Arc<str>,
    /// The id that the member has chosen.
    pub member: Arc<str>,
}

impl SessionKey {
    /// Comes before the keys of the group's members.
    fn first_of(group: &str) -> SessionKey {
        SessionKey { group: Arc::from(group), member: Arc::from("") }
    }
}

/// A share fetch, as far as its session is concerned.
#[derive(Debug)]
pub struct SessionRequest<'a> {
    /// 0 begins a session and -1 ends it; otherwise the session's epoch.
    pub epoch: i32,
    /// The partitions to add.
    pub partitions: &'a [TopicIdPartition],
    /// The partitions to forget.
    pub forgotten: &'a [TopicIdPartition],
    /// Whether it acknowledges anything.
    pub acknowledges: bool,
    /// Where it came from.
    pub connection: ConnectionId,
}

/// What a session has to do with a share fetch that was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// It begins: the response has all partitions.
    Begun,
    /// It goes on: the response has the partitions with news.
    Continued,
    /// Once the acknowledgements are carried out, it ends; nothing is fetched.
    Ending,
}

/// What a response says about a partition.
#[derive(Clone, Copy, Debug, Default)]
pub struct Told {
    /// It has records.
    pub has_records: bool,
    /// It has an error.
    pub has_error: bool,
}

/// The session of one member (ShareSession).
#[derive(Debug)]
struct ShareSession {
    /// The epoch expected in the next request.
    epoch: i32,
    connection: ConnectionId,
    /// The partitions by their position in the rotation.
    rotation: BTreeMap<u64, Place>,
    positions: HashMap<TopicIdPartition, u64>,
    next_position: u64,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    partition: TopicIdPartition,
    /// The next response has it even if there is no news: it is new, or had an error.
    is_due: bool,
}

/// All share sessions of the broker, at most `group.share.max.share.sessions` (ShareSessionCache).
#[derive(Debug)]
pub struct ShareSessions {
    max: usize,
    sessions: BTreeMap<SessionKey, ShareSession>,
    by_connection: BTreeSet<(ConnectionId, SessionKey)>,
    /// The number of partitions in all sessions.
    partitions: usize,
}

impl ShareSessions {
    /// Room for `max` sessions.
    pub fn new(max: usize) -> ShareSessions {
        let (sessions, by_connection) = (BTreeMap::new(), BTreeSet::new());
        ShareSessions { max, sessions, by_connection, partitions: 0 }
    }

    /// Begins, continues or prepares to end the session of a share fetch.
    /// SHARE_SESSION_NOT_FOUND, INVALID_SHARE_SESSION_EPOCH, SHARE_SESSION_LIMIT_REACHED, or
    /// INVALID_REQUEST if the first request acknowledges.
    pub fn fetch(
        &mut self,
        key: &SessionKey,
        request: &SessionRequest,
    ) -> Result<Accepted, ResponseError> {
        match request.epoch {
            LAST_EPOCH => self.find(key).map(|_| Accepted::Ending),
            FIRST_EPOCH => self.begin(key, request).map(|()| Accepted::Begun),
            _ => self.proceed(key, request).map(|()| Accepted::Continued),
        }
    }

    /// Continues the session of a share acknowledgement, or lets it be ended.
    /// SHARE_SESSION_NOT_FOUND or INVALID_SHARE_SESSION_EPOCH.
    pub fn acknowledge(&mut self, key: &SessionKey, epoch: i32) -> Result<(), ResponseError> {
        match epoch {
            FIRST_EPOCH => Err(ResponseError::InvalidShareSessionEpoch),
            LAST_EPOCH => self.find(key).map(|_| ()),
            _ => self.find(key)?.step(epoch),
        }
    }

    /// The partitions to fetch for a request with `epoch`. Each request begins with another one, so
    /// that none is always the last to be served.
    pub fn partitions(&self, key: &SessionKey, epoch: i32) -> Vec<TopicIdPartition> {
        let Some(session) = self.sessions.get(key) else { return Vec::new() };
        let mut partitions: Vec<_> =
            session.rotation.values().map(|place| place.partition).collect();
        if !partitions.is_empty() {
            let first = usize::try_from(epoch).unwrap_or(0) % partitions.len();
            partitions.rotate_left(first);
        }
        partitions
    }

    /// Records what the response to the request with `epoch` says about a partition; returns
    /// whether a response in a continued session must have it. INVALID_SHARE_SESSION_EPOCH if
    /// another request has overtaken this one.
    pub fn answered(
        &mut self,
        key: &SessionKey,
        epoch: i32,
        partition: TopicIdPartition,
        told: Told,
    ) -> Result<bool, ResponseError> {
        let session = self.find(key)?;
        if session.epoch != next_epoch(epoch) {
            return Err(ResponseError::InvalidShareSessionEpoch);
        }
        Ok(session.answered(partition, told))
    }

    /// Ends a session. Returns its partitions, whose records the member gives back.
    pub fn end(&mut self, key: &SessionKey) -> Result<Vec<TopicIdPartition>, ResponseError> {
        let session = self.remove(key).ok_or(ResponseError::ShareSessionNotFound)?;
        Ok(session.rotation.into_values().map(|place| place.partition).collect())
    }

    /// Ends the sessions of a connection that is closed. Returns them with their partitions.
    pub fn disconnected(
        &mut self,
        connection: ConnectionId,
    ) -> Vec<(SessionKey, Vec<TopicIdPartition>)> {
        let from = (connection, SessionKey::first_of(""));
        let of_connection =
            self.by_connection.range(from..).take_while(|(of, _)| *of == connection);
        let keys: Vec<SessionKey> = of_connection.map(|(_, key)| key.clone()).collect();
        let end = |key: SessionKey| self.end(&key).ok().map(|partitions| (key, partitions));
        keys.into_iter().filter_map(end).collect()
    }

    /// Forgets all sessions.
    pub fn clear(&mut self) {
        *self = ShareSessions::new(self.max);
    }

    /// Whether a group has a session. Without one its share partitions need not be kept.
    pub fn has_group(&self, group: &str) -> bool {
        let mut sessions = self.sessions.range(SessionKey::first_of(group)..);
        sessions.next().is_some_and(|(key, _)| *key.group == *group)
    }

    /// The number of sessions.
    pub fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Whether there are no sessions.
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    #[cfg(test)]
    pub(super) fn set_epoch(&mut self, key: &SessionKey, epoch: i32) {
        if let Some(session) = self.sessions.get_mut(key) {
            session.epoch = epoch;
        }
    }

    /// Begins a session anew; what the member has acquired stays acquired.
    fn begin(&mut self, key: &SessionKey, request: &SessionRequest) -> Result<(), ResponseError> {
        if request.acknowledges {
            return Err(ResponseError::InvalidRequest);
        }
        self.remove(key);
        if self.sessions.len() >= self.max {
            return Err(ResponseError::ShareSessionLimitReached);
        }
        let mut session = ShareSession::new(request.connection);
        session.update(request.partitions, &[], false);
        if self.partitions + session.positions.len() > PARTITIONS_MAX {
            return Err(ResponseError::ShareSessionLimitReached);
        }
        self.partitions += session.positions.len();
        self.by_connection.insert((request.connection, key.clone()));
        self.sessions.insert(key.clone(), session);
        Ok(())
    }

    fn proceed(&mut self, key: &SessionKey, request: &SessionRequest) -> Result<(), ResponseError> {
        let has_room = self.partitions + request.partitions.len() <= PARTITIONS_MAX;
        let session = self.find(key)?;
        if session.epoch != request.epoch {
            return Err(ResponseError::InvalidShareSessionEpoch);
        }
        if !has_room {
            return Err(ResponseError::ShareSessionLimitReached);
        }
        session.step(request.epoch)?;
        let before = session.positions.len();
        session.update(request.partitions, request.forgotten, true);
        let after = session.positions.len();
        self.partitions = self.partitions - before + after;
        Ok(())
    }

    fn find(&mut self, key: &SessionKey) -> Result<&mut ShareSession, ResponseError> {
        self.sessions.get_mut(key).ok_or(ResponseError::ShareSessionNotFound)
    }

    fn remove(&mut self, key: &SessionKey) -> Option<ShareSession> {
        let session = self.sessions.remove(key)?;
        self.by_connection.remove(&(session.connection, key.clone()));
        self.partitions -= session.positions.len();
        Some(session)
    }
}

impl ShareSession {
    fn new(connection: ConnectionId) -> ShareSession {
        ShareSession {
            epoch: next_epoch(FIRST_EPOCH),
            connection,
            rotation: BTreeMap::new(),
            positions: HashMap::new(),
            next_position: 0,
        }
    }

    /// Accepts a request with the expected epoch.
    fn step(&mut self, epoch: i32) -> Result<(), ResponseError> {
        if self.epoch != epoch {
            return Err(ResponseError::InvalidShareSessionEpoch);
        }
        self.epoch = next_epoch(epoch);
        Ok(())
    }

    fn update(
        &mut self,
        added: &[TopicIdPartition],
        forgotten: &[TopicIdPartition],
        are_due: bool,
    ) {
        for partition in added {
            if !self.positions.contains_key(partition) {
                self.append(Place { partition: *partition, is_due: are_due });
            }
        }
        for partition in forgotten {
            if let Some(position) = self.positions.remove(partition) {
                self.rotation.remove(&position);
            }
        }
    }

    fn append(&mut self, place: Place) {
        self.positions.insert(place.partition, self.next_position);
        self.rotation.insert(self.next_position, place);
        self.next_position += 1;
    }

    /// Who was answered with records goes to the end of the rotation.
    fn answered(&mut self, partition: TopicIdPartition, told: Told) -> bool {
        let Some(position) = self.positions.get(&partition).copied() else { return true };
        let Some(place) = self.rotation.get_mut(&position) else { return true };
        let must_tell = told.has_records || told.has_error || place.is_due;
        place.is_due = told.has_error;
        if told.has_records {
            let place = *place;
            self.rotation.remove(&position);
            self.append(place);
        }
        must_tell
    }
}

fn next_epoch(epoch: i32) -> i32 {
    if epoch == i32::MAX { 1 } else { epoch + 1 }
}

#[cfg(test)]
mod tests;
