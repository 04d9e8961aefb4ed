//! klamm: Apache Kafka's broker in one Rust binary.
//!
//! # The map
//! Data goes down by calls, answers come back as return values; nothing calls upward.
//!
//! ```text
//!  server        listeners; one task per connection: read, dispatch, write the answers in order
//!  handlers      the one API table; one file per API: check, call, shape the response
//!  coordinator   groups and offsets: synchronous state machines rebuilt by replaying their topic
//!  replica       partitions led here: leader epoch, high watermark, who waits for what
//!                                                                     -- async ends here --
//!  metadata      an immutable Image, moved forward by records of the metadata log; the controller
//!  log           segments, indexes, epochs, producer state, recovery, retention
//!  record codec  a batch is bytes with a header; frames <-> messages
//!  disk          the only door to the file system
//!  types error clock config   the words everyone uses
//! ```

pub mod broker;
pub mod clock;
pub mod codec;
pub mod config;
pub mod coordinator;
pub mod disk;
pub mod error;
pub mod handlers;
pub mod log;
pub mod metadata;
pub mod record;
pub mod replica;
pub mod server;
pub mod types;
