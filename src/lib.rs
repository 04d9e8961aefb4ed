//! klamm: Apache Kafka's broker in one Rust binary.
//!
//! Two sentences decide most questions. **Every byte is Kafka's**: what goes over the wire, into
//! the log directories, the internal topics and the metadata log is what Apache Kafka 4.3 would
//! have sent or written. **Scaling out uses Kafka's own design**: a single node is its own
//! controller, a quorum with one voter, and writes `__cluster_metadata` as KRaft would. In a
//! cluster the controllers are Apache Kafka's, and the broker follows their log instead.
//!
//! # The map
//! Data goes down by calls, and answers come back as return values; nothing calls upward. A lower
//! layer informs an upper one through a return value or, for metadata and failed log directories, a
//! channel.
//!
//! ```text
//!  logging       (of the binary) tracing's events in Kafka's format
//!  broker        assembly and controlled shutdown; the only file that knows every part
//!  server        listeners; one task per connection: read, dispatch, write responses in order
//!  handlers      the table of APIs; one file per API: check, call, shape the response
//!  share         share partitions led here: who acquires which records, and acknowledges them
//!  coordinator   groups, transactions: synchronous state machines rebuilt by replaying their topic
//!  replica       partitions led or copied here: epochs, high watermark, fetches, waiters
//!                                                                     -- async ends here --
//!  peers         the other brokers of the cluster, and the connections to them
//!  controller    requests -> records of the metadata log -> Image -> those who follow it
//!  metadata      an immutable Image, moved forward by records of the metadata log
//!  log           segments, indexes, epochs, producer state, recovery, retention, cleaner, manager
//!  client        connections to other nodes, for requests of our own
//!  record codec  a batch is bytes with a header; frames <-> messages
//!  disk          the only way to the log directories
//!  config        every setting, declared once
//!  types error clock sync   the words everyone uses
//! ```
//!
//! `tests/tidy.rs` enforces this direction. Where to read:
//!
//! - how a request becomes a response: `server/connection.rs`, `handlers.rs`, `handlers/<api>.rs`
//! - what happens to a produced batch: `handlers/produce.rs`, `record/validate.rs`,
//!   `replica/partition.rs`, `log/append.rs`
//! - how a fetch is answered with sendfile: `replica/read.rs`, `log/read.rs`, `codec/splice.rs`,
//!   `server/outlet.rs`
//! - how other brokers follow a partition that is led here: `handlers/fetch.rs`, `replica/read.rs`,
//!   `replica/partition/lead.rs`; how its ISR changes: `replica/partition/isr.rs`,
//!   `replica/isr.rs`
//! - how a replica follows its leader: `replica/fetcher/copying.rs` asks and decides,
//!   `replica/partition/follow.rs` appends and truncates, `replica/fetcher/thread.rs` carries both
//!   over `peers`
//! - who sends a request, what they may do, and how fast: `handlers/session.rs`,
//!   `handlers/authorize.rs`, `handlers/throttle.rs` (so far everyone may do everything)
//! - where TLS will go: `server/transport.rs`
//! - how long a request took, for metrics: `server/pipeline.rs` (`Answered`),
//!   `server/connection.rs` (`answered`)
//! - where counters will go: `metrics`, a floor beside `sync`; each is counted where it happens
//! - who gets a connection, and how much it may hold: `server/quotas.rs`, `server/intake.rs`,
//!   `server/pipeline.rs`
//! - how a broker of a cluster learns what the controllers decide: `controller/observer.rs`, which
//!   asks; `controller/observer/replica.rs`, what an answer does; `broker/quorum.rs`, by role
//! - how anything is changed: `handlers/forward.rs`, `controller.rs` or in a cluster
//!   `controller/remote.rs`, then `broker/applier.rs`, `replica/apply.rs`
//! - how a broker joins a cluster and leaves it: `broker/lifecycle.rs`, `broker/heartbeats.rs`
//! - how a group rebalances: `coordinator/group.rs`, `coordinator/runtime.rs`,
//!   `tests/scenarios/*.txt`
//! - how Kafka Streams gets its tasks: `coordinator/group/streams.rs`
//! - how a share group gets its partitions: `coordinator/group/share.rs`; where it is in them:
//!   `coordinator/share.rs`, reached through `coordinator/group/persist.rs`
//! - how a record of a queue is delivered and acknowledged: `handlers/share_fetch.rs`,
//!   `share/fetch.rs`, `share/led.rs`, `share/partition.rs`
//! - what becomes of a record that a share group gives up: `share/dead_letters.rs`
//! - which internal topics there are, and who creates them: `coordinator/internal_topics.rs`
//! - how a transaction begins and ends: `handlers/produce/verify.rs`, `coordinator/transaction.rs`,
//!   `tests/scenarios/transaction_*.txt`
//! - when a coordinator is loaded and given up: `coordinator/slots.rs`, `coordinator/runtime.rs`
//! - how coordinators reach partitions and coordinators of other brokers: `coordinator/outbox.rs`,
//!   `coordinator/transaction/markers.rs`, `coordinator/transaction/verify/coordinators.rs`,
//!   `coordinator/share/persister.rs`
//! - what a crash leaves and how it is repaired: `log/recovery.rs`, `log/manager.rs`,
//!   `controller/quorum.rs`
//! - what a failed or full disk leads to: `log/manager/log_dir.rs`, `replica/room.rs`
//! - what a message or record looks like: `codec/schemas.txt`, from which `build/` generates
//!   `codec::schema` and what kafka-protocol lacks in `codec::messages`
//! - what a setting means: `config/table.rs`
//!
//! # Invariants
//! - A coordinator writes and answers only while this broker leads its partition without a break.
//!   Once another may have led, the state is loaded anew.
//! - Metadata changes only by appending records to the metadata log and replaying them.
//! - Consumers and coordinators see only records below the high watermark. It is computed from the
//!   ISR, even if the ISR is only this broker. Who may be in the ISR counts as well: the controller
//!   may have decided on a change before we hear of it.
//! - A batch's offset and leader epoch are written over the producer's bytes on their way to the
//!   file. A batch is not encoded again unless the topic asks for it.
//! - Nothing that a peer sends decides an allocation: `codec::guard` walks through a request before
//!   it is decoded, and frames grow with the bytes that have arrived, within a bound for all
//!   connections together (`server/intake.rs`). The size of a response and
//!   the time it takes are bounded by the request's bytes and by what the broker holds. What is
//!   named twice is answered once, and a request with very many elements, or with a batch that
//!   expands much, runs where it holds up nobody (`handlers/large.rs`, `sync::alone`).
//!   `tests/wire/bounds.rs` tries this on every API.
//! - A connection's requests are carried out one after the other, as in Kafka, so each sees what
//!   the ones before it did. Only those that write records may wait together (`server/pipeline.rs`).
//! - No lock is held across an await, and nothing below `replica` awaits, except where other nodes
//!   or the controller are called: `client`, `controller/client.rs`, `controller/remote`,
//!   `controller/observer.rs` and `peers`. The log and the coordinators take the time as an argument.
//! - A disk error takes its log directory offline for good; a failed fsync is never repeated.
//! - Log directories are accessed only through [`disk`], and wall time comes only from [`clock`].
//!   `tests/tidy.rs` lists who else reads a file, and counts what may panic.
//!
//! # Decisions, and why
//! - **The embedded controller has one voter.** One node writes the metadata log that a KRaft quorum
//!   would, so Kafka can take the directory over. Everything that changes metadata goes through
//!   its client ([`controller::Client`]), behind which a remote quorum can stand instead.
//! - **A broker of a cluster has no vote.** It keeps a copy of the quorum's log and applies what is
//!   committed ([`controller::Observer`]). What to ask next and what an answer does is synchronous,
//!   so elections, truncations and snapshots are tried without a network.
//! - **Heartbeats are a thread with a runtime of its own**, and a connection of their own. Whatever
//!   the others wait for, the controller hears that the broker lives.
//! - **The controller is one thread with a queue.** It handles one request after another, so its
//!   state needs no lock. Requests that wait at the same time share one fsync, the most expensive
//!   part of a change.
//! - **Some messages come from kafka-protocol, others are generated.** The crate saves us most of
//!   the work. Where it is behind Kafka 4.4, and for all records, `build/` generates our own from
//!   `codec/schemas.txt`. A generated message looks like the crate's and is imported from the same
//!   place ([`codec::messages`]). When the crate catches up, only its row in `build/main.rs` goes.
//! - **A guard walks through a request before it is decoded** ([`codec::guard`]). kafka-protocol
//!   0.18 reserves memory for as many elements as an array claims to have, so a few bytes could end
//!   the process. The guard's tables come from the same schemas and cover both kinds of messages.
//! - **The log and the coordinators' state machines are synchronous and are given the time.** Tests
//!   can therefore run them step by step from a seed, on a simulated disk, and repeat a failure.
//! - **A change of the ISR is asked for until the metadata log has decided.** A partition keeps the
//!   change that it wants, and the one task that asks the controller comes for it. An answer counts
//!   only if that change is still wanted, so a late or lost one does no harm.
//! - **A placeholder stands for records that stay in files** ([`codec::splice`]). kafka-protocol's
//!   encoder wants the bytes of a records field. It gets addresses that nobody reads; the frame is
//!   cut there and file ranges take their place, so that sendfile needs no encoder of our own.
//! - **The metadata image consists of persistent maps (imbl).** An image never changes and needs no
//!   lock, and the cost of the next one depends on what has changed, not on how much there is.
//! - **After `kill -9` the page cache is trusted.** It outlives the process, so a start reads only
//!   what was appended since the logs were last settled. `.klamm-boot` proves that the machine and
//!   the mount are still the same; without it recovery begins at the recovery point, as in Kafka.
//! - **A topic's settings are a type** ([`config::TopicConfig`]). They are checked and combined
//!   from the topic's and the broker's when one of these changes, so that a request reads fields
//!   instead of looking up and parsing text.

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
pub mod peers;
pub mod record;
pub mod replica;
pub mod server;
pub mod share;
pub mod sync;
pub mod types;
