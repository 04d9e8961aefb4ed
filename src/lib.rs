//! klamm: Apache Kafka's broker in one Rust binary.
//!
//! Two sentences decide most questions. **Every byte is Kafka's**: what goes over the wire, what
//! lies in the log directories, what is in the internal topics and in the metadata log is what
//! Apache Kafka 4.3 would have sent or written. **Scale-out is Kafka's own engine**: one node is
//! its own one-voter controller and writes `__cluster_metadata` as KRaft would, so that in a
//! cluster only the other side of the controller client changes.
//!
//! # The map
//! Data goes down by calls, answers come back as return values; nothing calls upward. A lower
//! layer tells an upper one by returning, or through a channel (metadata).
//!
//! ```text
//!  logging       (of the binary) Kafka's look for tracing's events
//!  broker        assembly and controlled shutdown; the only file that knows every part
//!  server        listeners; one task per connection: read, dispatch, write the answers in order
//!  handlers      the one API table; one file per API: check, call, shape the response
//!  coordinator   groups, transactions: synchronous state machines rebuilt by replaying their topic
//!  replica       partitions led here: leader epoch, high watermark, fetch sessions, who waits
//!                                                                     -- async ends here --
//!  controller    requests -> records of the metadata log -> Image -> those who follow it
//!  metadata      an immutable Image, moved forward by records of the metadata log
//!  log           segments, indexes, epochs, producer state, recovery, retention, cleaner, manager
//!  client        a connection to another node, over which this one asks
//!  record codec  a batch is bytes with a header; frames <-> messages
//!  disk          the only door to the file system
//!  config        every setting, declared once
//!  types error clock   the words everyone uses
//! ```
//!
//! `tests/tidy.rs` holds this direction. To find your way:
//!
//! | you want to know | read |
//! |---|---|
//! | how a request becomes an answer | `server/connection.rs`, `handlers.rs`, `handlers/<api>.rs` |
//! | what happens to a produced batch | `handlers/produce.rs`, `record/validate.rs`, `replica/partition.rs`, `log/append.rs` |
//! | how a fetch is answered by sendfile | `replica/read.rs`, `log/read.rs`, `codec/splice.rs`, `server/outlet.rs` |
//! | who asks, what they may do, and how fast | `handlers/session.rs`, `handlers/authorize.rs`, `handlers/throttle.rs` (everyone may do everything) |
//! | where TLS will go | `server/transport.rs` |
//! | how long a request took, for metrics | `server/pipeline.rs` (`Answered`), `server/connection.rs` (`answered`) |
//! | who gets a connection, and what it may hold | `server/quotas.rs`, `server/pipeline.rs` |
//! | how anything is changed | `handlers/forward.rs`, `controller.rs`, then `broker/applier.rs`, `replica/apply.rs` |
//! | how a group rebalances | `coordinator/group.rs`, `coordinator/runtime.rs`, and `tests/scenarios/*.txt` |
//! | how Kafka Streams gets its tasks | `coordinator/group/streams.rs` |
//! | how a transaction begins and ends | `handlers/produce/verify.rs`, `coordinator/transaction.rs`, `tests/scenarios/transaction_*.txt` |
//! | what a crash leaves and how it is mended | `log/recovery.rs`, `log/manager.rs`, `controller/quorum.rs` |
//! | what a message or record looks like | `codec/schemas.txt`, from which `build/` makes `codec::schema` |
//! | what a setting means | `config/table.rs` |
//!
//! # Invariants
//! - Metadata changes only by appending records to the metadata log and replaying them.
//! - Consumers and coordinators see records below the high watermark only; it is computed from the
//!   ISR, also when the ISR is just us.
//! - Offset and leader epoch of a batch are written over the producer's bytes on their way to the
//!   file; a batch is never encoded again unless the topic asks for it.
//! - Nothing a peer sends decides an allocation: `codec::guard` walks a request before it is
//!   decoded, and frames grow with the bytes that have come. An answer's size and the time it takes
//!   are bounded by the request's bytes and by what the broker holds: what is named twice is
//!   answered once, and a request of very many elements runs where it holds up nobody
//!   (`handlers/large.rs`). `tests/wire/bounds.rs` tries it on every API.
//! - A connection's requests start in order and are answered in order; what waits does not hold
//!   back the appends behind it.
//! - No lock is held across an await, and nothing below `replica` awaits, except in the doors
//!   to others: `client` and `controller/client.rs`. The log and the coordinators take the time as
//!   an argument.
//! - A failing disk takes its log directory offline for good; an fsync is never tried again.
//! - Files are touched through [`disk`] only, wall time comes from [`clock`] only.
//!
//! # Decisions, and why
//! - **The controller is embedded and has one voter.** One node writes the metadata log that a
//!   KRaft quorum would, so Kafka can take the directory over. Everything that changes metadata
//!   goes through its client ([`controller::Client`]), behind which a remote quorum can stand
//!   later.
//! - **The controller is one thread with a queue.** It takes one request after another, so its
//!   state needs no lock; requests that wait at the same time share one fsync, which is the
//!   dearest part of a change.
//! - **Some messages are kafka-protocol's, some are generated.** The crate saves us most of them.
//!   Where its version is behind Kafka 4.4's, and for all records, `build/` generates ours from
//!   `codec/schemas.txt`; such a message goes when the crate catches up.
//! - **A guard walks a request before it is decoded** ([`codec::guard`]). kafka-protocol 0.18
//!   reserves memory for as many elements as an array claims to have, so a few bytes could end the
//!   process. The guard's tables come from the same schemas and cover both kinds of messages.
//! - **The log and the coordinators' state machines are synchronous and are given the time.** So a
//!   test can run them step by step from a seed, on a simulated disk, and repeat what went wrong.
//! - **A placeholder stands for records that stay in files** ([`codec::splice`]). kafka-protocol's
//!   encoder wants a record field's bytes. It gets addresses that nobody reads; the frame is cut
//!   there and the file ranges take their place, so that sendfile needs no encoder of our own.
//! - **The metadata image consists of persistent maps (imbl).** Whoever holds an image holds one
//!   that never changes, without a lock, and the next one costs what has changed and not what
//!   there is.
//! - **After `kill -9` the page cache is trusted.** It outlives a process, so a start reads only
//!   what was appended since the logs were last settled. `.klamm-boot` proves that the machine and
//!   the mount are still the same; without it recovery begins at the recovery point, as Kafka's.
//! - **The settings of a topic are a type** ([`config::TopicConfig`]). They are checked and put
//!   together from the topic's and the broker's when one of these changes, so that a request reads
//!   fields instead of looking up and parsing text.

pub mod broker;
pub mod client;
pub mod clock;
pub mod codec;
pub mod config;
pub mod controller;
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
