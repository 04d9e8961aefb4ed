//! The table of the broker's settings, and [`Config`], which has a field for each of its rows.

use super::definition::Check::*;
use super::definition::{ClassName, Password, Setting, UpdateMode, Value};
use super::effect::Effect::*;
use super::effect::*;
use super::{Values, default_text};
use std::collections::BTreeMap;

/// Each row is `/// documentation`, then `field: type = default, "name", update mode, check =>
/// effect;`. Without a check it has `Any`, without an effect `Served`.
macro_rules! settings {
    ($(
        $(#[doc = $doc:literal])*
        $field:ident: $type:ty = $default:tt, $name:literal, $mode:ident
            $(, $check:expr)? $(=> $effect:expr)?;
    )*) => {
        /// The broker's settings in effect, typed; one field per setting, named as the setting
        /// with underscores (`log.segment.bytes` is `log_segment_bytes`).
        #[derive(Clone, Debug)]
        pub struct Config {
            $($(#[doc = $doc])* pub $field: $type,)*
            /// The texts that the fields were read from, by who set them.
            pub(super) values: Values,
            /// The numbers of groups that set nothing themselves, by the names of their settings.
            pub(super) group_numbers: BTreeMap<&'static str, i32>,
        }

        /// All settings of a broker.
        pub static SETTINGS: &[Setting] = &[$(Setting {
            name: $name,
            kind: <$type as Value>::KIND,
            default: default_text!($default),
            update_mode: UpdateMode::$mode,
            synonym: None,
            check: [$($check,)? Any][0],
            effect: [$($effect,)? Served][0],
            doc: &[$($doc),*],
        },)*];

        impl Config {
            /// Fills the fields with values that were validated.
            pub(super) fn read(values: Values) -> Config {
                Config {
                    $($field: Value::read(values.get($name)).expect("validated before"),)*
                    values,
                    group_numbers: BTreeMap::new(),
                }
            }
        }
    };
}

settings! {
    /// The roles of this process: `broker,controller` for a single node that is its own controller,
    /// `broker` for one of a cluster whose controllers are Apache Kafka's. klamm refuses
    /// `controller` alone.
    process_roles: Vec<String> =
        "broker,controller", "process.roles", ReadOnly, NonEmptyListOf(&["broker", "controller"]);
    /// The id of this broker and its controller. It is written into every log directory and must
    /// match what is found there, so choose one for each node before its first start and keep it.
    node_id: i32 = "1", "node.id", ReadOnly, AtLeast(0);
    /// Older name of `node.id`, for files that still use it. Setting either one sets both; two
    /// different values are refused.
    broker_id: i32 = "1", "broker.id", ReadOnly;
    /// Where klamm accepts connections: comma-separated `NAME://host:port` entries. No host means
    /// every interface, port 0 any free port. By default only this machine can connect; set it to
    /// `PLAINTEXT://:9092`, for example, to let others in.
    listeners: Vec<String> = "PLAINTEXT://127.0.0.1:9092", "listeners", PerBroker, NonEmptyList;
    /// The addresses that clients are told to connect to, written like `listeners`, which is used
    /// if this is empty. Set it when clients reach the broker under another name or port, as behind
    /// NAT, in containers or behind a load balancer; `0.0.0.0` is refused.
    advertised_listeners: Vec<String> = null, "advertised.listeners", ReadOnly, NonEmptyList;
    /// Which of the `listeners` belong to the controller, for tools such as `kafka-metadata-quorum
    /// --bootstrap-controller`. If set, each must appear in `listeners`; if unset, the controller
    /// is only reachable inside the process.
    controller_listener_names: Vec<String> =
        "CONTROLLER", "controller.listener.names", ReadOnly, NonEmptyList;
    /// How each listener is secured, as `NAME:PROTOCOL` pairs, so that several listeners can share
    /// a protocol. klamm only supports `PLAINTEXT` so far and does not start with a listener mapped
    /// to anything else.
    listener_security_protocol_map: String =
        "SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT",
        "listener.security.protocol.map", PerBroker;
    /// The listener that brokers use to talk to each other; it must be advertised. If unset,
    /// `security.inter.broker.protocol` names it. It matters once there is more than one broker.
    inter_broker_listener_name: Option<String> = null, "inter.broker.listener.name", ReadOnly;
    /// Directories for the partitions, separated by commas; list one per disk. A new partition goes
    /// to the directory with the fewest, and a directory that fails takes only its own partitions
    /// offline.
    log_dirs: Vec<String> = null, "log.dirs", ReadOnly, NonEmptyList;
    /// Used if `log.dirs` is not set; it may also list several directories. klamm's default is
    /// `klamm-data` in the current directory.
    log_dir: Vec<String> = "klamm-data", "log.dir", ReadOnly, NonEmptyList;
    /// Accepted but ignored: how many milliseconds a tiered topic's segments also stay on local
    /// disk. klamm has no tiered storage.
    log_local_retention_ms: i64 = "-2", "log.local.retention.ms", ClusterWide, AtLeast(-2)
        => NoEffect(REMOTE);
    /// Accepted but ignored: how many bytes of a tiered partition also stay on local disk. klamm
    /// has no tiered storage.
    log_local_retention_bytes: i64 = "-2", "log.local.retention.bytes", ClusterWide, AtLeast(-2)
        => NoEffect(REMOTE);
    /// Largest batch of records in bytes, as sent by the producer and after compression; a larger
    /// one is refused with `MESSAGE_TOO_LARGE`. It applies to topics without `max.message.bytes`;
    /// raise it together with `max.request.size` of the producers.
    message_max_bytes: i32 = "1048588", "message.max.bytes", ClusterWide, AtLeast(0);
    /// Accepted but ignored: klamm has no pool of request threads; its runtime spreads requests
    /// over all cores.
    num_io_threads: i32 = "8", "num.io.threads", ClusterWide, AtLeast(1) => NoEffect(THREADS);
    /// Accepted but ignored: klamm moves replicas between directories in a single background task.
    num_replica_alter_log_dirs_threads: Option<i32> =
        null, "num.replica.alter.log.dirs.threads", ReadOnly => NoEffect(THREADS);
    /// Accepted but ignored: klamm's background work runs as tasks of its runtime, not in a fixed
    /// pool.
    background_threads: i32 = "10", "background.threads", ClusterWide, AtLeast(1)
        => NoEffect(THREADS);
    /// How many milliseconds the transaction coordinator waits for a write to its log, or a
    /// transaction marker, to be replicated before it fails the request. Raise it only if
    /// transactions time out on slow disks.
    request_timeout_ms: i32 = "30000", "request.timeout.ms", ReadOnly;
    /// Accepted but ignored: how many milliseconds a first attempt to connect to another broker or a
    /// controller may take. In klamm it may take as long as the request that needs it.
    socket_connection_setup_timeout_ms: i64 =
        "10000", "socket.connection.setup.timeout.ms", ReadOnly => NoEffect(LINKS);
    /// Accepted but ignored: most milliseconds that a connection attempt may take; in Kafka the time
    /// grows while another node stays unreachable.
    socket_connection_setup_timeout_max_ms: i64 =
        "30000", "socket.connection.setup.timeout.max.ms", ReadOnly => NoEffect(LINKS);
    /// Where values written as `${name:path:key}` come from: comma-separated names, each with its
    /// class under `config.providers.<name>.class`. klamm has Kafka's three, for environment
    /// variables, files and directories of secrets; use one to keep passwords out of this file.
    config_providers: Vec<String> = "", "config.providers", ClusterWide, List;
    /// Accepted but ignored: which listeners open before the authorizer is ready. klamm has no
    /// authorizer to wait for.
    early_start_listeners: Vec<String> = null, "early.start.listeners", ReadOnly, List
        => NoEffect(OPENED);
    /// The rack or zone of this broker. Clients see it in metadata and can prefer a replica nearby,
    /// and in a cluster the controllers put the replicas of a partition in different racks.
    broker_rack: Option<String> = null, "broker.rack", ReadOnly;
    /// Accepted but ignored: klamm always shuts down cleanly on SIGTERM and SIGINT.
    controlled_shutdown_enable: bool = "true", "controlled.shutdown.enable", ReadOnly
        => NoEffect(CONTROLLED);
    /// Whether clients may delete topics. `false` refuses every such request, to prevent accidents.
    delete_topic_enable: bool = "true", "delete.topic.enable", ReadOnly;
    /// How batches are stored: `producer` keeps them as they arrive; with `uncompressed`, `gzip`,
    /// `snappy`, `lz4` or `zstd` the broker recompresses all others. That costs CPU on every
    /// append, so prefer compression in the producers. It applies to topics without their own.
    compression_type: String =
        "producer",
        "compression.type", ClusterWide,
        OneOf(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"]);
    /// Level at which the broker compresses with gzip, from 1 (fast) to 9 (small); -1 is the
    /// library's default. Only used with `compression.type=gzip`.
    compression_gzip_level: i32 = "-1", "compression.gzip.level", ClusterWide, GzipLevel;
    /// Level at which the broker compresses with lz4, from 1 (fast) to 17 (small). Only used with
    /// `compression.type=lz4`.
    compression_lz4_level: i32 = "9", "compression.lz4.level", ClusterWide, Between(1.0, 17.0);
    /// Level at which the broker compresses with zstd: 22 gives the smallest batches, negative
    /// levels are the fastest. Only used with `compression.type=zstd`.
    compression_zstd_level: i32 =
        "3", "compression.zstd.level", ClusterWide, Between(-131072.0, 22.0);
    /// How many fetch sessions the broker keeps. A session saves consumers from listing all their
    /// partitions in every request; 0 turns sessions off. When all are taken, stale and small ones
    /// make room, so raise it if there are more consumers.
    max_incremental_fetch_session_cache_slots: i32 =
        "1000", "max.incremental.fetch.session.cache.slots", ReadOnly, AtLeast(0);
    /// Most bytes of records in one fetch response, whatever the client asks for. A larger first
    /// batch is still returned whole. Lower it to save memory and network.
    fetch_max_bytes: i32 = "57671680", "fetch.max.bytes", ReadOnly, AtLeast(1024);
    /// How many partitions one `DescribeTopicPartitions` response lists before the client has to
    /// ask for the next page.
    max_request_partition_size_limit: i32 =
        "2000", "max.request.partition.size.limit", ReadOnly, AtLeast(1);
    /// Accepted but ignored: Kafka's own tests use it to try unreleased request versions. klamm has
    /// no such switch.
    unstable_api_versions_enable: bool = "false", "unstable.api.versions.enable", Internal
        => NoEffect(TESTS);
    /// Accepted but ignored: Kafka's own tests use it to try unreleased feature levels. klamm has
    /// no such switch.
    unstable_feature_versions_enable: bool = "false", "unstable.feature.versions.enable", Internal
        => NoEffect(TESTS);
    /// How many milliseconds a starting broker keeps trying to register with the controllers of its
    /// cluster. A single node registers with itself at once.
    initial_broker_registration_timeout_ms: i32 =
        "60000", "initial.broker.registration.timeout.ms", ReadOnly;
    /// How often, in milliseconds, this broker sends its controller a heartbeat. Rarely needs
    /// changing.
    broker_heartbeat_interval_ms: i32 = "2000", "broker.heartbeat.interval.ms", ReadOnly;
    /// How many milliseconds without a heartbeat before the controllers of a cluster consider a
    /// broker dead and elect other leaders; theirs counts. A broker that stops waits this long for a
    /// controller that does not answer.
    broker_session_timeout_ms: i32 = "9000", "broker.session.timeout.ms", ReadOnly;
    /// Accepted but ignored: how often, in milliseconds, Kafka's controller logs how long its
    /// events take. klamm's does not.
    controller_performance_sample_period_ms: i64 =
        "60000", "controller.performance.sample.period.ms", Internal, AtLeast(100)
        => NoEffect(METRICS);
    /// Accepted but ignored: Kafka's controller logs events that take more milliseconds than this.
    /// klamm's does not.
    controller_performance_always_log_threshold_ms: i64 =
        "2000", "controller.performance.always.log.threshold.ms", Internal, AtLeast(0)
        => NoEffect(METRICS);
    /// Accepted but ignored: Kafka's tests use it to limit how long a start may take. klamm has no
    /// limit.
    server_max_startup_time_ms: i64 =
        "9223372036854775807", "server.max.startup.time.ms", Internal, AtLeast(0)
        => NoEffect(TESTS);
    /// Bytes of new metadata records after which a snapshot is written, unless
    /// `metadata.log.max.snapshot.interval.ms` passes first. Smaller values make starts faster
    /// where topics come and go often, but write more snapshots.
    metadata_log_max_record_bytes_between_snapshots: i64 =
        "20971520", "metadata.log.max.record.bytes.between.snapshots", ReadOnly, AtLeast(1);
    /// Milliseconds after which a metadata snapshot is written even if
    /// `metadata.log.max.record.bytes.between.snapshots` was not reached; 0 means no time limit.
    metadata_log_max_snapshot_interval_ms: i64 =
        "3600000", "metadata.log.max.snapshot.interval.ms", ReadOnly, AtLeast(0);
    /// Directory of the metadata log; by default the first of `log.dirs`, but it may be outside of
    /// them. klamm stops if it fails, so choose the most reliable disk.
    metadata_log_dir: Option<String> = null, "metadata.log.dir", ReadOnly;
    /// Size in bytes at which the metadata log starts a new file. Only whole files are deleted, so
    /// smaller ones free space sooner.
    metadata_log_segment_bytes: i32 =
        "1073741824", "metadata.log.segment.bytes", ReadOnly, AtLeast(8388608);
    /// Age in milliseconds at which the metadata log starts a new file even if the last one is not
    /// full.
    metadata_log_segment_ms: i64 = "604800000", "metadata.log.segment.ms", ReadOnly;
    /// Bytes that the metadata log and its snapshots may take before the oldest are deleted. The
    /// latest snapshot and everything after it always stay. A negative number means no limit.
    metadata_max_retention_bytes: i64 = "104857600", "metadata.max.retention.bytes", ReadOnly;
    /// Milliseconds after which old snapshots, and the log records they cover, are deleted; the
    /// latest snapshot always stays. A negative number means no limit.
    metadata_max_retention_ms: i64 = "604800000", "metadata.max.retention.ms", ReadOnly;
    /// After this many milliseconds without a write to the metadata log, the controller appends an
    /// empty record, as Kafka does; 0 turns that off. Raise it to let the disk of an idle broker
    /// rest.
    metadata_max_idle_interval_ms: i32 =
        "500", "metadata.max.idle.interval.ms", ReadOnly, AtLeast(0);
    /// Accepted but ignored: Kafka's tests use it for small metadata files, in bytes. klamm's tests
    /// do without.
    internal_metadata_log_segment_bytes: Option<i32> =
        null, "internal.metadata.log.segment.bytes", Internal => NoEffect(TESTS);
    /// Accepted but ignored: Kafka's tests use it for small batches in the metadata log, in bytes.
    /// klamm's tests do without.
    internal_metadata_max_batch_size_in_bytes: i32 =
        "8388608", "internal.metadata.max.batch.size.in.bytes", Internal => NoEffect(TESTS);
    /// Accepted but ignored: Kafka's tests use it to delete metadata files sooner, in milliseconds.
    /// klamm's tests do without.
    internal_metadata_delete_delay_millis: i64 =
        "60000", "internal.metadata.delete.delay.millis", Internal => NoEffect(TESTS);
    /// Size in bytes of each connection's send buffer (`SO_SNDBUF`); -1 leaves it to the system.
    /// Raise it for consumers that are far away.
    socket_send_buffer_bytes: i32 = "102400", "socket.send.buffer.bytes", ReadOnly;
    /// Size in bytes of each connection's receive buffer (`SO_RCVBUF`). With -1, and also with the
    /// default, klamm leaves it to the system, which is better for large batches. Set another
    /// number to limit the memory of many connections.
    socket_receive_buffer_bytes: i32 = "102400", "socket.receive.buffer.bytes", ReadOnly;
    /// Largest request in bytes; a connection that announces a larger one is closed. It also limits
    /// the total size of one connection's pending requests. Keep it well above `message.max.bytes`.
    socket_request_max_bytes: i32 = "104857600", "socket.request.max.bytes", ReadOnly, AtLeast(1);
    /// Accepted but ignored: klamm always lets 4096 connections queue to be accepted, if the
    /// system's `somaxconn` allows it.
    socket_listen_backlog_size: i32 = "50", "socket.listen.backlog.size", ReadOnly, AtLeast(1)
        => NoEffect(BACKLOG);
    /// How many connections one IP address may have open; further ones are closed at once. Lower it
    /// to contain clients that open too many.
    max_connections_per_ip: i32 = "2147483647", "max.connections.per.ip", ClusterWide, AtLeast(0);
    /// Limits for single addresses or host names instead of `max.connections.per.ip`, as
    /// comma-separated `host:count` pairs. Use it to allow a trusted gateway more connections, or 0
    /// to lock a client out.
    max_connections_per_ip_overrides: String = "", "max.connections.per.ip.overrides", ClusterWide;
    /// Most connections that the broker keeps open, over all listeners; at the limit the one idle
    /// longest is closed, or the new one waits. Lower it where file descriptors are scarce.
    max_connections: i32 = "2147483647", "max.connections", ClusterWide, AtLeast(0);
    /// Most new connections accepted per second; the others wait in the system's queue. Lower it to
    /// smooth out a rush of clients; `listener.name.<name>.` before it sets the rate of one
    /// listener.
    max_connection_creation_rate: i32 =
        "2147483647", "max.connection.creation.rate", ClusterWide, AtLeast(0)
       ;
    /// Milliseconds after which a connection is closed that sends nothing and waits for nothing, or
    /// stops reading its response. Lower it to drop forgotten clients sooner, but not below the
    /// clients' own limit if they should close first; a negative value keeps all.
    connections_max_idle_ms: i64 = "600000", "connections.max.idle.ms", ReadOnly;
    /// Milliseconds before the connection of a client that failed to authenticate is closed, which
    /// slows down guessing; must be less than `connections.max.idle.ms`. Not supported yet.
    connection_failed_authentication_delay_ms: i32 =
        "100", "connection.failed.authentication.delay.ms", ReadOnly, AtLeast(0)
        => NoEffect(SECURITY);
    /// How many requests of one connection may be in progress; more are read once a response was
    /// sent. klamm counts them per connection, not over all connections.
    queued_max_requests: i32 = "500", "queued.max.requests", ReadOnly, AtLeast(1);
    /// Bytes of memory for the unanswered and incomplete requests of all connections. -1 means
    /// twice `socket.request.max.bytes`, but at least 128 MiB. Half of it is for requests above 2
    /// MiB. A connection that needs more than is free waits up to 30 seconds for its turn. While
    /// others need the memory, it is closed if the rest of a request takes longer than 10 seconds.
    queued_max_request_bytes: i64 = "-1", "queued.max.request.bytes", ReadOnly;
    /// Accepted but ignored: klamm runs each connection as a task of its runtime, on whichever core
    /// is free.
    num_network_threads: i32 = "3", "num.network.threads", ClusterWide, AtLeast(1)
        => NoEffect(THREADS);
    /// How many milliseconds a broker waits for an answer of its cluster's active controller before
    /// it connects again. A single node has its controller in itself.
    controller_socket_timeout_ms: i32 = "30000", "controller.socket.timeout.ms", ReadOnly;
    /// Replicas of a new topic whose creator does not give a number; also of topics created on
    /// first use. Set it to 3 in a cluster; a single broker can only have 1.
    default_replication_factor: i32 = "1", "default.replication.factor", ReadOnly;
    /// How many milliseconds a follower may lag before its leader asks the controller to remove it
    /// from the in-sync replicas. A higher value tolerates longer pauses, but produces with
    /// `acks=all` wait that long for a follower that is gone.
    replica_lag_time_max_ms: i64 = "30000", "replica.lag.time.max.ms", ReadOnly;
    /// How many milliseconds a follower waits for the leader's response; must not be below
    /// `replica.fetch.wait.max.ms`.
    replica_socket_timeout_ms: i32 = "30000", "replica.socket.timeout.ms", ReadOnly;
    /// Size in bytes of a follower's receive buffer for data from its leader (`SO_RCVBUF`). Not
    /// supported yet.
    replica_socket_receive_buffer_bytes: i32 =
        "65536", "replica.socket.receive.buffer.bytes", ReadOnly => NoEffect(LINKS);
    /// Bytes that a follower fetches from one partition at a time; a larger first batch is still
    /// returned.
    replica_fetch_max_bytes: i32 = "1048576", "replica.fetch.max.bytes", ReadOnly, AtLeast(0);
    /// How many milliseconds a leader may wait for new data before it answers a follower; must not
    /// exceed `replica.lag.time.max.ms`.
    replica_fetch_wait_max_ms: i32 = "500", "replica.fetch.wait.max.ms", ReadOnly;
    /// How many milliseconds a follower leaves a partition alone after its fetch failed.
    replica_fetch_backoff_ms: i32 = "1000", "replica.fetch.backoff.ms", ReadOnly, AtLeast(0);
    /// Bytes a leader collects before it answers a follower, waiting up to
    /// `replica.fetch.wait.max.ms`.
    replica_fetch_min_bytes: i32 = "1", "replica.fetch.min.bytes", ReadOnly;
    /// Bytes in one response to a follower, over all its partitions; a larger first batch is still
    /// returned.
    replica_fetch_response_max_bytes: i32 =
        "10485760", "replica.fetch.response.max.bytes", ReadOnly, AtLeast(0);
    /// How many connections a follower opens to each broker it copies from; more help if one cannot
    /// keep up.
    num_replica_fetchers: i32 = "1", "num.replica.fetchers", ClusterWide, AtLeast(1);
    /// How often, in milliseconds, klamm writes the high watermarks of partitions with new records,
    /// and what a start after a crash needs. A shorter interval leaves less to check after a crash,
    /// but costs more small writes.
    replica_high_watermark_checkpoint_interval_ms: i64 =
        "5000", "replica.high.watermark.checkpoint.interval.ms", ReadOnly;
    /// Accepted but ignored: Kafka sweeps its list of waiting fetches after this many of them.
    /// klamm forgets each as soon as it is answered.
    fetch_purgatory_purge_interval_requests: i32 =
        "1000", "fetch.purgatory.purge.interval.requests", ReadOnly => NoEffect(PURGATORY);
    /// Accepted but ignored: Kafka sweeps its list of waiting produce requests after this many of
    /// them. klamm forgets each as soon as it is answered.
    producer_purgatory_purge_interval_requests: i32 =
        "1000", "producer.purgatory.purge.interval.requests", ReadOnly => NoEffect(PURGATORY);
    /// Accepted but ignored: Kafka sweeps its list of waiting DeleteRecords requests after this
    /// many of them. klamm forgets each as soon as it is answered.
    delete_records_purgatory_purge_interval_requests: i32 =
        "1", "delete.records.purgatory.purge.interval.requests", ReadOnly => NoEffect(PURGATORY);
    /// Whether the controller returns partitions to their preferred leaders by itself, for example
    /// after a broker restart. Not supported yet.
    auto_leader_rebalance_enable: bool = "true", "auto.leader.rebalance.enable", ReadOnly
        => NoEffect(ALONE);
    /// How often, in seconds, the controller looks for partitions not led by their preferred
    /// replica. Not supported yet.
    leader_imbalance_check_interval_seconds: i64 =
        "300", "leader.imbalance.check.interval.seconds", ReadOnly, AtLeast(1) => NoEffect(ALONE);
    /// How often, in milliseconds, the controller looks for leaderless partitions that an unclean
    /// election could revive. Not supported yet.
    unclean_leader_election_interval_ms: i64 =
        "300000", "unclean.leader.election.interval.ms", Internal, AtLeast(1) => NoEffect(ALONE);
    /// Whether an out-of-sync replica may become leader if no other is left: the partition is
    /// available again but may have lost records. It applies to topics without their own; use
    /// `true` only where availability matters more than keeping every record.
    unclean_leader_election_enable: bool = "false", "unclean.leader.election.enable", ClusterWide;
    /// Chooses the replica that a consumer reads from, so that one in its own rack can replace the
    /// leader. The only value is `org.apache.kafka.common.replica.RackAwareReplicaSelector`; without
    /// it, all consumers read from leaders.
    replica_selector_class: Option<String> = null, "replica.selector.class", ReadOnly
        => OnlyThese(&[RACK_AWARE], CLASS);
    /// The kinds of groups this broker supports: `classic`, which cannot be left out, `consumer`
    /// and `streams`. Leave one out to stop clients from using it. `share` changes nothing: only the
    /// feature `share.version` enables share groups.
    group_coordinator_rebalance_protocols: Vec<String> =
        "classic,consumer,streams",
        "group.coordinator.rebalance.protocols", ReadOnly,
        NonEmptyListOf(&["consumer", "classic", "share", "streams"]);
    /// Accepted but ignored: in klamm each partition of the offsets topic has its own coordinator,
    /// and the runtime spreads them over the cores.
    group_coordinator_threads: i32 = "4", "group.coordinator.threads", ReadOnly, AtLeast(1)
        => NoEffect(THREADS);
    /// Accepted but ignored: klamm's coordinator computes assignments and resolves regular
    /// expressions itself, without a thread pool.
    group_coordinator_background_threads: i32 =
        "2", "group.coordinator.background.threads", ReadOnly, AtLeast(1) => NoEffect(THREADS);
    /// Accepted but ignored: how many milliseconds writes are held back to be sent together.
    /// klamm's coordinator appends each at once.
    group_coordinator_append_linger_ms: i32 =
        "-1", "group.coordinator.append.linger.ms", ReadOnly, AtLeast(-1) => NoEffect(AT_ONCE);
    /// How many milliseconds the group coordinator waits for its writes, such as committed offsets,
    /// to be replicated before the client gets an error. Raise it if commits time out on a slow
    /// disk.
    offsets_commit_timeout_ms: i32 = "5000", "offsets.commit.timeout.ms", ReadOnly, AtLeast(1);
    /// Bytes to read at a time when loading the groups of an offsets partition; a larger batch is
    /// still read whole. Rarely needs changing.
    offsets_load_buffer_size: i32 = "5242880", "offsets.load.buffer.size", ReadOnly, AtLeast(1);
    /// Replicas that `__consumer_offsets` is created with. By default 3, or as many as there are
    /// brokers; a number that you set is taken literally, and a cluster with fewer brokers cannot
    /// create the topic.
    offsets_topic_replication_factor: i16 =
        "3", "offsets.topic.replication.factor", ReadOnly, AtLeast(1);
    /// Partitions that `__consumer_offsets` is created with. They decide which coordinator a group
    /// belongs to, so do not change the number later.
    offsets_topic_num_partitions: i32 = "50", "offsets.topic.num.partitions", ReadOnly, AtLeast(1);
    /// Segment size in bytes that `__consumer_offsets` is created with. Small segments are
    /// compacted early, which makes loading groups fast.
    offsets_topic_segment_bytes: i32 =
        "104857600", "offsets.topic.segment.bytes", ReadOnly, AtLeast(1);
    /// How the group coordinator compresses its records: 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd.
    /// Change it only if committed offsets take too much space.
    offsets_topic_compression_codec: i32 =
        "0", "offsets.topic.compression.codec", ReadOnly, Between(0.0, 4.0);
    /// Accepted but ignored: up to how many bytes of write buffers Kafka's coordinator keeps.
    /// klamm's keeps none.
    group_coordinator_cached_buffer_max_bytes: i32 =
        "1048588", "group.coordinator.cached.buffer.max.bytes", ClusterWide, AtLeast(524288)
        => NoEffect(AT_ONCE);
    /// Longest text in bytes that a client may store with a committed offset; a longer one fails
    /// with `OFFSET_METADATA_TOO_LARGE`. Raise it for clients that keep state there.
    offset_metadata_max_bytes: i32 = "4096", "offset.metadata.max.bytes", ReadOnly;
    /// How many minutes unused offsets are kept: after the group became empty, or after the commit
    /// if no member reads the topic. Raise it for groups that pause longer than a week.
    offsets_retention_minutes: i32 = "10080", "offsets.retention.minutes", ReadOnly, AtLeast(1);
    /// How often, in milliseconds, the broker looks for offsets older than
    /// `offsets.retention.minutes`. Rarely needs changing.
    offsets_retention_check_interval_ms: i64 =
        "600000", "offsets.retention.check.interval.ms", ReadOnly, AtLeast(1);
    /// Shortest `session.timeout.ms` that a member of a classic group may ask for, in milliseconds.
    /// Lower it to let clients detect failures faster.
    group_min_session_timeout_ms: i32 = "6000", "group.min.session.timeout.ms", ReadOnly;
    /// Longest `session.timeout.ms` that a member of a classic group may ask for, in milliseconds.
    /// Raise it for clients that go quiet on purpose.
    group_max_session_timeout_ms: i32 = "1800000", "group.max.session.timeout.ms", ReadOnly;
    /// How many milliseconds an empty classic group waits for more members before its first
    /// rebalance, so that starting many clients does not cause many rebalances. Use 0 in tests.
    group_initial_rebalance_delay_ms: i32 = "3000", "group.initial.rebalance.delay.ms", ReadOnly;
    /// Most members that a classic group may have; more are refused. Lower it to contain clients
    /// that start too many.
    group_max_size: i32 = "2147483647", "group.max.size", ReadOnly, AtLeast(1);
    /// How many milliseconds without a heartbeat before a member is removed from its consumer group
    /// (`group.protocol=consumer`). Lower it to replace dead members sooner, raise it for poor
    /// networks.
    group_consumer_session_timeout_ms: i32 =
        "45000", "group.consumer.session.timeout.ms", ReadOnly, AtLeast(1);
    /// Shortest `consumer.session.timeout.ms` that a group may set, in milliseconds. Lower it
    /// before giving a group a shorter one.
    group_consumer_min_session_timeout_ms: i32 =
        "45000", "group.consumer.min.session.timeout.ms", ReadOnly, AtLeast(1);
    /// Longest `consumer.session.timeout.ms` that a group may set, in milliseconds. Raise it before
    /// giving a group a longer one.
    group_consumer_max_session_timeout_ms: i32 =
        "60000", "group.consumer.max.session.timeout.ms", ReadOnly, AtLeast(1);
    /// How often, in milliseconds, members of consumer groups send heartbeats, which also tell them
    /// of changes. Lower it for faster rebalances, raise it to save requests.
    group_consumer_heartbeat_interval_ms: i32 =
        "5000", "group.consumer.heartbeat.interval.ms", ReadOnly, AtLeast(1);
    /// Shortest `consumer.heartbeat.interval.ms` that a group may set, in milliseconds. It keeps
    /// groups from flooding the broker with heartbeats.
    group_consumer_min_heartbeat_interval_ms: i32 =
        "5000", "group.consumer.min.heartbeat.interval.ms", ReadOnly, AtLeast(1);
    /// Longest `consumer.heartbeat.interval.ms` that a group may set, in milliseconds. It keeps
    /// groups from reacting too slowly.
    group_consumer_max_heartbeat_interval_ms: i32 =
        "15000", "group.consumer.max.heartbeat.interval.ms", ReadOnly, AtLeast(1);
    /// Most members that a consumer group may have; more are refused with `GROUP_MAX_SIZE_REACHED`.
    /// For classic groups see `group.max.size`.
    group_consumer_max_size: i32 = "2147483647", "group.consumer.max.size", ReadOnly, AtLeast(1);
    /// The assignors that members of consumer groups may choose from, `uniform` and `range`; others
    /// are refused. Members that choose none get the first.
    group_consumer_assignors: Vec<String> =
        "uniform,range", "group.consumer.assignors", ReadOnly, NonEmptyList;
    /// Whether a classic group with members may become a consumer group (`upgrade`), change back
    /// (`downgrade`), both (`bidirectional`) or neither (`disabled`) when its clients restart with
    /// the other protocol. Restrict it to prevent accidental changes; empty groups can always
    /// change.
    group_consumer_migration_policy: String =
        "bidirectional",
        "group.consumer.migration.policy", ReadOnly,
        OneOfIgnoringCase(&["DISABLED", "DOWNGRADE", "UPGRADE", "BIDIRECTIONAL"]);
    /// Least time in milliseconds between two assignments of a consumer group; 0 reassigns at every
    /// change. Raise it for large groups whose members come and go often.
    group_consumer_assignment_interval_ms: i32 =
        "1000", "group.consumer.assignment.interval.ms", ClusterWide, AtLeast(0);
    /// Shortest `consumer.assignment.interval.ms` that a group may set, in milliseconds.
    group_consumer_min_assignment_interval_ms: i32 =
        "0", "group.consumer.min.assignment.interval.ms", ReadOnly, AtLeast(0);
    /// Longest `consumer.assignment.interval.ms` that a group may set, in milliseconds.
    group_consumer_max_assignment_interval_ms: i32 =
        "15000", "group.consumer.max.assignment.interval.ms", ReadOnly, AtLeast(0);
    /// How often, in milliseconds, a consumer group's regular expressions are resolved again even
    /// if no topic was created. Rarely needs changing.
    group_consumer_regex_refresh_interval_ms: i32 =
        "600000", "group.consumer.regex.refresh.interval.ms", Internal, AtLeast(10000);
    /// How many partitions are compacted at the same time. Raise it if compaction falls behind and
    /// there are cores and disks to spare; the threads share its memory.
    log_cleaner_threads: i32 = "1", "log.cleaner.threads", ClusterWide, AtLeast(1);
    /// Most bytes per second that compaction reads and writes in total. Set it if compaction slows
    /// down producers and consumers on the same disks.
    log_cleaner_io_max_bytes_per_second: f64 =
        "1.7976931348623157E308", "log.cleaner.io.max.bytes.per.second", ClusterWide;
    /// Bytes of memory for compaction's tables of keys, divided among `log.cleaner.threads`; each
    /// must get more than 1 MiB. Raise it if partitions have so many keys that one pass covers only
    /// part of them.
    log_cleaner_dedupe_buffer_size: i64 =
        "134217728", "log.cleaner.dedupe.buffer.size", ClusterWide;
    /// Bytes that compaction reads and writes at a time, half for each, divided among
    /// `log.cleaner.threads`. Rarely needs changing.
    log_cleaner_io_buffer_size: i32 =
        "524288", "log.cleaner.io.buffer.size", ClusterWide, AtLeast(0);
    /// How full compaction's table of keys may get, from 0 to 1. A higher value fits more keys but
    /// makes each lookup slower.
    log_cleaner_io_buffer_load_factor: f64 =
        "0.9", "log.cleaner.io.buffer.load.factor", ClusterWide;
    /// Milliseconds between rounds of compaction. Raise it to look for work less often.
    log_cleaner_backoff_ms: i64 = "15000", "log.cleaner.backoff.ms", ClusterWide, AtLeast(0);
    /// Share of a partition's bytes, from 0 to 1, that must be new before it is compacted. Lower
    /// values save space but cost more I/O; a topic's `min.cleanable.dirty.ratio` takes precedence.
    log_cleaner_min_cleanable_ratio: f64 =
        "0.5", "log.cleaner.min.cleanable.ratio", ClusterWide, Between(0.0, 1.0);
    /// Whether topics with `cleanup.policy=compact` are compacted. With `false` they only grow,
    /// including `__consumer_offsets` and `__transaction_state`, so leave it on.
    log_cleaner_enable: bool = "true", "log.cleaner.enable", ReadOnly;
    /// How many milliseconds compaction keeps tombstones (records without a value, which delete
    /// their key), so that readers still see them. A topic's `delete.retention.ms` takes
    /// precedence; raise it if a full read takes longer than a day.
    log_cleaner_delete_retention_ms: i64 =
        "86400000", "log.cleaner.delete.retention.ms", ClusterWide, AtLeast(0);
    /// How many milliseconds a record is safe from compaction, so that readers close behind see
    /// every value. A topic's `min.compaction.lag.ms` takes precedence.
    log_cleaner_min_compaction_lag_ms: i64 =
        "0", "log.cleaner.min.compaction.lag.ms", ClusterWide, AtLeast(0);
    /// Milliseconds after which a record is compacted even if little of its partition is new, for
    /// example because data must be gone by a deadline. A topic's `max.compaction.lag.ms` takes
    /// precedence; it must not be below the minimum.
    log_cleaner_max_compaction_lag_ms: i64 =
        "9223372036854775807", "log.cleaner.max.compaction.lag.ms", ClusterWide, AtLeast(1);
    /// Partitions of a new topic whose creator does not give a number; also of topics created on
    /// first use. Raise it so that several consumers of a group can share such topics.
    num_partitions: i32 = "1", "num.partitions", ReadOnly, AtLeast(1);
    /// Directories of `log.dirs` that get no new partitions, or `*` for all; use it before removing
    /// a disk. Partitions already there stay available.
    cordoned_log_dirs: Vec<String> = "", "cordoned.log.dirs", PerBroker, List;
    /// Size in bytes at which a partition starts a new segment, for topics without `segment.bytes`.
    /// Deletion and compaction work on whole segments, so smaller ones free space sooner but make
    /// more files.
    log_segment_bytes: i32 = "1073741824", "log.segment.bytes", ClusterWide, AtLeast(1048576);
    /// Age in milliseconds at which a partition starts a new segment even if the last one is not
    /// full, for topics without `segment.ms`. If unset, `log.roll.hours` applies.
    log_roll_ms: Option<i64> = null, "log.roll.ms", ClusterWide;
    /// Age in hours at which a partition starts a new segment even if the last one is not full,
    /// unless `log.roll.ms` is set. Lower it if quiet topics keep records too long.
    log_roll_hours: i32 = "168", "log.roll.hours", ReadOnly, AtLeast(1);
    /// Random reduction of a segment's maximum age, up to this many milliseconds, so that not all
    /// roll at once; for topics without `segment.jitter.ms`. If unset, `log.roll.jitter.hours`
    /// applies.
    log_roll_jitter_ms: Option<i64> = null, "log.roll.jitter.ms", ClusterWide;
    /// Random reduction of a segment's maximum age, up to this many hours, unless
    /// `log.roll.jitter.ms` is set.
    log_roll_jitter_hours: i32 = "0", "log.roll.jitter.hours", ReadOnly, AtLeast(0);
    /// How many milliseconds records are kept, for topics without `retention.ms`; -1 means forever.
    /// Overrides `log.retention.minutes` and `log.retention.hours`.
    log_retention_ms: Option<i64> = null, "log.retention.ms", ClusterWide;
    /// How many minutes records are kept, unless `log.retention.ms` is set; a negative number means
    /// forever. Overrides `log.retention.hours`.
    log_retention_minutes: Option<i32> = null, "log.retention.minutes", ReadOnly;
    /// How many hours records are kept, unless set in minutes or milliseconds; a negative number
    /// means forever. The default is a week; change it to what consumers need and disks can hold.
    log_retention_hours: i32 = "168", "log.retention.hours", ReadOnly;
    /// Bytes of recent records that each partition may keep, for topics without `retention.bytes`;
    /// older segments are deleted early. -1 means only time counts; choose it so that all
    /// partitions fit on the disk.
    log_retention_bytes: i64 = "-1", "log.retention.bytes", ClusterWide;
    /// How often, in milliseconds, the broker looks for segments to delete by age or size. Lower it
    /// if disks fill up faster than that.
    log_retention_check_interval_ms: i64 =
        "300000", "log.retention.check.interval.ms", ReadOnly, AtLeast(1);
    /// What happens to old records, for topics without `cleanup.policy`: `delete` drops segments by
    /// age and size, `compact` keeps the last record of each key, and the two can be combined. If
    /// empty, everything is kept.
    log_cleanup_policy: Vec<String> =
        "delete", "log.cleanup.policy", ClusterWide, ListOf(&["compact", "delete"]);
    /// Size in bytes that a segment's index may reach before the segment counts as full, for topics
    /// without `segment.index.bytes`. Rarely needs changing.
    log_index_size_max_bytes: i32 = "10485760", "log.index.size.max.bytes", ClusterWide, AtLeast(4);
    /// Bytes of records between two entries of a segment's index, for topics without
    /// `index.interval.bytes`. A smaller number makes finding offsets cheaper and indexes larger.
    log_index_interval_bytes: i32 = "4096", "log.index.interval.bytes", ClusterWide, AtLeast(0);
    /// Number of records in a partition after which producers wait for an fsync, for topics without
    /// `flush.messages`. With 1, no acknowledged record is lost if the machine fails, but writes
    /// are only as fast as the disk.
    log_flush_interval_messages: i64 =
        "9223372036854775807", "log.flush.interval.messages", ClusterWide, AtLeast(1);
    /// How many milliseconds the files of deleted segments and partitions are kept, under another
    /// name, for topics without `file.delete.delay.ms`. Lower it to free space sooner.
    log_segment_delete_delay_ms: i64 =
        "60000", "log.segment.delete.delay.ms", ClusterWide, AtLeast(0);
    /// How often, in milliseconds, klamm checks which partitions are due for an fsync by
    /// `log.flush.interval.ms`; it is also the default of that setting. By default klamm never
    /// checks, and the system decides when to write.
    log_flush_scheduler_interval_ms: i64 =
        "9223372036854775807", "log.flush.scheduler.interval.ms", ReadOnly;
    /// How many milliseconds a record may wait for an fsync, for topics without `flush.ms`; checked
    /// every `log.flush.scheduler.interval.ms`. Set both to limit what a failing machine can lose.
    log_flush_interval_ms: Option<i64> = null, "log.flush.interval.ms", ClusterWide;
    /// How often, in milliseconds, klamm records how far each partition is on the disk, to limit
    /// what a start after a crash checks. It does so together with
    /// `log.flush.start.offset.checkpoint.interval.ms`: the shorter interval applies.
    log_flush_offset_checkpoint_interval_ms: i32 =
        "60000", "log.flush.offset.checkpoint.interval.ms", ReadOnly, AtLeast(0);
    /// How often, in milliseconds, klamm records where each partition begins, together with
    /// `log.flush.offset.checkpoint.interval.ms`: the shorter interval applies.
    log_flush_start_offset_checkpoint_interval_ms: i32 =
        "60000", "log.flush.start.offset.checkpoint.interval.ms", ReadOnly, AtLeast(0);
    /// Whether disk space for a new segment is reserved when it is created, for topics without
    /// `preallocate`; the file does not appear larger. It avoids fragmentation and reveals a full
    /// disk early.
    log_preallocate: bool = "false", "log.preallocate", ClusterWide;
    /// How many threads per directory of `log.dirs` open and check partitions at start. klamm never
    /// uses fewer threads in total than there are cores; raise it for disk arrays that can do more.
    num_recovery_threads_per_data_dir: i32 =
        "2", "num.recovery.threads.per.data.dir", ClusterWide, AtLeast(1);
    /// Whether a topic is created when a client first uses its name, with `num.partitions` and
    /// `default.replication.factor`. Turn it off so that a misspelt name is an error.
    auto_create_topics_enable: bool = "true", "auto.create.topics.enable", ReadOnly;
    /// Writes with `acks=all` are refused if fewer replicas are in sync, for topics without their
    /// own; a partition with fewer replicas needs them all. Use 2 with three replicas, so that
    /// acknowledged records survive the loss of one.
    min_insync_replicas: i32 = "1", "min.insync.replicas", ClusterWide, AtLeast(1);
    /// Which timestamp records get, for topics without `message.timestamp.type`: the producer's
    /// (`CreateTime`) or the broker's at the append (`LogAppendTime`). Use the latter if producers'
    /// clocks cannot be trusted, because retention depends on it.
    log_message_timestamp_type: String =
        "CreateTime",
        "log.message.timestamp.type", ClusterWide, OneOf(&["CreateTime", "LogAppendTime"]);
    /// How many milliseconds a record's timestamp may be behind the broker's clock; older ones are
    /// refused with `INVALID_TIMESTAMP`. Ignored with `LogAppendTime`. A topic's
    /// `message.timestamp.before.max.ms` takes precedence.
    log_message_timestamp_before_max_ms: i64 =
        "9223372036854775807", "log.message.timestamp.before.max.ms", ClusterWide, AtLeast(0);
    /// How many milliseconds a record's timestamp may be ahead of the broker's clock; later ones
    /// are refused with `INVALID_TIMESTAMP`, as retention would never delete them. Ignored with
    /// `LogAppendTime`. A topic's `message.timestamp.after.max.ms` takes precedence.
    log_message_timestamp_after_max_ms: i64 =
        "3600000", "log.message.timestamp.after.max.ms", ClusterWide, AtLeast(0);
    /// In Kafka, a Java class that can reject new topics. klamm runs no Java classes and refuses to
    /// start with one rather than skip its rules.
    create_topic_policy_class_name: Option<ClassName> =
        null, "create.topic.policy.class.name", ReadOnly => OnlyThese(&[], CLASS);
    /// In Kafka, a Java class that can reject changes of settings. klamm runs no Java classes and
    /// refuses to start with one rather than skip its rules.
    alter_config_policy_class_name: Option<ClassName> =
        null, "alter.config.policy.class.name", ReadOnly => OnlyThese(&[], CLASS);
    /// How many milliseconds a broker tries to report a failed log directory to the controllers of
    /// its cluster before it stops.
    log_dir_failure_timeout_ms: i64 = "30000", "log.dir.failure.timeout.ms", ReadOnly, AtLeast(1);
    /// Accepted but ignored: how many milliseconds Kafka waits after a start before background work
    /// on logs, for its tests; klamm's begins after one interval of each task.
    log_initial_task_delay_ms: i64 = "30000", "log.initial.task.delay.ms", Internal, AtLeast(0)
        => NoEffect(TESTS);
    /// The `min.insync.replicas` that `__transaction_state` is created with; if it has fewer
    /// replicas, all are needed. Keep it at 2 in a cluster.
    transaction_state_log_min_isr: i32 = "2", "transaction.state.log.min.isr", ReadOnly, AtLeast(1);
    /// Bytes to read at a time when loading transactions from `__transaction_state`; a larger batch
    /// is still read whole. Rarely needs changing.
    transaction_state_log_load_buffer_size: i32 =
        "5242880", "transaction.state.log.load.buffer.size", ReadOnly, AtLeast(1);
    /// Replicas that `__transaction_state` is created with. By default 3, or as many as there are
    /// brokers; a number that you set is taken literally, and a cluster with fewer brokers cannot
    /// create the topic.
    transaction_state_log_replication_factor: i16 =
        "3", "transaction.state.log.replication.factor", ReadOnly, AtLeast(1);
    /// Partitions that `__transaction_state` is created with. They decide which coordinator a
    /// `transactional.id` belongs to, so do not change the number later.
    transaction_state_log_num_partitions: i32 =
        "50", "transaction.state.log.num.partitions", ReadOnly, AtLeast(1);
    /// Segment size in bytes that `__transaction_state` is created with. Small segments are
    /// compacted early, which makes loading transactions fast.
    transaction_state_log_segment_bytes: i32 =
        "104857600", "transaction.state.log.segment.bytes", ReadOnly, AtLeast(1);
    /// Whether a transactional append is first checked with the coordinator, so that a late one
    /// cannot leave a transaction hanging on a partition. Turn it off only to save older clients
    /// the time; newer ones, which let the broker add partitions, are always checked.
    transaction_partition_verification_enable: bool =
        "true", "transaction.partition.verification.enable", ClusterWide;
    /// Milliseconds after which a partition forgets an idle producer without an open transaction;
    /// until then its retries are recognised as duplicates. Keep it above the producers'
    /// `delivery.timeout.ms`.
    producer_id_expiration_ms: i32 =
        "86400000", "producer.id.expiration.ms", ClusterWide, AtLeast(1);
    /// How often, in milliseconds, the broker looks for producers idle longer than
    /// `producer.id.expiration.ms`. Rarely needs changing.
    producer_id_expiration_check_interval_ms: i32 =
        "600000", "producer.id.expiration.check.interval.ms", Internal, AtLeast(1);
    /// Milliseconds after which the coordinator forgets an unused `transactional.id`, unless its
    /// transaction is still open. Lower it if clients keep using new ids.
    transactional_id_expiration_ms: i32 =
        "604800000", "transactional.id.expiration.ms", ReadOnly, AtLeast(1);
    /// Longest `transaction.timeout.ms` that a producer may ask for, in milliseconds; more is
    /// refused with `INVALID_TRANSACTION_TIMEOUT`. An open transaction holds up `read_committed`
    /// consumers, so raise it with care.
    transaction_max_timeout_ms: i32 = "900000", "transaction.max.timeout.ms", ReadOnly, AtLeast(1);
    /// How often, in milliseconds, the broker looks for transactions past their timeout and aborts
    /// them. Lower it so that abandoned transactions hold up readers less.
    transaction_abort_timed_out_transaction_cleanup_interval_ms: i32 =
        "10000",
        "transaction.abort.timed.out.transaction.cleanup.interval.ms", ReadOnly, AtLeast(1);
    /// How often, in milliseconds, the broker looks for ids unused longer than
    /// `transactional.id.expiration.ms`. Rarely needs changing.
    transaction_remove_expired_transaction_cleanup_interval_ms: i32 =
        "3600000",
        "transaction.remove.expired.transaction.cleanup.interval.ms", ReadOnly, AtLeast(1);
    /// Whether transactions may take part in two-phase commits run by another system (KIP-939). Not
    /// supported yet: klamm refuses `true`.
    transaction_two_phase_commit_enable: bool =
        "false", "transaction.two.phase.commit.enable", ReadOnly => OnlyThese(&[], TWO_PHASE);
    /// The controllers of the cluster as `id@host:port` entries, for directories formatted with a
    /// fixed set of voters. A node that is its own controller accepts a single entry with its own
    /// `node.id`; a broker must have an id that none of them has. Keep it as it was if the directory
    /// comes from a Kafka that had it.
    controller_quorum_voters: Vec<String> = "", "controller.quorum.voters", ReadOnly, QuorumVoters;
    /// Addresses, as `host:port` entries, where a starting broker finds its cluster's controllers;
    /// some of them are enough. Of no effect in a node that is its own controller.
    controller_quorum_bootstrap_servers: Vec<String> =
        "", "controller.quorum.bootstrap.servers", ReadOnly, BootstrapServers;
    /// Accepted but ignored: how many milliseconds a candidate for the controllers' leadership waits
    /// for votes before it tries again.
    controller_quorum_election_timeout_ms: i32 =
        "1000", "controller.quorum.election.timeout.ms", ReadOnly, AtLeast(0) => NoEffect(VOTERS);
    /// Accepted but ignored: milliseconds of silence from the leader after which a controller calls
    /// an election; a leader that most others stopped asking steps down.
    controller_quorum_fetch_timeout_ms: i32 =
        "2000", "controller.quorum.fetch.timeout.ms", ReadOnly, AtLeast(0) => NoEffect(VOTERS);
    /// Accepted but ignored: longest pause of a controller after an undecided election, in
    /// milliseconds, so that candidates do not collide again.
    controller_quorum_election_backoff_max_ms: i32 =
        "1000", "controller.quorum.election.backoff.max.ms", ReadOnly, AtLeast(0)
        => NoEffect(VOTERS);
    /// Accepted but ignored: how many milliseconds Kafka's controller holds records back to write
    /// them together. klamm's puts into one fsync whatever arrived during the last one.
    controller_quorum_append_linger_ms: i32 =
        "25", "controller.quorum.append.linger.ms", ReadOnly, AtLeast(0) => NoEffect(NO_WAIT);
    /// How many milliseconds a broker that follows the metadata log waits for a controller's answer
    /// before it asks another one.
    controller_quorum_request_timeout_ms: i32 =
        "2000", "controller.quorum.request.timeout.ms", ReadOnly, AtLeast(0);
    /// Pause in milliseconds after a controller did not give such an answer.
    controller_quorum_retry_backoff_ms: i32 =
        "20", "controller.quorum.retry.backoff.ms", ReadOnly, AtLeast(0);
    /// Whether a new controller adds itself to the voters instead of waiting for
    /// `kafka-metadata-quorum` to do it. A broker only must not have it, and a node that is its own
    /// only controller has nobody to join.
    controller_quorum_auto_join_enable: bool =
        "false", "controller.quorum.auto.join.enable", ReadOnly;
    /// Bytes of a metadata snapshot that a broker fetches from a controller at a time.
    controller_quorum_fetch_snapshot_max_bytes: i32 =
        "1048576", "controller.quorum.fetch.snapshot.max.bytes", ReadOnly, AtLeast(1);
    /// Bytes of the metadata log that a broker fetches from a controller at a time; a larger single
    /// batch is still returned.
    controller_quorum_fetch_max_bytes: i32 =
        "1048576", "controller.quorum.fetch.max.bytes", ReadOnly, AtLeast(1);
    /// How many samples a rate or an average metric is computed from. Not supported yet.
    metrics_num_samples: i32 = "2", "metrics.num.samples", ReadOnly, AtLeast(1)
        => NoEffect(METRICS);
    /// How many milliseconds one sample of a metric covers. Not supported yet.
    metrics_sample_window_ms: i64 = "30000", "metrics.sample.window.ms", ReadOnly, AtLeast(1)
        => NoEffect(METRICS);
    /// In Kafka, Java classes that export metrics. klamm has none and refuses anything but Kafka's
    /// default.
    metric_reporters: Vec<String> =
        "org.apache.kafka.common.metrics.JmxReporter", "metric.reporters", ClusterWide, List
        => OnlyThese(&[], REPORTER);
    /// Which metrics are recorded: `INFO` those for operation, `DEBUG` and `TRACE` more and more
    /// for debugging. Not supported yet.
    metrics_recording_level: String = "INFO", "metrics.recording.level", ReadOnly
        => NoEffect(METRICS);
    /// In Kafka, Java classes that export its older metrics. klamm has none and refuses any.
    kafka_metrics_reporters: Vec<String> = "", "kafka.metrics.reporters", ReadOnly, List
        => OnlyThese(&[], REPORTER);
    /// Accepted but ignored: how many seconds the classes of `kafka.metrics.reporters` wait between
    /// reports. klamm loads none.
    kafka_metrics_polling_interval_secs: i32 =
        "10", "kafka.metrics.polling.interval.secs", ReadOnly, AtLeast(1) => NoEffect(METRICS);
    /// Largest report, in bytes, of its own metrics that a client may send (KIP-714). Not supported
    /// yet.
    telemetry_max_bytes: i32 = "1048576", "telemetry.max.bytes", ReadOnly, AtLeast(1)
        => NoEffect(METRICS);
    /// How many samples a client's rate is computed from to check its quota. Not supported yet.
    quota_window_num: i32 = "11", "quota.window.num", ReadOnly, AtLeast(1) => NoEffect(QUOTAS);
    /// How many samples the rate of replication is computed from to check its limit.
    replication_quota_window_num: i32 = "11", "replication.quota.window.num", ReadOnly, AtLeast(1);
    /// Accepted but ignored: klamm keeps moves between log directories within
    /// `replica.alter.log.dirs.io.max.bytes.per.second` without taking samples.
    alter_log_dirs_replication_quota_window_num: i32 =
        "11", "alter.log.dirs.replication.quota.window.num", ReadOnly, AtLeast(1)
        => NoEffect(MOVES);
    /// How many samples a client's rate of creating and deleting partitions is computed from. Not
    /// supported yet.
    controller_quota_window_num: i32 = "11", "controller.quota.window.num", ReadOnly, AtLeast(1)
        => NoEffect(QUOTAS);
    /// Seconds per sample of a client's rate; see `quota.window.num`. Not supported yet.
    quota_window_size_seconds: i32 = "1", "quota.window.size.seconds", ReadOnly, AtLeast(1)
        => NoEffect(QUOTAS);
    /// How many seconds one sample of the replication rate covers; see
    /// `replication.quota.window.num`.
    replication_quota_window_size_seconds: i32 =
        "1", "replication.quota.window.size.seconds", ReadOnly, AtLeast(1);
    /// Accepted but ignored: how many seconds one sample covers. klamm keeps moves between log
    /// directories within their limit without taking samples.
    alter_log_dirs_replication_quota_window_size_seconds: i32 =
        "1", "alter.log.dirs.replication.quota.window.size.seconds", ReadOnly, AtLeast(1)
        => NoEffect(MOVES);
    /// How many seconds one sample of a client's rate of creating and deleting partitions covers;
    /// see `controller.quota.window.num`. Not supported yet.
    controller_quota_window_size_seconds: i32 =
        "1", "controller.quota.window.size.seconds", ReadOnly, AtLeast(1) => NoEffect(QUOTAS);
    /// In Kafka, a Java class that decides on clients' quotas. klamm runs no Java classes and
    /// refuses to start with one.
    client_quota_callback_class: Option<ClassName> = null, "client.quota.callback.class", ReadOnly
        => OnlyThese(&[], CLASS);
    /// Milliseconds after which a client that logged in by SASL must do so again on the same
    /// connection; 0 means never. Not supported yet.
    connections_max_reauth_ms: i64 = "0", "connections.max.reauth.ms", ReadOnly
        => NoEffect(SECURITY);
    /// Most milliseconds that the first append of a new transaction waits for the markers of the
    /// previous one; after that the client is told to retry. `request.timeout.ms` limits it too.
    add_partitions_to_txn_retry_backoff_max_ms: i32 =
        "100", "add.partitions.to.txn.retry.backoff.max.ms", ReadOnly, AtLeast(0);
    /// How often, in milliseconds, the first append of a new transaction asks a coordinator on
    /// another broker whether the previous one is complete. For a coordinator on this broker klamm
    /// ignores it and continues as soon as it is.
    add_partitions_to_txn_retry_backoff_ms: i32 =
        "20", "add.partitions.to.txn.retry.backoff.ms", ReadOnly, AtLeast(1);
    /// How many milliseconds without a heartbeat before a member is removed from its share group.
    /// Lower it to notice dead consumers sooner, raise it for poor networks.
    group_share_session_timeout_ms: i32 =
        "45000", "group.share.session.timeout.ms", ReadOnly, AtLeast(1);
    /// Shortest `share.session.timeout.ms` that a group may set, in milliseconds.
    group_share_min_session_timeout_ms: i32 =
        "45000", "group.share.min.session.timeout.ms", ReadOnly, AtLeast(1);
    /// Longest `share.session.timeout.ms` that a group may set, in milliseconds.
    group_share_max_session_timeout_ms: i32 =
        "60000", "group.share.max.session.timeout.ms", ReadOnly, AtLeast(1);
    /// How often, in milliseconds, members of share groups send heartbeats. Lower it for faster
    /// rebalances at the cost of more requests.
    group_share_heartbeat_interval_ms: i32 =
        "5000", "group.share.heartbeat.interval.ms", ReadOnly, AtLeast(1);
    /// Shortest `share.heartbeat.interval.ms` that a group may set, in milliseconds.
    group_share_min_heartbeat_interval_ms: i32 =
        "5000", "group.share.min.heartbeat.interval.ms", ReadOnly, AtLeast(1);
    /// Longest `share.heartbeat.interval.ms` that a group may set, in milliseconds.
    group_share_max_heartbeat_interval_ms: i32 =
        "15000", "group.share.max.heartbeat.interval.ms", ReadOnly, AtLeast(1);
    /// Most members that a share group may have; more are refused. Raise it for larger groups, and
    /// `group.share.max.share.sessions` with it.
    group_share_max_size: i32 = "200", "group.share.max.size", ReadOnly, Between(1.0, 1000.0);
    /// The assignor of share groups: `simple`, the only one.
    group_share_assignors: Vec<String> = "simple", "group.share.assignors", ReadOnly, NonEmptyList
        => OnlyThese(&[SIMPLE_ASSIGNOR], CLASS);
    /// Least time in milliseconds between two assignments of a share group; 0 reassigns at every
    /// change. Raise it for large groups whose members come and go often.
    group_share_assignment_interval_ms: i32 =
        "1000", "group.share.assignment.interval.ms", ClusterWide, AtLeast(0);
    /// Shortest `share.assignment.interval.ms` that a group may set, in milliseconds.
    group_share_min_assignment_interval_ms: i32 =
        "0", "group.share.min.assignment.interval.ms", ReadOnly, AtLeast(0);
    /// Longest `share.assignment.interval.ms` that a group may set, in milliseconds.
    group_share_max_assignment_interval_ms: i32 =
        "15000", "group.share.max.assignment.interval.ms", ReadOnly, AtLeast(0);
    /// How many milliseconds the share coordinators have to make the states of a share group's
    /// partitions before they are asked again; at least `offsets.commit.timeout.ms`.
    group_share_initialize_retry_interval_ms: i32 =
        "30000", "group.share.initialize.retry.interval.ms", Internal, AtLeast(1);
    /// Whether the topic that a share group names for its dead letters is created when the first
    /// one is written. If not, an operator must create it, with
    /// `errors.deadletterqueue.group.enable=true`, or the dead letters are lost.
    errors_deadletterqueue_auto_create_topics_enable: bool =
        "false", "errors.deadletterqueue.auto.create.topics.enable", ClusterWide;
    /// How the names of topics for dead letters must begin; empty means no restriction. The dead
    /// letters of a group that names another topic are lost.
    errors_deadletterqueue_topic_name_prefix: String =
        "dlq.", "errors.deadletterqueue.topic.name.prefix", ClusterWide;
    /// How many milliseconds without a heartbeat before a member is removed from its streams group.
    /// Lower it to move the tasks of dead instances sooner, raise it for poor networks.
    group_streams_session_timeout_ms: i32 =
        "45000", "group.streams.session.timeout.ms", ReadOnly, AtLeast(1);
    /// Shortest `streams.session.timeout.ms` that a group may set, in milliseconds. Lower it before
    /// giving a group a shorter one.
    group_streams_min_session_timeout_ms: i32 =
        "45000", "group.streams.min.session.timeout.ms", ReadOnly, AtLeast(1);
    /// Longest `streams.session.timeout.ms` that a group may set, in milliseconds. Raise it before
    /// giving a group a longer one.
    group_streams_max_session_timeout_ms: i32 =
        "60000", "group.streams.max.session.timeout.ms", ReadOnly, AtLeast(1);
    /// How often, in milliseconds, members of streams groups send heartbeats, which also tell them
    /// of their tasks. Lower it for faster rebalances, raise it to save requests.
    group_streams_heartbeat_interval_ms: i32 =
        "5000", "group.streams.heartbeat.interval.ms", ReadOnly, AtLeast(1);
    /// Shortest `streams.heartbeat.interval.ms` that a group may set, in milliseconds. It keeps
    /// groups from flooding the broker with heartbeats.
    group_streams_min_heartbeat_interval_ms: i32 =
        "5000", "group.streams.min.heartbeat.interval.ms", ReadOnly, AtLeast(1);
    /// Longest `streams.heartbeat.interval.ms` that a group may set, in milliseconds. It keeps
    /// groups from reacting too slowly.
    group_streams_max_heartbeat_interval_ms: i32 =
        "15000", "group.streams.max.heartbeat.interval.ms", ReadOnly, AtLeast(1);
    /// Most members that a streams group may have; more are refused with `GROUP_MAX_SIZE_REACHED`.
    group_streams_max_size: i32 = "2147483647", "group.streams.max.size", ReadOnly, AtLeast(1);
    /// How many other members of a streams group keep a copy of each task's state, to take over
    /// quickly; 0 means none. More copies cost the application disk and network.
    group_streams_num_standby_replicas: i32 =
        "0", "group.streams.num.standby.replicas", ReadOnly, AtLeast(0);
    /// Most `streams.num.standby.replicas` that a group may set. Raise it before giving a group
    /// more.
    group_streams_max_standby_replicas: i32 =
        "2", "group.streams.max.standby.replicas", ReadOnly, AtLeast(0);
    /// How many milliseconds an empty streams group waits for more members before it assigns tasks,
    /// so that starting many does not move tasks repeatedly. Use 0 in tests.
    group_streams_initial_rebalance_delay_ms: i32 =
        "3000", "group.streams.initial.rebalance.delay.ms", ReadOnly, AtLeast(0);
    /// Least time in milliseconds between two assignments of a streams group; 0 reassigns at every
    /// change. Raise it for large groups whose members come and go often.
    group_streams_assignment_interval_ms: i32 =
        "1000", "group.streams.assignment.interval.ms", ClusterWide, AtLeast(0);
    /// Shortest `streams.assignment.interval.ms` that a group may set, in milliseconds.
    group_streams_min_assignment_interval_ms: i32 =
        "0", "group.streams.min.assignment.interval.ms", ReadOnly, AtLeast(0);
    /// Longest `streams.assignment.interval.ms` that a group may set, in milliseconds.
    group_streams_max_assignment_interval_ms: i32 =
        "15000", "group.streams.max.assignment.interval.ms", ReadOnly, AtLeast(0);
    /// How often a record is delivered to a share group before it counts as unprocessable.
    group_share_delivery_count_limit: i32 =
        "5", "group.share.delivery.count.limit", ReadOnly, Between(2.0, 10.0);
    /// Largest `share.delivery.count.limit` that a group may set.
    group_share_max_delivery_count_limit: i32 =
        "10", "group.share.max.delivery.count.limit", ReadOnly, Between(5.0, 25.0);
    /// Smallest `share.delivery.count.limit` that a group may set.
    group_share_min_delivery_count_limit: i32 =
        "2", "group.share.min.delivery.count.limit", ReadOnly, Between(2.0, 5.0);
    /// How many milliseconds a member of a share group may hold a record before another one gets
    /// it.
    group_share_record_lock_duration_ms: i32 =
        "30000", "group.share.record.lock.duration.ms", ReadOnly, Between(1000.0, 3600000.0);
    /// Shortest `share.record.lock.duration.ms` that a group may set, in milliseconds.
    group_share_min_record_lock_duration_ms: i32 =
        "15000", "group.share.min.record.lock.duration.ms", ReadOnly, Between(1000.0, 30000.0);
    /// Longest `share.record.lock.duration.ms` that a group may set, in milliseconds.
    group_share_max_record_lock_duration_ms: i32 =
        "60000", "group.share.max.record.lock.duration.ms", ReadOnly, Between(30000.0, 3600000.0);
    /// How many records of one partition members of a share group may hold unacknowledged.
    group_share_partition_max_record_locks: i32 =
        "2000", "group.share.partition.max.record.locks", ReadOnly, Between(100.0, 10000.0);
    /// Largest `share.partition.max.record.locks` that a group may set.
    group_share_max_partition_max_record_locks: i32 =
        "4000", "group.share.max.partition.max.record.locks", ReadOnly, Between(2000.0, 10000.0);
    /// Smallest `share.partition.max.record.locks` that a group may set.
    group_share_min_partition_max_record_locks: i32 =
        "100", "group.share.min.partition.max.record.locks", ReadOnly, Between(100.0, 2000.0);
    /// Accepted but ignored: Kafka sweeps its list of waiting share fetches after this many of
    /// them. klamm keeps no such list.
    share_fetch_purgatory_purge_interval_requests: i32 =
        "1000", "share.fetch.purgatory.purge.interval.requests", ReadOnly => NoEffect(PURGATORY);
    /// How many share sessions the broker keeps, one for each consumer of a share group.
    group_share_max_share_sessions: i32 =
        "2000", "group.share.max.share.sessions", ReadOnly, AtLeast(1);
    /// In Kafka, the Java class that stores the state of share groups. klamm runs no Java classes and
    /// accepts only Kafka's default.
    group_share_persister_class_name: String =
        "org.apache.kafka.server.share.persister.DefaultStatePersister",
        "group.share.persister.class.name", Internal => OnlyThese(&[], CLASS);
    /// In Kafka, the Java class that writes the dead letters of share groups. klamm runs no Java
    /// classes and writes them itself.
    group_share_dlq_manager_class_name: String =
        "org.apache.kafka.server.share.dlq.DefaultShareGroupDLQManager",
        "group.share.dlq.manager.class.name", Internal => OnlyThese(&[], CLASS);
    /// Partitions that `__share_group_state` is created with; must not change later.
    share_coordinator_state_topic_num_partitions: i32 =
        "50", "share.coordinator.state.topic.num.partitions", ReadOnly, AtLeast(1);
    /// Replicas that `__share_group_state` is created with; needs as many brokers.
    share_coordinator_state_topic_replication_factor: i16 =
        "3", "share.coordinator.state.topic.replication.factor", ReadOnly, AtLeast(1);
    /// The `min.insync.replicas` that `__share_group_state` is created with.
    share_coordinator_state_topic_min_isr: i16 =
        "2", "share.coordinator.state.topic.min.isr", ReadOnly, AtLeast(1);
    /// Segment size in bytes that `__share_group_state` is created with.
    share_coordinator_state_topic_segment_bytes: i32 =
        "104857600", "share.coordinator.state.topic.segment.bytes", ReadOnly, AtLeast(1);
    /// Accepted but ignored: klamm's coordinators have no thread pools; the runtime spreads their
    /// work over the cores.
    share_coordinator_threads: i32 = "1", "share.coordinator.threads", ReadOnly, AtLeast(1)
        => NoEffect(THREADS);
    /// How many changes of a share partition's state are written before its whole state is.
    share_coordinator_snapshot_update_records_per_snapshot: i32 =
        "500",
        "share.coordinator.snapshot.update.records.per.snapshot", ReadOnly, Between(0.0, 500.0);
    /// Bytes to read at a time when loading `__share_group_state`; a larger batch is still read
    /// whole.
    share_coordinator_load_buffer_size: i32 =
        "5242880", "share.coordinator.load.buffer.size", ReadOnly, AtLeast(1);
    /// How the share coordinator compresses its records: 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd.
    share_coordinator_state_topic_compression_codec: i32 =
        "0", "share.coordinator.state.topic.compression.codec", ReadOnly, Between(0.0, 4.0);
    /// Accepted but ignored: how many milliseconds the share coordinator holds writes back to send
    /// them together. klamm's appends each at once.
    share_coordinator_append_linger_ms: i32 =
        "-1", "share.coordinator.append.linger.ms", ReadOnly, AtLeast(-1) => NoEffect(AT_ONCE);
    /// How many milliseconds a write of the share coordinator may take to be replicated before it
    /// fails.
    share_coordinator_write_timeout_ms: i32 =
        "5000", "share.coordinator.write.timeout.ms", ReadOnly, AtLeast(1);
    /// How often, in milliseconds, superseded records of `__share_group_state` are deleted.
    share_coordinator_state_topic_prune_interval_ms: i32 =
        "300000", "share.coordinator.state.topic.prune.interval.ms", Internal, AtLeast(1);
    /// How often, in milliseconds, the state of idle share partitions is rewritten so that old
    /// records can be deleted.
    share_coordinator_cold_partition_snapshot_interval_ms: i32 =
        "300000", "share.coordinator.cold.partition.snapshot.interval.ms", Internal, AtLeast(1);
    /// Accepted but ignored: up to how many bytes of write buffers Kafka's share coordinator keeps.
    /// klamm keeps none.
    share_coordinator_cached_buffer_max_bytes: i32 =
        "1048588", "share.coordinator.cached.buffer.max.bytes", ClusterWide, AtLeast(524288)
        => NoEffect(AT_ONCE);
    /// Whether segments may be moved to remote storage. klamm has no tiered storage yet and refuses
    /// `true`.
    remote_log_storage_system_enable: bool = "false", "remote.log.storage.system.enable", ReadOnly
        => OnlyThese(&[], REMOTE_ENABLED);
    /// Accepted but ignored: prefix of the settings for the Java class that stores tiered segments.
    /// klamm has no tiered storage.
    remote_log_storage_manager_impl_prefix: String =
        "rsm.config.", "remote.log.storage.manager.impl.prefix", ReadOnly, NonEmpty
        => NoEffect(REMOTE);
    /// Accepted but ignored: prefix of the settings for the Java class that tracks tiered segments.
    /// klamm has no tiered storage.
    remote_log_metadata_manager_impl_prefix: String =
        "rlmm.config.", "remote.log.metadata.manager.impl.prefix", ReadOnly, NonEmpty
        => NoEffect(REMOTE);
    /// In Kafka, the Java class that stores tiered segments. klamm has no tiered storage and refuses
    /// any.
    remote_log_storage_manager_class_name: Option<String> =
        null, "remote.log.storage.manager.class.name", ReadOnly, NonEmpty => OnlyThese(&[], CLASS);
    /// Accepted but ignored: where Java finds the class that stores tiered segments. klamm has no
    /// tiered storage.
    remote_log_storage_manager_class_path: Option<String> =
        null, "remote.log.storage.manager.class.path", ReadOnly => NoEffect(REMOTE);
    /// In Kafka, the Java class that tracks tiered segments. klamm has no tiered storage and accepts
    /// only Kafka's default.
    remote_log_metadata_manager_class_name: String =
        "org.apache.kafka.server.log.remote.metadata.storage.TopicBasedRemoteLogMetadataManager",
        "remote.log.metadata.manager.class.name", ReadOnly, NonEmpty => OnlyThese(&[], CLASS);
    /// Accepted but ignored: where Java finds the class that tracks tiered segments. klamm has no
    /// tiered storage.
    remote_log_metadata_manager_class_path: Option<String> =
        null, "remote.log.metadata.manager.class.path", ReadOnly => NoEffect(REMOTE);
    /// Accepted but ignored: the listener through which the tracker of tiered segments reaches its
    /// broker. klamm has no tiered storage.
    remote_log_metadata_manager_listener_name: Option<String> =
        null, "remote.log.metadata.manager.listener.name", ReadOnly, NonEmpty => NoEffect(REMOTE);
    /// Accepted but ignored: how many bytes of notes a store of tiered segments may attach to each.
    /// klamm has no tiered storage.
    remote_log_metadata_custom_metadata_max_bytes: i32 =
        "128", "remote.log.metadata.custom.metadata.max.bytes", ReadOnly, AtLeast(0)
        => NoEffect(REMOTE);
    /// Accepted but ignored: how many bytes of tiered segments' indexes are kept on local disk.
    /// klamm has no tiered storage.
    remote_log_index_file_cache_total_size_bytes: i64 =
        "1073741824", "remote.log.index.file.cache.total.size.bytes", ClusterWide, AtLeast(1)
        => NoEffect(REMOTE);
    /// Accepted but ignored: after how many unused milliseconds the local copy of a tiered index is
    /// deleted. klamm has no tiered storage.
    remote_log_index_file_cache_ttl_ms: i64 =
        "900000", "remote.log.index.file.cache.ttl.ms", Internal, AtLeast(-1) => NoEffect(REMOTE);
    /// Accepted but ignored: older name of `remote.log.manager.follower.thread.pool.size`. klamm
    /// has no tiered storage.
    remote_log_manager_thread_pool_size: i32 =
        "2", "remote.log.manager.thread.pool.size", ReadOnly, AtLeast(1) => NoEffect(REMOTE);
    /// Accepted but ignored: how many threads upload segments in Kafka. klamm has no tiered
    /// storage.
    remote_log_manager_copier_thread_pool_size: i32 =
        "10", "remote.log.manager.copier.thread.pool.size", ClusterWide, AtLeast(1)
        => NoEffect(REMOTE);
    /// Accepted but ignored: how many threads delete old tiered segments in Kafka. klamm has no
    /// tiered storage.
    remote_log_manager_expiration_thread_pool_size: i32 =
        "10", "remote.log.manager.expiration.thread.pool.size", ClusterWide, AtLeast(1)
        => NoEffect(REMOTE);
    /// Accepted but ignored: how many threads track the uploads of followers' partitions in Kafka.
    /// klamm has no tiered storage.
    remote_log_manager_follower_thread_pool_size: i32 =
        "2", "remote.log.manager.follower.thread.pool.size", ClusterWide, AtLeast(1)
        => NoEffect(REMOTE);
    /// Accepted but ignored: how often, in milliseconds, Kafka looks for segments to upload or
    /// delete. klamm has no tiered storage.
    remote_log_manager_task_interval_ms: i64 =
        "30000", "remote.log.manager.task.interval.ms", ReadOnly, AtLeast(1) => NoEffect(REMOTE);
    /// Accepted but ignored: how many milliseconds Kafka pauses after work on tiered segments first
    /// fails. klamm has no tiered storage.
    remote_log_manager_task_retry_backoff_ms: i64 =
        "500", "remote.log.manager.task.retry.backoff.ms", Internal, AtLeast(1) => NoEffect(REMOTE);
    /// Accepted but ignored: how many milliseconds Kafka pauses at most when work on tiered
    /// segments keeps failing. klamm has no tiered storage.
    remote_log_manager_task_retry_backoff_max_ms: i64 =
        "30000", "remote.log.manager.task.retry.backoff.max.ms", Internal, AtLeast(1)
        => NoEffect(REMOTE);
    /// Accepted but ignored: random share, from 0 to 0.5, added to pauses in work on tiered
    /// segments. klamm has no tiered storage.
    remote_log_manager_task_retry_jitter: f64 =
        "0.2", "remote.log.manager.task.retry.jitter", Internal, Between(0.0, 0.5)
        => NoEffect(REMOTE);
    /// Accepted but ignored: how many threads read tiered segments in Kafka. klamm has no tiered
    /// storage.
    remote_log_reader_threads: i32 = "10", "remote.log.reader.threads", ClusterWide, AtLeast(1)
        => NoEffect(REMOTE);
    /// Accepted but ignored: how many reads of tiered segments may queue. klamm has no tiered
    /// storage.
    remote_log_reader_max_pending_tasks: i32 =
        "100", "remote.log.reader.max.pending.tasks", ReadOnly, AtLeast(1) => NoEffect(REMOTE);
    /// Accepted but ignored: how many bytes per second a broker may upload. klamm has no tiered
    /// storage.
    remote_log_manager_copy_max_bytes_per_second: i64 =
        "9223372036854775807",
        "remote.log.manager.copy.max.bytes.per.second", ClusterWide, AtLeast(1) => NoEffect(REMOTE);
    /// Accepted but ignored: how many samples Kafka computes its upload rate from. klamm has no
    /// tiered storage.
    remote_log_manager_copy_quota_window_num: i32 =
        "11", "remote.log.manager.copy.quota.window.num", ReadOnly, AtLeast(1) => NoEffect(REMOTE);
    /// Accepted but ignored: how many seconds one sample of the upload rate covers. klamm has no
    /// tiered storage.
    remote_log_manager_copy_quota_window_size_seconds: i32 =
        "1", "remote.log.manager.copy.quota.window.size.seconds", ReadOnly, AtLeast(1)
        => NoEffect(REMOTE);
    /// Accepted but ignored: how many bytes per second of tiered segments a broker may read. klamm
    /// has no tiered storage.
    remote_log_manager_fetch_max_bytes_per_second: i64 =
        "9223372036854775807",
        "remote.log.manager.fetch.max.bytes.per.second", ClusterWide, AtLeast(1)
        => NoEffect(REMOTE);
    /// Accepted but ignored: how many samples Kafka computes its rate of tiered reads from. klamm
    /// has no tiered storage.
    remote_log_manager_fetch_quota_window_num: i32 =
        "11", "remote.log.manager.fetch.quota.window.num", ReadOnly, AtLeast(1) => NoEffect(REMOTE);
    /// Accepted but ignored: how many seconds one sample of the rate of tiered reads covers. klamm
    /// has no tiered storage.
    remote_log_manager_fetch_quota_window_size_seconds: i32 =
        "1", "remote.log.manager.fetch.quota.window.size.seconds", ReadOnly, AtLeast(1)
        => NoEffect(REMOTE);
    /// Accepted but ignored: how many milliseconds a fetch waits for tiered segments. klamm has no
    /// tiered storage.
    remote_fetch_max_wait_ms: i32 = "500", "remote.fetch.max.wait.ms", ClusterWide, AtLeast(1)
        => NoEffect(REMOTE);
    /// Accepted but ignored: how many milliseconds finding an offset in tiered segments may take.
    /// klamm has no tiered storage.
    remote_list_offsets_request_timeout_ms: i64 =
        "30000", "remote.list.offsets.request.timeout.ms", ClusterWide, AtLeast(1)
        => NoEffect(REMOTE);
    /// Accepted but ignored: whether a new follower copies only what is not tiered yet. klamm has
    /// no tiered storage.
    follower_fetch_last_tiered_offset_enable: bool =
        "false", "follower.fetch.last.tiered.offset.enable", ClusterWide => NoEffect(REMOTE);
    /// Decides which client may do what; in Kafka,
    /// `org.apache.kafka.metadata.authorizer.StandardAuthorizer` uses ACLs kept in the metadata
    /// log. Not supported yet: klamm does not start while it is set, rather than let everybody in.
    authorizer_class_name: String = "", "authorizer.class.name", ReadOnly
        => OnlyThese(&[], AUTHORIZER);
    /// The SASL mechanism that a broker uses to log in to a remote controller. Not supported yet.
    sasl_mechanism_controller_protocol: String =
        "GSSAPI", "sasl.mechanism.controller.protocol", ReadOnly => NoEffect(SECURITY);
    /// The listener that brokers use to talk to each other if `inter.broker.listener.name` is not
    /// set; it must be advertised. Keep it at `PLAINTEXT`, the only protocol klamm supports so far.
    security_inter_broker_protocol: String =
        "PLAINTEXT",
        "security.inter.broker.protocol", ReadOnly,
        OneOf(&["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]);
    /// Largest message in bytes that a client may send before it logs in. Not supported yet.
    sasl_server_max_receive_size: i32 = "524288", "sasl.server.max.receive.size", ReadOnly
        => NoEffect(SECURITY);
    /// In Kafka, Java classes that add cryptography. klamm runs no Java classes and refuses any.
    security_providers: Option<String> = null, "security.providers", ReadOnly
        => OnlyThese(&[], CLASS);
    /// In Kafka, a Java class that derives the user's name from a connection's certificate or
    /// login. klamm runs no Java classes and accepts only Kafka's default.
    principal_builder_class: ClassName =
        "org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder",
        "principal.builder.class", PerBroker => OnlyThese(&[], CLASS);
    /// Whether clients must show a TLS certificate (`required`), may (`requested`) or are not asked
    /// (`none`). Not supported yet.
    ssl_client_auth: String =
        "none", "ssl.client.auth", PerBroker, OneOf(&["required", "requested", "none"])
        => NoEffect(SECURITY);
    /// Rules that shorten the name in a client's certificate to the user name for ACLs and quotas;
    /// the first match counts. Not supported yet.
    ssl_principal_mapping_rules: String = "DEFAULT", "ssl.principal.mapping.rules", ReadOnly
        => NoEffect(SECURITY);
    /// Whether a certificate may be replaced at run time by one with another distinguished name.
    /// Not supported yet.
    ssl_allow_dn_changes: bool = "false", "ssl.allow.dn.changes", ReadOnly => NoEffect(SECURITY);
    /// Whether a certificate may be replaced at run time by one with other alternative names. Not
    /// supported yet.
    ssl_allow_san_changes: bool = "false", "ssl.allow.san.changes", ReadOnly => NoEffect(SECURITY);
    /// Newest TLS version that connections may use, `TLSv1.3` or `TLSv1.2`; `ssl.enabled.protocols`
    /// says which versions are allowed at all. Not supported yet.
    ssl_protocol: String = "TLSv1.3", "ssl.protocol", PerBroker => NoEffect(SECURITY);
    /// Accepted but ignored: chooses among Java's TLS implementations. klamm does not run on Java.
    ssl_provider: Option<String> = null, "ssl.provider", PerBroker => NoEffect(SECURITY);
    /// TLS versions that clients may choose from; the newest one that both sides know is used. Not
    /// supported yet.
    ssl_enabled_protocols: Vec<String> =
        "TLSv1.2,TLSv1.3", "ssl.enabled.protocols", PerBroker, List => NoEffect(SECURITY);
    /// Format of the broker's key and certificate: `PEM`, `PKCS12` or `JKS`. Not supported yet.
    ssl_keystore_type: String = "JKS", "ssl.keystore.type", PerBroker => NoEffect(SECURITY);
    /// The file with the broker's private key and certificate. Not supported yet.
    ssl_keystore_location: Option<String> = null, "ssl.keystore.location", PerBroker
        => NoEffect(SECURITY);
    /// Password of the file in `ssl.keystore.location`; PEM files have none. Not supported yet.
    ssl_keystore_password: Option<Password> = null, "ssl.keystore.password", PerBroker
        => NoEffect(SECURITY);
    /// Password of the broker's private key, wherever it is stored. Not supported yet.
    ssl_key_password: Option<Password> = null, "ssl.key.password", PerBroker => NoEffect(SECURITY);
    /// The broker's private key itself, as PEM text (PKCS 8), instead of a file. Not supported yet.
    ssl_keystore_key: Option<Password> = null, "ssl.keystore.key", PerBroker => NoEffect(SECURITY);
    /// The broker's certificate and its signers', as PEM text, instead of a file. Not supported
    /// yet.
    ssl_keystore_certificate_chain: Option<Password> =
        null, "ssl.keystore.certificate.chain", PerBroker => NoEffect(SECURITY);
    /// Format of the trusted certificates: `PEM`, `PKCS12` or `JKS`. Not supported yet.
    ssl_truststore_type: String = "JKS", "ssl.truststore.type", PerBroker => NoEffect(SECURITY);
    /// The file with the certificates of the authorities trusted to sign clients' and brokers'
    /// certificates. Not supported yet.
    ssl_truststore_location: Option<String> = null, "ssl.truststore.location", PerBroker
        => NoEffect(SECURITY);
    /// Verifies that the file in `ssl.truststore.location` is intact; without it the file is not
    /// checked, and PEM files have none. Not supported yet.
    ssl_truststore_password: Option<Password> = null, "ssl.truststore.password", PerBroker
        => NoEffect(SECURITY);
    /// The trusted certificates themselves, as PEM text, instead of a file. Not supported yet.
    ssl_truststore_certificates: Option<Password> = null, "ssl.truststore.certificates", PerBroker
        => NoEffect(SECURITY);
    /// Accepted but ignored: chooses among Java's ways of finding a key. klamm does not run on
    /// Java.
    ssl_keymanager_algorithm: String = "SunX509", "ssl.keymanager.algorithm", PerBroker
        => NoEffect(SECURITY);
    /// Accepted but ignored: chooses among Java's ways of checking certificates. klamm does not run
    /// on Java.
    ssl_trustmanager_algorithm: String = "PKIX", "ssl.trustmanager.algorithm", PerBroker
        => NoEffect(SECURITY);
    /// How the broker verifies another broker's certificate when it connects: `https` compares host
    /// names, an empty value skips that. Not supported yet.
    ssl_endpoint_identification_algorithm: String =
        "https", "ssl.endpoint.identification.algorithm", PerBroker => NoEffect(SECURITY);
    /// Accepted but ignored: chooses among Java's random number generators. klamm does not run on
    /// Java.
    ssl_secure_random_implementation: Option<String> =
        null, "ssl.secure.random.implementation", PerBroker => NoEffect(SECURITY);
    /// TLS cipher suites that may be used; empty means all. Not supported yet.
    ssl_cipher_suites: Vec<String> = "", "ssl.cipher.suites", PerBroker, List => NoEffect(SECURITY);
    /// Accepted but ignored: a Java class that sets up TLS. klamm loads none.
    ssl_engine_factory_class: Option<ClassName> = null, "ssl.engine.factory.class", PerBroker
        => NoEffect(SECURITY);
    /// The SASL mechanism that brokers use to log in to each other. Not supported yet.
    sasl_mechanism_inter_broker_protocol: String =
        "GSSAPI", "sasl.mechanism.inter.broker.protocol", PerBroker => NoEffect(SECURITY);
    /// The SASL mechanisms that clients may use, such as `PLAIN`, `SCRAM-SHA-512` or `OAUTHBEARER`.
    /// Not supported yet.
    sasl_enabled_mechanisms: Vec<String> = "GSSAPI", "sasl.enabled.mechanisms", PerBroker, List
        => NoEffect(SECURITY);
    /// Accepted but ignored: a Java class that checks logins. klamm loads none.
    sasl_server_callback_handler_class: Option<ClassName> =
        null, "sasl.server.callback.handler.class", ReadOnly => NoEffect(SECURITY);
    /// Rules that shorten a Kerberos name to the user name for ACLs and quotas; the first match
    /// counts. Not supported yet.
    sasl_kerberos_principal_to_local_rules: Vec<String> =
        "DEFAULT", "sasl.kerberos.principal.to.local.rules", PerBroker, List => NoEffect(SECURITY);
    /// Names and secrets for SASL in Java's JAAS syntax, for one listener and mechanism, for
    /// example in `listener.name.sasl_ssl.plain.sasl.jaas.config`. Not supported yet.
    sasl_jaas_config: Option<Password> = null, "sasl.jaas.config", PerBroker => NoEffect(SECURITY);
    /// Accepted but ignored: a Java class that supplies secrets when the broker logs in elsewhere.
    /// klamm loads none.
    sasl_client_callback_handler_class: Option<ClassName> =
        null, "sasl.client.callback.handler.class", ReadOnly => NoEffect(SECURITY);
    /// Accepted but ignored: a Java class that keeps the broker logged in. klamm loads none.
    sasl_login_class: Option<ClassName> = null, "sasl.login.class", ReadOnly => NoEffect(SECURITY);
    /// Accepted but ignored: a Java class that fetches the broker's own credentials. klamm loads
    /// none.
    sasl_login_callback_handler_class: Option<ClassName> =
        null, "sasl.login.callback.handler.class", ReadOnly => NoEffect(SECURITY);
    /// First part of the broker's Kerberos name, which clients need tickets for; usually `kafka`.
    /// Not supported yet.
    sasl_kerberos_service_name: Option<String> = null, "sasl.kerberos.service.name", PerBroker
        => NoEffect(SECURITY);
    /// Path of the `kinit` program that renews the broker's Kerberos ticket. Not supported yet.
    sasl_kerberos_kinit_cmd: String = "/usr/bin/kinit", "sasl.kerberos.kinit.cmd", PerBroker
        => NoEffect(SECURITY);
    /// Fraction of a Kerberos ticket's lifetime, from 0 to 1, after which it is renewed. Not
    /// supported yet.
    sasl_kerberos_ticket_renew_window_factor: f64 =
        "0.8", "sasl.kerberos.ticket.renew.window.factor", PerBroker => NoEffect(SECURITY);
    /// Random fraction, from 0 to 1, by which the time of renewing a Kerberos ticket varies. Not
    /// supported yet.
    sasl_kerberos_ticket_renew_jitter: f64 = "0.05", "sasl.kerberos.ticket.renew.jitter", PerBroker
        => NoEffect(SECURITY);
    /// Milliseconds between two attempts to renew a Kerberos ticket. Not supported yet.
    sasl_kerberos_min_time_before_relogin: i64 =
        "60000", "sasl.kerberos.min.time.before.relogin", PerBroker => NoEffect(SECURITY);
    /// Fraction of a token's lifetime, from 0.5 to 1, after which the broker fetches a new one
    /// (`OAUTHBEARER`). Not supported yet.
    sasl_login_refresh_window_factor: f64 = "0.8", "sasl.login.refresh.window.factor", PerBroker
        => NoEffect(SECURITY);
    /// Random fraction of a token's lifetime, from 0 to 0.25, by which the time of fetching a new
    /// one varies (`OAUTHBEARER`). Not supported yet.
    sasl_login_refresh_window_jitter: f64 = "0.05", "sasl.login.refresh.window.jitter", PerBroker
        => NoEffect(SECURITY);
    /// Least seconds, from 0 to 900, before the broker fetches another token for itself
    /// (`OAUTHBEARER`). Not supported yet.
    sasl_login_refresh_min_period_seconds: i16 =
        "60", "sasl.login.refresh.min.period.seconds", PerBroker => NoEffect(SECURITY);
    /// How many seconds, from 0 to 3600, before a token expires its successor is fetched
    /// (`OAUTHBEARER`). Not supported yet.
    sasl_login_refresh_buffer_seconds: i16 = "300", "sasl.login.refresh.buffer.seconds", PerBroker
        => NoEffect(SECURITY);
    /// How many milliseconds connecting to the identity provider may take (`OAUTHBEARER`); no limit
    /// if unset. Not supported yet.
    sasl_login_connect_timeout_ms: Option<i32> = null, "sasl.login.connect.timeout.ms", ReadOnly
        => NoEffect(SECURITY);
    /// How many milliseconds the identity provider may take to answer (`OAUTHBEARER`); no limit if
    /// unset. Not supported yet.
    sasl_login_read_timeout_ms: Option<i32> = null, "sasl.login.read.timeout.ms", ReadOnly
        => NoEffect(SECURITY);
    /// Longest pause in milliseconds while the identity provider keeps failing (`OAUTHBEARER`). Not
    /// supported yet.
    sasl_login_retry_backoff_max_ms: i64 = "10000", "sasl.login.retry.backoff.max.ms", ReadOnly
        => NoEffect(SECURITY);
    /// First pause in milliseconds after the identity provider failed; it doubles with each failure
    /// (`OAUTHBEARER`). Not supported yet.
    sasl_login_retry_backoff_ms: i64 = "100", "sasl.login.retry.backoff.ms", ReadOnly
        => NoEffect(SECURITY);
    /// Accepted but ignored: a Java class that fetches the broker's token. klamm loads none.
    sasl_oauthbearer_jwt_retriever_class: ClassName =
        "org.apache.kafka.common.security.oauthbearer.DefaultJwtRetriever",
        "sasl.oauthbearer.jwt.retriever.class", ReadOnly => NoEffect(SECURITY);
    /// Accepted but ignored: a Java class that checks clients' tokens. klamm loads none.
    sasl_oauthbearer_jwt_validator_class: ClassName =
        "org.apache.kafka.common.security.oauthbearer.DefaultJwtValidator",
        "sasl.oauthbearer.jwt.validator.class", ReadOnly => NoEffect(SECURITY);
    /// The scope that the broker requests when it fetches a token for itself. Not supported yet.
    sasl_oauthbearer_scope: Option<String> = null, "sasl.oauthbearer.scope", ReadOnly
        => NoEffect(SECURITY);
    /// The broker's name at the identity provider, for fetching its token. Not supported yet.
    sasl_oauthbearer_client_credentials_client_id: Option<String> =
        null, "sasl.oauthbearer.client.credentials.client.id", ReadOnly => NoEffect(SECURITY);
    /// The secret for `sasl.oauthbearer.client.credentials.client.id`. Not supported yet.
    sasl_oauthbearer_client_credentials_client_secret: Option<Password> =
        null, "sasl.oauthbearer.client.credentials.client.secret", ReadOnly => NoEffect(SECURITY);
    /// Algorithm that signs the assertion with which the broker asks for a token, `RS256` or
    /// `ES256`. Not supported yet.
    sasl_oauthbearer_assertion_algorithm: String =
        "RS256",
        "sasl.oauthbearer.assertion.algorithm", ReadOnly, OneOfIgnoringCase(&["ES256", "RS256"])
        => NoEffect(SECURITY);
    /// Recipient (`aud`) of the assertion with which the broker asks for a token. Not supported
    /// yet.
    sasl_oauthbearer_assertion_claim_aud: Option<String> =
        null, "sasl.oauthbearer.assertion.claim.aud", ReadOnly => NoEffect(SECURITY);
    /// How many seconds the assertion with which the broker asks for a token is valid (`exp`). Not
    /// supported yet.
    sasl_oauthbearer_assertion_claim_exp_seconds: i32 =
        "300", "sasl.oauthbearer.assertion.claim.exp.seconds", ReadOnly, Between(0.0, 86400.0)
        => NoEffect(SECURITY);
    /// Issuer (`iss`) of the assertion with which the broker asks for a token. Not supported yet.
    sasl_oauthbearer_assertion_claim_iss: Option<String> =
        null, "sasl.oauthbearer.assertion.claim.iss", ReadOnly => NoEffect(SECURITY);
    /// Whether each assertion with which the broker asks for a token gets its own id (`jti`), so
    /// that the provider can refuse it a second time. Not supported yet.
    sasl_oauthbearer_assertion_claim_jti_include: bool =
        "false", "sasl.oauthbearer.assertion.claim.jti.include", ReadOnly => NoEffect(SECURITY);
    /// How many seconds an assertion's start of validity (`nbf`) is backdated, for providers whose
    /// clocks are slow. Not supported yet.
    sasl_oauthbearer_assertion_claim_nbf_seconds: i32 =
        "60", "sasl.oauthbearer.assertion.claim.nbf.seconds", ReadOnly, Between(0.0, 3600.0)
        => NoEffect(SECURITY);
    /// Subject (`sub`) of the assertion with which the broker asks for a token. Not supported yet.
    sasl_oauthbearer_assertion_claim_sub: Option<String> =
        null, "sasl.oauthbearer.assertion.claim.sub", ReadOnly => NoEffect(SECURITY);
    /// A file with a complete, signed assertion, reread when it changes; it replaces all other
    /// assertion settings. Not supported yet.
    sasl_oauthbearer_assertion_file: Option<String> =
        null, "sasl.oauthbearer.assertion.file", ReadOnly => NoEffect(SECURITY);
    /// The PEM file with the key that signs assertions; it is reread when it changes. Not supported
    /// yet.
    sasl_oauthbearer_assertion_private_key_file: Option<String> =
        null, "sasl.oauthbearer.assertion.private.key.file", ReadOnly => NoEffect(SECURITY);
    /// Password of `sasl.oauthbearer.assertion.private.key.file`, also after it is replaced. Not
    /// supported yet.
    sasl_oauthbearer_assertion_private_key_passphrase: Option<Password> =
        null, "sasl.oauthbearer.assertion.private.key.passphrase", ReadOnly => NoEffect(SECURITY);
    /// A file with more headers and claims for assertions, if the identity provider needs them. Not
    /// supported yet.
    sasl_oauthbearer_assertion_template_file: Option<String> =
        null, "sasl.oauthbearer.assertion.template.file", ReadOnly => NoEffect(SECURITY);
    /// Name of the claim that holds a token's scope, if the identity provider does not call it
    /// `scope`. Not supported yet.
    sasl_oauthbearer_scope_claim_name: String =
        "scope", "sasl.oauthbearer.scope.claim.name", ReadOnly => NoEffect(SECURITY);
    /// Name of the claim that holds the user's name, if the identity provider does not call it
    /// `sub`. Not supported yet.
    sasl_oauthbearer_sub_claim_name: String = "sub", "sasl.oauthbearer.sub.claim.name", ReadOnly
        => NoEffect(SECURITY);
    /// Where the broker gets its token: a URL of the identity provider, or a `file:` URL of a
    /// token. Not supported yet.
    sasl_oauthbearer_token_endpoint_url: Option<String> =
        null, "sasl.oauthbearer.token.endpoint.url", ReadOnly => NoEffect(SECURITY);
    /// Where to find the keys that sign clients' tokens: a URL of the identity provider, or a
    /// `file:` URL, read at start. Not supported yet.
    sasl_oauthbearer_jwks_endpoint_url: Option<String> =
        null, "sasl.oauthbearer.jwks.endpoint.url", ReadOnly => NoEffect(SECURITY);
    /// How often, in milliseconds, the identity provider's keys are fetched. Not supported yet.
    sasl_oauthbearer_jwks_endpoint_refresh_ms: i64 =
        "3600000", "sasl.oauthbearer.jwks.endpoint.refresh.ms", ReadOnly => NoEffect(SECURITY);
    /// First pause in milliseconds after fetching the identity provider's keys failed; it doubles
    /// with each failure. Not supported yet.
    sasl_oauthbearer_jwks_endpoint_retry_backoff_ms: i64 =
        "100", "sasl.oauthbearer.jwks.endpoint.retry.backoff.ms", ReadOnly => NoEffect(SECURITY);
    /// Longest pause in milliseconds while fetching the identity provider's keys keeps failing. Not
    /// supported yet.
    sasl_oauthbearer_jwks_endpoint_retry_backoff_max_ms: i64 =
        "10000", "sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms", ReadOnly
        => NoEffect(SECURITY);
    /// How many seconds the clocks of the identity provider and the broker may differ when a token
    /// is checked. Not supported yet.
    sasl_oauthbearer_clock_skew_seconds: i32 =
        "30", "sasl.oauthbearer.clock.skew.seconds", ReadOnly => NoEffect(SECURITY);
    /// A token must be meant for one of these (`aud`), or the client is refused. Set it, or tokens
    /// issued for other services are accepted here too. Not supported yet.
    sasl_oauthbearer_expected_audience: Vec<String> =
        "", "sasl.oauthbearer.expected.audience", ReadOnly, List => NoEffect(SECURITY);
    /// A token must come from this provider (`iss`), or the client is refused. If unset, only the
    /// signature tells where it is from. Not supported yet.
    sasl_oauthbearer_expected_issuer: Option<String> =
        null, "sasl.oauthbearer.expected.issuer", ReadOnly => NoEffect(SECURITY);
    /// The key that signs delegation tokens, the same on every broker and controller; without it
    /// there are none. Not supported yet.
    delegation_token_secret_key: Option<Password> = null, "delegation.token.secret.key", ReadOnly
        => NoEffect(SECURITY);
    /// Milliseconds after which a delegation token expires for good, however often it was renewed.
    /// Not supported yet.
    delegation_token_max_lifetime_ms: i64 =
        "604800000", "delegation.token.max.lifetime.ms", ReadOnly, AtLeast(1) => NoEffect(SECURITY);
    /// How many milliseconds a delegation token is valid until it is renewed. Not supported yet.
    delegation_token_expiry_time_ms: i64 =
        "86400000", "delegation.token.expiry.time.ms", ReadOnly, AtLeast(1) => NoEffect(SECURITY);
    /// How often, in milliseconds, expired delegation tokens are removed. Not supported yet.
    delegation_token_expiry_check_interval_ms: i64 =
        "3600000", "delegation.token.expiry.check.interval.ms", ReadOnly, AtLeast(1)
        => NoEffect(SECURITY);
}
