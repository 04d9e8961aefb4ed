//! Directories written by real Kafka.
