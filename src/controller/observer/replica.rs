//! What to ask the quorum next, and what its answers do to our copy of the metadata log.

use super::contacts::{Contacts, address};
use super::download::Download;
use crate::codec::messages::fetch_request::{FetchPartition, FetchTopic, ReplicaState};
use crate::codec::messages::fetch_response::PartitionData;
use crate::codec::messages::fetch_snapshot_response::PartitionSnapshot;
use crate::codec::messages::{
    FetchRequest, FetchResponse, FetchSnapshotRequest, FetchSnapshotResponse, StrBytes, TopicName,
    fetch_snapshot_request,
};
use crate::config::Config;
use crate::controller::election::Election;
use crate::controller::leader::Leader;
use crate::controller::metadata_log::{
    DIR_NAME, LogOptions, MetadataLog, TOPIC_ID, TOPIC_NAME, load_snapshot, snapshots_in,
};
use crate::controller::snapshots::Snapshots;
use crate::disk::Disk;
use crate::error::{Error, Result};
use crate::log::Origin;
use crate::metadata::control::ControlRecord;
use crate::metadata::snapshot::{Head, SnapshotId};
use crate::metadata::{Delta, Image, Loader, Published};
use crate::record::Batch;
use crate::types::{BrokerId, LeaderEpoch, Offset, Timestamp};
use bytes::Bytes;
use kafka_protocol::ResponseError;
use std::path::Path;
use std::sync::Arc;
use tracing::{info, warn};
use uuid::Uuid;

/// Who we are, and how much we ask for at a time.
#[derive(Clone, Debug)]
pub(super) struct Options {
    pub node_id: BrokerId,
    pub cluster_id: String,
    /// The id of the directory that holds the metadata log.
    pub directory_id: Uuid,
    pub log: LogOptions,
    /// `controller.quorum.fetch.max.bytes`.
    pub fetch_bytes: i32,
    /// `controller.quorum.fetch.snapshot.max.bytes`.
    pub snapshot_bytes: i32,
    pub max_wait_ms: i32,
}

/// What to ask.
#[derive(Clone, Debug)]
pub(super) enum Question {
    Fetch(FetchRequest),
    Snapshot(FetchSnapshotRequest),
}

/// When to ask the next question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pace {
    AtOnce,
    Backoff,
}

/// Our copy of the metadata log.
#[derive(Debug)]
pub(super) struct Replica {
    options: Options,
    log: MetadataLog,
    /// What the committed records have led to.
    loader: Loader,
    contacts: Contacts,
    /// Everything below is committed; -1 until somebody has told us.
    high_watermark: Offset,
    /// The log has had all that was committed at some moment of this process.
    is_caught_up: bool,
    published: Option<Arc<Image>>,
    /// A snapshot has taken the place of what was published.
    is_replaced: bool,
    download: Option<Download>,
    snapshots: Snapshots,
}

impl Replica {
    /// Opens our copy in `metadata_dir`, or begins one.
    pub fn open(
        disk: Disk,
        config: &Config,
        metadata_dir: &Path,
        options: Options,
        mut contacts: Contacts,
        now: Timestamp,
    ) -> Result<Replica> {
        let dir = metadata_dir.join(DIR_NAME);
        if disk.file_len(&dir)?.is_none() {
            disk.create_dir(&dir)?;
        }
        let snapshots = snapshots_in(&disk, &dir)?;
        let mut loader = Loader::new(&options.cluster_id);
        let newest = snapshots.last().copied();
        if let Some(id) = newest {
            load_snapshot(&disk, &dir, id, &mut loader)?;
        }
        let election = Election::read(&disk, &dir)?;
        let end = loader.image.offset.saturating_add(1);
        let mut log = MetadataLog::open(disk, dir, options.log.clone(), snapshots, end, now)?;
        // The process may have ended between a snapshot's arrival and the log's new beginning.
        let is_behind =
            |id: &SnapshotId| (id.epoch, id.offset) > (log.log.latest_epoch(), log.end());
        if let Some(id) = newest.filter(|id| id.offset > 0).filter(is_behind) {
            log.begin_at(id)?;
        }
        contacts.begin(election.epoch.max(log.log.latest_epoch()).max(0));
        let replica = Replica {
            options,
            log,
            loader,
            contacts,
            high_watermark: -1,
            is_caught_up: false,
            published: None,
            is_replaced: false,
            download: None,
            snapshots: Snapshots::new(config, now),
        };
        Ok(replica)
    }

    /// The next question, and the address to which it goes; None if no controller is known.
    pub fn question(&mut self) -> (Option<String>, Question) {
        let whom = self.contacts.choose(self.loader.voters.as_ref());
        let epoch = self.contacts.leader().epoch;
        let question = match &self.download {
            Some(download) => Question::Snapshot(self.snapshot_request(download, epoch)),
            None => Question::Fetch(self.fetch_request(epoch)),
        };
        (whom, question)
    }

    fn fetch_request(&self, epoch: LeaderEpoch) -> FetchRequest {
        let partition = FetchPartition::default()
            .with_current_leader_epoch(epoch)
            .with_fetch_offset(self.log.end())
            .with_last_fetched_epoch(self.last_epoch())
            .with_replica_directory_id(self.options.directory_id)
            .with_high_watermark(self.high_watermark);
        let topic = FetchTopic::default().with_topic_id(TOPIC_ID).with_partitions(vec![partition]);
        let replica = ReplicaState::default().with_replica_id(self.options.node_id.into());
        FetchRequest::default()
            .with_cluster_id(Some(text(&self.options.cluster_id)))
            .with_replica_state(replica)
            .with_max_wait_ms(self.options.max_wait_ms)
            .with_max_bytes(self.options.fetch_bytes)
            .with_topics(vec![topic])
    }

    fn snapshot_request(&self, download: &Download, epoch: LeaderEpoch) -> FetchSnapshotRequest {
        let id = fetch_snapshot_request::SnapshotId::default()
            .with_end_offset(download.id.offset)
            .with_epoch(download.id.epoch);
        let partition = fetch_snapshot_request::PartitionSnapshot::default()
            .with_current_leader_epoch(epoch)
            .with_snapshot_id(id)
            .with_position(download.size as i64)
            .with_replica_directory_id(self.options.directory_id);
        let topic = fetch_snapshot_request::TopicSnapshot::default()
            .with_name(TopicName(text(TOPIC_NAME)))
            .with_partitions(vec![partition]);
        FetchSnapshotRequest::default()
            .with_cluster_id(Some(text(&self.options.cluster_id)))
            .with_replica_id(self.options.node_id.into())
            .with_max_bytes(self.options.snapshot_bytes)
            .with_topics(vec![topic])
    }

    /// The epoch of the last record, or of the snapshot at which the log begins.
    fn last_epoch(&self) -> LeaderEpoch {
        let at_start = || self.log.latest_snapshot().map_or(0, |id| id.epoch);
        Some(self.log.log.latest_epoch()).filter(|epoch| *epoch >= 0).unwrap_or_else(at_start)
    }

    /// Nobody answered at that address.
    pub fn unanswered(&mut self, address: &str, why: &Error) {
        self.contacts.unanswered(address, why);
    }

    /// Takes an answer to Fetch in.
    pub fn fetched(&mut self, response: FetchResponse, now: Timestamp) -> Result<Pace> {
        if let Some(error) = ResponseError::try_from_code(response.error_code) {
            return self.refused(error);
        }
        let topic = response.responses.into_iter().find(|topic| topic.topic_id == TOPIC_ID);
        let partition = topic.and_then(|topic| topic.partitions.into_iter().next());
        let Some(partition) = partition else { return Ok(self.unexpected("no partition in it")) };
        let leader = &partition.current_leader;
        let (id, epoch) = (leader.leader_id.0, leader.leader_epoch);
        let endpoint = response.node_endpoints.iter().find(|node| node.node_id.0 == id);
        let told = endpoint.map(|node| address(&node.host, node.port as u16));
        let error = ResponseError::try_from_code(partition.error_code);
        if let Some(pace) = self.heard(error, id, epoch, told)? {
            return Ok(pace);
        }
        match error {
            None => self.take_in(partition, now),
            Some(error) => Ok(self.unexpected(&error.to_string())),
        }
    }

    /// Takes an answer to FetchSnapshot in.
    pub fn snapshot_fetched(
        &mut self,
        response: FetchSnapshotResponse,
        now: Timestamp,
    ) -> Result<Pace> {
        if let Some(error) = ResponseError::try_from_code(response.error_code) {
            return self.refused(error);
        }
        let topic = response.topics.into_iter().next();
        let partition = topic.and_then(|topic| topic.partitions.into_iter().next());
        let Some(partition) = partition else { return Ok(self.unexpected("no partition in it")) };
        let leader = &partition.current_leader;
        let (id, epoch) = (leader.leader_id.0, leader.leader_epoch);
        let endpoint = response.node_endpoints.iter().find(|node| node.node_id.0 == id);
        let told = endpoint.map(|node| address(&node.host, node.port));
        let error = ResponseError::try_from_code(partition.error_code);
        if let Some(pace) = self.heard(error, id, epoch, told)? {
            return Ok(pace);
        }
        self.take_chunk(&partition, error, now)
    }

    /// A controller refuses to answer at all.
    fn refused(&mut self, error: ResponseError) -> Result<Pace> {
        if error != ResponseError::InconsistentClusterId {
            return Ok(self.unexpected(&error.to_string()));
        }
        Err(Error::Config(format!(
            "The controllers in controller.quorum.bootstrap.servers or controller.quorum.voters \
             belong to another cluster than this broker, whose cluster.id is {}. Name the \
             controllers of that cluster, or give the broker log.dirs of its own.",
            self.options.cluster_id
        )))
    }

    fn unexpected(&mut self, what: &str) -> Pace {
        let leader = self.contacts.leader().address.unwrap_or_default();
        self.contacts.unanswered(&leader, &what);
        Pace::Backoff
    }

    /// Takes note of the leader that an answer names. Returns None if the rest of the answer
    /// counts (maybeHandleCommonResponse).
    fn heard(
        &mut self,
        error: Option<ResponseError>,
        id: BrokerId,
        epoch: LeaderEpoch,
        told: Option<String>,
    ) -> Result<Option<Pace>> {
        let known = self.contacts.leader();
        let id = Some(id).filter(|id| *id >= 0);
        if epoch < known.epoch || error == Some(ResponseError::UnknownLeaderEpoch) {
            return Ok(Some(Pace::Backoff));
        }
        self.contacts.answered();
        let logged = self.loader.voters.as_ref();
        let address = told.or_else(|| self.contacts.address_of(id?, logged));
        let is_found = known.id.is_none() || (known.address.is_none() && address.is_some());
        if epoch > known.epoch || (id.is_some() && is_found) {
            self.follow(Leader { id, epoch, address })?;
            let counts = epoch == known.epoch && error.is_none();
            return Ok(if counts { None } else { Some(self.pace_of_leader()) });
        }
        if id.is_some() && known.id != id {
            warn!("controllers {:?} and {id:?} both claim to lead in epoch {epoch}", known.id);
            return Ok(Some(Pace::Backoff));
        }
        let is_stale = matches!(
            error,
            Some(ResponseError::FencedLeaderEpoch | ResponseError::NotLeaderOrFollower)
        );
        if is_stale && id.is_none() {
            self.contacts.suspect();
        }
        Ok(is_stale.then_some(Pace::Backoff))
    }

    fn pace_of_leader(&self) -> Pace {
        if self.contacts.leader().address.is_some() { Pace::AtOnce } else { Pace::Backoff }
    }

    /// Follows another leader, or waits for one in a new epoch.
    fn follow(&mut self, leader: Leader) -> Result<()> {
        self.check_id(leader.id)?;
        if let Some(download) = self.download.take() {
            download.discard(self.log.disk())?;
        }
        let election = Election { leader: leader.id, epoch: leader.epoch };
        let (kraft_version, voters) = (self.loader.image.kraft_version, self.contacts.voter_ids());
        election.write(self.log.disk(), self.log.dir(), kraft_version, &voters)?;
        self.contacts.set_leader(leader);
        Ok(())
    }

    /// Truncates, begins to fetch a snapshot, or appends.
    fn take_in(&mut self, partition: PartitionData, now: Timestamp) -> Result<Pace> {
        let (diverging, snapshot) = (&partition.diverging_epoch, &partition.snapshot_id);
        if diverging.epoch >= 0 {
            return self.truncate(diverging.epoch, diverging.end_offset);
        }
        if snapshot.epoch >= 0 || snapshot.end_offset >= 0 {
            let id = SnapshotId { offset: snapshot.end_offset, epoch: snapshot.epoch };
            return self.begin_download(id);
        }
        let pace = self.append(partition.records.unwrap_or_default(), now)?;
        self.commit_to(partition.high_watermark)?;
        Ok(pace)
    }

    /// Removes what is not in the leader's history: what follows the end of the epoch that the
    /// leader names.
    fn truncate(&mut self, epoch: LeaderEpoch, end: Offset) -> Result<Pace> {
        let ours = self.log.log.end_offset_for_epoch(epoch);
        let to = match ours {
            _ if epoch == 0 => end,
            Some((floor, local)) if floor == epoch => local.min(end),
            Some((_, local)) => local,
            None if epoch == self.last_epoch() => end,
            None => self.log.end(),
        };
        let to = to.min(self.log.end());
        let committed = self.committed();
        if end < committed || to < committed {
            return Err(Error::Config(format!(
                "{}: the controllers want everything from offset {} on to be removed, and the \
                 records below {committed} were committed: they have lost part of the metadata, or \
                 are another cluster's. The broker stops rather than contradict what it has done. \
                 If the controllers are right, move this directory away; it is fetched anew.",
                self.log.dir().display(),
                to.min(end)
            )));
        }
        if to == self.log.end() {
            return Ok(self.unexpected("a divergence that is none here"));
        }
        info!("removed the metadata records from offset {to} on, which the leader does not have");
        self.log.log.truncate_to(to)?;
        Ok(Pace::AtOnce)
    }

    /// Everything below is known to be committed.
    fn committed(&self) -> Offset {
        self.high_watermark.max(self.loader.image.offset + 1)
    }

    /// Appends the leader's batches as they are; an incomplete one at the end is left out.
    fn append(&mut self, mut bytes: Bytes, now: Timestamp) -> Result<Pace> {
        let epoch = self.contacts.leader().epoch;
        let segment_bytes = self.options.log.log.segment_bytes as usize;
        let (mut batches, mut size, mut pace) = (Vec::new(), 0, Pace::AtOnce);
        let mut next = self.log.end();
        while let Ok(Some(one)) = Batch::next_size(&bytes)
            && one <= bytes.len()
        {
            let batch = match Batch::split_from(&mut bytes) {
                Ok(batch) if batch.checksum_holds() => batch,
                _ => {
                    warn!(offset = next, "the leader sent a damaged metadata batch; asking again");
                    pace = Pace::Backoff;
                    break;
                }
            };
            if batch.next_offset() <= next {
                continue;
            }
            if batch.base_offset() != next || batch.leader_epoch() > epoch {
                let (base, of) = (batch.base_offset(), batch.leader_epoch());
                warn!(
                    "the leader sent records at {base} of epoch {of}, but the log ends at {next}"
                );
                pace = Pace::Backoff;
                break;
            }
            if size + batch.size() > segment_bytes {
                self.put(std::mem::take(&mut batches), epoch, now)?;
                size = 0;
            }
            size += batch.size();
            next = batch.next_offset();
            self.snapshots.add(batch.size());
            batches.push(batch);
        }
        self.put(batches, epoch, now)?;
        Ok(pace)
    }

    /// Appends. If the disk is full, releases the log directory's reserve and tries again.
    fn put(&mut self, batches: Vec<Batch>, epoch: LeaderEpoch, now: Timestamp) -> Result<()> {
        let appended = self.log.log.append(batches.clone(), epoch, Origin::Replication, now);
        match (appended, self.log.dir().parent()) {
            (Err(error), Some(parent)) if error.is_disk_full() => {
                self.log.disk().release_reserve(parent)?;
                self.log.log.append(batches, epoch, Origin::Replication, now).map(drop)
            }
            (appended, _) => appended.map(drop),
        }
    }

    /// Applies what is committed. `high_watermark` is the leader's, -1 if it does not know it yet.
    fn commit_to(&mut self, high_watermark: Offset) -> Result<()> {
        if high_watermark < 0 {
            return Ok(());
        }
        self.high_watermark = self.high_watermark.max(high_watermark.min(self.log.end()));
        self.log.log.set_high_watermark(self.high_watermark);
        self.log.replay(&mut self.loader, self.high_watermark).map_err(not_known)?;
        let is_begun = self.loader.image.metadata_version() > 0;
        self.is_caught_up |= is_begun && self.loader.image.offset + 1 >= high_watermark;
        Ok(())
    }

    fn begin_download(&mut self, id: SnapshotId) -> Result<Pace> {
        if id.epoch < 0 || id.offset <= self.committed() {
            return Ok(self.unexpected(&format!("the snapshot {id:?}, which is of no use here")));
        }
        info!("fetching the metadata snapshot {}", id.file_name());
        self.download = Some(Download::begin(self.log.disk(), self.log.dir(), id)?);
        Ok(Pace::AtOnce)
    }

    /// Takes the next bytes of a snapshot in.
    fn take_chunk(
        &mut self,
        chunk: &PartitionSnapshot,
        error: Option<ResponseError>,
        now: Timestamp,
    ) -> Result<Pace> {
        let Some(mut download) = self.download.take() else { return Ok(Pace::AtOnce) };
        let id =
            SnapshotId { offset: chunk.snapshot_id.end_offset, epoch: chunk.snapshot_id.epoch };
        let is_next = id == download.id && chunk.position as u64 == download.size;
        if error.is_some() || !is_next {
            // The leader may have deleted it meanwhile; Fetch tells of a newer one.
            info!("the metadata snapshot {} is not to be had any more", download.id.file_name());
            download.discard(self.log.disk())?;
            return Ok(Pace::Backoff);
        }
        download.add(&chunk.unaligned_records)?;
        if (download.size as i64) < chunk.size {
            let pace =
                if chunk.unaligned_records.is_empty() { Pace::Backoff } else { Pace::AtOnce };
            self.download = Some(download);
            return Ok(pace);
        }
        self.install(download, now)
    }

    /// Begins the log anew behind a snapshot that is here as a whole.
    fn install(&mut self, download: Download, now: Timestamp) -> Result<Pace> {
        self.snapshots.finish(&mut self.log, now)?;
        let (id, bytes) = (download.id, download.size);
        let dir = self.log.dir().to_owned();
        if !download.finish(self.log.disk(), &dir).map_err(not_known)? {
            warn!("the metadata snapshot {} came damaged; asking again", id.file_name());
            return Ok(Pace::Backoff);
        }
        let mut loader = Loader::new(&self.options.cluster_id);
        load_snapshot(self.log.disk(), &dir, id, &mut loader).map_err(not_known)?;
        self.log.begin_at(id)?;
        (self.loader, self.is_replaced) = (loader, true);
        self.high_watermark = id.offset;
        info!("took over the metadata snapshot {} of {bytes} bytes", id.file_name());
        Ok(Pace::AtOnce)
    }

    /// Takes the step since the last call, to be published; None if there is none yet. The first
    /// one has everything, and comes when all is here that was committed.
    pub fn take(&mut self) -> Result<Option<Published>> {
        let offset = self.loader.image.offset;
        let is_new = self.published.as_ref().is_none_or(|image| image.offset < offset);
        if !self.is_caught_up || !is_new || self.loader.in_transaction() {
            return Ok(None);
        }
        if self.published.is_none() {
            self.check_voters()?;
            info!(offset, topics = self.loader.image.topics.len(), "caught up with the metadata");
        }
        let before = self.published.take();
        let mut step = self.loader.take();
        // After a snapshot, the changes are not those since the last step, but everything.
        let is_replaced = std::mem::take(&mut self.is_replaced);
        if let Some(before) = before.filter(|_| is_replaced) {
            step.delta = Arc::new(Delta::between(&before, &step.image));
        }
        self.published = Some(step.image.clone());
        Ok(Some(step))
    }

    /// Refuses to follow a quorum that counts on the vote of a controller with our id.
    fn check_voters(&self) -> Result<()> {
        let mut voters = self.loader.voters.iter().flat_map(|record| &record.voters);
        voters.try_for_each(|voter| self.check_id(Some(voter.voter_id)))
    }

    fn check_id(&self, controller: Option<BrokerId>) -> Result<()> {
        let node_id = self.options.node_id;
        if controller != Some(node_id) {
            return Ok(());
        }
        Err(Error::Config(format!(
            "One of the controllers has this broker's id, node.id={node_id}: the quorum would take \
             the one for the other. Give the broker a node.id that no controller has."
        )))
    }

    /// Does what is due: finishes or begins a snapshot.
    pub fn tick(&mut self, now: Timestamp) -> Result<()> {
        self.snapshots.collect(&mut self.log, now)?;
        if !self.snapshots.is_due(now) || !self.is_caught_up || self.loader.in_transaction() {
            return Ok(());
        }
        let image = &self.loader.image;
        let head = Head {
            last_contained_timestamp: self.loader.timestamp,
            kraft_version: image.kraft_version,
            voters: self.loader.voters.clone().map(ControlRecord::Voters),
            metadata_version: image.metadata_version(),
        };
        self.snapshots.begin(&self.log, image, head, now)
    }

    /// Waits for a snapshot in progress, then closes the log.
    pub fn close(&mut self, now: Timestamp) -> Result<()> {
        self.snapshots.finish(&mut self.log, now)?;
        self.log.close()
    }
}

/// What the log has and we do not know decides what records mean, so nobody may go on.
fn not_known(error: Error) -> Error {
    match error {
        Error::Corrupt { what } => Error::Config(format!(
            "{what}. The controllers have written what this klamm does not know. The broker stops \
             before it acts on it: start a newer klamm, or Apache Kafka's broker, on these log.dirs."
        )),
        error => error,
    }
}

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}
