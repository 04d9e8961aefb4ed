//! Questions to a share coordinator in another broker, whose answers the test decides.

use super::*;
use crate::codec::messages::read_share_group_state_response::{
    PartitionResult as ReadPartition, ReadStateResult, StateBatch,
};
use crate::codec::messages::write_share_group_state_response::{
    PartitionResult as WritePartition, WriteStateResult,
};
use crate::codec::messages::{
    ReadShareGroupStateRequest, ReadShareGroupStateResponse, WriteShareGroupStateRequest,
    WriteShareGroupStateResponse,
};
use crate::coordinator::scripted_peer::{PEER, peer};
use crate::coordinator::share::{DeliveryBatch, DeliveryBatches};

fn key(group: &str, partition: i32) -> SharePartitionKey {
    SharePartitionKey::new(group, Uuid::from_u128(1), partition)
}

const BATCH: DeliveryBatch = DeliveryBatch { first: 5, last: 6, state: 2, count: 1 };

#[tokio::test]
async fn a_state_is_read() {
    let answer = |version, request: ReadShareGroupStateRequest| {
        assert_eq!((version, request.group_id.as_str()), (0, "g"));
        let topic = &request.topics[0];
        assert_eq!((topic.partitions[0].partition, topic.partitions[0].leader_epoch), (3, 9));
        let batch = StateBatch::default()
            .with_first_offset(BATCH.first)
            .with_last_offset(BATCH.last)
            .with_delivery_state(BATCH.state)
            .with_delivery_count(BATCH.count);
        let partition = ReadPartition::default()
            .with_partition(3)
            .with_state_epoch(4)
            .with_start_offset(5)
            .with_state_batches(vec![batch]);
        let result = ReadStateResult::default()
            .with_topic_id(topic.topic_id)
            .with_partitions(vec![partition]);
        Some(ReadShareGroupStateResponse::default().with_results(vec![result]))
    };
    let states = RemoteStates::new(peer(0..=0, answer).await);
    let read = states.ask(PEER, &key("g", 3), Question::Read { leader_epoch: 9 }).await.unwrap();
    let batches = DeliveryBatches::combine(&[BATCH]);
    assert_eq!(read, Answer::Read(ShareRead { state_epoch: 4, start_offset: 5, batches }));
}

fn write() -> Question {
    Question::Write(ShareWrite {
        state_epoch: 1,
        leader_epoch: 2,
        start_offset: 3,
        delivery_complete_count: 4,
        batches: vec![BATCH],
    })
}

#[tokio::test]
async fn each_partition_has_its_error_and_a_lost_connection_is_everybodys() {
    let answer = |version, request: WriteShareGroupStateRequest| {
        if request.group_id.as_str() == "lost" {
            return None;
        }
        let asked = &request.topics[0].partitions;
        let counted = if version == 0 { -1 } else { 4 };
        assert!(asked.iter().all(|it| it.delivery_complete_count == counted));
        assert!(asked.iter().all(|it| it.state_batches[0].last_offset == BATCH.last));
        let fenced = ResponseError::FencedStateEpoch.code();
        let partitions = asked.iter().filter(|it| it.partition < 2).map(|it| {
            WritePartition::default()
                .with_partition(it.partition)
                .with_error_code(if it.partition == 1 { fenced } else { 0 })
                .with_error_message((it.partition == 1).then(|| "an old one".into()))
        });
        let result = WriteStateResult::default()
            .with_topic_id(request.topics[0].topic_id)
            .with_partitions(partitions.collect());
        Some(WriteShareGroupStateResponse::default().with_results(vec![result]))
    };
    for newest in [0, 1] {
        let states = RemoteStates::new(peer(0..=newest, answer).await);
        let keys = [0, 1, 2].map(|partition| key("g", partition));
        let asked = keys.iter().map(|key| states.ask(PEER, key, write()));
        let answers = join_all(asked).await;
        assert_eq!(answers[0].as_ref().unwrap(), &Answer::Done);
        let fenced = answers[1].as_ref().unwrap_err();
        assert_eq!(fenced.code(), ResponseError::FencedStateEpoch);
        assert_eq!(fenced.message().unwrap(), "an old one");
        let left_out = answers[2].as_ref().unwrap_err().code();
        assert_eq!(left_out, ResponseError::UnknownServerError);
        let lost = states.ask(PEER, &key("lost", 0), write()).await.unwrap_err();
        assert_eq!(lost.code(), ResponseError::NetworkException);
    }
}
