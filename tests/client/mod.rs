//! librdkafka against the real binary.
