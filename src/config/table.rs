//! The table of the broker's settings, and [`Config`], which has a field for each of its rows.

use super::definition::Check::*;
use super::definition::{ClassName, Password, Setting, UpdateMode, Value};
use super::effect::Effect::*;
use super::effect::*;
use super::{Values, default_text};

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
                }
            }
        }
    };
}

settings! {
    /// What this process is in the cluster. klamm is broker and controller at once so far, so any
    /// value but `broker,controller` is refused at start.
    process_roles: Vec<String> =
        "broker,controller", "process.roles", ReadOnly, NonEmptyListOf(&["broker", "controller"]);
    /// The number by which this broker and its controller are known; it is written into every log
    /// directory and must match what is found there. Give each node its own before its first start
    /// and leave it alone afterwards.
    node_id: i32 = "1", "node.id", ReadOnly, AtLeast(0);
    /// Older name of `node.id`, for files that were written for it. Whichever of the two is set
    /// stands for both, and two different values are refused.
    broker_id: i32 = "1", "broker.id", ReadOnly;
    /// Where klamm accepts connections, as `NAME://host:port` entries separated by commas; no host
    /// means every interface, and port 0 any free one. As it comes, klamm is reachable from its own
    /// machine only: set this, for example to `PLAINTEXT://:9092`, to let others in.
    listeners: Vec<String> = "PLAINTEXT://127.0.0.1:9092", "listeners", PerBroker, NonEmptyList;
    /// The addresses that clients are told to connect to, in the form of `listeners`, which applies
    /// where this is empty. Set it when clients see the broker under another name or port, as
    /// behind NAT, in containers or behind a load balancer; `0.0.0.0` is refused.
    advertised_listeners: Vec<String> = null, "advertised.listeners", ReadOnly, NonEmptyList;
    /// Which of the `listeners` lead to the controller, for tools such as `kafka-metadata-quorum
    /// --bootstrap-controller`. Once it is set, `listeners` must contain each of them; unset, the
    /// controller is reached inside the process only.
    controller_listener_names: Vec<String> =
        "CONTROLLER", "controller.listener.names", ReadOnly, NonEmptyList;
    /// Tells for each listener name, as `NAME:PROTOCOL` pairs, how its connections are secured; it
    /// lets several listeners with names of their own share a protocol. klamm serves `PLAINTEXT` so
    /// far and does not start with a listener that is mapped to anything else.
    listener_security_protocol_map: String =
        "SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT",
        "listener.security.protocol.map", PerBroker;
    /// The listener through which brokers talk to each other; it must be one of the advertised
    /// ones. Left out, it is the one named as `security.inter.broker.protocol` says. It matters
    /// once there is more than one broker.
    inter_broker_listener_name: Option<String> = null, "inter.broker.listener.name", ReadOnly;
    /// The directories that hold the partitions, separated by commas; with several, a new partition
    /// goes where the fewest are, and one that fails takes only its own partitions offline. List
    /// one directory for each disk.
    log_dirs: Vec<String> = null, "log.dirs", ReadOnly, NonEmptyList;
    /// Used if `log.dirs` is not set, and like it may name several directories. klamm's default is
    /// `klamm-data` in the directory it is started in.
    log_dir: Vec<String> = "klamm-data", "log.dir", ReadOnly, NonEmptyList;
    /// Accepted and has no effect: it bounds, in milliseconds, how long a tiered topic's segments
    /// also stay on local disk, and klamm does not serve tiered storage.
    log_local_retention_ms: i64 = "-2", "log.local.retention.ms", ClusterWide, AtLeast(-2)
        => NoEffect(REMOTE);
    /// Accepted and has no effect: it bounds how many bytes of a tiered partition also stay on
    /// local disk, and klamm does not serve tiered storage.
    log_local_retention_bytes: i64 = "-2", "log.local.retention.bytes", ClusterWide, AtLeast(-2)
        => NoEffect(REMOTE);
    /// Most bytes that one batch of records may have, as it comes from the producer and after
    /// compression; a larger one is refused with `MESSAGE_TOO_LARGE`. It holds for topics without a
    /// `max.message.bytes` of their own; raise it together with `max.request.size` of the
    /// producers.
    message_max_bytes: i32 = "1048588", "message.max.bytes", ClusterWide, AtLeast(0);
    /// Accepted and has no effect: klamm has no pool of threads for requests, its runtime spreads
    /// them over all cores.
    num_io_threads: i32 = "8", "num.io.threads", ClusterWide, AtLeast(1) => NoEffect(THREADS);
    /// Accepted and has no effect: klamm moves replicas between directories in one background task.
    num_replica_alter_log_dirs_threads: Option<i32> =
        null, "num.replica.alter.log.dirs.threads", ReadOnly => NoEffect(THREADS);
    /// Accepted and has no effect: klamm's background work runs as tasks of its runtime, not in a
    /// pool of fixed size.
    background_threads: i32 = "10", "background.threads", ClusterWide, AtLeast(1)
        => NoEffect(THREADS);
    /// Milliseconds that the transaction coordinator waits for a write to its log, or for a
    /// transaction marker, to be replicated before it fails the request. Raise it only if
    /// transactions time out on slow disks.
    request_timeout_ms: i32 = "30000", "request.timeout.ms", ReadOnly;
    /// Milliseconds that a first attempt to connect to another broker or a controller may take. Not
    /// served yet.
    socket_connection_setup_timeout_ms: i64 =
        "10000", "socket.connection.setup.timeout.ms", ReadOnly => NoEffect(ALONE);
    /// Milliseconds up to which the time for a connection attempt grows when another node cannot be
    /// reached again and again. Not served yet.
    socket_connection_setup_timeout_max_ms: i64 =
        "30000", "socket.connection.setup.timeout.max.ms", ReadOnly => NoEffect(ALONE);
    /// Where values written as `${name:path:key}` come from: a comma-separated list of names, each
    /// with its class under `config.providers.<name>.class`. klamm has Kafka's three: environment
    /// variables, files and directories of secrets; use one to keep passwords out of this file.
    config_providers: Vec<String> = "", "config.providers", ClusterWide, List;
    /// Accepted and has no effect: it says which listeners open before the authorizer is ready, and
    /// klamm has none to wait for.
    early_start_listeners: Vec<String> = null, "early.start.listeners", ReadOnly, List
        => NoEffect(ALONE);
    /// The rack or zone that this broker stands in; clients see it in metadata answers and may
    /// prefer what is near. To spread the replicas of a partition over racks by it is not served
    /// yet.
    broker_rack: Option<String> = null, "broker.rack", ReadOnly;
    /// Accepted and has no effect: klamm always shuts down in an orderly way on SIGTERM and SIGINT.
    controlled_shutdown_enable: bool = "true", "controlled.shutdown.enable", ReadOnly
        => NoEffect(CONTROLLED);
    /// Whether clients may delete topics. With `false` every such request is refused, which guards
    /// against accidents.
    delete_topic_enable: bool = "true", "delete.topic.enable", ReadOnly;
    /// How batches lie in the log: `producer` leaves them as they came, `uncompressed`, `gzip`,
    /// `snappy`, `lz4` or `zstd` makes the broker pack again what came otherwise. It holds for
    /// topics without their own; a change costs CPU at every append, so prefer compression in the
    /// producers.
    compression_type: String =
        "producer",
        "compression.type", ClusterWide,
        OneOf(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"]);
    /// How hard gzip works when the broker itself compresses, from 1 (fast) to 9 (small); -1 is the
    /// usual middle. Used with `compression.type=gzip` only.
    compression_gzip_level: i32 = "-1", "compression.gzip.level", ClusterWide, GzipLevel;
    /// How hard lz4 works when the broker itself compresses, from 1 (fast) to 17 (small). Used with
    /// `compression.type=lz4` only.
    compression_lz4_level: i32 = "9", "compression.lz4.level", ClusterWide, Between(1.0, 17.0);
    /// How hard zstd works when the broker itself compresses: 22 gives the smallest batches,
    /// negative numbers are the fastest. Used with `compression.type=zstd` only.
    compression_zstd_level: i32 =
        "3", "compression.zstd.level", ClusterWide, Between(-131072.0, 22.0);
    /// How many fetch sessions are remembered, so that consumers of many partitions need not repeat
    /// their list with each request; 0 turns sessions off. When all are taken, stale and small
    /// sessions give way; raise it if there are more consumers than this.
    max_incremental_fetch_session_cache_slots: i32 =
        "1000", "max.incremental.fetch.session.cache.slots", ReadOnly, AtLeast(0);
    /// Upper bound in bytes for the records of one answer to a fetch, whatever the client asks for.
    /// A first batch that is larger still goes out whole. Lower it to spare memory and network.
    fetch_max_bytes: i32 = "57671680", "fetch.max.bytes", ReadOnly, AtLeast(1024);
    /// How many partitions one answer to `DescribeTopicPartitions` lists before the client has to
    /// ask for the next page.
    max_request_partition_size_limit: i32 =
        "2000", "max.request.partition.size.limit", ReadOnly, AtLeast(1);
    /// Accepted and has no effect: Kafka's own tests use it to try versions of requests that are
    /// not final, and klamm has no such switch.
    unstable_api_versions_enable: bool = "false", "unstable.api.versions.enable", Internal
        => NoEffect(TESTS);
    /// Accepted and has no effect: Kafka's own tests use it to try feature levels that are not
    /// final, and klamm has no such switch.
    unstable_feature_versions_enable: bool = "false", "unstable.feature.versions.enable", Internal
        => NoEffect(TESTS);
    /// Milliseconds that a starting broker tries to register with a remote controller before it
    /// gives up. Not served yet.
    initial_broker_registration_timeout_ms: i32 =
        "60000", "initial.broker.registration.timeout.ms", ReadOnly => NoEffect(ALONE);
    /// Milliseconds from one heartbeat that this broker sends its controller to the next. There is
    /// seldom a reason to change it.
    broker_heartbeat_interval_ms: i32 = "2000", "broker.heartbeat.interval.ms", ReadOnly;
    /// Milliseconds without heartbeats after which the controller takes a broker for dead and gives
    /// its partitions other leaders. Not served yet.
    broker_session_timeout_ms: i32 = "9000", "broker.session.timeout.ms", ReadOnly
        => NoEffect(ALONE);
    /// Accepted and has no effect: Kafka's controller logs the times of its events this often, in
    /// milliseconds, and klamm's does not.
    controller_performance_sample_period_ms: i64 =
        "60000", "controller.performance.sample.period.ms", Internal, AtLeast(100)
        => NoEffect(METRICS);
    /// Accepted and has no effect: Kafka's controller complains about events that last longer, in
    /// milliseconds, and klamm's does not.
    controller_performance_always_log_threshold_ms: i64 =
        "2000", "controller.performance.always.log.threshold.ms", Internal, AtLeast(0)
        => NoEffect(METRICS);
    /// Accepted and has no effect: Kafka's tests use it to bound how long a start may last, and
    /// klamm sets no bound.
    server_max_startup_time_ms: i64 =
        "9223372036854775807", "server.max.startup.time.ms", Internal, AtLeast(0)
        => NoEffect(TESTS);
    /// A snapshot of the metadata is written when so many bytes of records have come since the last
    /// one, or when `metadata.log.max.snapshot.interval.ms` is over. Smaller values make starts
    /// faster where topics come and go all the time, and snapshots more frequent.
    metadata_log_max_record_bytes_between_snapshots: i64 =
        "20971520", "metadata.log.max.record.bytes.between.snapshots", ReadOnly, AtLeast(1);
    /// Milliseconds after which a new snapshot of the metadata is written although
    /// `metadata.log.max.record.bytes.between.snapshots` was not reached; with 0, time plays no
    /// part.
    metadata_log_max_snapshot_interval_ms: i64 =
        "3600000", "metadata.log.max.snapshot.interval.ms", ReadOnly, AtLeast(0);
    /// The directory of the metadata log; unset, it is the first of `log.dirs`, and it may lie
    /// outside of them. klamm stops if it fails, so choose the most reliable disk.
    metadata_log_dir: Option<String> = null, "metadata.log.dir", ReadOnly;
    /// Size in bytes at which the metadata log goes on in a new file. Only whole files are deleted,
    /// so smaller ones free space sooner.
    metadata_log_segment_bytes: i32 =
        "1073741824", "metadata.log.segment.bytes", ReadOnly, AtLeast(8388608);
    /// Age in milliseconds at which the metadata log goes on in a new file even if the last one is
    /// not full.
    metadata_log_segment_ms: i64 = "604800000", "metadata.log.segment.ms", ReadOnly;
    /// Bytes that the metadata log and its snapshots together may occupy before the oldest go; the
    /// latest snapshot and what follows it always stay. A negative number sets no limit.
    metadata_max_retention_bytes: i64 = "104857600", "metadata.max.retention.bytes", ReadOnly;
    /// Milliseconds after which old snapshots, and the part of the metadata log that they cover,
    /// are removed; the latest snapshot always stays. A negative number sets no limit.
    metadata_max_retention_ms: i64 = "604800000", "metadata.max.retention.ms", ReadOnly;
    /// When nothing was written to the metadata log for so many milliseconds, the controller writes
    /// a record without meaning, as Kafka does; 0 stops that. Raise it where an idle broker shall
    /// leave the disk in peace.
    metadata_max_idle_interval_ms: i32 =
        "500", "metadata.max.idle.interval.ms", ReadOnly, AtLeast(0);
    /// Accepted and has no effect: Kafka's tests use it for small metadata files in bytes, and
    /// klamm's have other means.
    internal_metadata_log_segment_bytes: Option<i32> =
        null, "internal.metadata.log.segment.bytes", Internal => NoEffect(TESTS);
    /// Accepted and has no effect: Kafka's tests use it for small batches in the metadata log, in
    /// bytes, and klamm's have other means.
    internal_metadata_max_batch_size_in_bytes: i32 =
        "8388608", "internal.metadata.max.batch.size.in.bytes", Internal => NoEffect(TESTS);
    /// Accepted and has no effect: Kafka's tests use it to remove metadata files sooner, in
    /// milliseconds, and klamm's have other means.
    internal_metadata_delete_delay_millis: i64 =
        "60000", "internal.metadata.delete.delay.millis", Internal => NoEffect(TESTS);
    /// Bytes that the system buffers for sending on each connection (`SO_SNDBUF`); with -1 it
    /// decides for itself. Raise it for consumers that are far away.
    socket_send_buffer_bytes: i32 = "102400", "socket.send.buffer.bytes", ReadOnly;
    /// Bytes that the system buffers of what each client sends (`SO_RCVBUF`); with -1, and with the
    /// default too, klamm lets the system decide, which large batches profit from. Set another
    /// number to bound the memory of many connections.
    socket_receive_buffer_bytes: i32 = "102400", "socket.receive.buffer.bytes", ReadOnly;
    /// Largest request in bytes that is read; a connection that announces more is closed. It also
    /// bounds how much one connection may have under way at a time. Keep it well above
    /// `message.max.bytes`.
    socket_request_max_bytes: i32 = "104857600", "socket.request.max.bytes", ReadOnly, AtLeast(1);
    /// Accepted and has no effect: klamm always lets 4096 connections queue until they are
    /// accepted, as far as `somaxconn` of the system allows.
    socket_listen_backlog_size: i32 = "50", "socket.listen.backlog.size", ReadOnly, AtLeast(1)
        => NoEffect(BACKLOG);
    /// How many connections one address may have open; further ones are closed at once. Lower it to
    /// contain clients that open too many.
    max_connections_per_ip: i32 = "2147483647", "max.connections.per.ip", ClusterWide, AtLeast(0);
    /// Connections that single addresses or host names may have open instead of
    /// `max.connections.per.ip`, as `host:count` pairs separated by commas. Use it to let a trusted
    /// gateway have more, or to shut one client out with 0.
    max_connections_per_ip_overrides: String = "", "max.connections.per.ip.overrides", ClusterWide;
    /// How many connections the broker has open at most, over all listeners; at the limit the
    /// idlest one is closed, or the new one waits. Lower it where file descriptors are scarce.
    max_connections: i32 = "2147483647", "max.connections", ClusterWide, AtLeast(0);
    /// Connections per second that are accepted at most; those above wait in the system's queue.
    /// Lower it so that a storm of clients comes in slowly; a listener may have its own rate under
    /// `listener.name.<name>.`.
    max_connection_creation_rate: i32 =
        "2147483647", "max.connection.creation.rate", ClusterWide, AtLeast(0)
       ;
    /// Milliseconds after which a connection is closed that sends nothing and waits for nothing, or
    /// that takes nothing of its answer. Lower it to get rid of forgotten clients sooner, above the
    /// clients' own limit if they shall close first; a negative value keeps idle connections open.
    connections_max_idle_ms: i64 = "600000", "connections.max.idle.ms", ReadOnly;
    /// Milliseconds that a client who failed to authenticate waits for the end of the connection,
    /// which slows guessing; it must be less than `connections.max.idle.ms`. Not served yet.
    connection_failed_authentication_delay_ms: i32 =
        "100", "connection.failed.authentication.delay.ms", ReadOnly, AtLeast(0)
        => NoEffect(SECURITY);
    /// How many requests of one connection may be under way at a time; the next are read when an
    /// answer has gone out. In klamm it counts for each connection, not for all together.
    queued_max_requests: i32 = "500", "queued.max.requests", ReadOnly, AtLeast(1);
    /// Bytes of memory for the unanswered and incomplete requests of all connections. -1 means twice
    /// `socket.request.max.bytes`, but at least 128 MiB. Half of it is for requests above 2 MiB. A
    /// connection that needs more than is free waits up to 30 seconds for its turn. While others
    /// need the memory, it is closed if the rest of a request takes longer than 10 seconds.
    queued_max_request_bytes: i64 = "-1", "queued.max.request.bytes", ReadOnly;
    /// Accepted and has no effect: klamm serves each connection by a task of its runtime, on
    /// whichever core is free.
    num_network_threads: i32 = "3", "num.network.threads", ClusterWide, AtLeast(1)
        => NoEffect(THREADS);
    /// Milliseconds that a broker and a remote controller wait for each other on their connection.
    /// Not served yet.
    controller_socket_timeout_ms: i32 = "30000", "controller.socket.timeout.ms", ReadOnly
        => NoEffect(ALONE);
    /// How many replicas a new topic gets when whoever creates it does not say, also one that is
    /// created by its first use. Set it to 3 for a cluster; a single broker can have 1 only.
    default_replication_factor: i32 = "1", "default.replication.factor", ReadOnly;
    /// Milliseconds that a follower may stay behind before it leaves the in-sync replicas; klamm
    /// only checks that it is not below `replica.fetch.wait.max.ms`. Not served yet.
    replica_lag_time_max_ms: i64 = "30000", "replica.lag.time.max.ms", ReadOnly => NoEffect(ALONE);
    /// Milliseconds that a follower waits for an answer of the leader; klamm only checks that it is
    /// not below `replica.fetch.wait.max.ms`. Not served yet.
    replica_socket_timeout_ms: i32 = "30000", "replica.socket.timeout.ms", ReadOnly
        => NoEffect(ALONE);
    /// Bytes that the system buffers of what a follower gets from its leader (`SO_RCVBUF`). Not
    /// served yet.
    replica_socket_receive_buffer_bytes: i32 =
        "65536", "replica.socket.receive.buffer.bytes", ReadOnly => NoEffect(ALONE);
    /// Bytes that a follower asks of each partition at a time, beyond which only a first batch that
    /// is larger may go. Not served yet.
    replica_fetch_max_bytes: i32 = "1048576", "replica.fetch.max.bytes", ReadOnly, AtLeast(0)
        => NoEffect(ALONE);
    /// Milliseconds that a leader may hold back its answer to a follower while nothing new has
    /// come; it must not exceed `replica.lag.time.max.ms`. Not served yet.
    replica_fetch_wait_max_ms: i32 = "500", "replica.fetch.wait.max.ms", ReadOnly
        => NoEffect(ALONE);
    /// Milliseconds that a follower leaves a partition alone after its leader could not serve it.
    /// Not served yet.
    replica_fetch_backoff_ms: i32 = "1000", "replica.fetch.backoff.ms", ReadOnly, AtLeast(0)
        => NoEffect(ALONE);
    /// Bytes that shall have come together before a leader answers a follower, for at most
    /// `replica.fetch.wait.max.ms`. Not served yet.
    replica_fetch_min_bytes: i32 = "1", "replica.fetch.min.bytes", ReadOnly => NoEffect(ALONE);
    /// Bytes that one answer to a follower may have over all partitions, beyond which only a first
    /// batch that is larger may go. Not served yet.
    replica_fetch_response_max_bytes: i32 =
        "10485760", "replica.fetch.response.max.bytes", ReadOnly, AtLeast(0) => NoEffect(ALONE);
    /// How many connections in parallel a follower has to each broker that it copies from; more of
    /// them help where one does not keep up. Not served yet.
    num_replica_fetchers: i32 = "1", "num.replica.fetchers", ClusterWide, AtLeast(1)
        => NoEffect(THREADS);
    /// Every so many milliseconds klamm writes, for the partitions with new records, the high
    /// watermark and what a start after a crash needs. Shorter intervals leave less to check after
    /// a crash, for more small writes.
    replica_high_watermark_checkpoint_interval_ms: i64 =
        "5000", "replica.high.watermark.checkpoint.interval.ms", ReadOnly;
    /// Accepted and has no effect: Kafka sweeps its list of waiting fetches after so many of them,
    /// and klamm forgets each as soon as it is answered.
    fetch_purgatory_purge_interval_requests: i32 =
        "1000", "fetch.purgatory.purge.interval.requests", ReadOnly => NoEffect(PURGATORY);
    /// Accepted and has no effect: Kafka sweeps its list of waiting produce requests after so many
    /// of them, and klamm forgets each as soon as it is answered.
    producer_purgatory_purge_interval_requests: i32 =
        "1000", "producer.purgatory.purge.interval.requests", ReadOnly => NoEffect(PURGATORY);
    /// Accepted and has no effect: Kafka sweeps its list of waiting DeleteRecords requests after so
    /// many of them, and klamm forgets each as soon as it is answered.
    delete_records_purgatory_purge_interval_requests: i32 =
        "1", "delete.records.purgatory.purge.interval.requests", ReadOnly => NoEffect(PURGATORY);
    /// Whether the controller gives partitions back to their preferred leaders by itself, for
    /// example after a broker was restarted. Not served yet.
    auto_leader_rebalance_enable: bool = "true", "auto.leader.rebalance.enable", ReadOnly
        => NoEffect(ALONE);
    /// Seconds between two looks of the controller for partitions that are not led by their
    /// preferred replica. Not served yet.
    leader_imbalance_check_interval_seconds: i64 =
        "300", "leader.imbalance.check.interval.seconds", ReadOnly, AtLeast(1) => NoEffect(ALONE);
    /// Milliseconds between two looks of the controller for partitions without a leader that an
    /// unclean election could revive. Not served yet.
    unclean_leader_election_interval_ms: i64 =
        "300000", "unclean.leader.election.interval.ms", Internal, AtLeast(1) => NoEffect(ALONE);
    /// Whether a replica that is not in sync may become leader when no other is left: the partition
    /// comes back and may lack records. It holds for topics that do not say otherwise; use `true`
    /// only where being available counts more than keeping everything.
    unclean_leader_election_enable: bool = "false", "unclean.leader.election.enable", ClusterWide;
    /// Chooses which replica a consumer should read from, so that one in its own rack may serve it
    /// instead of the leader. Not served yet.
    replica_selector_class: Option<String> = null, "replica.selector.class", ReadOnly
        => OnlyThese(&[RACK_AWARE], CLASS);
    /// The kinds of groups that this broker serves: `classic`, which cannot be left out, `consumer`
    /// and `streams`; `share` is refused until share groups are served. Leave one out to keep
    /// clients from using it.
    group_coordinator_rebalance_protocols: Vec<String> =
        "classic,consumer,streams",
        "group.coordinator.rebalance.protocols", ReadOnly,
        NonEmptyListOf(&["consumer", "classic", "share", "streams"]);
    /// Accepted and has no effect: in klamm each partition of the offsets topic has a coordinator
    /// of its own, and the runtime spreads them over the cores.
    group_coordinator_threads: i32 = "4", "group.coordinator.threads", ReadOnly, AtLeast(1)
        => NoEffect(THREADS);
    /// Accepted and has no effect: klamm's coordinator computes assignments and looks up regular
    /// expressions itself, without a pool of threads.
    group_coordinator_background_threads: i32 =
        "2", "group.coordinator.background.threads", ReadOnly, AtLeast(1) => NoEffect(THREADS);
    /// Accepted and has no effect: it would hold back writes for some milliseconds to send them
    /// together, and klamm's coordinator appends each at once.
    group_coordinator_append_linger_ms: i32 =
        "-1", "group.coordinator.append.linger.ms", ReadOnly, AtLeast(-1) => NoEffect(AT_ONCE);
    /// Milliseconds that the group coordinator waits until what it wrote, such as committed
    /// offsets, is replicated; then the client is told that it failed. Raise it if commits time out
    /// on a slow disk.
    offsets_commit_timeout_ms: i32 = "5000", "offsets.commit.timeout.ms", ReadOnly, AtLeast(1);
    /// Bytes that are read at a time when the groups of a partition of the offsets topic are
    /// loaded; a larger batch is still read whole. There is seldom a reason to change it.
    offsets_load_buffer_size: i32 = "5242880", "offsets.load.buffer.size", ReadOnly, AtLeast(1);
    /// How many replicas `__consumer_offsets` gets when it is created. Unset, it is 3 or as many as
    /// there are brokers; once set, it counts as it stands, and a cluster with fewer brokers cannot
    /// create the topic.
    offsets_topic_replication_factor: i16 =
        "3", "offsets.topic.replication.factor", ReadOnly, AtLeast(1);
    /// How many partitions `__consumer_offsets` gets when it is created. They decide which
    /// coordinator a group belongs to, so do not change the number afterwards.
    offsets_topic_num_partitions: i32 = "50", "offsets.topic.num.partitions", ReadOnly, AtLeast(1);
    /// Segment size in bytes that `__consumer_offsets` is created with. Small segments can be
    /// compacted early, and what was compacted is loaded quickly.
    offsets_topic_segment_bytes: i32 =
        "104857600", "offsets.topic.segment.bytes", ReadOnly, AtLeast(1);
    /// How the group coordinator compresses what it writes: 0 not at all, 1 with gzip, 2 snappy, 3
    /// lz4, 4 zstd. Change it only if committed offsets take too much room.
    offsets_topic_compression_codec: i32 =
        "0", "offsets.topic.compression.codec", ReadOnly, Between(0.0, 4.0);
    /// Accepted and has no effect: Kafka keeps write buffers of its coordinator up to so many
    /// bytes, and klamm keeps none.
    group_coordinator_cached_buffer_max_bytes: i32 =
        "1048588", "group.coordinator.cached.buffer.max.bytes", ClusterWide, AtLeast(524288)
        => NoEffect(AT_ONCE);
    /// Longest text in bytes that a client may leave with a committed offset; a longer one fails
    /// with `OFFSET_METADATA_TOO_LARGE`. Raise it for clients that keep state there.
    offset_metadata_max_bytes: i32 = "4096", "offset.metadata.max.bytes", ReadOnly;
    /// Minutes that committed offsets are kept when nobody uses them any more: since the group
    /// became empty, or since the commit if its members do not read the topic. Raise it for groups
    /// that pause longer than a week.
    offsets_retention_minutes: i32 = "10080", "offsets.retention.minutes", ReadOnly, AtLeast(1);
    /// Milliseconds between two searches for offsets whose `offsets.retention.minutes` are over.
    /// There is seldom a reason to change it.
    offsets_retention_check_interval_ms: i64 =
        "600000", "offsets.retention.check.interval.ms", ReadOnly, AtLeast(1);
    /// Least `session.timeout.ms`, in milliseconds, that a member of a classic group may ask for;
    /// less is refused. Lower it to let clients notice failures faster.
    group_min_session_timeout_ms: i32 = "6000", "group.min.session.timeout.ms", ReadOnly;
    /// Largest `session.timeout.ms`, in milliseconds, that a member of a classic group may ask for;
    /// more is refused. Raise it for clients that are silent for long on purpose.
    group_max_session_timeout_ms: i32 = "1800000", "group.max.session.timeout.ms", ReadOnly;
    /// Milliseconds that a classic group which was empty waits for further members before it shares
    /// out partitions, so that starting many does not rebalance many times. Use 0 in tests to begin
    /// at once.
    group_initial_rebalance_delay_ms: i32 = "3000", "group.initial.rebalance.delay.ms", ReadOnly;
    /// How many members a classic group may have; whoever comes on top is refused. Lower it to
    /// contain clients that start too many.
    group_max_size: i32 = "2147483647", "group.max.size", ReadOnly, AtLeast(1);
    /// Milliseconds without a heartbeat after which a member of a consumer group
    /// (`group.protocol=consumer`) is taken out of it. Lower it to replace dead members sooner,
    /// raise it for clients with bad networks.
    group_consumer_session_timeout_ms: i32 =
        "45000", "group.consumer.session.timeout.ms", ReadOnly, AtLeast(1);
    /// Least value in milliseconds that a group may give its own `consumer.session.timeout.ms`.
    /// Lower it before giving some group a shorter one.
    group_consumer_min_session_timeout_ms: i32 =
        "45000", "group.consumer.min.session.timeout.ms", ReadOnly, AtLeast(1);
    /// Largest value in milliseconds that a group may give its own `consumer.session.timeout.ms`.
    /// Raise it before giving some group a longer one.
    group_consumer_max_session_timeout_ms: i32 =
        "60000", "group.consumer.max.session.timeout.ms", ReadOnly, AtLeast(1);
    /// How often, in milliseconds, members of consumer groups are told to send heartbeats, by which
    /// they also learn of changes. Lower it for faster rebalances, raise it to spare the broker
    /// requests.
    group_consumer_heartbeat_interval_ms: i32 =
        "5000", "group.consumer.heartbeat.interval.ms", ReadOnly, AtLeast(1);
    /// Least value in milliseconds that a group may give its own `consumer.heartbeat.interval.ms`.
    /// It keeps groups from flooding the broker with heartbeats.
    group_consumer_min_heartbeat_interval_ms: i32 =
        "5000", "group.consumer.min.heartbeat.interval.ms", ReadOnly, AtLeast(1);
    /// Largest value in milliseconds that a group may give its own
    /// `consumer.heartbeat.interval.ms`. It keeps groups from reacting too slowly.
    group_consumer_max_heartbeat_interval_ms: i32 =
        "15000", "group.consumer.max.heartbeat.interval.ms", ReadOnly, AtLeast(1);
    /// How many members a consumer group may have; whoever comes on top is refused with
    /// `GROUP_MAX_SIZE_REACHED`. Classic groups have `group.max.size` instead.
    group_consumer_max_size: i32 = "2147483647", "group.consumer.max.size", ReadOnly, AtLeast(1);
    /// The ways of sharing out partitions that members of consumer groups may ask for: `uniform`
    /// and `range`, others are refused. The first one is for members that ask for none.
    group_consumer_assignors: Vec<String> =
        "uniform,range", "group.consumer.assignors", ReadOnly, NonEmptyList;
    /// Whether a classic group with members may turn into a consumer group (`upgrade`), back again
    /// (`downgrade`), both (`bidirectional`) or neither (`disabled`), as its clients are restarted
    /// with the other protocol. Restrict it to keep groups from changing by accident; empty groups
    /// change in any case.
    group_consumer_migration_policy: String =
        "bidirectional",
        "group.consumer.migration.policy", ReadOnly,
        OneOfIgnoringCase(&["DISABLED", "DOWNGRADE", "UPGRADE", "BIDIRECTIONAL"]);
    /// Milliseconds that pass at least before partitions of a consumer group are shared out anew; 0
    /// does it at every change. Raise it for large groups whose members come and go all the time.
    group_consumer_assignment_interval_ms: i32 =
        "1000", "group.consumer.assignment.interval.ms", ClusterWide, AtLeast(0);
    /// Least value in milliseconds that a group may give its own `consumer.assignment.interval.ms`.
    group_consumer_min_assignment_interval_ms: i32 =
        "0", "group.consumer.min.assignment.interval.ms", ReadOnly, AtLeast(0);
    /// Largest value in milliseconds that a group may give its own
    /// `consumer.assignment.interval.ms`.
    group_consumer_max_assignment_interval_ms: i32 =
        "15000", "group.consumer.max.assignment.interval.ms", ReadOnly, AtLeast(0);
    /// Milliseconds after which the regular expressions of a consumer group are looked up again
    /// although no topic was made since. There is seldom a reason to change it.
    group_consumer_regex_refresh_interval_ms: i32 =
        "600000", "group.consumer.regex.refresh.interval.ms", Internal, AtLeast(10000);
    /// How many partitions are compacted at the same time; 0 stops compaction. Raise it if
    /// compaction does not keep up and there are cores and disks to spare; memory is divided among
    /// them.
    log_cleaner_threads: i32 = "1", "log.cleaner.threads", ClusterWide, AtLeast(1);
    /// Bytes per second that compaction reads and writes at most, all together. Set it if
    /// compaction slows producers and consumers on the same disks.
    log_cleaner_io_max_bytes_per_second: f64 =
        "1.7976931348623157E308", "log.cleaner.io.max.bytes.per.second", ClusterWide;
    /// Bytes of memory for the tables of keys that compaction works with, divided among
    /// `log.cleaner.threads`; each must get more than 1 MiB. Raise it if partitions have so many
    /// keys that one pass covers only part of them.
    log_cleaner_dedupe_buffer_size: i64 =
        "134217728", "log.cleaner.dedupe.buffer.size", ClusterWide;
    /// Bytes that compaction reads and writes at a time, half for either and divided among
    /// `log.cleaner.threads`. There is seldom a reason to change it.
    log_cleaner_io_buffer_size: i32 =
        "524288", "log.cleaner.io.buffer.size", ClusterWide, AtLeast(0);
    /// How full the table of keys of a compaction may get, from 0 to 1. More fits in at a higher
    /// value, but each look-up takes longer.
    log_cleaner_io_buffer_load_factor: f64 =
        "0.9", "log.cleaner.io.buffer.load.factor", ClusterWide;
    /// Milliseconds from one round of compaction to the next. Raise it to look for work less often.
    log_cleaner_backoff_ms: i64 = "15000", "log.cleaner.backoff.ms", ClusterWide, AtLeast(0);
    /// A partition is compacted when so large a part of its bytes, from 0 to 1, has come since the
    /// last time. Lower values save space and cost more reading and writing; a topic's
    /// `min.cleanable.dirty.ratio` goes first.
    log_cleaner_min_cleanable_ratio: f64 =
        "0.5", "log.cleaner.min.cleanable.ratio", ClusterWide, Between(0.0, 1.0);
    /// Whether topics with `cleanup.policy=compact` are compacted. With `false` they only grow,
    /// `__consumer_offsets` and `__transaction_state` too, so leave it on.
    log_cleaner_enable: bool = "true", "log.cleaner.enable", ReadOnly;
    /// Milliseconds that compaction keeps a tombstone (a record without a value, which deletes its
    /// key), so that readers on their way through the topic see it. A topic's `delete.retention.ms`
    /// goes first; raise it if a full read takes longer than a day.
    log_cleaner_delete_retention_ms: i64 =
        "86400000", "log.cleaner.delete.retention.ms", ClusterWide, AtLeast(0);
    /// Milliseconds that a record stays safe from compaction, so that readers who are not far
    /// behind see every value. A topic's `min.compaction.lag.ms` goes first.
    log_cleaner_min_compaction_lag_ms: i64 =
        "0", "log.cleaner.min.compaction.lag.ms", ClusterWide, AtLeast(0);
    /// Milliseconds after which compaction takes a record up however little of the partition is
    /// new, for example since data must be gone by a deadline. A topic's `max.compaction.lag.ms`
    /// goes first, and it must not be below the minimum.
    log_cleaner_max_compaction_lag_ms: i64 =
        "9223372036854775807", "log.cleaner.max.compaction.lag.ms", ClusterWide, AtLeast(1);
    /// How many partitions a new topic gets when whoever creates it does not say, also one that is
    /// created by its first use. Raise it if such topics shall have several consumers of one group.
    num_partitions: i32 = "1", "num.partitions", ReadOnly, AtLeast(1);
    /// Directories of `log.dirs` that get no new partitions, or `*` for all, which is a step to
    /// taking a disk out. What lies there stays and is served.
    cordoned_log_dirs: Vec<String> = "", "cordoned.log.dirs", PerBroker, List;
    /// Size in bytes at which a partition goes on in a new segment, for topics without
    /// `segment.bytes`. What is old is deleted and compacted by whole segments: smaller ones free
    /// space sooner and make more files.
    log_segment_bytes: i32 = "1073741824", "log.segment.bytes", ClusterWide, AtLeast(1048576);
    /// Age in milliseconds at which a partition goes on in a new segment even if the last one is
    /// not full, for topics without `segment.ms`. Unset, `log.roll.hours` says it.
    log_roll_ms: Option<i64> = null, "log.roll.ms", ClusterWide;
    /// Age in hours at which a partition goes on in a new segment even if the last one is not full,
    /// unless `log.roll.ms` is set. Lower it if quiet topics keep records too long.
    log_roll_hours: i32 = "168", "log.roll.hours", ReadOnly, AtLeast(1);
    /// Up to so many milliseconds, by chance, are taken off the age at which a segment is closed,
    /// lest many partitions do it at once; for topics without `segment.jitter.ms`. Unset,
    /// `log.roll.jitter.hours` says it.
    log_roll_jitter_ms: Option<i64> = null, "log.roll.jitter.ms", ClusterWide;
    /// Up to so many hours, by chance, are taken off the age at which a segment is closed, unless
    /// `log.roll.jitter.ms` is set.
    log_roll_jitter_hours: i32 = "0", "log.roll.jitter.hours", ReadOnly, AtLeast(0);
    /// Milliseconds that records are kept, for topics without `retention.ms`; -1 is for ever. It
    /// goes before `log.retention.minutes` and `log.retention.hours`.
    log_retention_ms: Option<i64> = null, "log.retention.ms", ClusterWide;
    /// Minutes that records are kept, unless `log.retention.ms` is set; a negative number is for
    /// ever. It goes before `log.retention.hours`.
    log_retention_minutes: Option<i32> = null, "log.retention.minutes", ReadOnly;
    /// Hours that records are kept, unless the same is set in minutes or milliseconds; a negative
    /// number is for ever. It is a week as it comes; change it to what consumers need and disks can
    /// hold.
    log_retention_hours: i32 = "168", "log.retention.hours", ReadOnly;
    /// Bytes that each partition may keep of its latest records, for topics without
    /// `retention.bytes`; older segments go even before their time. With -1 only time counts; set
    /// it so that all partitions together fit on the disk.
    log_retention_bytes: i64 = "-1", "log.retention.bytes", ClusterWide;
    /// Milliseconds between two searches for segments whose time or size is over. Lower it if disks
    /// fill up faster than that.
    log_retention_check_interval_ms: i64 =
        "300000", "log.retention.check.interval.ms", ReadOnly, AtLeast(1);
    /// What becomes of old records, for topics without `cleanup.policy`: `delete` drops segments by
    /// age and size, `compact` keeps the last record of each key, and both may be combined. Empty,
    /// everything is kept.
    log_cleanup_policy: Vec<String> =
        "delete", "log.cleanup.policy", ClusterWide, ListOf(&["compact", "delete"]);
    /// How large, in bytes, one of a segment's indexes may grow before the segment counts as full,
    /// for topics without `segment.index.bytes`. There is seldom a reason to change it.
    log_index_size_max_bytes: i32 = "10485760", "log.index.size.max.bytes", ClusterWide, AtLeast(4);
    /// Bytes of records between two entries in a segment's index, for topics without
    /// `index.interval.bytes`. A smaller number finds offsets with less reading and makes larger
    /// indexes.
    log_index_interval_bytes: i32 = "4096", "log.index.interval.bytes", ClusterWide, AtLeast(0);
    /// After so many records of a partition, producers wait for an fsync before they are answered,
    /// for topics without `flush.messages`. With 1 nothing that was acknowledged is lost when the
    /// machine fails, at the price of a disk's pace.
    log_flush_interval_messages: i64 =
        "9223372036854775807", "log.flush.interval.messages", ClusterWide, AtLeast(1);
    /// Milliseconds that the files of deleted segments and partitions stay, under another name, for
    /// topics without `file.delete.delay.ms`. Lower it to have the space back sooner.
    log_segment_delete_delay_ms: i64 =
        "60000", "log.segment.delete.delay.ms", ClusterWide, AtLeast(0);
    /// Every so many milliseconds klamm looks which partitions are due for an fsync by
    /// `log.flush.interval.ms`, which it also stands for where that is not set. By default there is
    /// no such look and the system writes when it likes.
    log_flush_scheduler_interval_ms: i64 =
        "9223372036854775807", "log.flush.scheduler.interval.ms", ReadOnly;
    /// Milliseconds that a record may wait for an fsync, for topics without `flush.ms`; it is
    /// looked at every `log.flush.scheduler.interval.ms`. Set both to bound what a machine that
    /// fails can lose.
    log_flush_interval_ms: Option<i64> = null, "log.flush.interval.ms", ClusterWide;
    /// Every so many milliseconds klamm writes down up to where each partition is on the disk, or
    /// more often if `log.flush.start.offset.checkpoint.interval.ms` is less: both are written
    /// together. A start after a crash checks what lies behind that.
    log_flush_offset_checkpoint_interval_ms: i32 =
        "60000", "log.flush.offset.checkpoint.interval.ms", ReadOnly, AtLeast(0);
    /// Every so many milliseconds klamm writes down where each partition begins, or more often if
    /// `log.flush.offset.checkpoint.interval.ms` is less: both are written together.
    log_flush_start_offset_checkpoint_interval_ms: i32 =
        "60000", "log.flush.start.offset.checkpoint.interval.ms", ReadOnly, AtLeast(0);
    /// Whether the blocks of a new segment are set aside on the disk when it is made, for topics
    /// without `preallocate`; the file does not look longer for it. It keeps files in one piece and
    /// makes a full disk show early.
    log_preallocate: bool = "false", "log.preallocate", ClusterWide;
    /// How many threads for each directory of `log.dirs` open and check partitions at start. klamm
    /// never uses fewer threads in all than there are cores; raise it for arrays of disks that can
    /// serve more.
    num_recovery_threads_per_data_dir: i32 =
        "2", "num.recovery.threads.per.data.dir", ClusterWide, AtLeast(1);
    /// Whether a topic comes into being when a client first asks for it by name, with
    /// `num.partitions` and `default.replication.factor`. Turn it off where a misspelt name shall
    /// be an error.
    auto_create_topics_enable: bool = "true", "auto.create.topics.enable", ReadOnly;
    /// With fewer replicas in sync than this, writes with `acks=all` are refused, for topics
    /// without their own; a partition that has fewer replicas needs them all. Use 2 with three
    /// replicas, so that what is acknowledged survives the loss of one.
    min_insync_replicas: i32 = "1", "min.insync.replicas", ClusterWide, AtLeast(1);
    /// Whose time records carry, for topics without `message.timestamp.type`: the producer's
    /// (`CreateTime`) or the broker's at the append (`LogAppendTime`). Choose the latter where
    /// clocks of producers cannot be trusted, since retention goes by it.
    log_message_timestamp_type: String =
        "CreateTime",
        "log.message.timestamp.type", ClusterWide, OneOf(&["CreateTime", "LogAppendTime"]);
    /// Milliseconds that a record's timestamp may be older than the broker's clock, else its batch
    /// is refused with `INVALID_TIMESTAMP`; `LogAppendTime` makes it idle. A topic's
    /// `message.timestamp.before.max.ms` goes first.
    log_message_timestamp_before_max_ms: i64 =
        "9223372036854775807", "log.message.timestamp.before.max.ms", ClusterWide, AtLeast(0);
    /// Milliseconds that a record's timestamp may be ahead of the broker's clock, else its batch is
    /// refused with `INVALID_TIMESTAMP`; `LogAppendTime` makes it idle. It stops records from the
    /// far future, which retention would never delete; a topic's `message.timestamp.after.max.ms`
    /// goes first.
    log_message_timestamp_after_max_ms: i64 =
        "3600000", "log.message.timestamp.after.max.ms", ClusterWide, AtLeast(0);
    /// In Kafka a Java class that may object to new topics. klamm runs no Java classes and refuses
    /// to start with one, rather than leave its rules out.
    create_topic_policy_class_name: Option<ClassName> =
        null, "create.topic.policy.class.name", ReadOnly => OnlyThese(&[], CLASS);
    /// In Kafka a Java class that may object to changes of settings. klamm runs no Java classes and
    /// refuses to start with one, rather than leave its rules out.
    alter_config_policy_class_name: Option<ClassName> =
        null, "alter.config.policy.class.name", ReadOnly => OnlyThese(&[], CLASS);
    /// Milliseconds that a broker tries to tell a remote controller of a failed log directory
    /// before it stops itself. Not served yet.
    log_dir_failure_timeout_ms: i64 = "30000", "log.dir.failure.timeout.ms", ReadOnly, AtLeast(1)
        => NoEffect(ALONE);
    /// Accepted and has no effect: Kafka's tests shorten by it, in milliseconds, how long
    /// background work on logs waits after a start; klamm's begins after one interval of its own.
    log_initial_task_delay_ms: i64 = "30000", "log.initial.task.delay.ms", Internal, AtLeast(0)
        => NoEffect(TESTS);
    /// The `min.insync.replicas` that `__transaction_state` is created with; with fewer replicas
    /// than that, all of them are needed. Leave it at 2 in a cluster.
    transaction_state_log_min_isr: i32 = "2", "transaction.state.log.min.isr", ReadOnly, AtLeast(1);
    /// Bytes that are read at a time when the transactions of a partition of `__transaction_state`
    /// are loaded; a larger batch is still read whole. There is seldom a reason to change it.
    transaction_state_log_load_buffer_size: i32 =
        "5242880", "transaction.state.log.load.buffer.size", ReadOnly, AtLeast(1);
    /// How many replicas `__transaction_state` gets when it is created. Unset, it is 3 or as many
    /// as there are brokers; once set, it counts as it stands, and a cluster with fewer brokers
    /// cannot create the topic.
    transaction_state_log_replication_factor: i16 =
        "3", "transaction.state.log.replication.factor", ReadOnly, AtLeast(1);
    /// How many partitions `__transaction_state` gets when it is created. They decide which
    /// coordinator a `transactional.id` belongs to, so do not change the number afterwards.
    transaction_state_log_num_partitions: i32 =
        "50", "transaction.state.log.num.partitions", ReadOnly, AtLeast(1);
    /// Segment size in bytes that `__transaction_state` is created with. Small segments can be
    /// compacted early, and what was compacted is loaded quickly.
    transaction_state_log_segment_bytes: i32 =
        "104857600", "transaction.state.log.segment.bytes", ReadOnly, AtLeast(1);
    /// Whether an append in a transaction is first checked with the coordinator, so that a late one
    /// cannot leave a partition hanging in a transaction that has ended. Turn it off only to spare
    /// older clients the time; newer ones, which let the broker add partitions, are checked anyway.
    transaction_partition_verification_enable: bool =
        "true", "transaction.partition.verification.enable", ClusterWide;
    /// Milliseconds after which a partition forgets a producer that wrote nothing more and has no
    /// open transaction; until then its retries are recognised as duplicates. Keep it above the
    /// producers' `delivery.timeout.ms`.
    producer_id_expiration_ms: i32 =
        "86400000", "producer.id.expiration.ms", ClusterWide, AtLeast(1);
    /// Milliseconds between two searches for producers whose `producer.id.expiration.ms` is over.
    /// There is seldom a reason to change it.
    producer_id_expiration_check_interval_ms: i32 =
        "600000", "producer.id.expiration.check.interval.ms", Internal, AtLeast(1);
    /// Milliseconds after which the coordinator forgets a `transactional.id` that was not used,
    /// unless its transaction is still open. Lower it if clients use ever new ids.
    transactional_id_expiration_ms: i32 =
        "604800000", "transactional.id.expiration.ms", ReadOnly, AtLeast(1);
    /// Largest `transaction.timeout.ms`, in milliseconds, that a producer may ask for; more is
    /// refused with `INVALID_TRANSACTION_TIMEOUT`. An open transaction holds up readers with
    /// `read_committed`, so raise it with care.
    transaction_max_timeout_ms: i32 = "900000", "transaction.max.timeout.ms", ReadOnly, AtLeast(1);
    /// Milliseconds between two searches for transactions that have outlived their timeout, which
    /// are then aborted. Lower it if abandoned transactions shall hold up readers less.
    transaction_abort_timed_out_transaction_cleanup_interval_ms: i32 =
        "10000",
        "transaction.abort.timed.out.transaction.cleanup.interval.ms", ReadOnly, AtLeast(1);
    /// Milliseconds between two searches for ids that `transactional.id.expiration.ms` has run out
    /// for. There is seldom a reason to change it.
    transaction_remove_expired_transaction_cleanup_interval_ms: i32 =
        "3600000",
        "transaction.remove.expired.transaction.cleanup.interval.ms", ReadOnly, AtLeast(1);
    /// Whether transactions may be part of a two-phase commit that another system decides
    /// (KIP-939). Not served yet: klamm refuses `true`.
    transaction_two_phase_commit_enable: bool =
        "false", "transaction.two.phase.commit.enable", ReadOnly => OnlyThese(&[], TWO_PHASE);
    /// The controllers of the cluster as `id@host:port` entries, for directories that were
    /// formatted with a fixed set of voters; klamm, its own only controller so far, takes one entry
    /// with its own `node.id` and refuses more. Keep it as it was when the directory comes from a
    /// Kafka that had it.
    controller_quorum_voters: Vec<String> = "", "controller.quorum.voters", ReadOnly, QuorumVoters;
    /// Addresses, as `host:port` entries, where a node finds the controllers of its cluster when it
    /// starts. Not served yet.
    controller_quorum_bootstrap_servers: Vec<String> =
        "", "controller.quorum.bootstrap.servers", ReadOnly, BootstrapServers => NoEffect(ALONE);
    /// Milliseconds that a candidate for the controllers' leadership waits for votes before it
    /// tries again. Not served yet.
    controller_quorum_election_timeout_ms: i32 =
        "1000", "controller.quorum.election.timeout.ms", ReadOnly, AtLeast(0) => NoEffect(ALONE);
    /// Milliseconds after which a controller that hears nothing from the leader calls an election,
    /// and a leader that most others have stopped asking steps down. Not served yet.
    controller_quorum_fetch_timeout_ms: i32 =
        "2000", "controller.quorum.fetch.timeout.ms", ReadOnly, AtLeast(0) => NoEffect(ALONE);
    /// Milliseconds that a controller pauses at most after an undecided election, so that
    /// candidates get out of each other's way. Not served yet.
    controller_quorum_election_backoff_max_ms: i32 =
        "1000", "controller.quorum.election.backoff.max.ms", ReadOnly, AtLeast(0)
        => NoEffect(ALONE);
    /// Accepted and has no effect: Kafka's controller holds records back for so many milliseconds
    /// to write them together, and klamm's puts into one fsync what has come while the last one
    /// ran.
    controller_quorum_append_linger_ms: i32 =
        "25", "controller.quorum.append.linger.ms", ReadOnly, AtLeast(0) => NoEffect(ALONE);
    /// Milliseconds that a node waits for a remote controller's answer before it asks again. Not
    /// served yet.
    controller_quorum_request_timeout_ms: i32 =
        "2000", "controller.quorum.request.timeout.ms", ReadOnly, AtLeast(0) => NoEffect(ALONE);
    /// Milliseconds that a node pauses after a remote controller failed to answer. Not served yet.
    controller_quorum_retry_backoff_ms: i32 =
        "20", "controller.quorum.retry.backoff.ms", ReadOnly, AtLeast(0) => NoEffect(ALONE);
    /// Whether a new controller makes itself a voter of the cluster's quorum instead of waiting to
    /// be added by `kafka-metadata-quorum`. Not served yet.
    controller_quorum_auto_join_enable: bool =
        "false", "controller.quorum.auto.join.enable", ReadOnly => NoEffect(ALONE);
    /// Bytes of a metadata snapshot that a node asks a controller for at a time. Not served yet.
    controller_quorum_fetch_snapshot_max_bytes: i32 =
        "1048576", "controller.quorum.fetch.snapshot.max.bytes", ReadOnly, AtLeast(1)
        => NoEffect(ALONE);
    /// Bytes of the metadata log that a node asks a controller for at a time, beyond which only a
    /// single batch that is larger may go. Not served yet.
    controller_quorum_fetch_max_bytes: i32 =
        "1048576", "controller.quorum.fetch.max.bytes", ReadOnly, AtLeast(1) => NoEffect(ALONE);
    /// How many samples a metric that is a rate or an average looks back on. Not served yet.
    metrics_num_samples: i32 = "2", "metrics.num.samples", ReadOnly, AtLeast(1)
        => NoEffect(METRICS);
    /// Milliseconds that one sample of a metric covers. Not served yet.
    metrics_sample_window_ms: i64 = "30000", "metrics.sample.window.ms", ReadOnly, AtLeast(1)
        => NoEffect(METRICS);
    /// In Kafka Java classes that pass metrics on. klamm has none, so anything but Kafka's own
    /// default is refused.
    metric_reporters: Vec<String> =
        "org.apache.kafka.common.metrics.JmxReporter", "metric.reporters", ClusterWide, List
        => OnlyThese(&[], REPORTER);
    /// How many metrics are kept: `INFO` those for operation, `DEBUG` and `TRACE` ever more for
    /// finding faults. Not served yet.
    metrics_recording_level: String = "INFO", "metrics.recording.level", ReadOnly
        => NoEffect(METRICS);
    /// Accepted and has no effect: it names Java classes that pass Kafka's older metrics on, and
    /// klamm loads none.
    kafka_metrics_reporters: Vec<String> = "", "kafka.metrics.reporters", ReadOnly, List
        => OnlyThese(&[], REPORTER);
    /// Accepted and has no effect: it tells the classes of `kafka.metrics.reporters` how many
    /// seconds to wait between two reports, and klamm loads none.
    kafka_metrics_polling_interval_secs: i32 =
        "10", "kafka.metrics.polling.interval.secs", ReadOnly, AtLeast(1) => NoEffect(METRICS);
    /// Largest report of its own metrics, in bytes, that a client may send the broker (KIP-714).
    /// Not served yet.
    telemetry_max_bytes: i32 = "1048576", "telemetry.max.bytes", ReadOnly, AtLeast(1)
        => NoEffect(METRICS);
    /// How many samples the rate of a client is computed from when it is held against its quota.
    /// Not served yet.
    quota_window_num: i32 = "11", "quota.window.num", ReadOnly, AtLeast(1) => NoEffect(QUOTAS);
    /// How many samples the rate of replication between brokers is computed from when it is held
    /// against its limit. Not served yet.
    replication_quota_window_num: i32 = "11", "replication.quota.window.num", ReadOnly, AtLeast(1)
        => NoEffect(QUOTAS);
    /// Accepted and has no effect: klamm keeps moves between log directories within
    /// `replica.alter.log.dirs.io.max.bytes.per.second` without samples.
    alter_log_dirs_replication_quota_window_num: i32 =
        "11", "alter.log.dirs.replication.quota.window.num", ReadOnly, AtLeast(1)
        => NoEffect(QUOTAS);
    /// How many samples a client's rate of creating and deleting partitions is computed from when
    /// it is held against its quota. Not served yet.
    controller_quota_window_num: i32 = "11", "controller.quota.window.num", ReadOnly, AtLeast(1)
        => NoEffect(QUOTAS);
    /// Seconds that one sample of a client's rate covers; see `quota.window.num`. Not served yet.
    quota_window_size_seconds: i32 = "1", "quota.window.size.seconds", ReadOnly, AtLeast(1)
        => NoEffect(QUOTAS);
    /// Seconds that one sample of the rate of replication covers; see
    /// `replication.quota.window.num`. Not served yet.
    replication_quota_window_size_seconds: i32 =
        "1", "replication.quota.window.size.seconds", ReadOnly, AtLeast(1) => NoEffect(QUOTAS);
    /// Accepted and has no effect: klamm keeps moves between log directories within their limit
    /// without samples, so how many seconds one covers does not matter.
    alter_log_dirs_replication_quota_window_size_seconds: i32 =
        "1", "alter.log.dirs.replication.quota.window.size.seconds", ReadOnly, AtLeast(1)
        => NoEffect(QUOTAS);
    /// Seconds that one sample of a client's rate of creating and deleting partitions covers; see
    /// `controller.quota.window.num`. Not served yet.
    controller_quota_window_size_seconds: i32 =
        "1", "controller.quota.window.size.seconds", ReadOnly, AtLeast(1) => NoEffect(QUOTAS);
    /// In Kafka a Java class that decides on clients' quotas. klamm runs no Java classes and
    /// refuses to start with one.
    client_quota_callback_class: Option<ClassName> = null, "client.quota.callback.class", ReadOnly
        => OnlyThese(&[], CLASS);
    /// Milliseconds after which a client that logged in by SASL must do so again on the same
    /// connection; 0 never asks for it. Not served yet.
    connections_max_reauth_ms: i64 = "0", "connections.max.reauth.ms", ReadOnly
        => NoEffect(SECURITY);
    /// Milliseconds that the first append of a new transaction waits at most while markers of the
    /// last one are still being written; then the client is told to try again. `request.timeout.ms`
    /// bounds it too.
    add_partitions_to_txn_retry_backoff_max_ms: i32 =
        "100", "add.partitions.to.txn.retry.backoff.max.ms", ReadOnly, AtLeast(0);
    /// Accepted and has no effect: Kafka asks every so many milliseconds whether the last
    /// transaction is complete, and klamm goes on at the moment it is.
    add_partitions_to_txn_retry_backoff_ms: i32 =
        "20", "add.partitions.to.txn.retry.backoff.ms", ReadOnly, AtLeast(1) => NoEffect(ALONE);
    /// Milliseconds without a heartbeat after which a member of a share group is taken out of it.
    /// Not served yet.
    group_share_session_timeout_ms: i32 =
        "45000", "group.share.session.timeout.ms", ReadOnly, AtLeast(1) => NoEffect(SHARE);
    /// Least value in milliseconds that a group may give its own `share.session.timeout.ms`, which
    /// is all it does so far. Not served yet.
    group_share_min_session_timeout_ms: i32 =
        "45000", "group.share.min.session.timeout.ms", ReadOnly, AtLeast(1) => NoEffect(SHARE);
    /// Largest value in milliseconds that a group may give its own `share.session.timeout.ms`,
    /// which is all it does so far. Not served yet.
    group_share_max_session_timeout_ms: i32 =
        "60000", "group.share.max.session.timeout.ms", ReadOnly, AtLeast(1) => NoEffect(SHARE);
    /// How often, in milliseconds, members of share groups are told to send heartbeats. Not served
    /// yet.
    group_share_heartbeat_interval_ms: i32 =
        "5000", "group.share.heartbeat.interval.ms", ReadOnly, AtLeast(1) => NoEffect(SHARE);
    /// Least value in milliseconds that a group may give its own `share.heartbeat.interval.ms`,
    /// which is all it does so far. Not served yet.
    group_share_min_heartbeat_interval_ms: i32 =
        "5000", "group.share.min.heartbeat.interval.ms", ReadOnly, AtLeast(1) => NoEffect(SHARE);
    /// Largest value in milliseconds that a group may give its own `share.heartbeat.interval.ms`,
    /// which is all it does so far. Not served yet.
    group_share_max_heartbeat_interval_ms: i32 =
        "15000", "group.share.max.heartbeat.interval.ms", ReadOnly, AtLeast(1) => NoEffect(SHARE);
    /// How many members a share group may have before others are turned away. Not served yet.
    group_share_max_size: i32 = "200", "group.share.max.size", ReadOnly, Between(1.0, 1000.0)
        => NoEffect(SHARE);
    /// The one way in which partitions are given to members of share groups; Kafka has `simple`.
    /// Not served yet.
    group_share_assignors: Vec<String> = "simple", "group.share.assignors", ReadOnly, NonEmptyList
        => OnlyThese(&[SIMPLE_ASSIGNOR], CLASS);
    /// Milliseconds that pass at least before partitions of a share group are given out anew; 0
    /// does it at every change. Not served yet.
    group_share_assignment_interval_ms: i32 =
        "1000", "group.share.assignment.interval.ms", ClusterWide, AtLeast(0) => NoEffect(SHARE);
    /// Least value in milliseconds that a group may give its own `share.assignment.interval.ms`,
    /// which is all it does so far. Not served yet.
    group_share_min_assignment_interval_ms: i32 =
        "0", "group.share.min.assignment.interval.ms", ReadOnly, AtLeast(0) => NoEffect(SHARE);
    /// Largest value in milliseconds that a group may give its own `share.assignment.interval.ms`,
    /// which is all it does so far. Not served yet.
    group_share_max_assignment_interval_ms: i32 =
        "15000", "group.share.max.assignment.interval.ms", ReadOnly, AtLeast(0) => NoEffect(SHARE);
    /// Milliseconds until the group coordinator tries once more to have a partition's state made
    /// for a share group, and never less than `offsets.commit.timeout.ms`. Not served yet.
    group_share_initialize_retry_interval_ms: i32 =
        "30000", "group.share.initialize.retry.interval.ms", Internal, AtLeast(1)
        => NoEffect(SHARE);
    /// Milliseconds without a heartbeat after which a member of a streams group is taken out of it.
    /// Lower it to move the tasks of dead instances sooner, raise it for clients with bad networks.
    group_streams_session_timeout_ms: i32 =
        "45000", "group.streams.session.timeout.ms", ReadOnly, AtLeast(1);
    /// Least value in milliseconds that a group may give its own `streams.session.timeout.ms`.
    /// Lower it before giving some group a shorter one.
    group_streams_min_session_timeout_ms: i32 =
        "45000", "group.streams.min.session.timeout.ms", ReadOnly, AtLeast(1);
    /// Largest value in milliseconds that a group may give its own `streams.session.timeout.ms`.
    /// Raise it before giving some group a longer one.
    group_streams_max_session_timeout_ms: i32 =
        "60000", "group.streams.max.session.timeout.ms", ReadOnly, AtLeast(1);
    /// How often, in milliseconds, members of streams groups are told to send heartbeats, by which
    /// they also learn of their tasks. Lower it for faster rebalances, raise it to spare the broker
    /// requests.
    group_streams_heartbeat_interval_ms: i32 =
        "5000", "group.streams.heartbeat.interval.ms", ReadOnly, AtLeast(1);
    /// Least value in milliseconds that a group may give its own `streams.heartbeat.interval.ms`.
    /// It keeps groups from flooding the broker with heartbeats.
    group_streams_min_heartbeat_interval_ms: i32 =
        "5000", "group.streams.min.heartbeat.interval.ms", ReadOnly, AtLeast(1);
    /// Largest value in milliseconds that a group may give its own `streams.heartbeat.interval.ms`.
    /// It keeps groups from reacting too slowly.
    group_streams_max_heartbeat_interval_ms: i32 =
        "15000", "group.streams.max.heartbeat.interval.ms", ReadOnly, AtLeast(1);
    /// How many members a streams group may have; whoever comes on top is refused with
    /// `GROUP_MAX_SIZE_REACHED`.
    group_streams_max_size: i32 = "2147483647", "group.streams.max.size", ReadOnly, AtLeast(1);
    /// How many other members of a streams group keep a copy of each task's state, so that they can
    /// take over quickly; 0 keeps none. More of them cost disk and network of the application.
    group_streams_num_standby_replicas: i32 =
        "0", "group.streams.num.standby.replicas", ReadOnly, AtLeast(0);
    /// Largest value that a group may give its own `streams.num.standby.replicas`. Raise it before
    /// giving some group more.
    group_streams_max_standby_replicas: i32 =
        "2", "group.streams.max.standby.replicas", ReadOnly, AtLeast(0);
    /// Milliseconds that a streams group which was empty waits for further members before it gives
    /// out tasks, so that starting many does not move tasks many times. Use 0 in tests to begin at
    /// once.
    group_streams_initial_rebalance_delay_ms: i32 =
        "3000", "group.streams.initial.rebalance.delay.ms", ReadOnly, AtLeast(0);
    /// Milliseconds that pass at least before tasks of a streams group are given out anew; 0 does
    /// it at every change. Raise it for large groups whose members come and go all the time.
    group_streams_assignment_interval_ms: i32 =
        "1000", "group.streams.assignment.interval.ms", ClusterWide, AtLeast(0);
    /// Least value in milliseconds that a group may give its own `streams.assignment.interval.ms`.
    group_streams_min_assignment_interval_ms: i32 =
        "0", "group.streams.min.assignment.interval.ms", ReadOnly, AtLeast(0);
    /// Largest value in milliseconds that a group may give its own
    /// `streams.assignment.interval.ms`.
    group_streams_max_assignment_interval_ms: i32 =
        "15000", "group.streams.max.assignment.interval.ms", ReadOnly, AtLeast(0);
    /// How many times a record is given to members of a share group before it counts as one that
    /// nobody can process. Not served yet.
    group_share_delivery_count_limit: i32 =
        "5", "group.share.delivery.count.limit", ReadOnly, Between(2.0, 10.0) => NoEffect(SHARE);
    /// Largest value that a group may give its own `share.delivery.count.limit`, which is all it
    /// does so far. Not served yet.
    group_share_max_delivery_count_limit: i32 =
        "10", "group.share.max.delivery.count.limit", ReadOnly, Between(5.0, 25.0)
        => NoEffect(SHARE);
    /// Least value that a group may give its own `share.delivery.count.limit`, which is all it does
    /// so far. Not served yet.
    group_share_min_delivery_count_limit: i32 =
        "2", "group.share.min.delivery.count.limit", ReadOnly, Between(2.0, 5.0) => NoEffect(SHARE);
    /// Milliseconds that a member of a share group may keep a record to itself before another one
    /// gets it. Not served yet.
    group_share_record_lock_duration_ms: i32 =
        "30000", "group.share.record.lock.duration.ms", ReadOnly, Between(1000.0, 3600000.0)
        => NoEffect(SHARE);
    /// Least value in milliseconds that a group may give its own `share.record.lock.duration.ms`,
    /// which is all it does so far. Not served yet.
    group_share_min_record_lock_duration_ms: i32 =
        "15000", "group.share.min.record.lock.duration.ms", ReadOnly, Between(1000.0, 30000.0)
        => NoEffect(SHARE);
    /// Largest value in milliseconds that a group may give its own `share.record.lock.duration.ms`,
    /// which is all it does so far. Not served yet.
    group_share_max_record_lock_duration_ms: i32 =
        "60000", "group.share.max.record.lock.duration.ms", ReadOnly, Between(30000.0, 3600000.0)
        => NoEffect(SHARE);
    /// How many records of one partition may be with members of a share group and unanswered at a
    /// time. Not served yet.
    group_share_partition_max_record_locks: i32 =
        "2000", "group.share.partition.max.record.locks", ReadOnly, Between(100.0, 10000.0)
        => NoEffect(SHARE);
    /// Largest value that a group may give its own `share.partition.max.record.locks`, which is all
    /// it does so far. Not served yet.
    group_share_max_partition_max_record_locks: i32 =
        "4000", "group.share.max.partition.max.record.locks", ReadOnly, Between(2000.0, 10000.0)
        => NoEffect(SHARE);
    /// Least value that a group may give its own `share.partition.max.record.locks`, which is all
    /// it does so far. Not served yet.
    group_share_min_partition_max_record_locks: i32 =
        "100", "group.share.min.partition.max.record.locks", ReadOnly, Between(100.0, 2000.0)
        => NoEffect(SHARE);
    /// Accepted and has no effect: Kafka sweeps its list of waiting share fetches after so many of
    /// them, and klamm keeps no such list.
    share_fetch_purgatory_purge_interval_requests: i32 =
        "1000", "share.fetch.purgatory.purge.interval.requests", ReadOnly => NoEffect(PURGATORY);
    /// How many share sessions, one for each consumer of a share group and broker, are kept open at
    /// a time. Not served yet.
    group_share_max_share_sessions: i32 =
        "2000", "group.share.max.share.sessions", ReadOnly, AtLeast(1) => NoEffect(SHARE);
    /// Accepted and has no effect: it names the Java class by which Kafka keeps the state of share
    /// groups, and klamm loads none.
    group_share_persister_class_name: String =
        "org.apache.kafka.server.share.persister.DefaultStatePersister",
        "group.share.persister.class.name", Internal => OnlyThese(&[], CLASS);
    /// How many partitions `__share_group_state` gets when it is created, which must not change
    /// afterwards. Not served yet.
    share_coordinator_state_topic_num_partitions: i32 =
        "50", "share.coordinator.state.topic.num.partitions", ReadOnly, AtLeast(1)
        => NoEffect(SHARE);
    /// How many replicas `__share_group_state` gets when it is created; there must be as many
    /// brokers. Not served yet.
    share_coordinator_state_topic_replication_factor: i16 =
        "3", "share.coordinator.state.topic.replication.factor", ReadOnly, AtLeast(1)
        => NoEffect(SHARE);
    /// The `min.insync.replicas` that `__share_group_state` is created with. Not served yet.
    share_coordinator_state_topic_min_isr: i16 =
        "2", "share.coordinator.state.topic.min.isr", ReadOnly, AtLeast(1) => NoEffect(SHARE);
    /// Segment size in bytes that `__share_group_state` is created with. Not served yet.
    share_coordinator_state_topic_segment_bytes: i32 =
        "104857600", "share.coordinator.state.topic.segment.bytes", ReadOnly, AtLeast(1)
        => NoEffect(SHARE);
    /// Accepted and has no effect: klamm's coordinators have no pools of threads, the runtime
    /// spreads their work over the cores.
    share_coordinator_threads: i32 = "1", "share.coordinator.threads", ReadOnly, AtLeast(1)
        => NoEffect(SHARE);
    /// How many changes to a share partition's state are written one by one before the whole state
    /// is written again. Not served yet.
    share_coordinator_snapshot_update_records_per_snapshot: i32 =
        "500",
        "share.coordinator.snapshot.update.records.per.snapshot", ReadOnly, Between(0.0, 500.0)
        => NoEffect(SHARE);
    /// Bytes that are read at a time when a partition of `__share_group_state` is loaded; a larger
    /// batch is still read whole. Not served yet.
    share_coordinator_load_buffer_size: i32 =
        "5242880", "share.coordinator.load.buffer.size", ReadOnly, AtLeast(1) => NoEffect(SHARE);
    /// How the share coordinator compresses what it writes: 0 not at all, 1 with gzip, 2 snappy, 3
    /// lz4, 4 zstd. Not served yet.
    share_coordinator_state_topic_compression_codec: i32 =
        "0", "share.coordinator.state.topic.compression.codec", ReadOnly, Between(0.0, 4.0)
        => NoEffect(SHARE);
    /// How many milliseconds writes of the share coordinator are held back to go out together; with
    /// -1 it follows the load. Not served yet.
    share_coordinator_append_linger_ms: i32 =
        "-1", "share.coordinator.append.linger.ms", ReadOnly, AtLeast(-1) => NoEffect(SHARE);
    /// How many milliseconds may pass until a write of the share coordinator is replicated; then it
    /// counts as failed. Not served yet.
    share_coordinator_write_timeout_ms: i32 =
        "5000", "share.coordinator.write.timeout.ms", ReadOnly, AtLeast(1) => NoEffect(SHARE);
    /// Milliseconds between two rounds in which records of `__share_group_state` that later ones
    /// replace are deleted. Not served yet.
    share_coordinator_state_topic_prune_interval_ms: i32 =
        "300000", "share.coordinator.state.topic.prune.interval.ms", Internal, AtLeast(1)
        => NoEffect(SHARE);
    /// Milliseconds between two rounds in which the state of quiet share partitions is written
    /// anew, so that old records can go. Not served yet.
    share_coordinator_cold_partition_snapshot_interval_ms: i32 =
        "300000", "share.coordinator.cold.partition.snapshot.interval.ms", Internal, AtLeast(1)
        => NoEffect(SHARE);
    /// Accepted and has no effect: Kafka keeps write buffers of its share coordinator up to so many
    /// bytes, and klamm keeps none.
    share_coordinator_cached_buffer_max_bytes: i32 =
        "1048588", "share.coordinator.cached.buffer.max.bytes", ClusterWide, AtLeast(524288)
        => NoEffect(SHARE);
    /// Whether segments may be moved to remote storage. klamm does not have tiered storage yet and
    /// refuses `true`.
    remote_log_storage_system_enable: bool = "false", "remote.log.storage.system.enable", ReadOnly
        => OnlyThese(&[], REMOTE_ENABLED);
    /// Accepted and has no effect: settings that begin with this go to the Java class that stores
    /// tiered segments, and klamm does not serve tiered storage.
    remote_log_storage_manager_impl_prefix: String =
        "rsm.config.", "remote.log.storage.manager.impl.prefix", ReadOnly, NonEmpty
        => NoEffect(REMOTE);
    /// Accepted and has no effect: settings that begin with this go to the Java class that keeps
    /// track of tiered segments, and klamm does not serve tiered storage.
    remote_log_metadata_manager_impl_prefix: String =
        "rlmm.config.", "remote.log.metadata.manager.impl.prefix", ReadOnly, NonEmpty
        => NoEffect(REMOTE);
    /// Accepted and has no effect: it names the Java class that stores tiered segments, and klamm
    /// does not serve tiered storage.
    remote_log_storage_manager_class_name: Option<String> =
        null, "remote.log.storage.manager.class.name", ReadOnly, NonEmpty => OnlyThese(&[], CLASS);
    /// Accepted and has no effect: it tells Java where to find the class that stores tiered
    /// segments, and klamm does not serve tiered storage.
    remote_log_storage_manager_class_path: Option<String> =
        null, "remote.log.storage.manager.class.path", ReadOnly => NoEffect(REMOTE);
    /// Accepted and has no effect: it names the Java class that keeps track of tiered segments, and
    /// klamm does not serve tiered storage.
    remote_log_metadata_manager_class_name: String =
        "org.apache.kafka.server.log.remote.metadata.storage.TopicBasedRemoteLogMetadataManager",
        "remote.log.metadata.manager.class.name", ReadOnly, NonEmpty => OnlyThese(&[], CLASS);
    /// Accepted and has no effect: it tells Java where to find the class that keeps track of tiered
    /// segments, and klamm does not serve tiered storage.
    remote_log_metadata_manager_class_path: Option<String> =
        null, "remote.log.metadata.manager.class.path", ReadOnly => NoEffect(REMOTE);
    /// Accepted and has no effect: it says by which listener the tracking of tiered segments
    /// reaches its own broker, and klamm does not serve tiered storage.
    remote_log_metadata_manager_listener_name: Option<String> =
        null, "remote.log.metadata.manager.listener.name", ReadOnly, NonEmpty => NoEffect(REMOTE);
    /// Accepted and has no effect: it bounds, in bytes, the notes that a store of tiered segments
    /// may leave with each, and klamm does not serve tiered storage.
    remote_log_metadata_custom_metadata_max_bytes: i32 =
        "128", "remote.log.metadata.custom.metadata.max.bytes", ReadOnly, AtLeast(0)
        => NoEffect(REMOTE);
    /// Accepted and has no effect: it bounds how many bytes of tiered segments' indexes lie on
    /// local disk, and klamm does not serve tiered storage.
    remote_log_index_file_cache_total_size_bytes: i64 =
        "1073741824", "remote.log.index.file.cache.total.size.bytes", ClusterWide, AtLeast(1)
        => NoEffect(REMOTE);
    /// Accepted and has no effect: after so many unused milliseconds the local copy of a tiered
    /// segment's index goes, and klamm does not serve tiered storage.
    remote_log_index_file_cache_ttl_ms: i64 =
        "900000", "remote.log.index.file.cache.ttl.ms", Internal, AtLeast(-1) => NoEffect(REMOTE);
    /// Accepted and has no effect: it is the older name of
    /// `remote.log.manager.follower.thread.pool.size`, and klamm does not serve tiered storage.
    remote_log_manager_thread_pool_size: i32 =
        "2", "remote.log.manager.thread.pool.size", ReadOnly, AtLeast(1) => NoEffect(REMOTE);
    /// Accepted and has no effect: so many threads upload segments in Kafka, and klamm does not
    /// serve tiered storage.
    remote_log_manager_copier_thread_pool_size: i32 =
        "10", "remote.log.manager.copier.thread.pool.size", ClusterWide, AtLeast(1)
        => NoEffect(REMOTE);
    /// Accepted and has no effect: so many threads delete old tiered segments in Kafka, and klamm
    /// does not serve tiered storage.
    remote_log_manager_expiration_thread_pool_size: i32 =
        "10", "remote.log.manager.expiration.thread.pool.size", ClusterWide, AtLeast(1)
        => NoEffect(REMOTE);
    /// Accepted and has no effect: so many threads look in Kafka how far followers' partitions are
    /// uploaded, and klamm does not serve tiered storage.
    remote_log_manager_follower_thread_pool_size: i32 =
        "2", "remote.log.manager.follower.thread.pool.size", ClusterWide, AtLeast(1)
        => NoEffect(REMOTE);
    /// Accepted and has no effect: every so many milliseconds Kafka looks for segments to upload or
    /// to delete, and klamm does not serve tiered storage.
    remote_log_manager_task_interval_ms: i64 =
        "30000", "remote.log.manager.task.interval.ms", ReadOnly, AtLeast(1) => NoEffect(REMOTE);
    /// Accepted and has no effect: Kafka waits so many milliseconds after a first failure of its
    /// work on tiered segments, and klamm does not serve tiered storage.
    remote_log_manager_task_retry_backoff_ms: i64 =
        "500", "remote.log.manager.task.retry.backoff.ms", Internal, AtLeast(1) => NoEffect(REMOTE);
    /// Accepted and has no effect: Kafka waits so many milliseconds at most after repeated failures
    /// of its work on tiered segments, and klamm does not serve tiered storage.
    remote_log_manager_task_retry_backoff_max_ms: i64 =
        "30000", "remote.log.manager.task.retry.backoff.max.ms", Internal, AtLeast(1)
        => NoEffect(REMOTE);
    /// Accepted and has no effect: it says by what part, from 0 to 0.5, pauses in the work on
    /// tiered segments vary by chance, and klamm does not serve tiered storage.
    remote_log_manager_task_retry_jitter: f64 =
        "0.2", "remote.log.manager.task.retry.jitter", Internal, Between(0.0, 0.5)
        => NoEffect(REMOTE);
    /// Accepted and has no effect: so many threads read tiered segments in Kafka, and klamm does
    /// not serve tiered storage.
    remote_log_reader_threads: i32 = "10", "remote.log.reader.threads", ClusterWide, AtLeast(1)
        => NoEffect(REMOTE);
    /// Accepted and has no effect: it bounds how many reads of tiered segments may queue, and klamm
    /// does not serve tiered storage.
    remote_log_reader_max_pending_tasks: i32 =
        "100", "remote.log.reader.max.pending.tasks", ReadOnly, AtLeast(1) => NoEffect(REMOTE);
    /// Accepted and has no effect: it bounds, in bytes per second, how fast a broker uploads
    /// segments, and klamm does not serve tiered storage.
    remote_log_manager_copy_max_bytes_per_second: i64 =
        "9223372036854775807",
        "remote.log.manager.copy.max.bytes.per.second", ClusterWide, AtLeast(1) => NoEffect(REMOTE);
    /// Accepted and has no effect: from so many samples Kafka computes the rate of its uploads, and
    /// klamm does not serve tiered storage.
    remote_log_manager_copy_quota_window_num: i32 =
        "11", "remote.log.manager.copy.quota.window.num", ReadOnly, AtLeast(1) => NoEffect(REMOTE);
    /// Accepted and has no effect: so many seconds go into one sample of the rate of uploads, and
    /// klamm does not serve tiered storage.
    remote_log_manager_copy_quota_window_size_seconds: i32 =
        "1", "remote.log.manager.copy.quota.window.size.seconds", ReadOnly, AtLeast(1)
        => NoEffect(REMOTE);
    /// Accepted and has no effect: it bounds, in bytes per second, how fast a broker reads tiered
    /// segments, and klamm does not serve tiered storage.
    remote_log_manager_fetch_max_bytes_per_second: i64 =
        "9223372036854775807",
        "remote.log.manager.fetch.max.bytes.per.second", ClusterWide, AtLeast(1)
        => NoEffect(REMOTE);
    /// Accepted and has no effect: from so many samples Kafka computes the rate of its reads of
    /// tiered segments, and klamm does not serve tiered storage.
    remote_log_manager_fetch_quota_window_num: i32 =
        "11", "remote.log.manager.fetch.quota.window.num", ReadOnly, AtLeast(1) => NoEffect(REMOTE);
    /// Accepted and has no effect: so many seconds go into one sample of the rate of reads of
    /// tiered segments, and klamm does not serve tiered storage.
    remote_log_manager_fetch_quota_window_size_seconds: i32 =
        "1", "remote.log.manager.fetch.quota.window.size.seconds", ReadOnly, AtLeast(1)
        => NoEffect(REMOTE);
    /// Accepted and has no effect: it bounds, in milliseconds, how long a fetch waits for tiered
    /// segments, and klamm does not serve tiered storage.
    remote_fetch_max_wait_ms: i32 = "500", "remote.fetch.max.wait.ms", ClusterWide, AtLeast(1)
        => NoEffect(REMOTE);
    /// Accepted and has no effect: it bounds, in milliseconds, how long a search for an offset in
    /// tiered segments may take, and klamm does not serve tiered storage.
    remote_list_offsets_request_timeout_ms: i64 =
        "30000", "remote.list.offsets.request.timeout.ms", ClusterWide, AtLeast(1)
        => NoEffect(REMOTE);
    /// Accepted and has no effect: it lets a new follower copy only what is not tiered yet, and
    /// klamm does not serve tiered storage.
    follower_fetch_last_tiered_offset_enable: bool =
        "false", "follower.fetch.last.tiered.offset.enable", ClusterWide => NoEffect(REMOTE);
    /// Who decides which client may do what; in Kafka it is
    /// `org.apache.kafka.metadata.authorizer.StandardAuthorizer` for ACLs that are kept in the
    /// metadata log. Not served yet: klamm does not start while it is set, rather than let
    /// everybody in.
    authorizer_class_name: String = "", "authorizer.class.name", ReadOnly
        => OnlyThese(&[], AUTHORIZER);
    /// The SASL mechanism by which a broker logs in to a remote controller. Not served yet.
    sasl_mechanism_controller_protocol: String =
        "GSSAPI", "sasl.mechanism.controller.protocol", ReadOnly => NoEffect(SECURITY);
    /// The name of the listener that brokers use among themselves if `inter.broker.listener.name`
    /// is not set; it must be an advertised one. Leave it at `PLAINTEXT`, as klamm serves no other
    /// protocol so far.
    security_inter_broker_protocol: String =
        "PLAINTEXT",
        "security.inter.broker.protocol", ReadOnly,
        OneOf(&["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]);
    /// Largest message in bytes that a client may send before it has logged in. Not served yet.
    sasl_server_max_receive_size: i32 = "524288", "sasl.server.max.receive.size", ReadOnly
        => NoEffect(SECURITY);
    /// Accepted and has no effect: it names Java classes that bring further cryptography, and klamm
    /// loads none.
    security_providers: Option<String> = null, "security.providers", ReadOnly
        => OnlyThese(&[], CLASS);
    /// In Kafka a Java class that makes a user's name out of a connection's certificate or login.
    /// klamm runs no Java classes and takes only Kafka's own default.
    principal_builder_class: ClassName =
        "org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder",
        "principal.builder.class", PerBroker => OnlyThese(&[], CLASS);
    /// Whether clients must show a certificate over TLS (`required`), may (`requested`) or are not
    /// asked (`none`). Not served yet.
    ssl_client_auth: String =
        "none", "ssl.client.auth", PerBroker, OneOf(&["required", "requested", "none"])
        => NoEffect(SECURITY);
    /// Rules that shorten the name in a client's certificate to the user's name that ACLs and
    /// quotas are given for; the first that fits counts. Not served yet.
    ssl_principal_mapping_rules: String = "DEFAULT", "ssl.principal.mapping.rules", ReadOnly
        => NoEffect(SECURITY);
    /// Whether a certificate may be replaced at run time by one for another distinguished name. Not
    /// served yet.
    ssl_allow_dn_changes: bool = "false", "ssl.allow.dn.changes", ReadOnly => NoEffect(SECURITY);
    /// Whether a certificate may be replaced at run time by one with other alternative names. Not
    /// served yet.
    ssl_allow_san_changes: bool = "false", "ssl.allow.san.changes", ReadOnly => NoEffect(SECURITY);
    /// Newest version of TLS that connections may use, `TLSv1.3` or `TLSv1.2`; which ones are
    /// allowed at all is said by `ssl.enabled.protocols`. Not served yet.
    ssl_protocol: String = "TLSv1.3", "ssl.protocol", PerBroker => NoEffect(SECURITY);
    /// Accepted and has no effect: it chooses among Java's implementations of TLS, and klamm does
    /// not run on Java.
    ssl_provider: Option<String> = null, "ssl.provider", PerBroker => NoEffect(SECURITY);
    /// Versions of TLS that clients may choose from; of those that both sides know the newest is
    /// taken. Not served yet.
    ssl_enabled_protocols: Vec<String> =
        "TLSv1.2,TLSv1.3", "ssl.enabled.protocols", PerBroker, List => NoEffect(SECURITY);
    /// How the broker's key and certificate are stored: `PEM`, `PKCS12` or `JKS`. Not served yet.
    ssl_keystore_type: String = "JKS", "ssl.keystore.type", PerBroker => NoEffect(SECURITY);
    /// The file with the broker's private key and certificate. Not served yet.
    ssl_keystore_location: Option<String> = null, "ssl.keystore.location", PerBroker
        => NoEffect(SECURITY);
    /// Opens the file of `ssl.keystore.location`; a PEM file has none. Not served yet.
    ssl_keystore_password: Option<Password> = null, "ssl.keystore.password", PerBroker
        => NoEffect(SECURITY);
    /// Decrypts the broker's private key, wherever it comes from. Not served yet.
    ssl_key_password: Option<Password> = null, "ssl.key.password", PerBroker => NoEffect(SECURITY);
    /// The broker's private key itself, as PEM text (PKCS 8), in place of a file. Not served yet.
    ssl_keystore_key: Option<Password> = null, "ssl.keystore.key", PerBroker => NoEffect(SECURITY);
    /// The broker's certificate and those that signed it, as PEM text, in place of a file. Not
    /// served yet.
    ssl_keystore_certificate_chain: Option<Password> =
        null, "ssl.keystore.certificate.chain", PerBroker => NoEffect(SECURITY);
    /// How the certificates that are trusted are stored: `PEM`, `PKCS12` or `JKS`. Not served yet.
    ssl_truststore_type: String = "JKS", "ssl.truststore.type", PerBroker => NoEffect(SECURITY);
    /// The file with the certificates of the authorities whose signature is trusted on clients' and
    /// brokers' certificates. Not served yet.
    ssl_truststore_location: Option<String> = null, "ssl.truststore.location", PerBroker
        => NoEffect(SECURITY);
    /// Checks that the file of `ssl.truststore.location` was not tampered with; without it the file
    /// is used unchecked, and a PEM file has none. Not served yet.
    ssl_truststore_password: Option<Password> = null, "ssl.truststore.password", PerBroker
        => NoEffect(SECURITY);
    /// The certificates that are trusted themselves, as PEM text, in place of a file. Not served
    /// yet.
    ssl_truststore_certificates: Option<Password> = null, "ssl.truststore.certificates", PerBroker
        => NoEffect(SECURITY);
    /// Accepted and has no effect: it chooses among Java's ways of finding a key, and klamm does
    /// not run on Java.
    ssl_keymanager_algorithm: String = "SunX509", "ssl.keymanager.algorithm", PerBroker
        => NoEffect(SECURITY);
    /// Accepted and has no effect: it chooses among Java's ways of checking certificates, and klamm
    /// does not run on Java.
    ssl_trustmanager_algorithm: String = "PKIX", "ssl.trustmanager.algorithm", PerBroker
        => NoEffect(SECURITY);
    /// How the broker checks, when it connects to another one, that the certificate is for that
    /// host: `https` compares the names, an empty value leaves it out. Not served yet.
    ssl_endpoint_identification_algorithm: String =
        "https", "ssl.endpoint.identification.algorithm", PerBroker => NoEffect(SECURITY);
    /// Accepted and has no effect: it chooses among Java's generators of random numbers, and klamm
    /// does not run on Java.
    ssl_secure_random_implementation: Option<String> =
        null, "ssl.secure.random.implementation", PerBroker => NoEffect(SECURITY);
    /// The TLS cipher suites that may be used; empty, all that are known. Not served yet.
    ssl_cipher_suites: Vec<String> = "", "ssl.cipher.suites", PerBroker, List => NoEffect(SECURITY);
    /// Accepted and has no effect: it names a Java class that sets TLS up, and klamm loads none.
    ssl_engine_factory_class: Option<ClassName> = null, "ssl.engine.factory.class", PerBroker
        => NoEffect(SECURITY);
    /// The SASL mechanism by which brokers log in to each other. Not served yet.
    sasl_mechanism_inter_broker_protocol: String =
        "GSSAPI", "sasl.mechanism.inter.broker.protocol", PerBroker => NoEffect(SECURITY);
    /// The SASL mechanisms that clients may log in by, such as `PLAIN`, `SCRAM-SHA-512` or
    /// `OAUTHBEARER`. Not served yet.
    sasl_enabled_mechanisms: Vec<String> = "GSSAPI", "sasl.enabled.mechanisms", PerBroker, List
        => NoEffect(SECURITY);
    /// Accepted and has no effect: it names a Java class that checks logins, and klamm loads none.
    sasl_server_callback_handler_class: Option<ClassName> =
        null, "sasl.server.callback.handler.class", ReadOnly => NoEffect(SECURITY);
    /// Rules that shorten a Kerberos name to the user's name that ACLs and quotas are given for;
    /// the first that fits counts. Not served yet.
    sasl_kerberos_principal_to_local_rules: Vec<String> =
        "DEFAULT", "sasl.kerberos.principal.to.local.rules", PerBroker, List => NoEffect(SECURITY);
    /// Names and secrets for SASL in the notation of Java's JAAS, for one listener and mechanism at
    /// a time, such as in `listener.name.sasl_ssl.plain.sasl.jaas.config`. Not served yet.
    sasl_jaas_config: Option<Password> = null, "sasl.jaas.config", PerBroker => NoEffect(SECURITY);
    /// Accepted and has no effect: it names a Java class that supplies secrets when the broker logs
    /// in elsewhere, and klamm loads none.
    sasl_client_callback_handler_class: Option<ClassName> =
        null, "sasl.client.callback.handler.class", ReadOnly => NoEffect(SECURITY);
    /// Accepted and has no effect: it names a Java class that keeps the broker's own login alive,
    /// and klamm loads none.
    sasl_login_class: Option<ClassName> = null, "sasl.login.class", ReadOnly => NoEffect(SECURITY);
    /// Accepted and has no effect: it names a Java class that fetches the broker's own credentials,
    /// and klamm loads none.
    sasl_login_callback_handler_class: Option<ClassName> =
        null, "sasl.login.callback.handler.class", ReadOnly => NoEffect(SECURITY);
    /// The first part of the broker's Kerberos name, which clients must ask tickets for; usually
    /// `kafka`. Not served yet.
    sasl_kerberos_service_name: Option<String> = null, "sasl.kerberos.service.name", PerBroker
        => NoEffect(SECURITY);
    /// Where the program `kinit` is, by which Kafka renews its Kerberos ticket. Not served yet.
    sasl_kerberos_kinit_cmd: String = "/usr/bin/kinit", "sasl.kerberos.kinit.cmd", PerBroker
        => NoEffect(SECURITY);
    /// The part of a Kerberos ticket's life, from 0 to 1, after which it is renewed. Not served
    /// yet.
    sasl_kerberos_ticket_renew_window_factor: f64 =
        "0.8", "sasl.kerberos.ticket.renew.window.factor", PerBroker => NoEffect(SECURITY);
    /// By which part, from 0 to 1, the time of renewing a Kerberos ticket is varied by chance. Not
    /// served yet.
    sasl_kerberos_ticket_renew_jitter: f64 = "0.05", "sasl.kerberos.ticket.renew.jitter", PerBroker
        => NoEffect(SECURITY);
    /// Milliseconds between two attempts to renew a Kerberos ticket. Not served yet.
    sasl_kerberos_min_time_before_relogin: i64 =
        "60000", "sasl.kerberos.min.time.before.relogin", PerBroker => NoEffect(SECURITY);
    /// The part of a token's life, from 0.5 to 1, after which the broker fetches a new one for
    /// itself (`OAUTHBEARER`). Not served yet.
    sasl_login_refresh_window_factor: f64 = "0.8", "sasl.login.refresh.window.factor", PerBroker
        => NoEffect(SECURITY);
    /// By which part of a token's life, from 0 to 0.25, the time of fetching a new one is varied by
    /// chance (`OAUTHBEARER`). Not served yet.
    sasl_login_refresh_window_jitter: f64 = "0.05", "sasl.login.refresh.window.jitter", PerBroker
        => NoEffect(SECURITY);
    /// Seconds, from 0 to 900, that the broker lets pass before it fetches another token for itself
    /// (`OAUTHBEARER`). Not served yet.
    sasl_login_refresh_min_period_seconds: i16 =
        "60", "sasl.login.refresh.min.period.seconds", PerBroker => NoEffect(SECURITY);
    /// Seconds, from 0 to 3600, by which a new token shall be there before the old one ends
    /// (`OAUTHBEARER`). Not served yet.
    sasl_login_refresh_buffer_seconds: i16 = "300", "sasl.login.refresh.buffer.seconds", PerBroker
        => NoEffect(SECURITY);
    /// Milliseconds that connecting to the identity provider may take (`OAUTHBEARER`); unset, there
    /// is no limit. Not served yet.
    sasl_login_connect_timeout_ms: Option<i32> = null, "sasl.login.connect.timeout.ms", ReadOnly
        => NoEffect(SECURITY);
    /// Milliseconds that the identity provider may take to answer (`OAUTHBEARER`); unset, there is
    /// no limit. Not served yet.
    sasl_login_read_timeout_ms: Option<i32> = null, "sasl.login.read.timeout.ms", ReadOnly
        => NoEffect(SECURITY);
    /// Milliseconds up to which the pause grows while the identity provider fails again and again
    /// (`OAUTHBEARER`). Not served yet.
    sasl_login_retry_backoff_max_ms: i64 = "10000", "sasl.login.retry.backoff.max.ms", ReadOnly
        => NoEffect(SECURITY);
    /// Milliseconds of the first pause after the identity provider failed, which doubles with each
    /// failure (`OAUTHBEARER`). Not served yet.
    sasl_login_retry_backoff_ms: i64 = "100", "sasl.login.retry.backoff.ms", ReadOnly
        => NoEffect(SECURITY);
    /// Accepted and has no effect: it names a Java class that fetches the broker's token, and klamm
    /// loads none.
    sasl_oauthbearer_jwt_retriever_class: ClassName =
        "org.apache.kafka.common.security.oauthbearer.DefaultJwtRetriever",
        "sasl.oauthbearer.jwt.retriever.class", ReadOnly => NoEffect(SECURITY);
    /// Accepted and has no effect: it names a Java class that checks clients' tokens, and klamm
    /// loads none.
    sasl_oauthbearer_jwt_validator_class: ClassName =
        "org.apache.kafka.common.security.oauthbearer.DefaultJwtValidator",
        "sasl.oauthbearer.jwt.validator.class", ReadOnly => NoEffect(SECURITY);
    /// The scope that the broker asks the identity provider for when it fetches a token for itself.
    /// Not served yet.
    sasl_oauthbearer_scope: Option<String> = null, "sasl.oauthbearer.scope", ReadOnly
        => NoEffect(SECURITY);
    /// The name under which the identity provider knows the broker, for fetching its token. Not
    /// served yet.
    sasl_oauthbearer_client_credentials_client_id: Option<String> =
        null, "sasl.oauthbearer.client.credentials.client.id", ReadOnly => NoEffect(SECURITY);
    /// The secret that goes with `sasl.oauthbearer.client.credentials.client.id`. Not served yet.
    sasl_oauthbearer_client_credentials_client_secret: Option<Password> =
        null, "sasl.oauthbearer.client.credentials.client.secret", ReadOnly => NoEffect(SECURITY);
    /// How the assertion by which the broker asks for a token is signed, `RS256` or `ES256`. Not
    /// served yet.
    sasl_oauthbearer_assertion_algorithm: String =
        "RS256",
        "sasl.oauthbearer.assertion.algorithm", ReadOnly, OneOfIgnoringCase(&["ES256", "RS256"])
        => NoEffect(SECURITY);
    /// Whom the assertion by which the broker asks for a token is meant for (`aud`). Not served
    /// yet.
    sasl_oauthbearer_assertion_claim_aud: Option<String> =
        null, "sasl.oauthbearer.assertion.claim.aud", ReadOnly => NoEffect(SECURITY);
    /// Seconds until the assertion by which the broker asks for a token expires (`exp`). Not served
    /// yet.
    sasl_oauthbearer_assertion_claim_exp_seconds: i32 =
        "300", "sasl.oauthbearer.assertion.claim.exp.seconds", ReadOnly, Between(0.0, 86400.0)
        => NoEffect(SECURITY);
    /// Who states the assertion by which the broker asks for a token (`iss`). Not served yet.
    sasl_oauthbearer_assertion_claim_iss: Option<String> =
        null, "sasl.oauthbearer.assertion.claim.iss", ReadOnly => NoEffect(SECURITY);
    /// Whether each assertion by which the broker asks for a token has an id of its own (`jti`), so
    /// that the provider can refuse it a second time. Not served yet.
    sasl_oauthbearer_assertion_claim_jti_include: bool =
        "false", "sasl.oauthbearer.assertion.claim.jti.include", ReadOnly => NoEffect(SECURITY);
    /// Seconds by which the start of an assertion's validity (`nbf`) is put back, for providers
    /// whose clocks are behind. Not served yet.
    sasl_oauthbearer_assertion_claim_nbf_seconds: i32 =
        "60", "sasl.oauthbearer.assertion.claim.nbf.seconds", ReadOnly, Between(0.0, 3600.0)
        => NoEffect(SECURITY);
    /// In whose name the assertion by which the broker asks for a token speaks (`sub`). Not served
    /// yet.
    sasl_oauthbearer_assertion_claim_sub: Option<String> =
        null, "sasl.oauthbearer.assertion.claim.sub", ReadOnly => NoEffect(SECURITY);
    /// A file with a finished, signed assertion, which is read again when it changes and takes the
    /// place of all other assertion settings. Not served yet.
    sasl_oauthbearer_assertion_file: Option<String> =
        null, "sasl.oauthbearer.assertion.file", ReadOnly => NoEffect(SECURITY);
    /// The PEM file with the key that assertions are signed with; it is read again when it changes.
    /// Not served yet.
    sasl_oauthbearer_assertion_private_key_file: Option<String> =
        null, "sasl.oauthbearer.assertion.private.key.file", ReadOnly => NoEffect(SECURITY);
    /// Decrypts the file of `sasl.oauthbearer.assertion.private.key.file`, also after that was
    /// replaced. Not served yet.
    sasl_oauthbearer_assertion_private_key_passphrase: Option<Password> =
        null, "sasl.oauthbearer.assertion.private.key.passphrase", ReadOnly => NoEffect(SECURITY);
    /// A file of further headers and claims for assertions, for identity providers that ask for
    /// some of their own. Not served yet.
    sasl_oauthbearer_assertion_template_file: Option<String> =
        null, "sasl.oauthbearer.assertion.template.file", ReadOnly => NoEffect(SECURITY);
    /// Which claim of a token holds its scope, for identity providers that do not call it `scope`.
    /// Not served yet.
    sasl_oauthbearer_scope_claim_name: String =
        "scope", "sasl.oauthbearer.scope.claim.name", ReadOnly => NoEffect(SECURITY);
    /// Which claim of a token holds the user's name, for identity providers that do not call it
    /// `sub`. Not served yet.
    sasl_oauthbearer_sub_claim_name: String = "sub", "sasl.oauthbearer.sub.claim.name", ReadOnly
        => NoEffect(SECURITY);
    /// Where the broker gets its token: the identity provider's address, or a `file:` with a token
    /// in it. Not served yet.
    sasl_oauthbearer_token_endpoint_url: Option<String> =
        null, "sasl.oauthbearer.token.endpoint.url", ReadOnly => NoEffect(SECURITY);
    /// Where the keys are that clients' tokens must be signed with: the identity provider's
    /// address, or a `file:` that is read at start. Not served yet.
    sasl_oauthbearer_jwks_endpoint_url: Option<String> =
        null, "sasl.oauthbearer.jwks.endpoint.url", ReadOnly => NoEffect(SECURITY);
    /// Milliseconds after which the identity provider's keys are fetched again. Not served yet.
    sasl_oauthbearer_jwks_endpoint_refresh_ms: i64 =
        "3600000", "sasl.oauthbearer.jwks.endpoint.refresh.ms", ReadOnly => NoEffect(SECURITY);
    /// Milliseconds of the first pause after the identity provider's keys could not be fetched,
    /// which doubles with each failure. Not served yet.
    sasl_oauthbearer_jwks_endpoint_retry_backoff_ms: i64 =
        "100", "sasl.oauthbearer.jwks.endpoint.retry.backoff.ms", ReadOnly => NoEffect(SECURITY);
    /// Milliseconds up to which the pause grows while the identity provider's keys cannot be
    /// fetched. Not served yet.
    sasl_oauthbearer_jwks_endpoint_retry_backoff_max_ms: i64 =
        "10000", "sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms", ReadOnly
        => NoEffect(SECURITY);
    /// Seconds by which the clocks of the identity provider and of the broker may differ when a
    /// token's validity is checked. Not served yet.
    sasl_oauthbearer_clock_skew_seconds: i32 =
        "30", "sasl.oauthbearer.clock.skew.seconds", ReadOnly => NoEffect(SECURITY);
    /// Tokens must be meant for one of these (`aud`), else the client is refused. Set it, or tokens
    /// that were issued for other services are good here too. Not served yet.
    sasl_oauthbearer_expected_audience: Vec<String> =
        "", "sasl.oauthbearer.expected.audience", ReadOnly, List => NoEffect(SECURITY);
    /// Tokens must come from this provider (`iss`), else the client is refused. Set it, or the
    /// origin of tokens is left to the signature alone. Not served yet.
    sasl_oauthbearer_expected_issuer: Option<String> =
        null, "sasl.oauthbearer.expected.issuer", ReadOnly => NoEffect(SECURITY);
    /// The key that delegation tokens are made and checked with, the same on every broker and
    /// controller; without it there are none. Not served yet.
    delegation_token_secret_key: Option<Password> = null, "delegation.token.secret.key", ReadOnly
        => NoEffect(SECURITY);
    /// Milliseconds after which a delegation token ends for good, however often it was renewed. Not
    /// served yet.
    delegation_token_max_lifetime_ms: i64 =
        "604800000", "delegation.token.max.lifetime.ms", ReadOnly, AtLeast(1) => NoEffect(SECURITY);
    /// Milliseconds that a delegation token is good for until somebody renews it. Not served yet.
    delegation_token_expiry_time_ms: i64 =
        "86400000", "delegation.token.expiry.time.ms", ReadOnly, AtLeast(1) => NoEffect(SECURITY);
    /// Milliseconds between two searches for delegation tokens that have ended, which are then
    /// removed. Not served yet.
    delegation_token_expiry_check_interval_ms: i64 =
        "3600000", "delegation.token.expiry.check.interval.ms", ReadOnly, AtLeast(1)
        => NoEffect(SECURITY);
}
