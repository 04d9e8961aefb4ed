//! Listing transactional ids for an operator.

use super::machine::{Machine, TransactionalId};
use super::metadata::Transaction;
use super::state::TransactionState;
use crate::coordinator::pattern::Pattern;
use crate::error::{Error, Result};
use crate::types::{ProducerId, Timestamp};
use kafka_protocol::error::ResponseError;
use std::collections::{BTreeSet, HashSet};

/// Which transactional ids to list. An empty field admits all.
#[derive(Debug, Default)]
pub struct Filter {
    /// The id is in one of these states.
    pub states: BTreeSet<TransactionState>,
    /// An unknown state was asked for. If no known one was, nothing is listed.
    pub has_unknown_states: bool,
    /// The id belongs to one of these producers.
    pub producer_ids: HashSet<ProducerId>,
    /// The transaction has been open for more than this many milliseconds; a negative number admits
    /// all.
    pub duration_ms: i64,
    /// The whole id matches this expression.
    pub pattern: Option<Pattern>,
}

impl Filter {
    /// Compiles an expression for whole ids; INVALID_REGULAR_EXPRESSION if it is not valid.
    pub fn pattern(pattern: &str) -> Result<Pattern> {
        Pattern::compile(pattern).map_err(|reason| {
            let message = format!(
                "The pattern `{pattern}` for transactional ids cannot be compiled: {reason}."
            );
            Error::Explained(ResponseError::InvalidRegularExpression, message)
        })
    }

    fn includes(&self, now: Timestamp, id: &str, transaction: &Transaction) -> bool {
        let asks_for_states = !self.states.is_empty() || self.has_unknown_states;
        (self.producer_ids.is_empty() || self.producer_ids.contains(&transaction.producer.id))
            && (!asks_for_states || self.states.contains(&transaction.state))
            && (self.duration_ms < 0 || now - transaction.started > self.duration_ms)
            && self.pattern.as_ref().is_none_or(|pattern| pattern.is_match(id))
    }
}

impl Machine {
    /// The ids that `filter` admits, with their producers and states.
    pub fn list(
        &self,
        now: Timestamp,
        filter: &Filter,
    ) -> Vec<(TransactionalId, ProducerId, TransactionState)> {
        let found = self.transactions.iter().filter(|(id, known)| filter.includes(now, id, known));
        found.map(|(id, known)| (id.clone(), known.producer.id, known.state)).collect()
    }
}
