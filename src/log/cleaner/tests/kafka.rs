//! A log that Kafka's cleaner has cleaned.
