//! A shard driven by scripts (`tests/scenarios/*.txt`) and by chance.
//!
//! A script is a list of commands, each followed by `----` and its expected result. With
//! `KLAMM_REWRITE_SCENARIOS=1` the test writes the results into the scripts.
//!
//! Member ids end in a random id, which is shown as a number: `a-1`. Requests that may wait are
//! numbered: `#2`. Subscriptions are shown as their topics: `range:t1+t2`.
#![allow(clippy::unwrap_used)]

mod chance;
mod consumer;
mod kafka;
mod kafka_share;
mod kafka_streams;
mod running;
mod share;
mod share_chance;
mod show;
mod streams;
mod streams_chance;

use super::consumer::ConsumerGroup;
use super::kind::Group;
use super::record::Record;
use super::shard::{Shard, ShardOutcome};
use super::turn::Parked;
use super::{GroupId, RequestContext, Ticket, text};
use crate::codec::messages::join_group_request::JoinGroupRequestProtocol;
use crate::codec::messages::leave_group_request::MemberIdentity;
use crate::codec::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use crate::codec::messages::offset_delete_request::{
    OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use crate::codec::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopics,
};
use crate::codec::messages::sync_group_request::SyncGroupRequestAssignment;
use crate::codec::messages::{
    HeartbeatRequest, JoinGroupRequest, LeaveGroupRequest, ListGroupsRequest, OffsetCommitRequest,
    OffsetDeleteRequest, StrBytes, SyncGroupRequest,
};
use crate::codec::schema::group;
use crate::config::Config;
use crate::coordinator::script::{self, Args};
use crate::coordinator::state_machine::StateMachine;
use crate::error::Result;
use crate::metadata::{Image, Loader};
use crate::types::{NO_PRODUCER_ID, Timestamp};
use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::error::ResponseError;
use kafka_protocol::protocol::Encodable;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;
use uuid::Uuid;

/// A shard with a log in memory and a clock that is moved by hand.
pub(super) struct World {
    pub(super) config: Config,
    pub(super) shard: Shard,
    metadata: Loader,
    /// Keys and values, with the producer of a transactional batch.
    log: Vec<(Bytes, Option<Bytes>, i64)>,
    pub(super) now: Timestamp,
    next_ticket: Ticket,
    unanswered: BTreeSet<Ticket>,
    fail_next: Option<ResponseError>,
    pub(super) model: chance::Model,
    output: String,
    labels: Vec<(String, String)>,
}

impl World {
    pub(super) fn new(config: Config) -> World {
        let mut world = World {
            shard: Shard::new(config.clone().into(), 7),
            config,
            metadata: Loader::new("a cluster"),
            log: Vec::new(),
            now: 0,
            next_ticket: 1,
            unanswered: BTreeSet::new(),
            fail_next: None,
            model: chance::Model::default(),
            output: String::new(),
            labels: Vec::new(),
        };
        world.shard.loaded(0);
        world
    }

    /// Does what the runtime does, with a vector for a log.
    pub(super) fn finish<A>(&mut self, outcome: ShardOutcome<A>) -> Result<A> {
        let ShardOutcome { records, then, answer } = outcome;
        let failure = if records.is_empty() { None } else { self.fail_next.take() };
        let appended = match failure {
            Some(error) => Err(error),
            None => Ok(i64::try_from(self.log.len()).unwrap()),
        };
        if appended.is_ok() {
            for record in &records {
                let (key, value) = record.encode().unwrap();
                assert_eq!(Record::decode(&key, value.as_ref()).unwrap(), *record);
                self.log.push((key, value, NO_PRODUCER_ID));
                let image = &self.shard.image;
                let line = consumer::show_record(record, image);
                let line = line.or_else(|| share::record(record, image));
                let line = line.unwrap_or_else(|| show::record(record));
                writeln!(self.output, "record {line}").unwrap();
            }
        }
        then.follow(&mut self.shard, self.now, NO_PRODUCER_ID, &records, appended);
        self.model.follow(&self.shard, &records, appended.is_ok());
        self.check_consumers();
        self.take_answers();
        match appended {
            Ok(_) => Ok(answer),
            Err(error) => Err(error.into()),
        }
    }

    fn take_answers(&mut self) {
        for (ticket, answer) in self.shard.take_answers() {
            assert!(self.unanswered.remove(&ticket), "#{ticket} is answered once");
            let line = match answer {
                Parked::Join(answer) => show::join(&answer),
                Parked::Sync(answer) => show::sync(&answer),
            };
            writeln!(self.output, "#{ticket} {line}").unwrap();
        }
    }

    pub(super) fn ticket(&mut self) -> Ticket {
        self.next_ticket += 1;
        self.unanswered.insert(self.next_ticket - 1);
        self.next_ticket - 1
    }

    pub(super) fn advance(&mut self, ms: i64) {
        let end = self.now + ms;
        while let Some(deadline) = self.shard.next_deadline().filter(|deadline| *deadline <= end) {
            self.now = self.now.max(deadline);
            while let Some(outcome) = self.shard.expire(self.now) {
                drop(self.finish(outcome));
            }
        }
        self.now = end;
    }

    fn consumers(&self) -> impl Iterator<Item = &ConsumerGroup> {
        self.shard.groups.values().filter_map(|group| match group {
            Group::Consumer(group) => Some(&**group),
            _ => None,
        })
    }

    /// A new shard, as the log makes it.
    pub(super) fn replayed(&self) -> Shard {
        let mut shard = Shard::new(self.config.clone().into(), 8);
        for ((key, value, producer), offset) in self.log.iter().zip(0..) {
            let record = Record::decode(key, value.as_ref()).unwrap();
            shard.replay(offset, *producer, &record);
        }
        shard
    }

    fn restart(&mut self) {
        let image = self.shard.image.clone();
        self.shard = self.replayed();
        if image.offset != -1 {
            self.shard.apply(&image);
        }
        self.shard.loaded(self.now);
        self.unanswered.clear();
        self.take_answers();
    }

    /// Runs one command and returns its result.
    fn run(&mut self, line: &str) -> String {
        self.output.clear();
        let line = self.real_ids(line);
        let args = Args::parse(&line);
        let name = args.name.as_str();
        let mut result = Ok(());
        match name {
            "join" | "sync" => self.parked(&args),
            "settings" => self.set(&args),
            "advance" => self.advance(args.number("ms", 0)),
            "restart" => self.restart(),
            "fail" => self.fail_next = Some(show::error(args.get("error"))),
            "topic" => self.topic(&args),
            "config" => self.config(&args),
            "log" => self.log_foreign(&args),
            "streams" | "describe-streams" => result = self.streams(&args),
            "share"
            | "initialized"
            | "alter-share"
            | "delete-share-offsets"
            | "delete-share-states"
            | "describe-share" => result = self.share(&args),
            "state" => self.output.push_str(&show::state(&self.shard)),
            "describe" | "describe-consumer" | "list" | "fetch" => result = self.look(&args),
            _ => result = self.operate(&args),
        }
        if let Err(error) = result {
            writeln!(self.output, "{}", show::failure(&error)).unwrap();
        }
        if matches!(name, "join" | "sync") && self.unanswered.contains(&(self.next_ticket - 1)) {
            writeln!(self.output, "#{} waits", self.next_ticket - 1).unwrap();
        }
        if self.output.is_empty() {
            self.output.push_str("ok\n");
        }
        let output = std::mem::take(&mut self.output);
        self.labelled(output)
    }

    fn set(&mut self, args: &Args) {
        let config = &mut self.config;
        for (key, value) in &args.named {
            if key == "migration" {
                config.group_consumer_migration_policy = value.clone();
                continue;
            }
            let number: i32 = value.parse().unwrap();
            match key.as_str() {
                "group_max_size" => config.group_max_size = number,
                "share_max_size" => config.group_share_max_size = number,
                "streams_max_size" => config.group_streams_max_size = number,
                "initial_delay" => config.group_initial_rebalance_delay_ms = number,
                "metadata_max" => config.offset_metadata_max_bytes = number,
                "retention_minutes" => config.offsets_retention_minutes = number,
                "consumer_max_size" => config.group_consumer_max_size = number,
                other => panic!("no setting {other}"),
            }
        }
        self.restart();
    }

    fn parked(&mut self, args: &Args) {
        let ticket = self.ticket();
        let outcome = if args.name == "join" {
            let cx = RequestContext {
                api_version: args.number("version", 9),
                client_id: text(args.get("client")),
                client_host: "/127.0.0.1".into(),
            };
            self.shard.join(self.now, &cx, &args.join(), ticket)
        } else {
            let request = args.sync(&self.shard.image);
            self.shard.sync(self.now, &request, ticket)
        };
        drop(self.finish(outcome));
    }

    fn operate(&mut self, args: &Args) -> Result<()> {
        if args.name == "member" {
            let shown = self.member(args)?;
            self.output.push_str(&shown);
            return Ok(());
        }
        let shard = &mut self.shard;
        let shown = match args.name.as_str() {
            "heartbeat" => {
                let outcome = shard.heartbeat(self.now, &args.heartbeat())?;
                self.finish(outcome).map(|()| String::new())?
            }
            "leave" => {
                let outcome = shard.leave(self.now, &args.leave())?;
                show::leave(&self.finish(outcome)?)
            }
            "commit" => {
                let outcome = shard.commit(self.now, args.number("version", 9), &args.commit())?;
                show::commit(&self.finish(outcome)?)
            }
            "delete-offsets" => {
                let outcome = shard.delete_offsets(&args.delete_offsets())?;
                show::delete_offsets(&self.finish(outcome)?)
            }
            "forget-topic" => {
                let topic = (Arc::from(args.get("name")), topic_id(args.get("id")));
                let outcome = shard.forget_topics(&[topic]);
                self.finish(outcome).map(|()| String::new())?
            }
            "delete" => {
                let ids: Vec<GroupId> = args.list("groups").map(Arc::from).collect();
                let outcome = shard.delete(&ids);
                show::delete(&ids, self.finish(outcome)?)
            }
            other => panic!("no command {other}"),
        };
        self.output.push_str(&shown);
        Ok(())
    }

    fn look(&mut self, args: &Args) -> Result<()> {
        let shown = match args.name.as_str() {
            "describe" => {
                show::describe(&self.shard.describe(args.number("version", 6), args.get("group")))
            }
            "describe-consumer" => {
                consumer::show_described(&self.shard.describe_consumer(args.get("group")))
            }
            "list" => {
                let filter = |name| args.list(name).map(text).collect::<Vec<StrBytes>>();
                let request = ListGroupsRequest::default()
                    .with_states_filter(filter("states"))
                    .with_types_filter(filter("types"));
                show::list(self.shard.list(&request))
            }
            _ => show::fetch(&self.shard.fetch(&args.fetch(), args.has("stable"))?),
        };
        self.output.push_str(&shown);
        Ok(())
    }

    /// Appends a record of a type that this coordinator does not write, or of a transaction.
    fn log_foreign(&mut self, args: &Args) {
        let (group_id, member_id) = (args.get("group").to_owned(), args.get("member").to_owned());
        let mut key = BytesMut::new();
        let record_type: i16 = args.number("type", 11);
        key.put_i16(record_type);
        let mut value = BytesMut::new();
        value.put_i16(0);
        if args.has("member") {
            let message = group::ShareGroupMemberMetadataKey { group_id, member_id };
            message.encode(&mut key, 0).unwrap();
            group::ShareGroupMemberMetadataValue::default().encode(&mut value, 0).unwrap();
        } else if record_type < 24 {
            group::ShareGroupMetadataKey { group_id }.encode(&mut key, 0).unwrap();
            match record_type {
                17 => group::StreamsGroupMetadataValue::default().encode(&mut value, 0).unwrap(),
                _ => group::ShareGroupMetadataValue::default().encode(&mut value, 0).unwrap(),
            }
        }
        let value = (!args.has("gone")).then(|| value.freeze());
        self.log.push((key.freeze(), value, NO_PRODUCER_ID));
    }

    /// Replaces random member ids by numbers: `a-<random id>` by `a-1`.
    fn labelled(&mut self, mut output: String) -> String {
        while let Some(position) = find_uuid(&output) {
            let id = output[position..position + 36].to_owned();
            let known = self.labels.iter().find(|(real, _)| *real == id);
            let label = known.map(|(_, label)| label.clone());
            let label = label.unwrap_or_else(|| {
                self.labels.push((id.clone(), (self.labels.len() + 1).to_string()));
                self.labels.len().to_string()
            });
            output = output.replace(&id, &label);
        }
        output
    }

    /// The reverse. In scripts topics are not named like clients.
    fn real_ids(&self, line: &str) -> String {
        let real = |word: &str| {
            let (client, label) = word.split_once('-')?;
            let known = self.labels.iter().find(|(_, known)| known == label)?;
            ["a", "b", "c", "d", "i", "j"]
                .contains(&client)
                .then(|| format!("{client}-{}", known.0))
        };
        let words = line.split_inclusive([' ', ',', '=', ':', '@']).map(|word| {
            let bare = word.trim_end_matches([' ', ',', '=', ':', '@']);
            real(bare).map_or_else(|| word.to_owned(), |real| real + &word[bare.len()..])
        });
        words.collect()
    }
}

fn find_uuid(text: &str) -> Option<usize> {
    let is_uuid = |bytes: &[u8]| {
        bytes.iter().enumerate().all(|(i, byte)| match i {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
    };
    text.as_bytes().windows(36).position(is_uuid)
}

/// The topic id that a script calls `1`.
fn topic_id(text: &str) -> Uuid {
    Uuid::from_u128(text.parse().unwrap_or(0))
}

impl Args {
    fn optional(&self, key: &str) -> Option<StrBytes> {
        self.named.get(key).map(|value| text(value))
    }

    fn group(&self) -> crate::codec::messages::GroupId {
        text(self.get("group")).into()
    }

    fn join(&self) -> JoinGroupRequest {
        let protocol = |item: &str| {
            let (name, topics) = item.split_once(':').unwrap_or((item, ""));
            JoinGroupRequestProtocol::default()
                .with_name(text(name))
                .with_metadata(show::subscription(topics))
        };
        let protocol_type = if self.has("type") { self.get("type") } else { "consumer" };
        JoinGroupRequest::default()
            .with_group_id(self.group())
            .with_member_id(text(self.get("member")))
            .with_group_instance_id(self.optional("instance"))
            .with_session_timeout_ms(self.number("session", 10_000))
            .with_rebalance_timeout_ms(self.number("rebalance", 60_000))
            .with_protocol_type(text(protocol_type))
            .with_protocols(self.list("protocols").map(protocol).collect())
    }

    /// `member:text`, or `member:@t-0+t-1` as consumers write it.
    fn sync(&self, image: &Image) -> SyncGroupRequest {
        let assignment = |item: &str| {
            let (member, what) = item.split_once(':').unwrap();
            let bytes = match what.strip_prefix('@') {
                Some(partitions) => consumer::encoded_assignment(partitions, image),
                None => Bytes::copy_from_slice(what.as_bytes()),
            };
            SyncGroupRequestAssignment::default()
                .with_member_id(text(member))
                .with_assignment(bytes)
        };
        SyncGroupRequest::default()
            .with_group_id(self.group())
            .with_member_id(text(self.get("member")))
            .with_group_instance_id(self.optional("instance"))
            .with_generation_id(self.number("generation", -1))
            .with_protocol_type(self.optional("type"))
            .with_protocol_name(self.optional("protocol"))
            .with_assignments(self.list("assign").map(assignment).collect())
    }

    fn heartbeat(&self) -> HeartbeatRequest {
        HeartbeatRequest::default()
            .with_group_id(self.group())
            .with_member_id(text(self.get("member")))
            .with_group_instance_id(self.optional("instance"))
            .with_generation_id(self.number("generation", -1))
    }

    /// `@i` is the static instance `i`, `m@i` the member `m` of it.
    fn leave(&self) -> LeaveGroupRequest {
        let identity = |item: &str| {
            let (member, instance) =
                item.split_once('@').map_or((item, None), |(m, i)| (m, Some(i)));
            MemberIdentity::default()
                .with_member_id(text(member))
                .with_group_instance_id(instance.map(text))
        };
        let members = self.list("members").map(identity).collect();
        LeaveGroupRequest::default().with_group_id(self.group()).with_members(members)
    }

    /// `topic-partition:offset`, with `@epoch` if the consumer knows it.
    fn commit(&self) -> OffsetCommitRequest {
        let topic = |item: &str| {
            let (partition, offset) = item.split_once(':').unwrap();
            let (topic, index) = partition.rsplit_once('-').unwrap();
            let (offset, epoch) = offset.split_once('@').unwrap_or((offset, "-1"));
            let partition = OffsetCommitRequestPartition::default()
                .with_partition_index(index.parse().unwrap())
                .with_committed_offset(offset.parse().unwrap())
                .with_committed_leader_epoch(epoch.parse().unwrap())
                .with_committed_metadata(self.named.get("metadata").map(|named| text(named)));
            OffsetCommitRequestTopic::default()
                .with_name(text(topic).into())
                .with_topic_id(topic_id(self.get("id")))
                .with_partitions(vec![partition])
        };
        OffsetCommitRequest::default()
            .with_group_id(self.group())
            .with_member_id(text(self.get("member")))
            .with_group_instance_id(self.named.get("instance").map(|named| text(named)))
            .with_generation_id_or_member_epoch(self.number("generation", -1))
            .with_retention_time_ms(self.number("retention", -1))
            .with_topics(self.list("offsets").map(topic).collect())
    }

    fn fetch(&self) -> OffsetFetchRequestGroup {
        let topic = |item: &str| {
            let (topic, index) = item.rsplit_once('-').unwrap();
            OffsetFetchRequestTopics::default()
                .with_name(text(topic).into())
                .with_topic_id(topic_id(self.get("id")))
                .with_partition_indexes(vec![index.parse().unwrap()])
        };
        OffsetFetchRequestGroup::default()
            .with_group_id(self.group())
            .with_topics(self.has("offsets").then(|| self.list("offsets").map(topic).collect()))
            .with_member_id(self.named.get("member").map(|named| text(named)))
            .with_member_epoch(self.number("epoch", -1))
    }

    fn delete_offsets(&self) -> OffsetDeleteRequest {
        let topic = |item: &str| {
            let (topic, index) = item.rsplit_once('-').unwrap();
            let partition = OffsetDeleteRequestPartition::default()
                .with_partition_index(index.parse().unwrap());
            OffsetDeleteRequestTopic::default()
                .with_name(text(topic).into())
                .with_partitions(vec![partition])
        };
        let topics = self.list("offsets").map(topic).collect();
        OffsetDeleteRequest::default().with_group_id(self.group()).with_topics(topics)
    }
}

#[test]
fn the_scenarios_come_out_as_written() {
    script::play_all(
        |name| !name.starts_with("transaction_"),
        || {
            let mut world = World::new(Config::default());
            move |line| world.run(line)
        },
    );
}
