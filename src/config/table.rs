//! The table of the broker's settings, and [`Config`], which has a field for each of its rows.

use super::definition::Check::*;
use super::definition::{ClassName, Password, Setting, UpdateMode, Value};
use super::effect::Effect::*;
use super::effect::*;
use super::{Values, default_text};

/// Rows of `/// doc`, then `field: type = default, "name", update mode, check => effect;`, where
/// no check is `Any` and no effect is `Served`.
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
    /// The roles that this process plays: 'broker', 'controller', or 'broker,controller' if it is
    /// both.
    process_roles: Vec<String> =
        "broker,controller", "process.roles", ReadOnly, NonEmptyListOf(&["broker", "controller"]);
    /// The node ID associated with the roles this process is playing when `process.roles` is
    /// non-empty. This is required configuration when running in KRaft mode.
    node_id: i32 = "1", "node.id", ReadOnly, AtLeast(0);
    /// The broker id for this server.
    broker_id: i32 = "1", "broker.id", ReadOnly;
    /// Listener List - Comma-separated list of URIs we will listen on and the listener names. If
    /// the listener name is not a security protocol, `listener.security.protocol.map` must also be
    /// set. Listener names and port numbers must be unique unless one listener is an IPv4 address
    /// and the other listener is an IPv6 address (for the same port). Specify hostname as 0.0.0.0
    /// to bind to all interfaces. Leave hostname empty to bind to default interface. Examples of
    /// legal listener lists: `PLAINTEXT://myhost:9092,SSL://:9091`
    /// `CLIENT://0.0.0.0:9092,REPLICATION://localhost:9093`
    /// `PLAINTEXT://127.0.0.1:9092,SSL://[::1]:9092`
    listeners: Vec<String> = "PLAINTEXT://127.0.0.1:9092", "listeners", PerBroker, NonEmptyList;
    /// Specifies the listener addresses that the Kafka brokers will advertise to clients and other
    /// brokers. The config is useful where the actual listener configuration `listeners` does not
    /// represent the addresses that clients should use to connect, such as in cloud environments.
    /// The addresses are published to and managed by the controller, the brokers pull these data
    /// from the controller as needed. In IaaS environments, this may need to be different from the
    /// interface to which the broker binds. If this is not set, the value for `listeners` will be
    /// used. Unlike `listeners`, it is not valid to advertise the 0.0.0.0 meta-address. Also unlike
    /// `listeners`, there can be duplicated ports in this property, so that one listener can be
    /// configured to advertise another listener's address. This can be useful in some cases where
    /// external load balancers are used.
    advertised_listeners: Vec<String> = null, "advertised.listeners", ReadOnly, NonEmptyList;
    /// A comma-separated list of the names of the listeners used by the controller. This is
    /// required when communicating with the controller quorum, the broker will always use the first
    /// listener in this list.
    controller_listener_names: Vec<String> =
        "CONTROLLER", "controller.listener.names", ReadOnly, NonEmptyList;
    /// Map between listener names and security protocols. This must be defined for the same
    /// security protocol to be usable in more than one port or IP. For example, internal and
    /// external traffic can be separated even if SSL is required for both. Concretely, the user
    /// could define listeners with names INTERNAL and EXTERNAL and this property as:
    /// `INTERNAL:SSL,EXTERNAL:SSL`. As shown, key and value are separated by a colon and map
    /// entries are separated by commas. Each listener name should only appear once in the map.
    /// Different security (SSL and SASL) settings can be configured for each listener by adding a
    /// normalised prefix (the listener name is lowercased) to the config name. For example, to set
    /// a different keystore for the INTERNAL listener, a config with name
    /// `listener.name.internal.ssl.keystore.location` would be set. If the config for the listener
    /// name is not set, the config will fallback to the generic config (i.e.
    /// `ssl.keystore.location`). Note that in KRaft a default mapping from the listener names
    /// defined by `controller.listener.names` to PLAINTEXT is assumed if no explicit mapping is
    /// provided and no other security protocol is in use.
    listener_security_protocol_map: String =
        "SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT",
        "listener.security.protocol.map", PerBroker;
    /// Name of listener used for communication between brokers. If this is unset, the listener name
    /// is defined by security.inter.broker.protocol. It is an error to set this and
    /// security.inter.broker.protocol properties at the same time.
    inter_broker_listener_name: Option<String> = null, "inter.broker.listener.name", ReadOnly;
    /// A comma-separated list of the directories where the log data is stored. If not set, the
    /// value in log.dir is used.
    log_dirs: Vec<String> = null, "log.dirs", ReadOnly, NonEmptyList;
    /// A comma-separated list of the directories where the log data is stored. (supplemental to
    /// log.dirs property)
    log_dir: Vec<String> = "klamm-data", "log.dir", ReadOnly, NonEmptyList;
    /// The number of milliseconds to keep the local log segments before it gets eligible for
    /// deletion. Default value is -2, it represents `log.retention.ms` value is to be used. The
    /// effective value should always be less than or equal to `log.retention.ms` value.
    log_local_retention_ms: i64 = "-2", "log.local.retention.ms", ClusterWide, AtLeast(-2)
        => NoEffect(REMOTE);
    /// The maximum size of local log segments that can grow for a partition before it gets eligible
    /// for deletion. Default value is -2, it represents `log.retention.bytes` value to be used. The
    /// effective value should always be less than or equal to `log.retention.bytes` value.
    log_local_retention_bytes: i64 = "-2", "log.local.retention.bytes", ClusterWide, AtLeast(-2)
        => NoEffect(REMOTE);
    /// The largest record batch size allowed by Kafka (after compression if compression is
    /// enabled).This can be set per topic with the topic level `max.message.bytes` config.
    message_max_bytes: i32 = "1048588", "message.max.bytes", ClusterWide, AtLeast(0);
    /// The number of threads that the server uses for processing requests, which may include disk
    /// I/O
    num_io_threads: i32 = "8", "num.io.threads", ClusterWide, AtLeast(1) => NoEffect(THREADS);
    /// The number of threads that can move replicas between log directories, which may include disk
    /// I/O. The default value is equal to the number of directories specified in the `log.dir` or
    /// `log.dirs` configuration property.
    num_replica_alter_log_dirs_threads: Option<i32> =
        null, "num.replica.alter.log.dirs.threads", ReadOnly => NoEffect(THREADS);
    /// The number of threads to use for various background processing tasks
    background_threads: i32 = "10", "background.threads", ClusterWide, AtLeast(1)
        => NoEffect(THREADS);
    /// The configuration controls the maximum amount of time the client will wait for the response
    /// of a request. If the response is not received before the timeout elapses the client will
    /// resend the request if necessary or fail the request if retries are exhausted.
    request_timeout_ms: i32 = "30000", "request.timeout.ms", ReadOnly;
    /// The amount of time the client will wait for the socket connection to be established. If the
    /// connection is not built before the timeout elapses, clients will close the socket channel.
    /// This value is the initial backoff value and will increase exponentially for each consecutive
    /// connection failure, up to the `socket.connection.setup.timeout.max.ms` value.
    socket_connection_setup_timeout_ms: i64 =
        "10000", "socket.connection.setup.timeout.ms", ReadOnly => NoEffect(ALONE);
    /// The maximum amount of time the client will wait for the socket connection to be established.
    /// The connection setup timeout will increase exponentially for each consecutive connection
    /// failure up to this maximum. To avoid connection storms, a randomization factor of 0.2 will
    /// be applied to the timeout resulting in a random range between 20% below and 20% above the
    /// computed value.
    socket_connection_setup_timeout_max_ms: i64 =
        "30000", "socket.connection.setup.timeout.max.ms", ReadOnly => NoEffect(ALONE);
    /// Comma-separated alias names for classes implementing the `ConfigProvider` interface. This
    /// enables loading configuration data (such as passwords, API keys, and other credentials) from
    /// external sources. For example, see Configuration Providers .
    config_providers: Vec<String> = "", "config.providers", ClusterWide, List;
    /// A comma-separated list of listener names which may be started before the authorizer has
    /// finished initialization. This is useful when the authorizer is dependent on the cluster
    /// itself for bootstrapping, as is the case for the StandardAuthorizer (which stores ACLs in
    /// the metadata log.) By default, all listeners included in controller.listener.names will also
    /// be early start listeners. A listener should not appear in this list if it accepts external
    /// traffic.
    early_start_listeners: Vec<String> = null, "early.start.listeners", ReadOnly, List
        => NoEffect(ALONE);
    /// Rack of the broker. This will be used in rack aware replication assignment for fault
    /// tolerance. Examples: `RACK1`, `us-east-1d`
    broker_rack: Option<String> = null, "broker.rack", ReadOnly;
    /// Enable controlled shutdown of the server.
    controlled_shutdown_enable: bool = "true", "controlled.shutdown.enable", ReadOnly
        => NoEffect(CONTROLLED);
    /// When set to true, topics can be deleted by the admin client. When set to false, deletion
    /// requests will be explicitly rejected by the broker.
    delete_topic_enable: bool = "true", "delete.topic.enable", ReadOnly;
    /// Specify the final compression type for a given topic. This configuration accepts the
    /// standard compression codecs ('gzip', 'snappy', 'lz4', 'zstd'). It additionally accepts
    /// 'uncompressed' which is equivalent to no compression; and 'producer' which means retain the
    /// original compression codec set by the producer.
    compression_type: String =
        "producer",
        "compression.type", ClusterWide,
        OneOf(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"]);
    /// The compression level to use if compression.type is set to 'gzip'.
    compression_gzip_level: i32 = "-1", "compression.gzip.level", ClusterWide, GzipLevel;
    /// The compression level to use if compression.type is set to 'lz4'.
    compression_lz4_level: i32 = "9", "compression.lz4.level", ClusterWide, Between(1.0, 17.0);
    /// The compression level to use if compression.type is set to 'zstd'.
    compression_zstd_level: i32 =
        "3", "compression.zstd.level", ClusterWide, Between(-131072.0, 22.0);
    /// The maximum number of total incremental fetch sessions that we will maintain.
    /// FetchSessionCache is sharded into 8 shards and the limit is equally divided among all
    /// shards. Sessions are allocated to each shard in round-robin. Only entries within a shard are
    /// considered eligible for eviction.
    max_incremental_fetch_session_cache_slots: i32 =
        "1000", "max.incremental.fetch.session.cache.slots", ReadOnly, AtLeast(0);
    /// The maximum number of bytes we will return for a fetch request. Must be at least 1024.
    fetch_max_bytes: i32 = "57671680", "fetch.max.bytes", ReadOnly, AtLeast(1024);
    /// The maximum number of partitions can be served in one request.
    max_request_partition_size_limit: i32 =
        "2000", "max.request.partition.size.limit", ReadOnly, AtLeast(1);
    /// (Kafka gives no description.)
    unstable_api_versions_enable: bool = "false", "unstable.api.versions.enable", Internal
        => NoEffect(TESTS);
    /// (Kafka gives no description.)
    unstable_feature_versions_enable: bool = "false", "unstable.feature.versions.enable", Internal
        => NoEffect(TESTS);
    /// When initially registering with the controller quorum, the number of milliseconds to wait
    /// before declaring failure and exiting the broker process.
    initial_broker_registration_timeout_ms: i32 =
        "60000", "initial.broker.registration.timeout.ms", ReadOnly => NoEffect(ALONE);
    /// The length of time in milliseconds between broker heartbeats.
    broker_heartbeat_interval_ms: i32 = "2000", "broker.heartbeat.interval.ms", ReadOnly;
    /// The length of time in milliseconds that a broker lease lasts if no heartbeats are made.
    broker_session_timeout_ms: i32 = "9000", "broker.session.timeout.ms", ReadOnly
        => NoEffect(ALONE);
    /// The number of milliseconds between periodic controller event performance log messages.
    controller_performance_sample_period_ms: i64 =
        "60000", "controller.performance.sample.period.ms", Internal, AtLeast(100)
        => NoEffect(METRICS);
    /// We will log an error message about controller events that take longer than this threshold.
    controller_performance_always_log_threshold_ms: i64 =
        "2000", "controller.performance.always.log.threshold.ms", Internal, AtLeast(0)
        => NoEffect(METRICS);
    /// The maximum number of milliseconds we will wait for the server to come up. By default there
    /// is no limit. This should be used for testing only.
    server_max_startup_time_ms: i64 =
        "9223372036854775807", "server.max.startup.time.ms", Internal, AtLeast(0)
        => NoEffect(TESTS);
    /// This is the maximum number of bytes in the log between the latest snapshot and the
    /// high-watermark needed before generating a new snapshot. The default value is 20971520. To
    /// generate snapshots based on the time elapsed, see the
    /// `metadata.log.max.snapshot.interval.ms` configuration. The Kafka node will generate a
    /// snapshot when either the maximum time interval is reached or the maximum bytes limit is
    /// reached.
    metadata_log_max_record_bytes_between_snapshots: i64 =
        "20971520", "metadata.log.max.record.bytes.between.snapshots", ReadOnly, AtLeast(1);
    /// This is the maximum number of milliseconds to wait to generate a snapshot if there are
    /// committed records in the log that are not included in the latest snapshot. A value of zero
    /// disables time based snapshot generation. The default value is 3600000. To generate snapshots
    /// based on the number of metadata bytes, see the
    /// `metadata.log.max.record.bytes.between.snapshots` configuration. The Kafka node will
    /// generate a snapshot when either the maximum time interval is reached or the maximum bytes
    /// limit is reached.
    metadata_log_max_snapshot_interval_ms: i64 =
        "3600000", "metadata.log.max.snapshot.interval.ms", ReadOnly, AtLeast(0);
    /// This configuration determines where we put the metadata log. If it is not set, the metadata
    /// log is placed in the first log directory from log.dirs.
    metadata_log_dir: Option<String> = null, "metadata.log.dir", ReadOnly;
    /// The maximum size of a single metadata log file.
    metadata_log_segment_bytes: i32 =
        "1073741824", "metadata.log.segment.bytes", ReadOnly, AtLeast(8388608);
    /// The maximum time before a new metadata log file is rolled out (in milliseconds).
    metadata_log_segment_ms: i64 = "604800000", "metadata.log.segment.ms", ReadOnly;
    /// The maximum combined size of the metadata log and snapshots before deleting old snapshots
    /// and log files. Since at least one snapshot must exist before any logs can be deleted, this
    /// is a soft limit.
    metadata_max_retention_bytes: i64 = "104857600", "metadata.max.retention.bytes", ReadOnly;
    /// The number of milliseconds to keep a metadata log file or snapshot before deleting it. Since
    /// at least one snapshot must exist before any logs can be deleted, this is a soft limit.
    metadata_max_retention_ms: i64 = "604800000", "metadata.max.retention.ms", ReadOnly;
    /// This configuration controls how often the active controller should write no-op records to
    /// the metadata partition. If the value is 0, no-op records are not appended to the metadata
    /// partition. The default value is 500
    metadata_max_idle_interval_ms: i32 =
        "500", "metadata.max.idle.interval.ms", ReadOnly, AtLeast(0);
    /// The maximum size of a single metadata log file, only for testing.
    internal_metadata_log_segment_bytes: Option<i32> =
        null, "internal.metadata.log.segment.bytes", Internal => NoEffect(TESTS);
    /// The largest record batch size allowed in the metadata log, only for testing.
    internal_metadata_max_batch_size_in_bytes: i32 =
        "8388608", "internal.metadata.max.batch.size.in.bytes", Internal => NoEffect(TESTS);
    /// The amount of time to wait before deleting a file from the filesystem, only for testing.
    internal_metadata_delete_delay_millis: i64 =
        "60000", "internal.metadata.delete.delay.millis", Internal => NoEffect(TESTS);
    /// The SO_SNDBUF buffer of the socket server sockets. If the value is -1, the OS default will
    /// be used.
    socket_send_buffer_bytes: i32 = "102400", "socket.send.buffer.bytes", ReadOnly;
    /// The SO_RCVBUF buffer of the socket server sockets. If the value is -1, the OS default will
    /// be used.
    socket_receive_buffer_bytes: i32 = "102400", "socket.receive.buffer.bytes", ReadOnly;
    /// The maximum number of bytes in a socket request
    socket_request_max_bytes: i32 = "104857600", "socket.request.max.bytes", ReadOnly, AtLeast(1);
    /// The maximum number of pending connections on the socket. In Linux, you may also need to
    /// configure `somaxconn` and `tcp_max_syn_backlog` kernel parameters accordingly to make the
    /// configuration takes effect.
    socket_listen_backlog_size: i32 = "50", "socket.listen.backlog.size", ReadOnly, AtLeast(1)
        => NoEffect(BACKLOG);
    /// The maximum number of connections we allow from each ip address. This can be set to 0 if
    /// there are overrides configured using max.connections.per.ip.overrides property. New
    /// connections from the ip address are dropped if the limit is reached.
    max_connections_per_ip: i32 = "2147483647", "max.connections.per.ip", ClusterWide, AtLeast(0);
    /// A comma-separated list of per-ip or hostname overrides to the default maximum number of
    /// connections. An example value is "hostName:100,127.0.0.1:200"
    max_connections_per_ip_overrides: String = "", "max.connections.per.ip.overrides", ClusterWide;
    /// The maximum number of connections we allow in the broker at any time. This limit is applied
    /// in addition to any per-ip limits configured using max.connections.per.ip. Listener-level
    /// limits may also be configured by prefixing the config name with the listener prefix, for
    /// example, `listener.name.internal.max.connections.per.ip`. Broker-wide limit should be
    /// configured based on broker capacity while listener limits should be configured based on
    /// application requirements. New connections are blocked if either the listener or broker limit
    /// is reached. Connections on the inter-broker listener are permitted even if broker-wide limit
    /// is reached. The least recently used connection on another listener will be closed in this
    /// case.
    max_connections: i32 = "2147483647", "max.connections", ClusterWide, AtLeast(0);
    /// The maximum connection creation rate we allow in the broker at any time. Listener-level
    /// limits may also be configured by prefixing the config name with the listener prefix, for
    /// example, `listener.name.internal.max.connection.creation.rate`.Broker-wide connection rate
    /// limit should be configured based on broker capacity while listener limits should be
    /// configured based on application requirements. New connections will be throttled if either
    /// the listener or the broker limit is reached, with the exception of inter-broker listener.
    /// Connections on the inter-broker listener will be throttled only when the listener-level rate
    /// limit is reached.
    max_connection_creation_rate: i32 =
        "2147483647", "max.connection.creation.rate", ClusterWide, AtLeast(0)
       ;
    /// Idle connections timeout: the server socket processor threads close the connections that
    /// idle more than this
    connections_max_idle_ms: i64 = "600000", "connections.max.idle.ms", ReadOnly;
    /// Connection close delay on failed authentication: this is the time (in milliseconds) by which
    /// connection close will be delayed on authentication failure. This must be configured to be
    /// less than connections.max.idle.ms to prevent connection timeout.
    connection_failed_authentication_delay_ms: i32 =
        "100", "connection.failed.authentication.delay.ms", ReadOnly, AtLeast(0)
        => NoEffect(SECURITY);
    /// The number of queued requests allowed for data-plane, before blocking the network threads
    queued_max_requests: i32 = "500", "queued.max.requests", ReadOnly, AtLeast(1);
    /// The number of queued bytes allowed before no more requests are read
    queued_max_request_bytes: i64 = "-1", "queued.max.request.bytes", ReadOnly => NoEffect(HELD);
    /// The number of threads that the server uses for receiving requests from the network and
    /// sending responses to the network. Noted: each listener (except for controller listener)
    /// creates its own thread pool.
    num_network_threads: i32 = "3", "num.network.threads", ClusterWide, AtLeast(1)
        => NoEffect(THREADS);
    /// The socket timeout for controller-to-broker channels.
    controller_socket_timeout_ms: i32 = "30000", "controller.socket.timeout.ms", ReadOnly
        => NoEffect(ALONE);
    /// The default replication factor per topic. This configuration affects the following paths: 1.
    /// Auto topic creation, 2. Internal streams topic creation, 3. Topic creation via
    /// `AdminClient#createTopics` when the replication factor is set to -1 For (1), the value from
    /// the broker configuration is used only when it is explicitly set. If it is not explicitly
    /// configured on the broker, the value from the controller configuration is used. For (2) and
    /// (3), the value from the controller configuration is always used.
    default_replication_factor: i32 = "1", "default.replication.factor", ReadOnly;
    /// If a follower hasn't sent any fetch requests or hasn't consumed up to the leader's log end
    /// offset for at least this time, the leader will remove the follower from ISR
    replica_lag_time_max_ms: i64 = "30000", "replica.lag.time.max.ms", ReadOnly => NoEffect(ALONE);
    /// The socket timeout for network requests. Its value should be at least
    /// replica.fetch.wait.max.ms
    replica_socket_timeout_ms: i32 = "30000", "replica.socket.timeout.ms", ReadOnly
        => NoEffect(ALONE);
    /// The socket receive buffer for network requests to the leader for replicating data
    replica_socket_receive_buffer_bytes: i32 =
        "65536", "replica.socket.receive.buffer.bytes", ReadOnly => NoEffect(ALONE);
    /// The number of bytes of messages to attempt to fetch for each partition. This is not an
    /// absolute maximum, if the first record batch in the first non-empty partition of the fetch is
    /// larger than this value, the record batch will still be returned to ensure that progress can
    /// be made. The maximum record batch size accepted by the broker is defined via
    /// `message.max.bytes` (broker config) or `max.message.bytes` (topic config).
    replica_fetch_max_bytes: i32 = "1048576", "replica.fetch.max.bytes", ReadOnly, AtLeast(0)
        => NoEffect(ALONE);
    /// The maximum wait time for each fetcher request issued by follower replicas. This value
    /// should always be less than the replica.lag.time.max.ms at all times to prevent frequent
    /// shrinking of ISR for low throughput topics
    replica_fetch_wait_max_ms: i32 = "500", "replica.fetch.wait.max.ms", ReadOnly
        => NoEffect(ALONE);
    /// The amount of time to sleep when fetch partition error occurs.
    replica_fetch_backoff_ms: i32 = "1000", "replica.fetch.backoff.ms", ReadOnly, AtLeast(0)
        => NoEffect(ALONE);
    /// Minimum bytes expected for each fetch response. If not enough bytes, wait up to
    /// `replica.fetch.wait.max.ms` (broker config). Even if the total data available in the broker
    /// exceeds replica.fetch.min.bytes, the actual returned size may still be less than this value
    /// due to per-partition limits replica.fetch.max.bytes and max returned limits
    /// replica.fetch.response.max.bytes
    replica_fetch_min_bytes: i32 = "1", "replica.fetch.min.bytes", ReadOnly => NoEffect(ALONE);
    /// Maximum bytes expected for the entire fetch response. Records are fetched in batches, and if
    /// the first record batch in the first non-empty partition of the fetch is larger than this
    /// value, the record batch will still be returned to ensure that progress can be made. As such,
    /// this is not an absolute maximum. The maximum record batch size accepted by the broker is
    /// defined via `message.max.bytes` (broker config) or `max.message.bytes` (topic config).
    replica_fetch_response_max_bytes: i32 =
        "10485760", "replica.fetch.response.max.bytes", ReadOnly, AtLeast(0) => NoEffect(ALONE);
    /// Number of fetcher threads used to replicate records from each source broker. The total
    /// number of fetchers on each broker is bound by `num.replica.fetchers` multiplied by the
    /// number of brokers in the cluster.Increasing this value can increase the degree of I/O
    /// parallelism in the follower and leader broker at the cost of higher CPU and memory
    /// utilization.
    num_replica_fetchers: i32 = "1", "num.replica.fetchers", ClusterWide, AtLeast(1)
        => NoEffect(THREADS);
    /// The frequency with which the high watermark is saved out to disk
    replica_high_watermark_checkpoint_interval_ms: i64 =
        "5000", "replica.high.watermark.checkpoint.interval.ms", ReadOnly;
    /// The purge interval (in number of requests) of the fetch request purgatory
    fetch_purgatory_purge_interval_requests: i32 =
        "1000", "fetch.purgatory.purge.interval.requests", ReadOnly => NoEffect(PURGATORY);
    /// The purge interval (in number of requests) of the producer request purgatory
    producer_purgatory_purge_interval_requests: i32 =
        "1000", "producer.purgatory.purge.interval.requests", ReadOnly => NoEffect(PURGATORY);
    /// The purge interval (in number of requests) of the delete records request purgatory
    delete_records_purgatory_purge_interval_requests: i32 =
        "1", "delete.records.purgatory.purge.interval.requests", ReadOnly => NoEffect(PURGATORY);
    /// Enables auto leader balancing. A background thread checks the distribution of partition
    /// leaders at regular intervals, configurable by leader.imbalance.check.interval.seconds. If
    /// the leader is imbalanced, leader rebalance to the preferred leader for partitions is
    /// triggered.
    auto_leader_rebalance_enable: bool = "true", "auto.leader.rebalance.enable", ReadOnly
        => NoEffect(ALONE);
    /// The frequency with which the partition rebalance check is triggered by the controller
    leader_imbalance_check_interval_seconds: i64 =
        "300", "leader.imbalance.check.interval.seconds", ReadOnly, AtLeast(1) => NoEffect(ALONE);
    /// The frequency with which the controller checks if it should perform an unclean leader
    /// election for leaderless partitions.
    unclean_leader_election_interval_ms: i64 =
        "300000", "unclean.leader.election.interval.ms", Internal, AtLeast(1) => NoEffect(ALONE);
    /// Indicates whether to enable replicas not in the ISR set to be elected as leader as a last
    /// resort, even though doing so may result in data loss Note: In KRaft mode, when enabling this
    /// config dynamically, it needs to wait for the unclean leader election thread to trigger
    /// election periodically (default is 5 minutes). Please run `kafka-leader-election.sh` with
    /// `unclean` option to trigger the unclean leader election immediately if needed.
    unclean_leader_election_enable: bool = "false", "unclean.leader.election.enable", ClusterWide;
    /// The fully qualified class name that implements ReplicaSelector. This is used by the broker
    /// to find the preferred read replica. By default, we use an implementation that returns the
    /// leader.
    replica_selector_class: Option<String> = null, "replica.selector.class", ReadOnly
        => OnlyThese(&[RACK_AWARE], CLASS);
    /// This configuration is deprecated and will be removed in Kafka 5.0. The list of enabled
    /// rebalance protocols. In Kafka 5.0, all protocols will always be enabled and cannot be
    /// disabled via this configuration. Use feature versions (group.version, streams.version,
    /// share.version) managed by kafka-features.sh instead.
    group_coordinator_rebalance_protocols: Vec<String> =
        "classic,consumer,streams",
        "group.coordinator.rebalance.protocols", ReadOnly,
        NonEmptyListOf(&["consumer", "classic", "share", "streams"]);
    /// The number of threads used by the group coordinator for processing requests.
    group_coordinator_threads: i32 = "4", "group.coordinator.threads", ReadOnly, AtLeast(1)
        => NoEffect(THREADS);
    /// The number of threads used by the group coordinator for processing background tasks (e.g.
    /// updating regular expression subscriptions and offloaded assignments).
    group_coordinator_background_threads: i32 =
        "2", "group.coordinator.background.threads", ReadOnly, AtLeast(1) => NoEffect(THREADS);
    /// The duration in milliseconds that the coordinator will wait for writes to accumulate before
    /// flushing them to disk. Increasing this value improves write efficiency and batch size, but
    /// also increases the response latency for requests, as the coordinator must wait for batches
    /// to be flushed to disk before completing request processing. Transactional writes are not
    /// accumulated. Set to -1 for an adaptive linger time that minimizes latency based on the
    /// workload.
    group_coordinator_append_linger_ms: i32 =
        "-1", "group.coordinator.append.linger.ms", ReadOnly, AtLeast(-1) => NoEffect(AT_ONCE);
    /// Offset commit will be delayed until all replicas for the offsets topic receive the commit or
    /// this timeout is reached. This is similar to the producer request timeout. This is applied to
    /// all the writes made by the coordinator.
    offsets_commit_timeout_ms: i32 = "5000", "offsets.commit.timeout.ms", ReadOnly, AtLeast(1);
    /// Batch size for reading from the offsets segments when loading group metadata into the cache
    /// (soft-limit, overridden if records are too large).
    offsets_load_buffer_size: i32 = "5242880", "offsets.load.buffer.size", ReadOnly, AtLeast(1);
    /// The replication factor for the offsets topic (set higher to ensure availability). Internal
    /// topic creation will fail until the cluster size meets this replication factor requirement.
    offsets_topic_replication_factor: i16 =
        "3", "offsets.topic.replication.factor", ReadOnly, AtLeast(1);
    /// The number of partitions for the offset commit topic (should not change after deployment).
    offsets_topic_num_partitions: i32 = "50", "offsets.topic.num.partitions", ReadOnly, AtLeast(1);
    /// The offsets topic segment bytes should be kept relatively small in order to facilitate
    /// faster log compaction and cache loads.
    offsets_topic_segment_bytes: i32 =
        "104857600", "offsets.topic.segment.bytes", ReadOnly, AtLeast(1);
    /// Compression codec for the offsets topic - compression may be used to achieve "atomic"
    /// commits.
    offsets_topic_compression_codec: i32 = "0", "offsets.topic.compression.codec", ReadOnly;
    /// The maximum buffer size that the GroupCoordinator will retain for reuse. Note: Setting this
    /// larger than the maximum message size is not recommended. In this case, every write buffer
    /// will be eligible for recycling, which renders this configuration ineffective as a size
    /// limit.
    group_coordinator_cached_buffer_max_bytes: i32 =
        "1048588", "group.coordinator.cached.buffer.max.bytes", ClusterWide, AtLeast(524288)
        => NoEffect(AT_ONCE);
    /// The maximum size for a metadata entry associated with an offset commit.
    offset_metadata_max_bytes: i32 = "4096", "offset.metadata.max.bytes", ReadOnly;
    /// For subscribed consumers, committed offset of a specific partition will be expired and
    /// discarded when 1) this retention period has elapsed after the consumer group loses all its
    /// consumers (i.e. becomes empty); 2) this retention period has elapsed since the last time an
    /// offset is committed for the partition and the group is no longer subscribed to the
    /// corresponding topic. For standalone consumers (using manual assignment), offsets will be
    /// expired after this retention period has elapsed since the time of last commit. Note that
    /// when a group is deleted via the delete-group request, its committed offsets will also be
    /// deleted without extra retention period; also when a topic is deleted via the delete-topic
    /// request, upon propagated metadata update any group's committed offsets for that topic will
    /// also be deleted without extra retention period.
    offsets_retention_minutes: i32 = "10080", "offsets.retention.minutes", ReadOnly, AtLeast(1);
    /// Frequency at which to check for stale offsets
    offsets_retention_check_interval_ms: i64 =
        "600000", "offsets.retention.check.interval.ms", ReadOnly, AtLeast(1);
    /// The minimum allowed session timeout for registered consumers. Shorter timeouts result in
    /// quicker failure detection at the cost of more frequent consumer heartbeating, which can
    /// overwhelm broker resources.
    group_min_session_timeout_ms: i32 = "6000", "group.min.session.timeout.ms", ReadOnly;
    /// The maximum allowed session timeout for registered consumers. Longer timeouts give consumers
    /// more time to process messages in between heartbeats at the cost of a longer time to detect
    /// failures.
    group_max_session_timeout_ms: i32 = "1800000", "group.max.session.timeout.ms", ReadOnly;
    /// The amount of time the group coordinator will wait for more consumers to join a new group
    /// before performing the first rebalance. A longer delay means potentially fewer rebalances,
    /// but increases the time until processing begins.
    group_initial_rebalance_delay_ms: i32 = "3000", "group.initial.rebalance.delay.ms", ReadOnly;
    /// The maximum number of consumers that a single consumer group can accommodate.
    group_max_size: i32 = "2147483647", "group.max.size", ReadOnly, AtLeast(1);
    /// The timeout to detect client failures when using the consumer group protocol.
    group_consumer_session_timeout_ms: i32 =
        "45000", "group.consumer.session.timeout.ms", ReadOnly, AtLeast(1);
    /// The minimum allowed session timeout for registered consumers.
    group_consumer_min_session_timeout_ms: i32 =
        "45000", "group.consumer.min.session.timeout.ms", ReadOnly, AtLeast(1);
    /// The maximum allowed session timeout for registered consumers.
    group_consumer_max_session_timeout_ms: i32 =
        "60000", "group.consumer.max.session.timeout.ms", ReadOnly, AtLeast(1);
    /// The heartbeat interval given to the members of a consumer group.
    group_consumer_heartbeat_interval_ms: i32 =
        "5000", "group.consumer.heartbeat.interval.ms", ReadOnly, AtLeast(1);
    /// The minimum heartbeat interval for registered consumers.
    group_consumer_min_heartbeat_interval_ms: i32 =
        "5000", "group.consumer.min.heartbeat.interval.ms", ReadOnly, AtLeast(1);
    /// The maximum heartbeat interval for registered consumers.
    group_consumer_max_heartbeat_interval_ms: i32 =
        "15000", "group.consumer.max.heartbeat.interval.ms", ReadOnly, AtLeast(1);
    /// The maximum number of consumers that a single consumer group can accommodate. This value
    /// will only impact groups under the CONSUMER group protocol. To configure the max group size
    /// when using the CLASSIC group protocol use group.max.size instead.
    group_consumer_max_size: i32 = "2147483647", "group.consumer.max.size", ReadOnly, AtLeast(1);
    /// The server side assignors as a list of either names for builtin assignors or full class
    /// names for customer assignors. The first one in the list is considered as the default
    /// assignor to be used in the case where the consumer does not specify an assignor. The
    /// supported builtin assignors are: uniform, range.
    group_consumer_assignors: Vec<String> =
        "uniform,range", "group.consumer.assignors", ReadOnly, NonEmptyList;
    /// The config that enables converting the non-empty classic group using the consumer embedded
    /// protocol to the non-empty consumer group using the consumer group protocol and vice versa;
    /// conversions of empty groups in both directions are always enabled regardless of this policy.
    /// bidirectional: both upgrade from classic group to consumer group and downgrade from consumer
    /// group to classic group are enabled, upgrade: only upgrade from classic group to consumer
    /// group is enabled, downgrade: only downgrade from consumer group to classic group is enabled,
    /// disabled: neither upgrade nor downgrade is enabled. In this mode a member using the classic
    /// protocol is not allowed to join or rejoin a non-empty consumer group; if a group is already
    /// mixed (for example because this policy was changed), its classic-protocol members are
    /// rejected when they next attempt to rejoin.
    group_consumer_migration_policy: String =
        "bidirectional",
        "group.consumer.migration.policy", ReadOnly,
        OneOfIgnoringCase(&["DISABLED", "DOWNGRADE", "UPGRADE", "BIDIRECTIONAL"]);
    /// The interval between assignment updates for a consumer group.
    group_consumer_assignment_interval_ms: i32 =
        "1000", "group.consumer.assignment.interval.ms", ClusterWide, AtLeast(0);
    /// The minimum interval between assignment updates for a consumer group.
    group_consumer_min_assignment_interval_ms: i32 =
        "0", "group.consumer.min.assignment.interval.ms", ReadOnly, AtLeast(0);
    /// The maximum interval between assignment updates for a consumer group.
    group_consumer_max_assignment_interval_ms: i32 =
        "15000", "group.consumer.max.assignment.interval.ms", ReadOnly, AtLeast(0);
    /// The interval at which the group coordinator will refresh the topics matching the group
    /// subscribed regexes. This is only applicable to consumer groups using the consumer group
    /// protocol.
    group_consumer_regex_refresh_interval_ms: i32 =
        "600000", "group.consumer.regex.refresh.interval.ms", Internal, AtLeast(10000);
    /// The number of background threads to use for log cleaning
    log_cleaner_threads: i32 = "1", "log.cleaner.threads", ClusterWide, AtLeast(0);
    /// The log cleaner will be throttled so that the sum of its read and write i/o will be less
    /// than this value on average
    log_cleaner_io_max_bytes_per_second: f64 =
        "1.7976931348623157E308", "log.cleaner.io.max.bytes.per.second", ClusterWide;
    /// The total memory used for log deduplication across all cleaner threads
    log_cleaner_dedupe_buffer_size: i64 =
        "134217728", "log.cleaner.dedupe.buffer.size", ClusterWide;
    /// The total memory used for log cleaner I/O buffers across all cleaner threads
    log_cleaner_io_buffer_size: i32 =
        "524288", "log.cleaner.io.buffer.size", ClusterWide, AtLeast(0);
    /// Log cleaner dedupe buffer load factor. The percentage full the dedupe buffer can become. A
    /// higher value will allow more log to be cleaned at once but will lead to more hash collisions
    log_cleaner_io_buffer_load_factor: f64 =
        "0.9", "log.cleaner.io.buffer.load.factor", ClusterWide;
    /// The amount of time to sleep when there are no logs to clean
    log_cleaner_backoff_ms: i64 = "15000", "log.cleaner.backoff.ms", ClusterWide, AtLeast(0);
    /// The minimum ratio of dirty log to total log for a log to eligible for cleaning. If the
    /// log.cleaner.max.compaction.lag.ms or the log.cleaner.min.compaction.lag.ms configurations
    /// are also specified, then the log compactor considers the log eligible for compaction as soon
    /// as either: (i) the dirty ratio threshold has been met and the log has had dirty
    /// (uncompacted) records for at least the log.cleaner.min.compaction.lag.ms duration, or (ii)
    /// if the log has had dirty (uncompacted) records for at most the
    /// log.cleaner.max.compaction.lag.ms period.
    log_cleaner_min_cleanable_ratio: f64 =
        "0.5", "log.cleaner.min.cleanable.ratio", ClusterWide, Between(0.0, 1.0);
    /// This configuration has been deprecated and will be removed in Kafka 5.0. Users should not
    /// set it to false to prepare for its future removal. Enable the log cleaner process to run on
    /// the server. Should be enabled if using any topics with a cleanup.policy=compact including
    /// the internal offsets topic. If disabled those topics will not be compacted and continually
    /// grow in size.
    log_cleaner_enable: bool = "true", "log.cleaner.enable", ReadOnly;
    /// The amount of time to retain tombstone message markers for log compacted topics. This
    /// setting also gives a bound on the time in which a consumer must complete a read if they
    /// begin from offset 0 to ensure that they get a valid snapshot of the final stage (otherwise
    /// tombstones messages may be collected before a consumer completes their scan).
    log_cleaner_delete_retention_ms: i64 =
        "86400000", "log.cleaner.delete.retention.ms", ClusterWide, AtLeast(0);
    /// The minimum time a message will remain uncompacted in the log. Only applicable for logs that
    /// are being compacted.
    log_cleaner_min_compaction_lag_ms: i64 =
        "0", "log.cleaner.min.compaction.lag.ms", ClusterWide, AtLeast(0);
    /// The maximum time a message will remain ineligible for compaction in the log. Only applicable
    /// for logs that are being compacted.
    log_cleaner_max_compaction_lag_ms: i64 =
        "9223372036854775807", "log.cleaner.max.compaction.lag.ms", ClusterWide, AtLeast(1);
    /// The default number of log partitions per topic. This configuration affects the following
    /// paths: 1. Auto topic creation, 2. Internal streams topic creation, 3. Topic creation via
    /// `AdminClient#createTopics` when the number of partition is set to -1 For (1), the value from
    /// the broker configuration is used only when it is explicitly set. If it is not explicitly
    /// configured on the broker, the value from the controller configuration is used. For (2) and
    /// (3), the value from the controller configuration is always used.
    num_partitions: i32 = "1", "num.partitions", ReadOnly, AtLeast(1);
    /// A comma-separated list of the directories that are cordoned. Entries in this list must be
    /// entries in log.dirs or log.dir configuration. This can also be set to * to cordon all log
    /// directories.
    cordoned_log_dirs: Vec<String> = "", "cordoned.log.dirs", PerBroker, List;
    /// The maximum size of a single log file
    log_segment_bytes: i32 = "1073741824", "log.segment.bytes", ClusterWide, AtLeast(1048576);
    /// The maximum time before a new log segment is rolled out (in milliseconds). If not set, the
    /// value in log.roll.hours is used
    log_roll_ms: Option<i64> = null, "log.roll.ms", ClusterWide;
    /// The maximum time before a new log segment is rolled out (in hours), secondary to log.roll.ms
    /// property
    log_roll_hours: i32 = "168", "log.roll.hours", ReadOnly, AtLeast(1);
    /// The maximum jitter to subtract from logRollTimeMillis (in milliseconds). If not set, the
    /// value in log.roll.jitter.hours is used
    log_roll_jitter_ms: Option<i64> = null, "log.roll.jitter.ms", ClusterWide;
    /// The maximum jitter to subtract from logRollTimeMillis (in hours), secondary to
    /// log.roll.jitter.ms property
    log_roll_jitter_hours: i32 = "0", "log.roll.jitter.hours", ReadOnly, AtLeast(0);
    /// The number of milliseconds to keep a log file before deleting it (in milliseconds), If not
    /// set, the value in log.retention.minutes is used. If set to -1, no time limit is applied.
    log_retention_ms: Option<i64> = null, "log.retention.ms", ClusterWide;
    /// The number of minutes to keep a log file before deleting it (in minutes), secondary to
    /// log.retention.ms property. If not set, the value in log.retention.hours is used
    log_retention_minutes: Option<i32> = null, "log.retention.minutes", ReadOnly;
    /// The number of hours to keep a log file before deleting it (in hours), tertiary to
    /// log.retention.ms property
    log_retention_hours: i32 = "168", "log.retention.hours", ReadOnly;
    /// The maximum size of the log before deleting it
    log_retention_bytes: i64 = "-1", "log.retention.bytes", ClusterWide;
    /// The frequency in milliseconds that the log cleaner checks whether any log is eligible for
    /// deletion
    log_retention_check_interval_ms: i64 =
        "300000", "log.retention.check.interval.ms", ReadOnly, AtLeast(1);
    /// This config designates the retention policy to use on log segments. The "delete" policy
    /// (which is the default) will discard old segments when their retention time or size limit has
    /// been reached. The "compact" policy will enable log compaction , which retains the latest
    /// value for each key. It is also possible to specify both policies in a comma-separated list
    /// (e.g. "delete,compact"). In this case, old segments will be discarded per the retention time
    /// and size configuration, while retained segments will be compacted. An empty list means
    /// infinite retention - no cleanup policies will be applied and log segments will be retained
    /// indefinitely. Note that with remote storage enabled, local retention limits
    /// (log.local.retention.ms and log.local.retention.bytes) are still applied to local segments.
    log_cleanup_policy: Vec<String> =
        "delete", "log.cleanup.policy", ClusterWide, ListOf(&["compact", "delete"]);
    /// The maximum size in bytes of the offset index
    log_index_size_max_bytes: i32 = "10485760", "log.index.size.max.bytes", ClusterWide, AtLeast(4);
    /// The interval with which we add an entry to the offset index.
    log_index_interval_bytes: i32 = "4096", "log.index.interval.bytes", ClusterWide, AtLeast(0);
    /// The number of messages accumulated on a log partition before messages are flushed to disk.
    log_flush_interval_messages: i64 =
        "9223372036854775807", "log.flush.interval.messages", ClusterWide, AtLeast(1);
    /// The amount of time to wait before deleting a file from the filesystem. If the value is 0 and
    /// there is no file to delete, the system will wait 1 millisecond. Low value will cause busy
    /// waiting
    log_segment_delete_delay_ms: i64 =
        "60000", "log.segment.delete.delay.ms", ClusterWide, AtLeast(0);
    /// The frequency in ms that the log flusher checks whether any log needs to be flushed to disk
    log_flush_scheduler_interval_ms: i64 =
        "9223372036854775807", "log.flush.scheduler.interval.ms", ReadOnly;
    /// The maximum time in ms that a message in any topic is kept in memory before flushed to disk.
    /// If not set, the value in log.flush.scheduler.interval.ms is used
    log_flush_interval_ms: Option<i64> = null, "log.flush.interval.ms", ClusterWide;
    /// The frequency with which we update the persistent record of the last flush which acts as the
    /// log recovery point.
    log_flush_offset_checkpoint_interval_ms: i32 =
        "60000", "log.flush.offset.checkpoint.interval.ms", ReadOnly, AtLeast(0);
    /// The frequency with which we update the persistent record of log start offset
    log_flush_start_offset_checkpoint_interval_ms: i32 =
        "60000", "log.flush.start.offset.checkpoint.interval.ms", ReadOnly, AtLeast(0);
    /// Should pre allocate file when create new segment? If you are using Kafka on Windows, you
    /// probably need to set it to true.
    log_preallocate: bool = "false", "log.preallocate", ClusterWide;
    /// The number of threads per data directory to be used for log recovery at startup and flushing
    /// at shutdown
    num_recovery_threads_per_data_dir: i32 =
        "2", "num.recovery.threads.per.data.dir", ClusterWide, AtLeast(1);
    /// Enable auto creation of topic on the server.
    auto_create_topics_enable: bool = "true", "auto.create.topics.enable", ReadOnly;
    /// Specifies the minimum number of in-sync replicas (including the leader) required for a write
    /// to succeed when a producer sets `acks` to "all" (or "-1"). In the `acks=all` case, every
    /// in-sync replica must acknowledge a write for it to be considered successful. E.g., if a
    /// topic has `replication.factor` of 3 and the ISR set includes all three replicas, then all
    /// three replicas must acknowledge an `acks=all` write for it to succeed, even if
    /// `min.insync.replicas` happens to be less than 3. If `acks=all` and the current ISR set
    /// contains fewer than `min.insync.replicas` members, then the producer will raise an exception
    /// (either `NotEnoughReplicas` or `NotEnoughReplicasAfterAppend`). Regardless of the `acks`
    /// setting, the messages will not be visible to the consumers until they are replicated to all
    /// in-sync replicas and the `min.insync.replicas` condition is met. When used together,
    /// `min.insync.replicas` and `acks` allow you to enforce greater durability guarantees. A
    /// typical scenario would be to create a topic with a replication factor of 3, set
    /// `min.insync.replicas` to 2, and produce with `acks` of "all". This ensures that a majority
    /// of replicas must persist a write before it's considered successful by the producer and it's
    /// visible to consumers. Note that when the Eligible Leader Replicas feature is enabled, the
    /// semantics of this config changes. Please refer to the ELR section for more info.
    min_insync_replicas: i32 = "1", "min.insync.replicas", ClusterWide, AtLeast(1);
    /// Define whether the timestamp in the message is message create time or log append time. The
    /// value should be either `CreateTime` or `LogAppendTime`.
    log_message_timestamp_type: String =
        "CreateTime",
        "log.message.timestamp.type", ClusterWide, OneOf(&["CreateTime", "LogAppendTime"]);
    /// This configuration sets the allowable timestamp difference between the broker's timestamp
    /// and the message timestamp. The message timestamp can be earlier than or equal to the
    /// broker's timestamp, with the maximum allowable difference determined by the value set in
    /// this configuration. If log.message.timestamp.type=CreateTime, the message will be rejected
    /// if the difference in timestamps exceeds this specified threshold. This configuration is
    /// ignored if log.message.timestamp.type=LogAppendTime.
    log_message_timestamp_before_max_ms: i64 =
        "9223372036854775807", "log.message.timestamp.before.max.ms", ClusterWide, AtLeast(0);
    /// This configuration sets the allowable timestamp difference between the message timestamp and
    /// the broker's timestamp. The message timestamp can be later than or equal to the broker's
    /// timestamp, with the maximum allowable difference determined by the value set in this
    /// configuration. If log.message.timestamp.type=CreateTime, the message will be rejected if the
    /// difference in timestamps exceeds this specified threshold. This configuration is ignored if
    /// log.message.timestamp.type=LogAppendTime.
    log_message_timestamp_after_max_ms: i64 =
        "3600000", "log.message.timestamp.after.max.ms", ClusterWide, AtLeast(0);
    /// The create topic policy class that should be used for validation. The class should implement
    /// the `org.apache.kafka.server.policy.CreateTopicPolicy` interface. Note: This policy runs on
    /// the controller instead of the broker.
    create_topic_policy_class_name: Option<ClassName> =
        null, "create.topic.policy.class.name", ReadOnly => OnlyThese(&[], CLASS);
    /// The alter configs policy class that should be used for validation. The class should
    /// implement the `org.apache.kafka.server.policy.AlterConfigPolicy` interface. Note: This
    /// policy runs on the controller instead of the broker.
    alter_config_policy_class_name: Option<ClassName> =
        null, "alter.config.policy.class.name", ReadOnly => OnlyThese(&[], CLASS);
    /// If the broker is unable to successfully communicate to the controller that some log
    /// directory has failed for longer than this time, the broker will fail and shut down.
    log_dir_failure_timeout_ms: i64 = "30000", "log.dir.failure.timeout.ms", ReadOnly, AtLeast(1)
        => NoEffect(ALONE);
    /// The initial task delay in millisecond when initializing tasks in LogManager. This should be
    /// used for testing only.
    log_initial_task_delay_ms: i64 = "30000", "log.initial.task.delay.ms", Internal, AtLeast(0)
        => NoEffect(TESTS);
    /// The minimum number of replicas that must acknowledge a write to transaction topic in order
    /// to be considered successful.
    transaction_state_log_min_isr: i32 = "2", "transaction.state.log.min.isr", ReadOnly, AtLeast(1);
    /// Batch size for reading from the transaction log segments when loading producer ids and
    /// transactions into the cache (soft-limit, overridden if records are too large).
    transaction_state_log_load_buffer_size: i32 =
        "5242880", "transaction.state.log.load.buffer.size", ReadOnly, AtLeast(1);
    /// The replication factor for the transaction topic (set higher to ensure availability).
    /// Internal topic creation will fail until the cluster size meets this replication factor
    /// requirement.
    transaction_state_log_replication_factor: i16 =
        "3", "transaction.state.log.replication.factor", ReadOnly, AtLeast(1);
    /// The number of partitions for the transaction topic (should not change after deployment).
    transaction_state_log_num_partitions: i32 =
        "50", "transaction.state.log.num.partitions", ReadOnly, AtLeast(1);
    /// The transaction topic segment bytes should be kept relatively small in order to facilitate
    /// faster log compaction and cache loads
    transaction_state_log_segment_bytes: i32 =
        "104857600", "transaction.state.log.segment.bytes", ReadOnly, AtLeast(1);
    /// Enable verification that checks that the partition has been added to the transaction before
    /// writing transactional records to the partition
    transaction_partition_verification_enable: bool =
        "true", "transaction.partition.verification.enable", ClusterWide;
    /// The time in ms that a topic partition leader will wait before expiring producer IDs.
    /// Producer IDs will not expire while a transaction associated to them is still ongoing. Note
    /// that producer IDs may expire sooner if the last write from the producer ID is deleted due to
    /// the topic's retention settings. Setting this value the same or higher than
    /// `delivery.timeout.ms` can help prevent expiration during retries and protect against message
    /// duplication, but the default should be reasonable for most use cases.
    producer_id_expiration_ms: i32 =
        "86400000", "producer.id.expiration.ms", ClusterWide, AtLeast(1);
    /// The interval at which to remove producer IDs that have expired due to
    /// `producer.id.expiration.ms` passing.
    producer_id_expiration_check_interval_ms: i32 =
        "600000", "producer.id.expiration.check.interval.ms", Internal, AtLeast(1);
    /// The time in ms that the transaction coordinator will wait without receiving any transaction
    /// status updates for the current transaction before expiring its transactional id.
    /// Transactional IDs will not expire while a the transaction is still ongoing.
    transactional_id_expiration_ms: i32 =
        "604800000", "transactional.id.expiration.ms", ReadOnly, AtLeast(1);
    /// The maximum allowed timeout for transactions. If a client’s requested transaction time
    /// exceed this, then the broker will return an error in InitProducerIdRequest. This prevents a
    /// client from too large of a timeout, which can stall consumers reading from topics included
    /// in the transaction.
    transaction_max_timeout_ms: i32 = "900000", "transaction.max.timeout.ms", ReadOnly, AtLeast(1);
    /// The interval at which to rollback transactions that have timed out
    transaction_abort_timed_out_transaction_cleanup_interval_ms: i32 =
        "10000",
        "transaction.abort.timed.out.transaction.cleanup.interval.ms", ReadOnly, AtLeast(1);
    /// The interval at which to remove transactions that have expired due to
    /// `transactional.id.expiration.ms` passing
    transaction_remove_expired_transaction_cleanup_interval_ms: i32 =
        "3600000",
        "transaction.remove.expired.transaction.cleanup.interval.ms", ReadOnly, AtLeast(1);
    /// Allow participation in Two-Phase Commit (2PC) transactions with an external transaction
    /// coordinator
    transaction_two_phase_commit_enable: bool =
        "false", "transaction.two.phase.commit.enable", ReadOnly => OnlyThese(&[], TWO_PHASE);
    /// Map of id/endpoint information for the set of voters in a comma-separated list of
    /// `{id}@{host}:{port}` entries. This is the old way of defining membership for controller
    /// quorums and should NOT be set if using dynamic quorums. Instead,
    /// controller.quorum.bootstrap.servers should be set,and the voter set is determined by the
    /// --standalone or --initial-controllers flags when formatting.For example:
    /// `1@localhost:9092,2@localhost:9093,3@localhost:9094`
    controller_quorum_voters: Vec<String> = "", "controller.quorum.voters", ReadOnly, QuorumVoters;
    /// List of endpoints to use for bootstrapping the cluster metadata. The endpoints are specified
    /// in comma-separated list of `{host}:{port}` entries. For example:
    /// `localhost:9092,localhost:9093,localhost:9094`.
    controller_quorum_bootstrap_servers: Vec<String> =
        "", "controller.quorum.bootstrap.servers", ReadOnly, BootstrapServers => NoEffect(ALONE);
    /// Maximum time in milliseconds to wait without being able to fetch from the leader before
    /// triggering a new election
    controller_quorum_election_timeout_ms: i32 =
        "1000", "controller.quorum.election.timeout.ms", ReadOnly, AtLeast(0) => NoEffect(ALONE);
    /// Maximum time without a successful fetch from the current leader before becoming a candidate
    /// and triggering an election for voters; Maximum time a leader can go without receiving valid
    /// fetch or fetchSnapshot request from a majority of the quorum before resigning.
    controller_quorum_fetch_timeout_ms: i32 =
        "2000", "controller.quorum.fetch.timeout.ms", ReadOnly, AtLeast(0) => NoEffect(ALONE);
    /// Maximum time in milliseconds before starting new elections. This is used in the binary
    /// exponential backoff mechanism that helps prevent gridlocked elections
    controller_quorum_election_backoff_max_ms: i32 =
        "1000", "controller.quorum.election.backoff.max.ms", ReadOnly, AtLeast(0)
        => NoEffect(ALONE);
    /// The duration in milliseconds that the leader will wait for writes to accumulate before
    /// flushing them to disk.
    controller_quorum_append_linger_ms: i32 =
        "25", "controller.quorum.append.linger.ms", ReadOnly, AtLeast(0) => NoEffect(ALONE);
    /// The configuration controls the maximum amount of time the client will wait for the response
    /// of a request. If the response is not received before the timeout elapses the client will
    /// resend the request if necessary or fail the request if retries are exhausted.
    controller_quorum_request_timeout_ms: i32 =
        "2000", "controller.quorum.request.timeout.ms", ReadOnly, AtLeast(0) => NoEffect(ALONE);
    /// The amount of time to wait before attempting to retry a failed request to a given topic
    /// partition. This avoids repeatedly sending requests in a tight loop under some failure
    /// scenarios. This value is the initial backoff value and will increase exponentially for each
    /// failed request, up to the `retry.backoff.max.ms` value.
    controller_quorum_retry_backoff_ms: i32 =
        "20", "controller.quorum.retry.backoff.ms", ReadOnly, AtLeast(0) => NoEffect(ALONE);
    /// Controls whether a KRaft controller should automatically join the cluster metadata partition
    /// for its cluster id.
    controller_quorum_auto_join_enable: bool =
        "false", "controller.quorum.auto.join.enable", ReadOnly => NoEffect(ALONE);
    /// Maximum amount of data to retrieve for each FetchSnapshot request to the controller.
    controller_quorum_fetch_snapshot_max_bytes: i32 =
        "1048576", "controller.quorum.fetch.snapshot.max.bytes", ReadOnly, AtLeast(1)
        => NoEffect(ALONE);
    /// Maximum amount of data to retrieve for each Fetch request. Always returns at least one batch
    /// even if it is greater than controller.quorum.fetch.max.bytes.
    controller_quorum_fetch_max_bytes: i32 =
        "1048576", "controller.quorum.fetch.max.bytes", ReadOnly, AtLeast(1) => NoEffect(ALONE);
    /// The number of samples maintained to compute metrics.
    metrics_num_samples: i32 = "2", "metrics.num.samples", ReadOnly, AtLeast(1)
        => NoEffect(METRICS);
    /// The window of time a metrics sample is computed over.
    metrics_sample_window_ms: i64 = "30000", "metrics.sample.window.ms", ReadOnly, AtLeast(1)
        => NoEffect(METRICS);
    /// A list of classes to use as metrics reporters. Implementing the
    /// `org.apache.kafka.common.metrics.MetricsReporter` interface allows plugging in classes that
    /// will be notified of new metric creation. When custom reporters are set and
    /// `org.apache.kafka.common.metrics.JmxReporter` is needed, it has to be explicitly added to
    /// the list.
    metric_reporters: Vec<String> =
        "org.apache.kafka.common.metrics.JmxReporter", "metric.reporters", ClusterWide, List
        => OnlyThese(&[], REPORTER);
    /// The highest recording level for metrics. It has three levels for recording metrics - info,
    /// debug, and trace. INFO level records only essential metrics necessary for monitoring system
    /// performance and health. It collects vital data without gathering too much detail, making it
    /// suitable for production environments where minimal overhead is desired. DEBUG level records
    /// most metrics, providing more detailed information about the system's operation. It's useful
    /// for development and testing environments where you need deeper insights to debug and
    /// fine-tune the application. TRACE level records all possible metrics, capturing every detail
    /// about the system's performance and operation. It's best for controlled environments where
    /// in-depth analysis is required, though it can introduce significant overhead.
    metrics_recording_level: String = "INFO", "metrics.recording.level", ReadOnly
        => NoEffect(METRICS);
    /// A list of classes to use as Yammer metrics custom reporters. The reporters should implement
    /// `kafka.metrics.KafkaMetricsReporter` trait. If a client wants to expose JMX operations on a
    /// custom reporter, the custom reporter needs to additionally implement an MBean trait that
    /// extends `kafka.metrics.KafkaMetricsReporterMBean` trait so that the registered MBean is
    /// compliant with the standard MBean convention.
    kafka_metrics_reporters: Vec<String> = "", "kafka.metrics.reporters", ReadOnly, List
        => OnlyThese(&[], REPORTER);
    /// The metrics polling interval (in seconds) which can be used in kafka.metrics.reporters
    /// implementations.
    kafka_metrics_polling_interval_secs: i32 =
        "10", "kafka.metrics.polling.interval.secs", ReadOnly, AtLeast(1) => NoEffect(METRICS);
    /// The maximum size (after compression if compression is used) of telemetry metrics pushed from
    /// a client to the broker. The default value is 1048576 (1 MB).
    telemetry_max_bytes: i32 = "1048576", "telemetry.max.bytes", ReadOnly, AtLeast(1)
        => NoEffect(METRICS);
    /// The number of samples to retain in memory for client quotas
    quota_window_num: i32 = "11", "quota.window.num", ReadOnly, AtLeast(1) => NoEffect(QUOTAS);
    /// The number of samples to retain in memory for replication quotas
    replication_quota_window_num: i32 = "11", "replication.quota.window.num", ReadOnly, AtLeast(1)
        => NoEffect(QUOTAS);
    /// The number of samples to retain in memory for alter log dirs replication quotas
    alter_log_dirs_replication_quota_window_num: i32 =
        "11", "alter.log.dirs.replication.quota.window.num", ReadOnly, AtLeast(1)
        => NoEffect(QUOTAS);
    /// The number of samples to retain in memory for controller mutation quotas
    controller_quota_window_num: i32 = "11", "controller.quota.window.num", ReadOnly, AtLeast(1)
        => NoEffect(QUOTAS);
    /// The time span of each sample for client quotas
    quota_window_size_seconds: i32 = "1", "quota.window.size.seconds", ReadOnly, AtLeast(1)
        => NoEffect(QUOTAS);
    /// The time span of each sample for replication quotas
    replication_quota_window_size_seconds: i32 =
        "1", "replication.quota.window.size.seconds", ReadOnly, AtLeast(1) => NoEffect(QUOTAS);
    /// The time span of each sample for alter log dirs replication quotas
    alter_log_dirs_replication_quota_window_size_seconds: i32 =
        "1", "alter.log.dirs.replication.quota.window.size.seconds", ReadOnly, AtLeast(1)
        => NoEffect(QUOTAS);
    /// The time span of each sample for controller mutations quotas
    controller_quota_window_size_seconds: i32 =
        "1", "controller.quota.window.size.seconds", ReadOnly, AtLeast(1) => NoEffect(QUOTAS);
    /// The fully qualified name of a class that implements the ClientQuotaCallback interface, which
    /// is used to determine quota limits applied to client requests. By default, the &lt;user&gt;
    /// and &lt;client-id&gt quotas that are stored and applied. For any given request, the most
    /// specific quota that matches the user principal of the session and the client-id of the
    /// request is applied.
    client_quota_callback_class: Option<ClassName> = null, "client.quota.callback.class", ReadOnly
        => OnlyThese(&[], CLASS);
    /// When explicitly set to a positive number (the default is 0, not a positive number), a
    /// session lifetime that will not exceed the configured value will be communicated to v2.2.0 or
    /// later clients when they authenticate. The broker will disconnect any such connection that is
    /// not re-authenticated within the session lifetime and that is then subsequently used for any
    /// purpose other than re-authentication. Configuration names can optionally be prefixed with
    /// listener prefix and SASL mechanism name in lower-case. For example,
    /// listener.name.sasl_ssl.oauthbearer.connections.max.reauth.ms=3600000
    connections_max_reauth_ms: i64 = "0", "connections.max.reauth.ms", ReadOnly
        => NoEffect(SECURITY);
    /// The maximum allowed timeout for adding partitions to transactions on the server side. It
    /// only applies to the actual add partition operations, not the verification. It will not be
    /// effective if it is larger than request.timeout.ms
    add_partitions_to_txn_retry_backoff_max_ms: i32 =
        "100", "add.partitions.to.txn.retry.backoff.max.ms", ReadOnly, AtLeast(0);
    /// The server-side retry backoff when the server attemptsto add the partition to the
    /// transaction
    add_partitions_to_txn_retry_backoff_ms: i32 =
        "20", "add.partitions.to.txn.retry.backoff.ms", ReadOnly, AtLeast(1) => NoEffect(ALONE);
    /// The timeout to detect client failures when using the share group protocol.
    group_share_session_timeout_ms: i32 =
        "45000", "group.share.session.timeout.ms", ReadOnly, AtLeast(1) => NoEffect(SHARE);
    /// The minimum allowed session timeout for share group members.
    group_share_min_session_timeout_ms: i32 =
        "45000", "group.share.min.session.timeout.ms", ReadOnly, AtLeast(1) => NoEffect(SHARE);
    /// The maximum allowed session timeout for share group members.
    group_share_max_session_timeout_ms: i32 =
        "60000", "group.share.max.session.timeout.ms", ReadOnly, AtLeast(1) => NoEffect(SHARE);
    /// The heartbeat interval given to the members of a share group.
    group_share_heartbeat_interval_ms: i32 =
        "5000", "group.share.heartbeat.interval.ms", ReadOnly, AtLeast(1) => NoEffect(SHARE);
    /// The minimum heartbeat interval for share group members.
    group_share_min_heartbeat_interval_ms: i32 =
        "5000", "group.share.min.heartbeat.interval.ms", ReadOnly, AtLeast(1) => NoEffect(SHARE);
    /// The maximum heartbeat interval for share group members.
    group_share_max_heartbeat_interval_ms: i32 =
        "15000", "group.share.max.heartbeat.interval.ms", ReadOnly, AtLeast(1) => NoEffect(SHARE);
    /// The maximum number of members that a single share group can accommodate.
    group_share_max_size: i32 = "200", "group.share.max.size", ReadOnly, Between(1.0, 1000.0)
        => NoEffect(SHARE);
    /// The server-side assignors as a list of either names for built-in assignors or full class
    /// names for custom assignors. The list must contain only a single entry which is used by all
    /// groups. The supported built-in assignors are: simple.
    group_share_assignors: Vec<String> = "simple", "group.share.assignors", ReadOnly, NonEmptyList
        => OnlyThese(&[SIMPLE_ASSIGNOR], CLASS);
    /// The interval between assignment updates for a share group.
    group_share_assignment_interval_ms: i32 =
        "1000", "group.share.assignment.interval.ms", ClusterWide, AtLeast(0) => NoEffect(SHARE);
    /// The minimum interval between assignment updates for a share group.
    group_share_min_assignment_interval_ms: i32 =
        "0", "group.share.min.assignment.interval.ms", ReadOnly, AtLeast(0) => NoEffect(SHARE);
    /// The maximum interval between assignment updates for a share group.
    group_share_max_assignment_interval_ms: i32 =
        "15000", "group.share.max.assignment.interval.ms", ReadOnly, AtLeast(0) => NoEffect(SHARE);
    /// Time elapsed before retrying initialize share group state request. If below
    /// offsets.commit.timeout.ms, then value of offsets.commit.timeout.ms is used.
    group_share_initialize_retry_interval_ms: i32 =
        "30000", "group.share.initialize.retry.interval.ms", Internal, AtLeast(1)
        => NoEffect(SHARE);
    /// The timeout to detect client failures when using the streams group protocol.
    group_streams_session_timeout_ms: i32 =
        "45000", "group.streams.session.timeout.ms", ReadOnly, AtLeast(1);
    /// The minimum allowed value for the group-level configuration of streams.session.timeout.ms
    group_streams_min_session_timeout_ms: i32 =
        "45000", "group.streams.min.session.timeout.ms", ReadOnly, AtLeast(1);
    /// The maximum allowed value for the group-level configuration of streams.session.timeout.ms
    group_streams_max_session_timeout_ms: i32 =
        "60000", "group.streams.max.session.timeout.ms", ReadOnly, AtLeast(1);
    /// The heartbeat interval given to the members.
    group_streams_heartbeat_interval_ms: i32 =
        "5000", "group.streams.heartbeat.interval.ms", ReadOnly, AtLeast(1);
    /// The minimum allowed value for the group-level configuration of streams.heartbeat.interval.ms
    group_streams_min_heartbeat_interval_ms: i32 =
        "5000", "group.streams.min.heartbeat.interval.ms", ReadOnly, AtLeast(1);
    /// The maximum allowed value for the group-level configuration of streams.heartbeat.interval.ms
    group_streams_max_heartbeat_interval_ms: i32 =
        "15000", "group.streams.max.heartbeat.interval.ms", ReadOnly, AtLeast(1);
    /// The maximum number of streams clients that a single streams group can accommodate.
    group_streams_max_size: i32 = "2147483647", "group.streams.max.size", ReadOnly, AtLeast(1);
    /// The number of standby replicas for each task.
    group_streams_num_standby_replicas: i32 =
        "0", "group.streams.num.standby.replicas", ReadOnly, AtLeast(0);
    /// The maximum allowed value for the group-level configuration of streams.num.standby.replicas
    group_streams_max_standby_replicas: i32 =
        "2", "group.streams.max.standby.replicas", ReadOnly, AtLeast(0);
    /// The amount of time the group coordinator will wait for more streams clients to join a new
    /// group before performing the first rebalance. A longer delay means potentially fewer
    /// rebalances.
    group_streams_initial_rebalance_delay_ms: i32 =
        "3000", "group.streams.initial.rebalance.delay.ms", ReadOnly, AtLeast(0);
    /// The interval between assignment updates for a streams group.
    group_streams_assignment_interval_ms: i32 =
        "1000", "group.streams.assignment.interval.ms", ClusterWide, AtLeast(0);
    /// The minimum interval between assignment updates for a streams group.
    group_streams_min_assignment_interval_ms: i32 =
        "0", "group.streams.min.assignment.interval.ms", ReadOnly, AtLeast(0);
    /// The maximum interval between assignment updates for a streams group.
    group_streams_max_assignment_interval_ms: i32 =
        "15000", "group.streams.max.assignment.interval.ms", ReadOnly, AtLeast(0);
    /// The maximum number of delivery attempts for a record delivered to a share group.
    group_share_delivery_count_limit: i32 =
        "5", "group.share.delivery.count.limit", ReadOnly, Between(2.0, 10.0) => NoEffect(SHARE);
    /// The maximum value of a group configuration for the maximum number of delivery attempts for a
    /// record delivered to a share group.
    group_share_max_delivery_count_limit: i32 =
        "10", "group.share.max.delivery.count.limit", ReadOnly, Between(5.0, 25.0)
        => NoEffect(SHARE);
    /// The minimum value of a group configuration for the maximum number of delivery attempts for a
    /// record delivered to a share group.
    group_share_min_delivery_count_limit: i32 =
        "2", "group.share.min.delivery.count.limit", ReadOnly, Between(2.0, 5.0) => NoEffect(SHARE);
    /// The record acquisition lock duration in milliseconds for share groups.
    group_share_record_lock_duration_ms: i32 =
        "30000", "group.share.record.lock.duration.ms", ReadOnly, Between(1000.0, 3600000.0)
        => NoEffect(SHARE);
    /// The minimum value of a group configuration for record acquisition lock duration in
    /// milliseconds.
    group_share_min_record_lock_duration_ms: i32 =
        "15000", "group.share.min.record.lock.duration.ms", ReadOnly, Between(1000.0, 30000.0)
        => NoEffect(SHARE);
    /// The maximum value of a group configuration for record acquisition lock duration in
    /// milliseconds.
    group_share_max_record_lock_duration_ms: i32 =
        "60000", "group.share.max.record.lock.duration.ms", ReadOnly, Between(30000.0, 3600000.0)
        => NoEffect(SHARE);
    /// Share-group record lock limit per share-partition.
    group_share_partition_max_record_locks: i32 =
        "2000", "group.share.partition.max.record.locks", ReadOnly, Between(100.0, 10000.0)
        => NoEffect(SHARE);
    /// The maximum value of a group configuration for the record lock limit per share-partition.
    group_share_max_partition_max_record_locks: i32 =
        "4000", "group.share.max.partition.max.record.locks", ReadOnly, Between(2000.0, 10000.0)
        => NoEffect(SHARE);
    /// The minimum value of a group configuration for the record lock limit per share-partition.
    group_share_min_partition_max_record_locks: i32 =
        "100", "group.share.min.partition.max.record.locks", ReadOnly, Between(100.0, 2000.0)
        => NoEffect(SHARE);
    /// The purge interval (in number of requests) of the share fetch request purgatory
    share_fetch_purgatory_purge_interval_requests: i32 =
        "1000", "share.fetch.purgatory.purge.interval.requests", ReadOnly => NoEffect(PURGATORY);
    /// The maximum number of share sessions per broker.
    group_share_max_share_sessions: i32 =
        "2000", "group.share.max.share.sessions", ReadOnly, AtLeast(1) => NoEffect(SHARE);
    /// The fully qualified name of a class which implements the
    /// `org.apache.kafka.server.share.Persister` interface.
    group_share_persister_class_name: String =
        "org.apache.kafka.server.share.persister.DefaultStatePersister",
        "group.share.persister.class.name", Internal => OnlyThese(&[], CLASS);
    /// The number of partitions for the share-group state topic (should not change after
    /// deployment).
    share_coordinator_state_topic_num_partitions: i32 =
        "50", "share.coordinator.state.topic.num.partitions", ReadOnly, AtLeast(1)
        => NoEffect(SHARE);
    /// Replication factor for the share-group state topic. Topic creation will fail until the
    /// cluster size meets this replication factor requirement.
    share_coordinator_state_topic_replication_factor: i16 =
        "3", "share.coordinator.state.topic.replication.factor", ReadOnly, AtLeast(1)
        => NoEffect(SHARE);
    /// Overridden min.insync.replicas for the share-group state topic.
    share_coordinator_state_topic_min_isr: i16 =
        "2", "share.coordinator.state.topic.min.isr", ReadOnly, AtLeast(1) => NoEffect(SHARE);
    /// The log segment size for the share-group state topic.
    share_coordinator_state_topic_segment_bytes: i32 =
        "104857600", "share.coordinator.state.topic.segment.bytes", ReadOnly, AtLeast(1)
        => NoEffect(SHARE);
    /// The number of threads used by the share coordinator.
    share_coordinator_threads: i32 = "1", "share.coordinator.threads", ReadOnly, AtLeast(1)
        => NoEffect(SHARE);
    /// The number of update records the share coordinator writes between snapshot records.
    share_coordinator_snapshot_update_records_per_snapshot: i32 =
        "500",
        "share.coordinator.snapshot.update.records.per.snapshot", ReadOnly, Between(0.0, 500.0)
        => NoEffect(SHARE);
    /// Batch size for reading from the share-group state topic when loading state information into
    /// the cache (soft-limit, overridden if records are too large).
    share_coordinator_load_buffer_size: i32 =
        "5242880", "share.coordinator.load.buffer.size", ReadOnly, AtLeast(1) => NoEffect(SHARE);
    /// Compression codec for the share-group state topic.
    share_coordinator_state_topic_compression_codec: i32 =
        "0", "share.coordinator.state.topic.compression.codec", ReadOnly => NoEffect(SHARE);
    /// The duration in milliseconds that the share coordinator will wait for writes to accumulate
    /// before flushing them to disk. Set to -1 for an adaptive linger time that minimizes latency
    /// based on the workload.
    share_coordinator_append_linger_ms: i32 =
        "-1", "share.coordinator.append.linger.ms", ReadOnly, AtLeast(-1) => NoEffect(SHARE);
    /// The duration in milliseconds that the share coordinator will wait for all replicas of the
    /// share-group state topic to receive a write.
    share_coordinator_write_timeout_ms: i32 =
        "5000", "share.coordinator.write.timeout.ms", ReadOnly, AtLeast(1) => NoEffect(SHARE);
    /// The duration in milliseconds that the share coordinator will wait between pruning eligible
    /// records in share-group state topic.
    share_coordinator_state_topic_prune_interval_ms: i32 =
        "300000", "share.coordinator.state.topic.prune.interval.ms", Internal, AtLeast(1)
        => NoEffect(SHARE);
    /// The duration in milliseconds that the share coordinator will wait between force snapshotting
    /// share partitions which are not being updated.
    share_coordinator_cold_partition_snapshot_interval_ms: i32 =
        "300000", "share.coordinator.cold.partition.snapshot.interval.ms", Internal, AtLeast(1)
        => NoEffect(SHARE);
    /// The maximum buffer size that the ShareCoordinator will retain for reuse. Note: Setting this
    /// larger than the maximum message size is not recommended. In this case, every write buffer
    /// will be eligible for recycling, which renders this configuration ineffective as a size
    /// limit.
    share_coordinator_cached_buffer_max_bytes: i32 =
        "1048588", "share.coordinator.cached.buffer.max.bytes", ClusterWide, AtLeast(524288)
        => NoEffect(SHARE);
    /// Whether to enable tiered storage functionality in a broker or not. When it is true broker
    /// starts all the services required for the tiered storage functionality.
    remote_log_storage_system_enable: bool = "false", "remote.log.storage.system.enable", ReadOnly
        => OnlyThese(&[], REMOTE_ENABLED);
    /// Prefix used for properties to be passed to RemoteStorageManager implementation. For example
    /// this value can be `rsm.config.`.
    remote_log_storage_manager_impl_prefix: String =
        "rsm.config.", "remote.log.storage.manager.impl.prefix", ReadOnly, NonEmpty
        => NoEffect(REMOTE);
    /// Prefix used for properties to be passed to RemoteLogMetadataManager implementation. For
    /// example this value can be `rlmm.config.`.
    remote_log_metadata_manager_impl_prefix: String =
        "rlmm.config.", "remote.log.metadata.manager.impl.prefix", ReadOnly, NonEmpty
        => NoEffect(REMOTE);
    /// Fully qualified class name of `RemoteStorageManager` implementation.
    remote_log_storage_manager_class_name: Option<String> =
        null, "remote.log.storage.manager.class.name", ReadOnly, NonEmpty => OnlyThese(&[], CLASS);
    /// Class path of the `RemoteStorageManager` implementation. If specified, the
    /// RemoteStorageManager implementation and its dependent libraries will be loaded by a
    /// dedicated classloader which searches this class path before the Kafka broker class path. The
    /// syntax of this parameter is same as the standard Java class path string.
    remote_log_storage_manager_class_path: Option<String> =
        null, "remote.log.storage.manager.class.path", ReadOnly => NoEffect(REMOTE);
    /// Fully qualified class name of `RemoteLogMetadataManager` implementation.
    remote_log_metadata_manager_class_name: String =
        "org.apache.kafka.server.log.remote.metadata.storage.TopicBasedRemoteLogMetadataManager",
        "remote.log.metadata.manager.class.name", ReadOnly, NonEmpty => OnlyThese(&[], CLASS);
    /// Class path of the `RemoteLogMetadataManager` implementation. If specified, the
    /// RemoteLogMetadataManager implementation and its dependent libraries will be loaded by a
    /// dedicated classloader which searches this class path before the Kafka broker class path. The
    /// syntax of this parameter is same as the standard Java class path string.
    remote_log_metadata_manager_class_path: Option<String> =
        null, "remote.log.metadata.manager.class.path", ReadOnly => NoEffect(REMOTE);
    /// Listener name of the local broker to which it should get connected if needed by
    /// RemoteLogMetadataManager implementation.
    remote_log_metadata_manager_listener_name: Option<String> =
        null, "remote.log.metadata.manager.listener.name", ReadOnly, NonEmpty => NoEffect(REMOTE);
    /// The maximum size of custom metadata in bytes that the broker should accept from a remote
    /// storage plugin. If custom metadata exceeds this limit, the updated segment metadata will not
    /// be stored, the copied data will be attempted to delete, and the remote copying task for this
    /// topic-partition will stop with an error.
    remote_log_metadata_custom_metadata_max_bytes: i32 =
        "128", "remote.log.metadata.custom.metadata.max.bytes", ReadOnly, AtLeast(0)
        => NoEffect(REMOTE);
    /// The total size of the space allocated to store index files fetched from remote storage in
    /// the local storage.
    remote_log_index_file_cache_total_size_bytes: i64 =
        "1073741824", "remote.log.index.file.cache.total.size.bytes", ClusterWide, AtLeast(1)
        => NoEffect(REMOTE);
    /// The maximum time in milliseconds an index file entry can remain in the cache after its last
    /// access. After this duration, the entry will be evicted even if there is available space.
    /// This helps prevent stale index files from remaining in cache indefinitely, particularly when
    /// a broker is no longer the leader for a partition or when read-from-replica is enabled.
    /// Evicted index files are automatically re-fetched from remote storage when needed. Default is
    /// 15 minutes (900000 ms), which provides sufficient time for clients to read a
    /// partition/segment while ensuring stale entries don't accumulate. Set to -1 to disable
    /// time-based eviction and use only size-based eviction.
    remote_log_index_file_cache_ttl_ms: i64 =
        "900000", "remote.log.index.file.cache.ttl.ms", Internal, AtLeast(-1) => NoEffect(REMOTE);
    /// Size of the thread pool used in scheduling follower tasks to read the highest-uploaded
    /// remote-offset for follower partitions. This config is deprecated since 4.2, please use
    /// `remote.log.manager.follower.thread.pool.size` instead.
    remote_log_manager_thread_pool_size: i32 =
        "2", "remote.log.manager.thread.pool.size", ReadOnly, AtLeast(1) => NoEffect(REMOTE);
    /// Size of the thread pool used in scheduling tasks to copy segments.
    remote_log_manager_copier_thread_pool_size: i32 =
        "10", "remote.log.manager.copier.thread.pool.size", ClusterWide, AtLeast(1)
        => NoEffect(REMOTE);
    /// Size of the thread pool used in scheduling tasks to clean up the expired remote log
    /// segments.
    remote_log_manager_expiration_thread_pool_size: i32 =
        "10", "remote.log.manager.expiration.thread.pool.size", ClusterWide, AtLeast(1)
        => NoEffect(REMOTE);
    /// Size of the thread pool used in scheduling follower tasks to read the highest-uploaded
    /// remote-offset for follower partitions.
    remote_log_manager_follower_thread_pool_size: i32 =
        "2", "remote.log.manager.follower.thread.pool.size", ClusterWide, AtLeast(1)
        => NoEffect(REMOTE);
    /// Interval at which remote log manager runs the scheduled tasks like copy segments, and clean
    /// up remote log segments.
    remote_log_manager_task_interval_ms: i64 =
        "30000", "remote.log.manager.task.interval.ms", ReadOnly, AtLeast(1) => NoEffect(REMOTE);
    /// The initial amount of wait in milliseconds before the request is retried again.
    remote_log_manager_task_retry_backoff_ms: i64 =
        "500", "remote.log.manager.task.retry.backoff.ms", Internal, AtLeast(1) => NoEffect(REMOTE);
    /// The maximum amount of time in milliseconds to wait when the request is retried again. The
    /// retry duration will increase exponentially for each request failure up to this maximum wait
    /// interval.
    remote_log_manager_task_retry_backoff_max_ms: i64 =
        "30000", "remote.log.manager.task.retry.backoff.max.ms", Internal, AtLeast(1)
        => NoEffect(REMOTE);
    /// The value used in defining the range for computing random jitter factor. It is applied to
    /// the effective exponential term for computing the resultant retry backoff interval. This will
    /// avoid thundering herds of requests. The default value is 0.2 and valid value should be
    /// between 0(inclusive) and 0.5(inclusive). For ex: remote.log.manager.task.retry.jitter =
    /// 0.25, then the range to compute random jitter will be [1-0.25, 1+0.25) viz [0.75, 1.25). So,
    /// jitter factor can be any random value with in that range.
    remote_log_manager_task_retry_jitter: f64 =
        "0.2", "remote.log.manager.task.retry.jitter", Internal, Between(0.0, 0.5)
        => NoEffect(REMOTE);
    /// Size of the thread pool that is allocated for handling remote log reads.
    remote_log_reader_threads: i32 = "10", "remote.log.reader.threads", ClusterWide, AtLeast(1)
        => NoEffect(REMOTE);
    /// Maximum remote log reader thread pool task queue size. If the task queue is full, fetch
    /// requests are served with an error.
    remote_log_reader_max_pending_tasks: i32 =
        "100", "remote.log.reader.max.pending.tasks", ReadOnly, AtLeast(1) => NoEffect(REMOTE);
    /// The maximum number of bytes that can be copied from local storage to remote storage per
    /// second. This is a global limit for all the partitions that are being copied from local
    /// storage to remote storage. The default value is Long.MAX_VALUE, which means there is no
    /// limit on the number of bytes that can be copied per second.
    remote_log_manager_copy_max_bytes_per_second: i64 =
        "9223372036854775807",
        "remote.log.manager.copy.max.bytes.per.second", ClusterWide, AtLeast(1) => NoEffect(REMOTE);
    /// The number of samples to retain in memory for remote copy quota management. The default
    /// value is 11, which means there are 10 whole windows + 1 current window.
    remote_log_manager_copy_quota_window_num: i32 =
        "11", "remote.log.manager.copy.quota.window.num", ReadOnly, AtLeast(1) => NoEffect(REMOTE);
    /// The time span of each sample for remote copy quota management. The default value is 1
    /// second.
    remote_log_manager_copy_quota_window_size_seconds: i32 =
        "1", "remote.log.manager.copy.quota.window.size.seconds", ReadOnly, AtLeast(1)
        => NoEffect(REMOTE);
    /// The maximum number of bytes that can be fetched from remote storage to local storage per
    /// second. This is a global limit for all the partitions that are being fetched from remote
    /// storage to local storage. The default value is Long.MAX_VALUE, which means there is no limit
    /// on the number of bytes that can be fetched per second.
    remote_log_manager_fetch_max_bytes_per_second: i64 =
        "9223372036854775807",
        "remote.log.manager.fetch.max.bytes.per.second", ClusterWide, AtLeast(1)
        => NoEffect(REMOTE);
    /// The number of samples to retain in memory for remote fetch quota management. The default
    /// value is 11, which means there are 10 whole windows + 1 current window.
    remote_log_manager_fetch_quota_window_num: i32 =
        "11", "remote.log.manager.fetch.quota.window.num", ReadOnly, AtLeast(1) => NoEffect(REMOTE);
    /// The time span of each sample for remote fetch quota management. The default value is 1
    /// second.
    remote_log_manager_fetch_quota_window_size_seconds: i32 =
        "1", "remote.log.manager.fetch.quota.window.size.seconds", ReadOnly, AtLeast(1)
        => NoEffect(REMOTE);
    /// The maximum amount of time the server will wait before answering the fetch request
    /// containing remote fetch partitions. It's important to be aware that the request will only be
    /// responded after all remote partitions have been successfully fetched, have failed, or this
    /// timeout is exceeded.
    remote_fetch_max_wait_ms: i32 = "500", "remote.fetch.max.wait.ms", ClusterWide, AtLeast(1)
        => NoEffect(REMOTE);
    /// The maximum amount of time the server will wait for the remote list offsets request to
    /// complete.
    remote_list_offsets_request_timeout_ms: i64 =
        "30000", "remote.list.offsets.request.timeout.ms", ClusterWide, AtLeast(1)
        => NoEffect(REMOTE);
    /// When enabled, an empty follower skips offsets up to the last tiered offset and begins
    /// replication from the next offset.
    follower_fetch_last_tiered_offset_enable: bool =
        "false", "follower.fetch.last.tiered.offset.enable", ClusterWide => NoEffect(REMOTE);
    /// The fully qualified name of a class that implements
    /// `org.apache.kafka.server.authorizer.Authorizer` interface, which is used by the broker for
    /// authorization.
    authorizer_class_name: String = "", "authorizer.class.name", ReadOnly
        => OnlyThese(&[], AUTHORIZER);
    /// SASL mechanism used for communication with controllers. Default is GSSAPI.
    sasl_mechanism_controller_protocol: String =
        "GSSAPI", "sasl.mechanism.controller.protocol", ReadOnly => NoEffect(SECURITY);
    /// Security protocol used to communicate between brokers. It is an error to set this and
    /// inter.broker.listener.name properties at the same time.
    security_inter_broker_protocol: String =
        "PLAINTEXT",
        "security.inter.broker.protocol", ReadOnly,
        OneOf(&["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]);
    /// The maximum receive size allowed before and during initial SASL authentication. Default
    /// receive size is 512KB. GSSAPI limits requests to 64K, but we allow upto 512KB by default for
    /// custom SASL mechanisms. In practice, PLAIN, SCRAM and OAUTH mechanisms can use much smaller
    /// limits.
    sasl_server_max_receive_size: i32 = "524288", "sasl.server.max.receive.size", ReadOnly
        => NoEffect(SECURITY);
    /// A list of configurable creator classes each returning a provider implementing security
    /// algorithms. These classes should implement the
    /// `org.apache.kafka.common.security.auth.SecurityProviderCreator` interface.
    security_providers: Option<String> = null, "security.providers", ReadOnly
        => OnlyThese(&[], CLASS);
    /// The fully qualified name of a class that implements the KafkaPrincipalBuilder interface,
    /// which is used to build the KafkaPrincipal object used during authorization. If no principal
    /// builder is defined, the default behavior depends on the security protocol in use. For SSL
    /// authentication, the principal will be derived using the rules defined by
    /// `ssl.principal.mapping.rules` applied on the distinguished name from the client certificate
    /// if one is provided; otherwise, if client authentication is not required, the principal name
    /// will be ANONYMOUS. For SASL authentication, the principal will be derived using the rules
    /// defined by `sasl.kerberos.principal.to.local.rules` if GSSAPI is in use, and the SASL
    /// authentication ID for other mechanisms. For PLAINTEXT, the principal will be ANONYMOUS. Note
    /// that custom implementations of `KafkaPrincipalBuilder` is required to implement
    /// `KafkaPrincipalSerde` interface, otherwise brokers will not be able to forward requests to
    /// the controller.
    principal_builder_class: ClassName =
        "org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder",
        "principal.builder.class", PerBroker => OnlyThese(&[], CLASS);
    /// Configures kafka broker to request client authentication. The following settings are common:
    /// `ssl.client.auth=required` If set to required client authentication is required.
    /// `ssl.client.auth=requested` This means client authentication is optional. unlike required,
    /// if this option is set client can choose not to provide authentication information about
    /// itself `ssl.client.auth=none` This means client authentication is not needed.
    ssl_client_auth: String =
        "none", "ssl.client.auth", PerBroker, OneOf(&["required", "requested", "none"])
        => NoEffect(SECURITY);
    /// A list of rules for mapping from distinguished name from the client certificate to short
    /// name. The rules are evaluated in order and the first rule that matches a principal name is
    /// used to map it to a short name. Any later rules in the list are ignored. By default,
    /// distinguished name of the X.500 certificate will be the principal. For more details on the
    /// format please see security authorization and acls . Note that this configuration is ignored
    /// if an extension of KafkaPrincipalBuilder is provided by the `principal.builder.class`
    /// configuration.
    ssl_principal_mapping_rules: String = "DEFAULT", "ssl.principal.mapping.rules", ReadOnly
        => NoEffect(SECURITY);
    /// Indicates whether changes to the certificate distinguished name should be allowed during a
    /// dynamic reconfiguration of certificates or not.
    ssl_allow_dn_changes: bool = "false", "ssl.allow.dn.changes", ReadOnly => NoEffect(SECURITY);
    /// Indicates whether changes to the certificate subject alternative names should be allowed
    /// during a dynamic reconfiguration of certificates or not.
    ssl_allow_san_changes: bool = "false", "ssl.allow.san.changes", ReadOnly => NoEffect(SECURITY);
    /// The SSL protocol used to generate the SSLContext. The default is 'TLSv1.3', which should be
    /// fine for most use cases. A typical alternative to the default is 'TLSv1.2'. Allowed values
    /// for this config are dependent on the JVM. Clients using the defaults for this config and
    /// 'ssl.enabled.protocols' will downgrade to 'TLSv1.2' if the server does not support
    /// 'TLSv1.3'. If this config is set to 'TLSv1.2', however, clients will not use 'TLSv1.3' even
    /// if it is one of the values in `ssl.enabled.protocols` and the server only supports
    /// 'TLSv1.3'.
    ssl_protocol: String = "TLSv1.3", "ssl.protocol", PerBroker => NoEffect(SECURITY);
    /// The name of the security provider used for SSL connections. Default value is the default
    /// security provider of the JVM.
    ssl_provider: Option<String> = null, "ssl.provider", PerBroker => NoEffect(SECURITY);
    /// The list of protocols enabled for SSL connections. The default is 'TLSv1.2,TLSv1.3'. This
    /// means that clients and servers will prefer TLSv1.3 if both support it and fallback to
    /// TLSv1.2 otherwise (assuming both support at least TLSv1.2). This default should be fine for
    /// most use cases. If this configuration is set to an empty list, Kafka will use the protocols
    /// enabled by default in the underlying SSLEngine, which may include additional protocols
    /// depending on the JVM version. Also see the config documentation for `ssl.protocol` to
    /// understand how it can impact the TLS version negotiation behavior.
    ssl_enabled_protocols: Vec<String> =
        "TLSv1.2,TLSv1.3", "ssl.enabled.protocols", PerBroker, List => NoEffect(SECURITY);
    /// The file format of the key store file. This is optional for client. The values currently
    /// supported by the default `ssl.engine.factory.class` are [JKS, PKCS12, PEM].
    ssl_keystore_type: String = "JKS", "ssl.keystore.type", PerBroker => NoEffect(SECURITY);
    /// The location of the key store file. This is optional for client and can be used for two-way
    /// authentication for client.
    ssl_keystore_location: Option<String> = null, "ssl.keystore.location", PerBroker
        => NoEffect(SECURITY);
    /// The store password for the key store file. This is optional for client and only needed if
    /// 'ssl.keystore.location' is configured. Key store password is not supported for PEM format.
    ssl_keystore_password: Option<Password> = null, "ssl.keystore.password", PerBroker
        => NoEffect(SECURITY);
    /// The password of the private key in the key store file or the PEM key specified in
    /// 'ssl.keystore.key'.
    ssl_key_password: Option<Password> = null, "ssl.key.password", PerBroker => NoEffect(SECURITY);
    /// Private key in the format specified by 'ssl.keystore.type'. Default SSL engine factory
    /// supports only PEM format with PKCS#8 keys. If the key is encrypted, key password must be
    /// specified using 'ssl.key.password'
    ssl_keystore_key: Option<Password> = null, "ssl.keystore.key", PerBroker => NoEffect(SECURITY);
    /// Certificate chain in the format specified by 'ssl.keystore.type'. Default SSL engine factory
    /// supports only PEM format with a list of X.509 certificates
    ssl_keystore_certificate_chain: Option<Password> =
        null, "ssl.keystore.certificate.chain", PerBroker => NoEffect(SECURITY);
    /// The file format of the trust store file. The values currently supported by the default
    /// `ssl.engine.factory.class` are [JKS, PKCS12, PEM].
    ssl_truststore_type: String = "JKS", "ssl.truststore.type", PerBroker => NoEffect(SECURITY);
    /// The location of the trust store file.
    ssl_truststore_location: Option<String> = null, "ssl.truststore.location", PerBroker
        => NoEffect(SECURITY);
    /// The password for the trust store file. If a password is not set, trust store file configured
    /// will still be used, but integrity checking is disabled. Trust store password is not
    /// supported for PEM format.
    ssl_truststore_password: Option<Password> = null, "ssl.truststore.password", PerBroker
        => NoEffect(SECURITY);
    /// Trusted certificates in the format specified by 'ssl.truststore.type'. Default SSL engine
    /// factory supports only PEM format with X.509 certificates.
    ssl_truststore_certificates: Option<Password> = null, "ssl.truststore.certificates", PerBroker
        => NoEffect(SECURITY);
    /// The algorithm used by key manager factory for SSL connections. Default value is the key
    /// manager factory algorithm configured for the Java Virtual Machine.
    ssl_keymanager_algorithm: String = "SunX509", "ssl.keymanager.algorithm", PerBroker
        => NoEffect(SECURITY);
    /// The algorithm used by trust manager factory for SSL connections. Default value is the trust
    /// manager factory algorithm configured for the Java Virtual Machine.
    ssl_trustmanager_algorithm: String = "PKIX", "ssl.trustmanager.algorithm", PerBroker
        => NoEffect(SECURITY);
    /// The endpoint identification algorithm to validate server hostname using server certificate.
    ssl_endpoint_identification_algorithm: String =
        "https", "ssl.endpoint.identification.algorithm", PerBroker => NoEffect(SECURITY);
    /// The SecureRandom PRNG implementation to use for SSL cryptography operations.
    ssl_secure_random_implementation: Option<String> =
        null, "ssl.secure.random.implementation", PerBroker => NoEffect(SECURITY);
    /// A list of cipher suites. This is a named combination of authentication, encryption, MAC and
    /// key exchange algorithm used to negotiate the security settings for a network connection
    /// using TLS or SSL network protocol. By default all the available cipher suites are supported.
    ssl_cipher_suites: Vec<String> = "", "ssl.cipher.suites", PerBroker, List => NoEffect(SECURITY);
    /// The class of type org.apache.kafka.common.security.auth.SslEngineFactory to provide
    /// SSLEngine objects. Default value is
    /// org.apache.kafka.common.security.ssl.DefaultSslEngineFactory. Alternatively, setting this to
    /// org.apache.kafka.common.security.ssl.CommonNameLoggingSslEngineFactory will log the common
    /// name of expired SSL certificates used by clients to authenticate at any of the brokers with
    /// log level INFO. Note that this will cause a tiny delay during establishment of new
    /// connections from mTLS clients to brokers due to the extra code for examining the certificate
    /// chain provided by the client. Note further that the implementation uses a custom truststore
    /// based on the standard Java truststore and thus might be considered a security risk due to
    /// not being as mature as the standard one.
    ssl_engine_factory_class: Option<ClassName> = null, "ssl.engine.factory.class", PerBroker
        => NoEffect(SECURITY);
    /// SASL mechanism used for inter-broker communication. Default is GSSAPI.
    sasl_mechanism_inter_broker_protocol: String =
        "GSSAPI", "sasl.mechanism.inter.broker.protocol", PerBroker => NoEffect(SECURITY);
    /// The list of SASL mechanisms enabled in the Kafka server. The list may contain any mechanism
    /// for which a security provider is available. Only GSSAPI is enabled by default.
    sasl_enabled_mechanisms: Vec<String> = "GSSAPI", "sasl.enabled.mechanisms", PerBroker, List
        => NoEffect(SECURITY);
    /// The fully qualified name of a SASL server callback handler class that implements the
    /// AuthenticateCallbackHandler interface. Server callback handlers must be prefixed with
    /// listener prefix and SASL mechanism name in lower-case. For example,
    /// listener.name.sasl_ssl.plain.sasl.server.callback.handler.class=
    /// com.example.CustomPlainCallbackHandler.
    sasl_server_callback_handler_class: Option<ClassName> =
        null, "sasl.server.callback.handler.class", ReadOnly => NoEffect(SECURITY);
    /// A list of rules for mapping from principal names to short names (typically operating system
    /// usernames). The rules are evaluated in order and the first rule that matches a principal
    /// name is used to map it to a short name. Any later rules in the list are ignored. By default,
    /// principal names of the form `{username}/{hostname}@{REALM}` are mapped to `{username}`. For
    /// more details on the format please see security authorization and acls . Note that this
    /// configuration is ignored if an extension of `KafkaPrincipalBuilder` is provided by the
    /// `principal.builder.class` configuration.
    sasl_kerberos_principal_to_local_rules: Vec<String> =
        "DEFAULT", "sasl.kerberos.principal.to.local.rules", PerBroker, List => NoEffect(SECURITY);
    /// JAAS login context parameters for SASL connections in the format used by JAAS configuration
    /// files. JAAS configuration file format is described here . The format for the value is:
    /// `loginModuleClass controlFlag (optionName=optionValue)*;`. For brokers, the config must be
    /// prefixed with listener prefix and SASL mechanism name in lower-case. For example,
    /// listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config=com.example.ScramLoginModule required;
    sasl_jaas_config: Option<Password> = null, "sasl.jaas.config", PerBroker => NoEffect(SECURITY);
    /// The fully qualified name of a SASL client callback handler class that implements the
    /// AuthenticateCallbackHandler interface.
    sasl_client_callback_handler_class: Option<ClassName> =
        null, "sasl.client.callback.handler.class", ReadOnly => NoEffect(SECURITY);
    /// The fully qualified name of a class that implements the Login interface. For brokers, login
    /// config must be prefixed with listener prefix and SASL mechanism name in lower-case. For
    /// example, listener.name.sasl_ssl.scram-sha-256.sasl.login.class=com.example.CustomScramLogin
    sasl_login_class: Option<ClassName> = null, "sasl.login.class", ReadOnly => NoEffect(SECURITY);
    /// The fully qualified name of a SASL login callback handler class that implements the
    /// AuthenticateCallbackHandler interface. For brokers, login callback handler config must be
    /// prefixed with listener prefix and SASL mechanism name in lower-case. For example,
    /// listener.name.sasl_ssl.scram-sha-256.sasl.login.callback.handler.class=
    /// com.example.CustomScramLoginCallbackHandler
    sasl_login_callback_handler_class: Option<ClassName> =
        null, "sasl.login.callback.handler.class", ReadOnly => NoEffect(SECURITY);
    /// The Kerberos principal name that Kafka runs as. This can be defined either in Kafka's JAAS
    /// config or in Kafka's config.
    sasl_kerberos_service_name: Option<String> = null, "sasl.kerberos.service.name", PerBroker
        => NoEffect(SECURITY);
    /// Kerberos kinit command path.
    sasl_kerberos_kinit_cmd: String = "/usr/bin/kinit", "sasl.kerberos.kinit.cmd", PerBroker
        => NoEffect(SECURITY);
    /// Login thread will sleep until the specified window factor of time from last refresh to
    /// ticket's expiry has been reached, at which time it will try to renew the ticket.
    sasl_kerberos_ticket_renew_window_factor: f64 =
        "0.8", "sasl.kerberos.ticket.renew.window.factor", PerBroker => NoEffect(SECURITY);
    /// Percentage of random jitter added to the renewal time.
    sasl_kerberos_ticket_renew_jitter: f64 = "0.05", "sasl.kerberos.ticket.renew.jitter", PerBroker
        => NoEffect(SECURITY);
    /// Login thread sleep time between refresh attempts.
    sasl_kerberos_min_time_before_relogin: i64 =
        "60000", "sasl.kerberos.min.time.before.relogin", PerBroker => NoEffect(SECURITY);
    /// Login refresh thread will sleep until the specified window factor relative to the
    /// credential's lifetime has been reached, at which time it will try to refresh the credential.
    /// Legal values are between 0.5 (50%) and 1.0 (100%) inclusive; a default value of 0.8 (80%) is
    /// used if no value is specified. Currently applies only to OAUTHBEARER.
    sasl_login_refresh_window_factor: f64 = "0.8", "sasl.login.refresh.window.factor", PerBroker
        => NoEffect(SECURITY);
    /// The maximum amount of random jitter relative to the credential's lifetime that is added to
    /// the login refresh thread's sleep time. Legal values are between 0 and 0.25 (25%) inclusive;
    /// a default value of 0.05 (5%) is used if no value is specified. Currently applies only to
    /// OAUTHBEARER.
    sasl_login_refresh_window_jitter: f64 = "0.05", "sasl.login.refresh.window.jitter", PerBroker
        => NoEffect(SECURITY);
    /// The desired minimum time for the login refresh thread to wait before refreshing a
    /// credential, in seconds. Legal values are between 0 and 900 (15 minutes); a default value of
    /// 60 (1 minute) is used if no value is specified. This value and
    /// sasl.login.refresh.buffer.seconds are both ignored if their sum exceeds the remaining
    /// lifetime of a credential. Currently applies only to OAUTHBEARER.
    sasl_login_refresh_min_period_seconds: i16 =
        "60", "sasl.login.refresh.min.period.seconds", PerBroker => NoEffect(SECURITY);
    /// The amount of buffer time before credential expiration to maintain when refreshing a
    /// credential, in seconds. If a refresh would otherwise occur closer to expiration than the
    /// number of buffer seconds then the refresh will be moved up to maintain as much of the buffer
    /// time as possible. Legal values are between 0 and 3600 (1 hour); a default value of 300 (5
    /// minutes) is used if no value is specified. This value and
    /// sasl.login.refresh.min.period.seconds are both ignored if their sum exceeds the remaining
    /// lifetime of a credential. Currently applies only to OAUTHBEARER.
    sasl_login_refresh_buffer_seconds: i16 = "300", "sasl.login.refresh.buffer.seconds", PerBroker
        => NoEffect(SECURITY);
    /// The (optional) value in milliseconds for the external authentication provider connection
    /// timeout. Currently applies only to OAUTHBEARER.
    sasl_login_connect_timeout_ms: Option<i32> = null, "sasl.login.connect.timeout.ms", ReadOnly
        => NoEffect(SECURITY);
    /// The (optional) value in milliseconds for the external authentication provider read timeout.
    /// Currently applies only to OAUTHBEARER.
    sasl_login_read_timeout_ms: Option<i32> = null, "sasl.login.read.timeout.ms", ReadOnly
        => NoEffect(SECURITY);
    /// The (optional) value in milliseconds for the maximum wait between login attempts to the
    /// external authentication provider. Login uses an exponential backoff algorithm with an
    /// initial wait based on the sasl.login.retry.backoff.ms setting and will double in wait length
    /// between attempts up to a maximum wait length specified by the
    /// sasl.login.retry.backoff.max.ms setting. Currently applies only to OAUTHBEARER.
    sasl_login_retry_backoff_max_ms: i64 = "10000", "sasl.login.retry.backoff.max.ms", ReadOnly
        => NoEffect(SECURITY);
    /// The (optional) value in milliseconds for the initial wait between login attempts to the
    /// external authentication provider. Login uses an exponential backoff algorithm with an
    /// initial wait based on the sasl.login.retry.backoff.ms setting and will double in wait length
    /// between attempts up to a maximum wait length specified by the
    /// sasl.login.retry.backoff.max.ms setting. Currently applies only to OAUTHBEARER.
    sasl_login_retry_backoff_ms: i64 = "100", "sasl.login.retry.backoff.ms", ReadOnly
        => NoEffect(SECURITY);
    /// The fully-qualified class name of a `JwtRetriever` implementation used to request tokens
    /// from the identity provider. The default configuration value represents a class that
    /// maintains backward compatibility with previous versions of Apache Kafka. The default
    /// implementation uses the configuration to determine which concrete implementation to create.
    /// Other implementations that are provided include:
    /// `org.apache.kafka.common.security.oauthbearer.ClientCredentialsJwtRetriever`,
    /// `org.apache.kafka.common.security.oauthbearer.DefaultJwtRetriever`,
    /// `org.apache.kafka.common.security.oauthbearer.FileJwtRetriever`,
    /// `org.apache.kafka.common.security.oauthbearer.JwtBearerJwtRetriever`
    sasl_oauthbearer_jwt_retriever_class: ClassName =
        "org.apache.kafka.common.security.oauthbearer.DefaultJwtRetriever",
        "sasl.oauthbearer.jwt.retriever.class", ReadOnly => NoEffect(SECURITY);
    /// The fully-qualified class name of a `JwtValidator` implementation used to validate the JWT
    /// from the identity provider. The default validator
    /// (`org.apache.kafka.common.security.oauthbearer.DefaultJwtValidator`) maintains backward
    /// compatibility with previous versions of Apache Kafka. The default validator uses
    /// configuration to determine which concrete implementation to create. The built-in
    /// `JwtValidator` implementations are:
    /// `org.apache.kafka.common.security.oauthbearer.BrokerJwtValidator`,
    /// `org.apache.kafka.common.security.oauthbearer.ClientJwtValidator`,
    /// `org.apache.kafka.common.security.oauthbearer.DefaultJwtValidator`
    sasl_oauthbearer_jwt_validator_class: ClassName =
        "org.apache.kafka.common.security.oauthbearer.DefaultJwtValidator",
        "sasl.oauthbearer.jwt.validator.class", ReadOnly => NoEffect(SECURITY);
    /// This is the level of access a client application is granted to a resource or API which is
    /// included in the token request. If provided, it should match one or more scopes configured in
    /// the identity provider. The scope was previously stored as part of the `sasl.jaas.config`
    /// configuration with the key `scope`. For backward compatibility, the `scope` JAAS option can
    /// still be used, but it is deprecated and will be removed in a future version. Order of
    /// precedence: `sasl.oauthbearer.scope` from configuration, `scope` from JAAS
    sasl_oauthbearer_scope: Option<String> = null, "sasl.oauthbearer.scope", ReadOnly
        => NoEffect(SECURITY);
    /// The ID (defined in/by the OAuth identity provider) to identify the client requesting the
    /// token. The client ID was previously stored as part of the `sasl.jaas.config` configuration
    /// with the key `clientId`. For backward compatibility, the `clientId` JAAS option can still be
    /// used, but it is deprecated and will be removed in a future version. Order of precedence:
    /// `sasl.oauthbearer.client.credentials.client.id` from configuration, `clientId` from JAAS
    sasl_oauthbearer_client_credentials_client_id: Option<String> =
        null, "sasl.oauthbearer.client.credentials.client.id", ReadOnly => NoEffect(SECURITY);
    /// The secret (defined by either the user or preassigned, depending on the identity provider)
    /// of the client requesting the token. The client secret was previously stored as part of the
    /// `sasl.jaas.config` configuration with the key `clientSecret`. For backward compatibility,
    /// the `clientSecret` JAAS option can still be used, but it is deprecated and will be removed
    /// in a future version. Order of precedence:
    /// `sasl.oauthbearer.client.credentials.client.secret` from configuration, `clientSecret` from
    /// JAAS
    sasl_oauthbearer_client_credentials_client_secret: Option<Password> =
        null, "sasl.oauthbearer.client.credentials.client.secret", ReadOnly => NoEffect(SECURITY);
    /// The algorithm the Apache Kafka client should use to sign the assertion sent to the identity
    /// provider. It is also used as the value of the OAuth `alg` (Algorithm) header in the JWT
    /// assertion. Note : If a value for `sasl.oauthbearer.assertion.file` is provided, this
    /// configuration will be ignored.
    sasl_oauthbearer_assertion_algorithm: String =
        "RS256",
        "sasl.oauthbearer.assertion.algorithm", ReadOnly, OneOfIgnoringCase(&["ES256", "RS256"])
        => NoEffect(SECURITY);
    /// The JWT `aud` (Audience) claim which will be included in the client JWT assertion created
    /// locally. Note : If a value for `sasl.oauthbearer.assertion.file` is provided, this
    /// configuration will be ignored.
    sasl_oauthbearer_assertion_claim_aud: Option<String> =
        null, "sasl.oauthbearer.assertion.claim.aud", ReadOnly => NoEffect(SECURITY);
    /// The number of seconds in the future for which the JWT is valid. The value is used to
    /// determine the JWT `exp` (Expiration) claim based on the current system time when the JWT is
    /// created. The formula to generate the `exp` claim is very simple: Let: x = the current
    /// timestamp in seconds, on client y = the value of this configuration Then: exp = x + y Note :
    /// If a value for `sasl.oauthbearer.assertion.file` is provided, this configuration will be
    /// ignored.
    sasl_oauthbearer_assertion_claim_exp_seconds: i32 =
        "300", "sasl.oauthbearer.assertion.claim.exp.seconds", ReadOnly, Between(0.0, 86400.0)
        => NoEffect(SECURITY);
    /// The value to be used as the `iss` (Issuer) claim which will be included in the client JWT
    /// assertion created locally. Note : If a value for `sasl.oauthbearer.assertion.file` is
    /// provided, this configuration will be ignored.
    sasl_oauthbearer_assertion_claim_iss: Option<String> =
        null, "sasl.oauthbearer.assertion.claim.iss", ReadOnly => NoEffect(SECURITY);
    /// Flag that determines if the JWT assertion should generate a unique ID for the JWT and
    /// include it in the `jti` (JWT ID) claim. Note : If a value for
    /// `sasl.oauthbearer.assertion.file` is provided, this configuration will be ignored.
    sasl_oauthbearer_assertion_claim_jti_include: bool =
        "false", "sasl.oauthbearer.assertion.claim.jti.include", ReadOnly => NoEffect(SECURITY);
    /// The number of seconds in the past from which the JWT is valid. The value is used to
    /// determine the JWT `nbf` (Not Before) claim based on the current system time when the JWT is
    /// created. The formula to generate the `nbf` claim is very simple: Let: x = the current
    /// timestamp in seconds, on client y = the value of this configuration Then: nbf = x - y Note :
    /// If a value for `sasl.oauthbearer.assertion.file` is provided, this configuration will be
    /// ignored.
    sasl_oauthbearer_assertion_claim_nbf_seconds: i32 =
        "60", "sasl.oauthbearer.assertion.claim.nbf.seconds", ReadOnly, Between(0.0, 3600.0)
        => NoEffect(SECURITY);
    /// The value to be used as the `sub` (Subject) claim which will be included in the client JWT
    /// assertion created locally. Note : If a value for `sasl.oauthbearer.assertion.file` is
    /// provided, this configuration will be ignored.
    sasl_oauthbearer_assertion_claim_sub: Option<String> =
        null, "sasl.oauthbearer.assertion.claim.sub", ReadOnly => NoEffect(SECURITY);
    /// File that contains a pre-generated JWT assertion. The underlying implementation caches the
    /// file contents to avoid the performance hit of loading the file on each access. The caching
    /// mechanism will detect whenthe file changes to allow for the file to be reloaded on
    /// modifications. This allows for &quot;live&quot; assertion rotation without restarting the
    /// Kafka client. The file contains the assertion in the serialized, three part JWT format: <ol>
    /// The header section is a base 64-encoded JWT header that contains values like `alg`
    /// (Algorithm), `typ` (Type, always the literal value `JWT`), etc., The payload section
    /// includes the base 64-encoded set of JWT claims, such as `aud` (Audience), `iss` (Issuer),
    /// `sub` (Subject), etc., The signature section is the concatenated header and payload sections
    /// that was signed using a private key </ol> See RFC 7519 and RFC 7515 for more details on the
    /// JWT and JWS formats. Note : If a value for `sasl.oauthbearer.assertion.file` is provided,
    /// all other `sasl.oauthbearer.assertion.`* configurations are ignored.
    sasl_oauthbearer_assertion_file: Option<String> =
        null, "sasl.oauthbearer.assertion.file", ReadOnly => NoEffect(SECURITY);
    /// File that contains a private key in the standard PEM format which is used to sign the JWT
    /// assertion sent to the identity provider. The underlying implementation caches the file
    /// contents to avoid the performance hit of loading the file on each access. The caching
    /// mechanism will detect when the file changes to allow for the file to be reloaded on
    /// modifications. This allows for &quot;live&quot; private key rotation without restarting the
    /// Kafka client. Note : If a value for `sasl.oauthbearer.assertion.file` is provided, this
    /// configuration will be ignored.
    sasl_oauthbearer_assertion_private_key_file: Option<String> =
        null, "sasl.oauthbearer.assertion.private.key.file", ReadOnly => NoEffect(SECURITY);
    /// The optional passphrase to decrypt the private key file specified by
    /// `sasl.oauthbearer.assertion.private.key.file`. Note : If the file referred to by
    /// `sasl.oauthbearer.assertion.private.key.file` is modified on the file system at runtime and
    /// it was created with a different passphrase than it was previously, the client will not be
    /// able to access the private key file because the passphrase is now out of date. For that
    /// reason, when using private key passphrases, either use the same passphrase each time,
    /// or&mdash;for improved security&mdash;restart the Kafka client using the new passphrase
    /// configuration. Note : If a value for `sasl.oauthbearer.assertion.file` is provided, this
    /// configuration will be ignored.
    sasl_oauthbearer_assertion_private_key_passphrase: Option<Password> =
        null, "sasl.oauthbearer.assertion.private.key.passphrase", ReadOnly => NoEffect(SECURITY);
    /// This optional configuration specifies the file containing the JWT headers and/or payload
    /// claims to be used when creating the JWT assertion. Not all identity providers require the
    /// same set of claims; some may require a given claim while others may prohibit it. In order to
    /// provide the most flexibility, this configuration allows the user to provide the static
    /// header values and claims that are to be included in the JWT. Note : If a value for
    /// `sasl.oauthbearer.assertion.file` is provided, this configuration will be ignored.
    sasl_oauthbearer_assertion_template_file: Option<String> =
        null, "sasl.oauthbearer.assertion.template.file", ReadOnly => NoEffect(SECURITY);
    /// The OAuth claim for the scope is often named "scope", but this (optional) setting can
    /// provide a different name to use for the scope included in the JWT payload's claims if the
    /// OAuth/OIDC provider uses a different name for that claim.
    sasl_oauthbearer_scope_claim_name: String =
        "scope", "sasl.oauthbearer.scope.claim.name", ReadOnly => NoEffect(SECURITY);
    /// The OAuth claim for the subject is often named "sub", but this (optional) setting can
    /// provide a different name to use for the subject included in the JWT payload's claims if the
    /// OAuth/OIDC provider uses a different name for that claim.
    sasl_oauthbearer_sub_claim_name: String = "sub", "sasl.oauthbearer.sub.claim.name", ReadOnly
        => NoEffect(SECURITY);
    /// The URL for the OAuth/OIDC identity provider. If the URL is HTTP(S)-based, it is the
    /// issuer's token endpoint URL to which requests will be made to login based on the
    /// configuration in `sasl.oauthbearer.jwt.retriever.class`. If the URL is file-based, it
    /// specifies a file containing an access token (in JWT serialized form) issued by the
    /// OAuth/OIDC identity provider to use for authorization.
    sasl_oauthbearer_token_endpoint_url: Option<String> =
        null, "sasl.oauthbearer.token.endpoint.url", ReadOnly => NoEffect(SECURITY);
    /// The OAuth/OIDC provider URL from which the provider's JWKS (JSON Web Key Set) can be
    /// retrieved. The URL can be HTTP(S)-based or file-based. If the URL is HTTP(S)-based, the JWKS
    /// data will be retrieved from the OAuth/OIDC provider via the configured URL on broker
    /// startup. All then-current keys will be cached on the broker for incoming requests. If an
    /// authentication request is received for a JWT that includes a "kid" header claim value that
    /// isn't yet in the cache, the JWKS endpoint will be queried again on demand. However, the
    /// broker polls the URL every sasl.oauthbearer.jwks.endpoint.refresh.ms milliseconds to refresh
    /// the cache with any forthcoming keys before any JWT requests that include them are received.
    /// If the URL is file-based, the broker will load the JWKS file from a configured location on
    /// startup. In the event that the JWT includes a "kid" header value that isn't in the JWKS
    /// file, the broker will reject the JWT and authentication will fail.
    sasl_oauthbearer_jwks_endpoint_url: Option<String> =
        null, "sasl.oauthbearer.jwks.endpoint.url", ReadOnly => NoEffect(SECURITY);
    /// The (optional) value in milliseconds for the broker to wait between refreshing its JWKS
    /// (JSON Web Key Set) cache that contains the keys to verify the signature of the JWT.
    sasl_oauthbearer_jwks_endpoint_refresh_ms: i64 =
        "3600000", "sasl.oauthbearer.jwks.endpoint.refresh.ms", ReadOnly => NoEffect(SECURITY);
    /// The (optional) value in milliseconds for the initial wait between JWKS (JSON Web Key Set)
    /// retrieval attempts from the external authentication provider. JWKS retrieval uses an
    /// exponential backoff algorithm with an initial wait based on the
    /// sasl.oauthbearer.jwks.endpoint.retry.backoff.ms setting and will double in wait length
    /// between attempts up to a maximum wait length specified by the
    /// sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms setting.
    sasl_oauthbearer_jwks_endpoint_retry_backoff_ms: i64 =
        "100", "sasl.oauthbearer.jwks.endpoint.retry.backoff.ms", ReadOnly => NoEffect(SECURITY);
    /// The (optional) value in milliseconds for the maximum wait between attempts to retrieve the
    /// JWKS (JSON Web Key Set) from the external authentication provider. JWKS retrieval uses an
    /// exponential backoff algorithm with an initial wait based on the
    /// sasl.oauthbearer.jwks.endpoint.retry.backoff.ms setting and will double in wait length
    /// between attempts up to a maximum wait length specified by the
    /// sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms setting.
    sasl_oauthbearer_jwks_endpoint_retry_backoff_max_ms: i64 =
        "10000", "sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms", ReadOnly
        => NoEffect(SECURITY);
    /// The (optional) value in seconds to allow for differences between the time of the OAuth/OIDC
    /// identity provider and the broker.
    sasl_oauthbearer_clock_skew_seconds: i32 =
        "30", "sasl.oauthbearer.clock.skew.seconds", ReadOnly => NoEffect(SECURITY);
    /// The (strongly recommended) comma-delimited setting for the broker to use to verify that the
    /// JWT was issued for one of the expected audiences. The JWT will be inspected for the standard
    /// OAuth "aud" claim and if this value is set, the broker will match the value from JWT's "aud"
    /// claim to see if there is an exact match. If there is no match, the broker will reject the
    /// JWT and authentication will fail. If this value is not set, the broker will accept a token
    /// that has no "aud" claim, which is strongly discouraged.
    sasl_oauthbearer_expected_audience: Vec<String> =
        "", "sasl.oauthbearer.expected.audience", ReadOnly, List => NoEffect(SECURITY);
    /// The (strongly recommended) setting for the broker to use to verify that the JWT was created
    /// by the expected issuer. The JWT will be inspected for the standard OAuth "iss" claim and if
    /// this value is set, the broker will match it exactly against what is in the JWT's "iss"
    /// claim. If there is no match, the broker will reject the JWT and authentication will fail. If
    /// this value is not set, the broker will accept a JWT bearing any (or no) issuer, which is
    /// strongly discouraged.
    sasl_oauthbearer_expected_issuer: Option<String> =
        null, "sasl.oauthbearer.expected.issuer", ReadOnly => NoEffect(SECURITY);
    /// Secret key to generate and verify delegation tokens. The same key must be configured across
    /// all the brokers. If using Kafka with KRaft, the key must also be set across all controllers.
    /// If the key is not set or set to empty string, brokers will disable the delegation token
    /// support.
    delegation_token_secret_key: Option<Password> = null, "delegation.token.secret.key", ReadOnly
        => NoEffect(SECURITY);
    /// The token has a maximum lifetime beyond which it cannot be renewed anymore. Default value 7
    /// days.
    delegation_token_max_lifetime_ms: i64 =
        "604800000", "delegation.token.max.lifetime.ms", ReadOnly, AtLeast(1) => NoEffect(SECURITY);
    /// The token validity time in milliseconds before the token needs to be renewed. Default value
    /// 1 day.
    delegation_token_expiry_time_ms: i64 =
        "86400000", "delegation.token.expiry.time.ms", ReadOnly, AtLeast(1) => NoEffect(SECURITY);
    /// Scan interval to remove expired delegation tokens.
    delegation_token_expiry_check_interval_ms: i64 =
        "3600000", "delegation.token.expiry.check.interval.ms", ReadOnly, AtLeast(1)
        => NoEffect(SECURITY);
}
