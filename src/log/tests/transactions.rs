//! Producers, sequences, transactions.
