"""confluent-kafka: librdkafka from Python."""
import functools, threading, time
from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, KafkaError, KafkaException, Producer, TopicPartition, OFFSET_BEGINNING, OFFSET_END
from confluent_kafka import ConsumerGroupState, ConsumerGroupType, TopicCollection
from confluent_kafka.admin import (AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewPartitions, NewTopic, OffsetSpec, ResourceType)
from harness import *
from common import new_topic, produce as produce_checked

name = "confluent-kafka"
strategies = ["range", "roundrobin", "cooperative-sticky"]
static_members = True


@functools.cache        # one for all: its answers come only while it is there
def admin():
    return AdminClient({"bootstrap.servers": BOOTSTRAP, "client.id": "compat-confluent", "log_level": 0})


def result(futures):
    """The only future of an admin call's answer, waited for."""
    (future,) = futures.values()
    return future.result(20)


def create_topic(topic, partitions, configs):
    result(admin().create_topics([NewTopic(topic, partitions, 1, config=configs)]))


def produce(topic, numbers, partitions, codec, acks, idempotent, **config):
    p = Producer({"bootstrap.servers": BOOTSTRAP, "compression.codec": codec, "acks": acks, "enable.idempotence": idempotent,
                  "linger.ms": 5, "queue.buffering.max.messages": 1_000_000, **config})
    offsets, errors = {}, []

    def delivered(i):
        return lambda err, msg: errors.append(err) if err else offsets.__setitem__(i, msg.offset())
    for i in numbers:
        p.produce(topic, value_of(i), key_of(i), partition=i % partitions, timestamp=time_of(i), headers=headers_of(i), on_delivery=delivered(i))
        p.poll(0)
    equal(p.flush(20), 0, "records still in the producer")
    if errors:
        raise KafkaException(errors[0])
    return [offsets[i] for i in numbers]


def consumer(group="none", **config):
    return Consumer({"bootstrap.servers": BOOTSTRAP, "group.id": group, "enable.auto.commit": False, "auto.offset.reset": "error",
                     "allow.auto.create.topics": False, **config})


def record(m):
    return Record(m.partition(), m.offset(), m.key(), m.value(), m.timestamp()[1], m.headers() or [])


def take(c, n, seconds=20):
    out, end = [], time.monotonic() + seconds
    while len(out) < n:
        for m in c.consume(n - len(out), 0.5):
            if m.error():
                raise KafkaException(m.error())
            out.append(record(m))
        if time.monotonic() > end:
            raise AssertionError(f"{len(out)} of {n} records came")
    return out


def read(topic, partition, start, n):
    c = consumer()
    c.assign([TopicPartition(topic, partition, OFFSET_BEGINNING if start == "beginning" else start)])
    try:
        return take(c, n)
    finally:
        c.close()


def seek(topic, places):
    c = consumer()
    c.assign([TopicPartition(topic, 0, 0)])
    take(c, 1)
    out = []
    for at in places:
        c.seek(TopicPartition(topic, 0, at))
        out += take(c, 1)
    c.close()
    return out


def tail(topic, send):
    c = consumer()
    c.assign([TopicPartition(topic, 0, OFFSET_END)])
    try:
        for _ in range(100):
            send()
            for m in c.consume(1, 0.2):
                return record(m)
    finally:
        c.close()
    raise AssertionError("nothing came")


def ends(topic, partition):
    c = consumer()
    try:
        return c.get_watermark_offsets(TopicPartition(topic, partition), 10)
    finally:
        c.close()


def at_time(topic, partition, ms):
    c = consumer()
    try:
        (got,) = c.offsets_for_times([TopicPartition(topic, partition, ms)], 10)
        return None if got.offset == OFFSET_END else got.offset
    finally:
        c.close()


def committed(group, topic, partitions):
    c = consumer(group)
    try:
        return [p.offset if p.offset >= 0 else None for p in c.committed([TopicPartition(topic, p) for p in range(partitions)], 10)]
    finally:
        c.close()


def commit(group, topic, partition, offset):
    c = consumer(group)
    c.commit(offsets=[TopicPartition(topic, partition, offset)], asynchronous=False)
    c.close()


class Member:
    def __init__(self, group, topic, log, strategy, instance=None, **config):
        self.assigned, self.rebalances, self.error, self.log, self.stopping = set(), 0, None, log, False
        if instance:
            config["group.instance.id"] = instance
        self.c = consumer(group, **{"session.timeout.ms": 6000, "heartbeat.interval.ms": 300, "auto.offset.reset": "earliest",
                                    "partition.assignment.strategy": strategy, **config})
        self.c.subscribe([topic], on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_revoke)
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _on_assign(self, c, parts):
        self.rebalances += 1
        self.assigned = self.assigned | {p.partition for p in parts}

    def _on_revoke(self, c, parts):
        self.rebalances += 1
        self.assigned = self.assigned - {p.partition for p in parts}

    def _run(self):
        try:
            while not self.stopping:
                messages = self.c.consume(100, 0.1)
                for m in messages:
                    if m.error():
                        raise KafkaException(m.error())
                if messages:        # rebalances happen inside consume(), so what was read is committed before one
                    self._commit([TopicPartition(m.topic(), m.partition(), m.offset() + 1) for m in latest(messages)])
                for m in messages:
                    self.log.add(m.partition(), m.offset(), m.value())
        except Exception as e:
            self.error = e
        self.c.close()

    def _commit(self, offsets):
        for _ in range(50):
            try:
                return self.c.commit(offsets=offsets, asynchronous=False)
            except KafkaException as e:     # a cooperative member goes on reading while it waits for its new assignment
                if e.args[0].code() not in (KafkaError.REBALANCE_IN_PROGRESS, KafkaError.ILLEGAL_GENERATION):
                    raise
                time.sleep(0.1)
        raise AssertionError("a rebalance does not end")

    def leave(self):
        self.stopping = True
        self.thread.join(20)
        if self.error:
            raise self.error


def latest(messages):
    return {m.partition(): m for m in messages}.values()


def code(*codes):
    return lambda e: isinstance(e, KafkaException) and e.args[0].code() in codes


def add_own():
    add(f"{name}/admin/cluster", cluster)
    add(f"{name}/admin/topics", topics)
    add(f"{name}/admin/configs", configs)
    add(f"{name}/admin/delete records and list offsets", delete_records)
    add(f"{name}/admin/groups", groups)
    add(f"{name}/produce/errors", produce_errors)
    add(f"{name}/consume/errors", consume_errors)
    add(f"{name}/consume/partition eof, pause and resume", eof_and_pause)
    add(f"{name}/group/auto commit", auto_commit)
    add(f"{name}/group/static member is fenced", fenced)


def cluster():
    a = admin()
    described = a.describe_cluster().result(10)
    (node,) = described.nodes
    equal(f"{node.host}:{node.port}", BOOTSTRAP, "address")
    equal(described.controller.id, node.id, "controller")
    md = a.list_topics(timeout=10)
    equal(md.cluster_id, described.cluster_id, "cluster id")
    equal(list(md.brokers), [node.id], "brokers of the metadata")


def topics():
    a, topic = admin(), unique("topics")
    result(a.create_topics([NewTopic(topic, 3, 1)], validate_only=True))
    result(a.create_topics([NewTopic(topic, 3, 1, config={"retention.ms": "4242"})]))
    eventually(5, lambda: topic not in a.list_topics(timeout=5).topics and "not listed")
    described = result(a.describe_topics(TopicCollection([topic])))
    equal([(p.id, p.leader.id, [r.id for r in p.replicas], [r.id for r in p.isr]) for p in described.partitions],
          [(p, described.partitions[0].leader.id, [described.partitions[0].leader.id], [described.partitions[0].leader.id]) for p in range(3)], "partitions")
    raises("create again", code(KafkaError.TOPIC_ALREADY_EXISTS), lambda: result(a.create_topics([NewTopic(topic, 1, 1)])))
    raises("invalid name", code(KafkaError.TOPIC_EXCEPTION), lambda: result(a.create_topics([NewTopic("a b", 1, 1)])))
    raises("three replicas", code(KafkaError.INVALID_REPLICATION_FACTOR), lambda: result(a.create_topics([NewTopic(topic + "x", 1, 3)])))
    raises("unknown config", code(KafkaError.INVALID_CONFIG), lambda: result(a.create_topics([NewTopic(topic + "x", 1, 1, config={"nope": "1"})])))
    raises("describe a missing topic", code(KafkaError.UNKNOWN_TOPIC_OR_PART), lambda: result(a.describe_topics(TopicCollection([topic + "x"]))))
    result(a.create_partitions([NewPartitions(topic, 5)]))
    eventually(5, lambda: len(a.list_topics(topic, timeout=5).topics[topic].partitions) != 5 and "not five partitions")
    raises("fewer partitions", code(KafkaError.INVALID_PARTITIONS), lambda: result(a.create_partitions([NewPartitions(topic, 2)])))
    result(a.delete_topics([topic]))
    eventually(5, lambda: topic in a.list_topics(timeout=5).topics and "still listed")
    raises("delete again", code(KafkaError.UNKNOWN_TOPIC_OR_PART), lambda: result(a.delete_topics([topic])))


def configs():
    import confluent
    a, topic = admin(), new_topic(confluent, "configs", 1, {"segment.ms": "100000"})

    def expect(key, value, source):
        def wrong():
            entry = result(a.describe_configs([ConfigResource(ResourceType.TOPIC, topic)]))[key]
            return (entry.value, entry.source) != (value, source) and f"{key} is {entry.value} from {entry.source}"
        eventually(5, wrong)
    of_topic, default = 1, 5        # the numbers of the protocol
    expect("segment.ms", "100000", of_topic)
    expect("cleanup.policy", "delete", default)

    def alter(key, value, op):
        return result(a.incremental_alter_configs([ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[ConfigEntry(key, value, incremental_operation=op)])]))
    alter("cleanup.policy", "compact", AlterConfigOpType.APPEND)
    expect("cleanup.policy", "delete,compact", of_topic)
    alter("cleanup.policy", "delete", AlterConfigOpType.SUBTRACT)
    expect("cleanup.policy", "compact", of_topic)
    alter("segment.ms", None, AlterConfigOpType.DELETE)
    expect("segment.ms", "604800000", default)
    raises("wrong type", code(KafkaError.INVALID_CONFIG), lambda: alter("segment.ms", "soon", AlterConfigOpType.SET))
    result(a.alter_configs([ConfigResource(ResourceType.TOPIC, topic, set_config={"retention.ms": "99"})]))
    expect("retention.ms", "99", of_topic)
    expect("cleanup.policy", "delete", default)
    node = list(a.list_topics(timeout=5).brokers)[0]
    broker = result(a.describe_configs([ConfigResource(ResourceType.BROKER, str(node))]))
    equal(broker["node.id"].value, str(node), "node.id")
    equal(broker["num.partitions"].value, "1", "num.partitions")


def delete_records():
    import confluent
    a, topic = admin(), new_topic(confluent, "trim")
    produce_checked(confluent, topic, range(100), 1)
    at = TopicPartition(topic, 0)
    equal(result(a.delete_records([TopicPartition(topic, 0, 40)])).low_watermark, 40, "low watermark")
    equal(ends(topic, 0), (40, 100), "ends")
    equal([r.offset for r in read(topic, 0, "beginning", 60)], list(range(40, 100)), "offsets read")
    raises("beyond the end", code(KafkaError.OFFSET_OUT_OF_RANGE), lambda: result(a.delete_records([TopicPartition(topic, 0, 101)])))
    for spec, want in ((OffsetSpec.earliest(), 40), (OffsetSpec.latest(), 100), (OffsetSpec.max_timestamp(), 99), (OffsetSpec.for_timestamp(time_of(70)), 70)):
        equal(result(a.list_offsets({at: spec})).offset, want, f"offset of {type(spec).__name__}")


def groups():
    import confluent
    a, topic, group, log = admin(), new_topic(confluent, "groups", 2), unique("g"), ReadLog()
    produce_checked(confluent, topic, range(100), 2)
    member = Member(group, topic, log, "range", **{"client.id": "compat-member"})
    await_split([2], 2, member)
    log.await_records(100, 2)
    described = result(a.describe_consumer_groups([group]))
    equal((described.state, described.partition_assignor, described.is_simple_consumer_group), (ConsumerGroupState.STABLE, "range", False), "group")
    equal([(m.client_id, sorted(p.partition for p in m.assignment.topic_partitions)) for m in described.members], [("compat-member", [0, 1])], "members")
    listed = a.list_consumer_groups(states={ConsumerGroupState.STABLE}, types={ConsumerGroupType.CLASSIC}).result(10)
    equal([(g.state, g.type) for g in listed.valid if g.group_id == group], [(ConsumerGroupState.STABLE, ConsumerGroupType.CLASSIC)], "listed")
    raises("delete with a member", code(KafkaError.NON_EMPTY_GROUP), lambda: result(a.delete_consumer_groups([group])))
    raises("alter offsets with a member", code(KafkaError.UNKNOWN_MEMBER_ID),
           lambda: [r.error and (_ for _ in ()).throw(KafkaException(r.error)) for r in result(a.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(group, [TopicPartition(topic, 0, 7)])])).topic_partitions])
    member.leave()
    result(a.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(group, [TopicPartition(topic, 0, 7)])]))
    got = result(a.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)]))
    equal(sorted((p.partition, p.offset) for p in got.topic_partitions), [(0, 7), (1, 50)], "offsets")
    result(a.delete_consumer_groups([group]))
    raises("delete again", code(KafkaError.GROUP_ID_NOT_FOUND), lambda: result(a.delete_consumer_groups([group])))
    equal(committed(group, topic, 2), [None, None], "offsets of the deleted group")


def produce_errors():
    import confluent
    topic = new_topic(confluent, "errors")
    p = Producer({"bootstrap.servers": BOOTSTRAP, "message.max.bytes": 8_000_000, "allow.auto.create.topics": False,
                  "topic.metadata.propagation.max.ms": 1000, "message.timeout.ms": 8000})

    def send(to, value):
        got = []
        p.produce(to, value, on_delivery=lambda err, msg: got.append((err, msg)))
        p.flush(15)
        err, msg = got[0]
        if err:
            raise KafkaException(err)
        return msg.offset()
    raises("large record", code(KafkaError.MSG_SIZE_TOO_LARGE), lambda: send(topic, bytes(2_000_000)))
    equal(send(topic, b"x"), 0, "offset of the first good one")
    raises("invalid name", code(KafkaError.TOPIC_EXCEPTION, KafkaError._UNKNOWN_TOPIC), lambda: send("a b", b"x"))
    compacted = new_topic(confluent, "compacted", 1, {"cleanup.policy": "compact"})
    raises("no key in a compacted topic", code(KafkaError.INVALID_RECORD), lambda: send(compacted, b"x"))


def consume_errors():
    import confluent
    topic = new_topic(confluent, "range")
    produce_checked(confluent, topic, range(10), 1)
    c = consumer()
    c.assign([TopicPartition(topic, 0, 1000)])
    raises("fetch at 1000", code(KafkaError._AUTO_OFFSET_RESET), lambda: take(c, 1))
    c.close()
    c = consumer(**{"topic.metadata.propagation.max.ms": 1000})     # for so long an unknown topic may be a new one
    c.subscribe([topic + "-missing"])
    raises("missing topic", code(KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_PARTITION), lambda: take(c, 1))
    c.close()


def eof_and_pause():
    import confluent
    topic = new_topic(confluent, "eof")
    produce_checked(confluent, topic, range(10), 1)
    c = consumer(**{"enable.partition.eof": True})
    c.assign([TopicPartition(topic, 0, 0)])
    messages = []
    while len(messages) < 11:
        got = c.consume(11 - len(messages), 10)
        if not got:
            raise AssertionError(f"{len(messages)} messages")
        messages += got
    equal(messages[10].error() and messages[10].error().code(), KafkaError._PARTITION_EOF, "after the last record")
    equal(messages[10].offset(), 10, "offset of the end")
    c.pause([TopicPartition(topic, 0)])
    produce_checked(confluent, topic, range(10, 20), 1)
    equal(len(c.consume(1, 1)), 0, "records while paused")
    c.resume([TopicPartition(topic, 0)])
    equal([m.offset() for m in c.consume(10, 10) if not m.error()], list(range(10, 20)), "offsets after resuming")
    c.close()


def auto_commit():
    import confluent
    topic, group = new_topic(confluent, "autocommit"), unique("g")
    produce_checked(confluent, topic, range(50), 1)
    c = consumer(group, **{"enable.auto.commit": True, "auto.commit.interval.ms": 200, "auto.offset.reset": "earliest"})
    c.subscribe([topic])
    equal(len(take(c, 30)), 30, "records")
    c.close()       # commits what was taken
    equal(committed(group, topic, 1), [30], "committed")


def fenced():
    import confluent
    topic, group, log = new_topic(confluent, "fenced", 2), unique("g"), ReadLog()
    first = Member(group, topic, log, "range", "same")
    await_split([2], 2, first)
    second = Member(group, topic, log, "range", "same")
    await_split([2], 2, second)
    eventually(15, lambda: not first.error and "the first member goes on")
    equal(first.error.args[0].code(), KafkaError._FATAL, "error of the first member")
    produce_checked(confluent, topic, range(10), 2)
    log.await_records(10, 2)
    second.leave()
