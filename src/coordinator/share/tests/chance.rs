//! Random requests, beside a model that knows of each offset what was said of it last. After each
//! record a crash is tried: the log alone restores the state, also without the records that are not
//! needed any more.

use super::super::batches::DeliveryBatch;
use super::super::key::SharePartitionKey;
use super::super::state::ShareWrite;
use super::{World, states};
use crate::types::Offset;
use kafka_protocol::error::ResponseError;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// What a model knows of a share partition.
#[derive(Clone, Debug, Default)]
struct Model {
    state_epoch: i32,
    leader_epoch: i32,
    start: Offset,
    done: i32,
    /// The count and the state of each offset.
    offsets: BTreeMap<Offset, (i16, i8)>,
}

impl Model {
    fn write(&mut self, write: &ShareWrite) {
        let done = write.delivery_complete_count;
        if write.start_offset > self.start {
            (self.start, self.done) = (write.start_offset, done);
        } else if write.start_offset == self.start {
            self.done = self.done.max(done);
        }
        for batch in &write.batches {
            for offset in batch.first..=batch.last {
                let said = (batch.count, batch.state);
                let known = self.offsets.entry(offset).or_insert(said);
                *known = said.max(*known);
            }
        }
        self.offsets = self.offsets.split_off(&self.start);
    }

    /// Why a request of these epochs is refused.
    fn refuses(&self, leader_epoch: i32, state_epoch: i32) -> Result<(), ResponseError> {
        match () {
            () if self.leader_epoch > leader_epoch => Err(ResponseError::FencedLeaderEpoch),
            () if self.state_epoch > state_epoch => Err(ResponseError::FencedStateEpoch),
            () => Ok(()),
        }
    }
}

/// A request, chosen by numbers.
#[derive(Clone, Debug)]
struct Step {
    what: u8,
    who: usize,
    epoch: i32,
    start: Offset,
    batches: Vec<(Offset, Offset, i8, i16)>,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let batches = prop::collection::vec((0i64..30, 0i64..12, 0i8..3, 0i16..3), 0..5);
    let step = (0u8..20, 0usize..3, 0i32..3, -1i64..25, batches)
        .prop_map(|(what, who, epoch, start, batches)| Step { what, who, epoch, start, batches });
    prop::collection::vec(step, 1..80)
}

struct Pair {
    world: World,
    models: BTreeMap<SharePartitionKey, Model>,
}

impl Pair {
    fn step(&mut self, step: &Step) {
        let Step { epoch, start, .. } = *step;
        let key =
            [super::key("a", 1, 0), super::key("a", 1, 1), super::key("b", 2, 0)][step.who].clone();
        let missing = Err(ResponseError::InvalidRequest);
        match step.what {
            0..=2 => {
                let model = self.models.entry(key.clone()).or_default();
                let expected = model.refuses(i32::MAX, epoch);
                assert_eq!(self.world.initialize(&key, epoch, start), expected);
                if expected.is_ok() {
                    let leader_epoch = model.leader_epoch;
                    let (done, offsets) = (if start == -1 { -1 } else { 0 }, BTreeMap::new());
                    *model = Model { state_epoch: epoch, leader_epoch, start, done, offsets };
                }
            }
            3..=5 => {
                let expected = match self.models.get_mut(&key) {
                    None => missing,
                    Some(model) => {
                        let expected = model.refuses(epoch, i32::MAX);
                        model.leader_epoch = model.leader_epoch.max(epoch);
                        expected
                    }
                };
                assert_eq!(self.world.read(&key, epoch).map(drop), expected);
            }
            6 => {
                self.world.finish(self.world.machine.delete(&key)).unwrap();
                self.models.remove(&key);
            }
            7 => self.world.advance(start.abs() * 100),
            8 => self.world.restart(),
            _ => self.write(&key, step),
        }
    }

    fn write(&mut self, key: &SharePartitionKey, step: &Step) {
        let batch = |&(first, more, state, count): &(i64, i64, i8, i16)| DeliveryBatch {
            first,
            last: first + more,
            state,
            count,
        };
        let asked = ShareWrite {
            state_epoch: step.epoch,
            leader_epoch: step.epoch,
            start_offset: step.start,
            delivery_complete_count: i32::from(step.what) - 10,
            batches: step.batches.iter().map(batch).collect(),
        };
        let expected = match self.models.get_mut(key) {
            None => Err(ResponseError::InvalidRequest),
            Some(model) => model.refuses(step.epoch, step.epoch).map(|()| model.write(&asked)),
        };
        assert_eq!(self.world.write(key, &asked), expected);
    }

    /// The machine knows what the model knows.
    fn check(&self) {
        let known = self.world.states();
        assert!(known.keys().eq(self.models.keys()));
        for (state, model) in known.values().zip(self.models.values()) {
            assert_eq!(
                (state.state_epoch, state.start_offset, state.delivery_complete_count),
                (model.state_epoch, model.start, model.done)
            );
            let mut offsets = BTreeMap::new();
            for batch in state.batches.iter() {
                offsets
                    .extend((batch.first..=batch.last).map(|at| (at, (batch.count, batch.state))));
            }
            assert_eq!(offsets, model.offsets);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn the_log_restores_what_a_simple_model_knows(steps in steps()) {
        let mut pair = Pair { world: World::new(), models: BTreeMap::new() };
        let mut written = 0;
        for step in &steps {
            let before = pair.world.states();
            pair.step(step);
            pair.check();
            let world = &mut pair.world;
            let live = world.states();
            // A crash before the first of the new records, in the midst of them, or after them.
            prop_assert_eq!(states(&world.replayed(0, written)), before);
            for end in written + 1..world.log.len() {
                let part = states(&world.replayed(0, end));
                let last = states(&world.replayed(0, written));
                for (key, state) in &part {
                    prop_assert!(live.get(key) == Some(state) || last.get(key) == Some(state));
                }
            }
            let (start, end) = (world.machine.take_redundant().unwrap_or(0), world.log.len());
            prop_assert_eq!(states(&world.replayed(usize::try_from(start).unwrap(), end)), live);
            written = end;
        }
    }
}
