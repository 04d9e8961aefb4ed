//! Allocates producer ids from blocks that the controller grants and records
//! (RPCProducerIdManager).

use crate::error::Result;
use crate::types::ProducerId;
use std::ops::Range;

/// Hands out the ids of a block one by one, then gets the next block.
#[derive(Debug, Default)]
pub struct ProducerIds {
    block: tokio::sync::Mutex<Range<ProducerId>>,
}

impl ProducerIds {
    /// The next id. If the block is used up, `next_block` gets one from the controller, as (first
    /// id, number of ids); concurrent callers wait for it.
    pub async fn next<F>(&self, next_block: impl FnOnce() -> F) -> Result<ProducerId>
    where
        F: Future<Output = Result<(ProducerId, i32)>>,
    {
        let mut block = self.block.lock().await;
        if block.is_empty() {
            let (first, count) = next_block().await?;
            *block = first..first + i64::from(count);
        }
        Ok(block.next().expect("the controller gives blocks of at least one id"))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn ids_come_from_blocks_and_never_twice() {
        let ids = ProducerIds::default();
        let mut got = Vec::new();
        for first in [0, 1000] {
            got.push(ids.next(|| async { Ok((first, 2)) }).await.unwrap());
            got.push(ids.next(|| async { panic!("the block is not used up") }).await.unwrap());
        }
        assert_eq!(got, [0, 1, 1000, 1001]);
    }
}
