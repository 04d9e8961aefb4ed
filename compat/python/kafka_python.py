"""kafka-python."""
import functools, threading, time
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, OffsetAndMetadata, TopicPartition
from kafka import errors
from kafka.admin import ConfigResource
from kafka.consumer.subscription_state import ConsumerRebalanceListener
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.coordinator.assignors.range import RangePartitionAssignor
from kafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from kafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from harness import *
from common import new_topic, produce as produce_checked
import kafka_python as this

name = "kafka-python"
_assignors = {"range": RangePartitionAssignor, "roundrobin": RoundRobinPartitionAssignor, "sticky": StickyPartitionAssignor,
              "cooperative-sticky": CooperativeStickyAssignor}
strategies = list(_assignors)
static_members = True


@functools.cache
def _admin(thread):
    return KafkaAdminClient(bootstrap_servers=BOOTSTRAP, client_id="compat-kafka-python")


def admin():
    return _admin(threading.get_ident())


def create_topic(topic, partitions, configs):
    admin().create_topics({topic: {"num_partitions": partitions, "replication_factor": 1, "configs": configs}})


def produce(topic, numbers, partitions, codec, acks, idempotent, **config):
    p = KafkaProducer(bootstrap_servers=BOOTSTRAP, compression_type=None if codec == "none" else codec, acks=acks, enable_idempotence=idempotent,
                      linger_ms=5, max_in_flight_requests_per_connection=5 if idempotent else 1, **config)
    try:
        sent = [p.send(topic, value_of(i), key_of(i), headers=headers_of(i), partition=i % partitions, timestamp_ms=time_of(i)) for i in numbers]
        p.flush(20)
        return [f.get(20).offset for f in sent]
    finally:
        p.close(10)


def consumer(*topics, **config):
    return KafkaConsumer(*topics, bootstrap_servers=BOOTSTRAP, **{"enable_auto_commit": False, "auto_offset_reset": "none", "fetch_max_wait_ms": 200, **config})


def record(m):
    return Record(m.partition, m.offset, m.key, m.value, m.timestamp, m.headers)


def take(c, n, seconds=20):
    out, end = [], time.monotonic() + seconds
    while len(out) < n:
        for messages in c.poll(500, max_records=n - len(out)).values():
            out += map(record, messages)
        if time.monotonic() > end:
            raise AssertionError(f"{len(out)} of {n} records came")
    return out


def read(topic, partition, start, n):
    c, tp = consumer(), TopicPartition(topic, partition)
    c.assign([tp])
    c.seek_to_beginning(tp) if start == "beginning" else c.seek(tp, start)
    try:
        return take(c, n)
    finally:
        c.close()


def seek(topic, places):
    c, tp, out = consumer(), TopicPartition(topic, 0), []
    c.assign([tp])
    for at in places:
        c.seek(tp, at)
        out += take(c, 1)
        equal(c.position(tp), at + 1, "position")
    c.close()
    return out


def tail(topic, send):
    c, tp = consumer(), TopicPartition(topic, 0)
    c.assign([tp])
    c.seek_to_end(tp)
    try:
        for _ in range(100):
            send()
            for messages in c.poll(200, max_records=1).values():
                return record(messages[0])
    finally:
        c.close()
    raise AssertionError("nothing came")


def ends(topic, partition):
    c, tp = consumer(), TopicPartition(topic, partition)
    try:
        return c.beginning_offsets([tp], timeout_ms=10_000)[tp], c.end_offsets([tp], timeout_ms=10_000)[tp]
    finally:
        c.close()


def at_time(topic, partition, ms):
    c, tp = consumer(), TopicPartition(topic, partition)
    try:
        got = c.offsets_for_times({tp: ms}, timeout_ms=10_000)[tp]
        return got and got.offset
    finally:
        c.close()


def committed(group, topic, partitions):
    c = consumer(group_id=group)
    try:
        return [c.committed(TopicPartition(topic, p), timeout_ms=10_000) for p in range(partitions)]
    finally:
        c.close()


def commit(group, topic, partition, offset):
    c, tp = consumer(group_id=group), TopicPartition(topic, partition)
    c.assign([tp])
    c.commit({tp: OffsetAndMetadata(offset, "", -1)})
    c.close()


class Member(ConsumerRebalanceListener):
    def __init__(self, group, topic, log, strategy, instance=None, **config):
        self.assigned, self.rebalances, self.error, self.log, self.stopping = set(), 0, None, log, False
        self.read = {}      # what was read and is not committed yet, by partition
        self.c = consumer(group_id=group, group_instance_id=instance, session_timeout_ms=6000, heartbeat_interval_ms=300,
                          auto_offset_reset="earliest", partition_assignment_strategy=[_assignors[strategy]], **config)
        self.c.subscribe([topic], listener=self)
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def on_partitions_assigned(self, parts):
        self.rebalances += 1
        self.assigned = self.assigned | {p.partition for p in parts}

    def on_partitions_revoked(self, parts):
        self.rebalances += 1
        self.assigned = self.assigned - {p.partition for p in parts}
        for tp in parts:        # not committed, so its next owner reads it again
            self.read.pop(tp, None)

    on_partitions_lost = on_partitions_revoked

    def _run(self):
        try:
            while not self.stopping:
                # A join that new metadata began is forgotten if poll() ends before it (3.0.12, join_group_async: the
                # leader's assignment makes need_rejoin() False): who has nothing yet polls for longer than a join takes.
                for tp, messages in self.c.poll(100 if self.assigned else 3000).items():
                    self.read.setdefault(tp, []).extend(messages)
                if self.read:       # rebalances happen inside poll(), so what was read is committed before one
                    self._commit()
        except Exception as e:
            self.error = e
        self.c.close()

    def _commit(self):
        try:
            self.c.commit({tp: OffsetAndMetadata(messages[-1].offset + 1, "", -1) for tp, messages in self.read.items()})
        except errors.RebalanceInProgressError:
            return      # a cooperative member goes on reading while it waits for its new assignment
        for messages in self.read.values():
            for m in messages:
                self.log.add(m.partition, m.offset, m.value)
        self.read = {}

    def leave(self):
        self.stopping = True
        self.thread.join(20)
        if self.error:
            raise self.error


def add_own():
    add(f"{name}/admin/cluster and log dirs", cluster)
    add(f"{name}/admin/topics", topics)
    add(f"{name}/admin/configs", configs)
    add(f"{name}/admin/delete records and list offsets", delete_records)
    add(f"{name}/admin/groups", groups)
    add(f"{name}/produce/errors", produce_errors)
    add(f"{name}/consume/out of range", out_of_range)
    add(f"{name}/consume/pattern", pattern)


def cluster():
    a, topic = admin(), new_topic(this, "dirs")
    produce_checked(this, topic, range(100), 1)
    got = a.describe_cluster()
    (broker,) = got["brokers"]
    host, port, node = (broker[k] for k in ("host", "port", "broker_id" if "broker_id" in broker else "node_id"))
    equal((f"{host}:{port}", got["controller_id"]), (BOOTSTRAP, node), "address of the broker, controller")
    (dirs,) = a.describe_log_dirs({topic: [0]})
    sizes = [p["partition_size"] for d in dirs["log_dirs"] for t in d["topics"] if t["name"] == topic for p in t["partitions"]]
    equal(len(sizes) == 1 and 4000 < sizes[0] < 30_000, True, f"sizes {sizes} are plausible")


def topics():
    a, topic = admin(), unique("topics")
    spec = {"num_partitions": 3, "replication_factor": 1, "configs": {"retention.ms": "4242"}}
    a.create_topics({topic: spec}, validate_only=True)
    created = a.create_topics({topic: spec}, wait_for_metadata=True)["topics"][0]
    equal((created["num_partitions"], created["replication_factor"], created["configs"]["retention.ms"]["value"]), (3, 1, "4242"), "created topic")
    (described,) = a.describe_topics([topic])
    equal([(p["partition_index"], p["replica_nodes"], p["isr_nodes"]) for p in described["partitions"]],
          [(i, [described["partitions"][0]["leader_id"]], [described["partitions"][0]["leader_id"]]) for i in range(3)], "partitions")
    equal(str(described["topic_id"]), str(created["topic_id"]), "topic id")
    raises("create again", errors.TopicAlreadyExistsError, lambda: a.create_topics({topic: spec}))
    raises("invalid name", errors.InvalidTopicError, lambda: a.create_topics({"a b": spec}))
    raises("three replicas", errors.InvalidReplicationFactorError, lambda: a.create_topics({topic + "x": {**spec, "replication_factor": 3}}))
    raises("no partitions", errors.InvalidPartitionsError, lambda: a.create_topics({topic + "x": {**spec, "num_partitions": 0}}))
    raises("unknown config", lambda e: getattr(e, "errno", 0) == 40, lambda: a.create_topics({topic + "x": {**spec, "configs": {"nope": "1"}}}))
    a.create_partitions({topic: 5})
    eventually(5, lambda: len(a.describe_topics([topic])[0]["partitions"]) != 5 and "not five partitions")
    raises("fewer partitions", errors.InvalidPartitionsError, lambda: a.create_partitions({topic: 2}))
    a.delete_topics([topic])
    eventually(5, lambda: topic in a.list_topics() and "still listed")
    raises("delete again", errors.UnknownTopicOrPartitionError, lambda: a.delete_topics([topic]))


def configs():
    a, topic = admin(), new_topic(this, "configs", 1, {"segment.ms": "100000"})

    def described():
        return a.describe_configs([ConfigResource("TOPIC", topic)], config_filter="all")["topic"][topic]

    def expect(key, value):
        eventually(5, lambda: described()[key]["value"] != value and f"{key} is {described()[key]}")

    def alter(**change):
        return a.alter_configs([ConfigResource("TOPIC", topic, change)], raise_on_unknown=False)["topic"][topic]
    expect("segment.ms", "100000")
    expect("retention.ms", "604800000")
    equal(alter(**{"retention.ms": ("SET", "777"), "cleanup.policy": ("APPEND", "compact")}), "OK", "alter")
    expect("retention.ms", "777")
    expect("cleanup.policy", "delete,compact")
    equal(alter(**{"retention.ms": ("DELETE", None)}), "OK", "delete")
    expect("retention.ms", "604800000")
    equal("InvalidConfig" in alter(**{"retention.ms": ("SET", "soon")}), True, "a wrong type is refused")
    equal(a.alter_configs([ConfigResource("TOPIC", topic, {"max.message.bytes": "5000"})], incremental=False)["topic"][topic], "OK", "the old alter")
    expect("max.message.bytes", "5000")
    expect("segment.ms", "100000")      # kafka-python sends along what was there
    equal(topic in a.list_config_resources(["TOPIC"])["topic"], True, "topic is among the config resources")


def delete_records():
    a, topic = admin(), new_topic(this, "trim")
    produce_checked(this, topic, range(100), 1)
    tp = TopicPartition(topic, 0)
    equal(a.delete_records({tp: 40})[tp]["low_watermark"], 40, "low watermark")
    equal(ends(topic, 0), (40, 100), "ends")
    equal([r.offset for r in read(topic, 0, "beginning", 60)], list(range(40, 100)), "offsets read")
    raises("beyond the end", errors.OffsetOutOfRangeError, lambda: a.delete_records({tp: 101}))
    for spec, want in ((-2, 40), (-1, 100), (-3, 99), (time_of(70), 70)):
        equal(a.list_partition_offsets({tp: spec})[tp].offset, want, f"offset at {spec}")


def groups():
    a, topic, group, log = admin(), new_topic(this, "groups", 2), unique("g"), ReadLog()
    produce_checked(this, topic, range(100), 2)
    member = Member(group, topic, log, "range", client_id="compat-member")
    await_split([2], 2, member)
    log.await_records(100, 2)
    described = a.describe_groups([group])[group]
    equal((described["group_state"], described["protocol_type"], described["protocol_data"]), ("Stable", "consumer", "range"), "group")
    equal([m["client_id"] for m in described["members"]], ["compat-member"], "members")
    listed = a.list_groups(states_filter=["STABLE"], types_filter=["CLASSIC"])
    equal([(g["group_state"], g["group_type"], g["protocol_type"]) for g in listed if g["group_id"] == group], [("Stable", "classic", "consumer")], "listed")
    equal(a.delete_groups([group])[group], "NonEmptyGroupError", "delete with a member")
    zero, one = TopicPartition(topic, 0), TopicPartition(topic, 1)
    seven = {zero: OffsetAndMetadata(7, "seven", -1)}
    equal(a.alter_group_offsets(group, seven)[zero], errors.UnknownMemberIdError, "alter offsets with a member")
    equal(a.delete_group_offsets(group, [zero])[zero], errors.GroupSubscribedToTopicError, "delete offsets with a member")
    member.leave()
    equal(a.alter_group_offsets(group, seven)[zero], errors.NoError, "alter offsets")
    got = a.list_group_offsets([group])[group]
    equal((got[zero].offset, got[zero].metadata, got[one].offset), (7, "seven", 50), "offsets")
    equal(a.delete_group_offsets(group, [one])[one], errors.NoError, "delete offsets")
    equal(committed(group, topic, 2), [7, None], "offsets after deletion")
    equal(a.delete_groups([group])[group], "OK", "delete")
    equal(a.delete_groups([group])[group], "GroupIdNotFoundError", "delete again")
    equal(committed(group, topic, 2), [None, None], "offsets of the deleted group")


def produce_errors():
    topic = new_topic(this, "errors")

    def send(to, value):        # by a new producer each time: an idempotent one ends with its first error
        p = KafkaProducer(bootstrap_servers=BOOTSTRAP, max_request_size=8_000_000)
        try:
            return p.send(to, value).get(20).offset
        finally:
            p.close(5)
    raises("large record", errors.MessageSizeTooLargeError, lambda: send(topic, bytes(2_000_000)))
    equal(send(topic, b"x"), 0, "offset of the first good one")
    compacted = new_topic(this, "compacted", 1, {"cleanup.policy": "compact"})
    raises("no key in a compacted topic", lambda e: getattr(e, "errno", 0) == 87, lambda: send(compacted, b"x"))


def out_of_range():
    topic = new_topic(this, "range")
    produce_checked(this, topic, range(10), 1)
    c, tp = consumer(), TopicPartition(topic, 0)
    c.assign([tp])
    c.seek(tp, 1000)
    raises("fetch at 1000", errors.OffsetOutOfRangeError, lambda: take(c, 1, 10))
    c.close()


def pattern():
    topic = new_topic(this, "pattern")
    produce_checked(this, topic, range(10), 1)
    c = consumer(group_id=unique("g"), auto_offset_reset="earliest")
    c.subscribe(pattern=f"^{topic}$")
    equal([r.offset for r in take(c, 10)], list(range(10)), "offsets")
    c.close()
