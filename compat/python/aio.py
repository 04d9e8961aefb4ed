"""aiokafka. Each call runs an event loop of its own, and each group member one in a thread."""
import asyncio, threading
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka import errors
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from harness import *
from common import new_topic, produce as produce_checked
import aio as this

name = "aiokafka"
_assignors = {"range": RangePartitionAssignor, "roundrobin": RoundRobinPartitionAssignor, "sticky": StickyPartitionAssignor}
strategies = list(_assignors)
# With a group_instance_id aiokafka leaves its group when it is closed all the same, so its static members are not any.
static_members = False


def run(coroutine, seconds=25):
    async def limited():
        return await asyncio.wait_for(coroutine, seconds)
    return asyncio.run(limited())


def with_admin(use):
    async def go():
        a = AIOKafkaAdminClient(bootstrap_servers=BOOTSTRAP, client_id="compat-aiokafka")
        await a.start()
        try:
            return await use(a)
        finally:
            await a.close()
    return run(go())


def with_consumer(use, *topics, **config):
    async def go():
        c = AIOKafkaConsumer(*topics, bootstrap_servers=BOOTSTRAP, **{"enable_auto_commit": False, "auto_offset_reset": "none", **config})
        await c.start()
        try:
            return await use(c)
        finally:
            await c.stop()
    return run(go())


def create_topic(topic, partitions, configs):
    answer = with_admin(lambda a: a.create_topics([NewTopic(topic, partitions, 1, topic_configs=configs)]))
    equal([t[1] for t in answer.topic_errors], [0], "error code of create topic")


def produce(topic, numbers, partitions, codec, acks, idempotent, **config):
    async def go():
        p = AIOKafkaProducer(bootstrap_servers=BOOTSTRAP, compression_type=None if codec == "none" else codec, acks=acks,
                             enable_idempotence=idempotent, linger_ms=5, **config)
        await p.start()
        try:
            sent = [await p.send(topic, value_of(i), key_of(i), partition=i % partitions, timestamp_ms=time_of(i), headers=headers_of(i)) for i in numbers]
            got = await asyncio.gather(*sent)
            return [m and m.offset for m in got]
        finally:
            await p.stop()
    return run(go())


def record(m):
    return Record(m.partition, m.offset, m.key, m.value, m.timestamp, m.headers)


async def take(c, n):
    return [record(await asyncio.wait_for(c.getone(), 20)) for _ in range(n)]


def read(topic, partition, start, n):
    async def go(c):
        tp = TopicPartition(topic, partition)
        c.assign([tp])
        if start == "beginning":
            await c.seek_to_beginning(tp)
        else:
            c.seek(tp, start)
        return await take(c, n)
    return with_consumer(go)


def seek(topic, places):
    async def go(c):
        tp, out = TopicPartition(topic, 0), []
        c.assign([tp])
        for at in places:
            c.seek(tp, at)
            out += await take(c, 1)
            equal(await c.position(tp), at + 1, "position")
        return out
    return with_consumer(go)


def tail(topic, send):
    async def go(c):
        tp = TopicPartition(topic, 0)
        c.assign([tp])
        await c.seek_to_end(tp)
        for _ in range(100):
            await asyncio.to_thread(send)
            for messages in (await c.getmany(timeout_ms=200, max_records=1)).values():
                return record(messages[0])
        raise AssertionError("nothing came")
    return with_consumer(go)


def ends(topic, partition):
    async def go(c):
        tp = TopicPartition(topic, partition)
        return (await c.beginning_offsets([tp]))[tp], (await c.end_offsets([tp]))[tp]
    return with_consumer(go)


def at_time(topic, partition, ms):
    async def go(c):
        tp = TopicPartition(topic, partition)
        got = (await c.offsets_for_times({tp: ms}))[tp]
        return got and got.offset
    return with_consumer(go)


def committed(group, topic, partitions):
    async def go(c):
        return [await c.committed(TopicPartition(topic, p)) for p in range(partitions)]
    return with_consumer(go, group_id=group)


def commit(group, topic, partition, offset):
    async def go(c):
        tp = TopicPartition(topic, partition)
        c.assign([tp])
        await c.commit({tp: offset})
    with_consumer(go, group_id=group)


class Member(ConsumerRebalanceListener):
    def __init__(self, group, topic, log, strategy, instance=None, **config):
        self.assigned, self.rebalances, self.error, self.log, self.stopping = set(), 0, None, log, False
        self.topic = topic
        self.config = dict(group_id=group, group_instance_id=instance, session_timeout_ms=6000, heartbeat_interval_ms=300, enable_auto_commit=False,
                           auto_offset_reset="earliest", partition_assignment_strategy=[_assignors[strategy]], **config)
        self.thread = threading.Thread(target=self._thread, daemon=True)
        self.thread.start()

    async def on_partitions_assigned(self, parts):
        self.rebalances += 1
        self.assigned = {p.partition for p in parts}

    async def on_partitions_revoked(self, parts):
        self.rebalances += 1
        self.assigned = set()
        async with self.busy:       # what was read is committed before the partitions move
            pass

    def _thread(self):
        try:
            asyncio.run(self._run())
        except Exception as e:
            self.error = e

    async def _run(self):
        self.busy = asyncio.Lock()
        c = AIOKafkaConsumer(bootstrap_servers=BOOTSTRAP, **self.config)
        await c.start()
        c.subscribe([self.topic], listener=self)
        try:
            while not self.stopping:
                got = await c.getmany(timeout_ms=50)
                if got:
                    async with self.busy:
                        await self._commit(c, got)
        finally:
            await c.stop()

    async def _commit(self, c, got):
        try:
            await c.commit({tp: messages[-1].offset + 1 for tp, messages in got.items()})
        except (errors.CommitFailedError, errors.IllegalStateError):
            return      # the partitions moved just now; their next owner reads these records again
        for messages in got.values():
            for m in messages:
                self.log.add(m.partition, m.offset, m.value)

    def leave(self):
        self.stopping = True
        self.thread.join(20)
        if self.error:
            raise self.error


def add_own():
    add(f"{name}/admin/cluster", cluster)
    add(f"{name}/admin/topics", topics)
    add(f"{name}/admin/configs", configs)
    add(f"{name}/admin/delete records", delete_records)
    add(f"{name}/admin/groups", groups)
    add(f"{name}/produce/errors", produce_errors)
    add(f"{name}/consume/out of range", out_of_range)


def cluster():
    got = with_admin(lambda a: a.describe_cluster())
    (broker,) = got["brokers"]
    equal((f"{broker['host']}:{broker['port']}", got["controller_id"]), (BOOTSTRAP, broker["node_id"]), "address of the broker, controller")


def topics():
    topic = unique("topics")

    async def go(a):
        async def create(name, partitions=3, rf=1, configs={}, **options):
            (answer,) = (await a.create_topics([NewTopic(name, partitions, rf, topic_configs=configs)], **options)).topic_errors
            return answer[1]

        async def grow(count):
            try:
                (answer,) = (await a.create_partitions({topic: NewPartitions(count)})).topic_errors
            except errors.InvalidPartitionsError as e:
                return e.errno
            return answer[1]
        equal(await create(topic, validate_only=True), 0, "validate")
        equal(await create(topic), 0, "create")
        equal(await create(topic), 36, "create again")
        equal(await create("a b"), 17, "invalid name")
        equal(await create(topic + "x", rf=3), 38, "three replicas")
        equal(await create(topic + "x", partitions=0), 37, "no partitions")
        equal(await create(topic + "x", configs={"nope": "1"}), 40, "unknown config")
        for _ in range(50):
            if topic in await a.list_topics():
                break
            await asyncio.sleep(0.1)
        (described,) = await a.describe_topics([topic])
        equal([(p["partition"], len(p["replicas"]), len(p["isr"]), p["error_code"]) for p in sorted(described["partitions"], key=lambda p: p["partition"])],
              [(i, 1, 1, 0) for i in range(3)], "partitions")
        equal(await grow(5), 0, "create partitions")
        equal(await grow(2), 37, "fewer partitions")
        for _ in range(50):
            (described,) = await a.describe_topics([topic])
            if len(described["partitions"]) == 5:
                break
            await asyncio.sleep(0.1)
        equal(len(described["partitions"]), 5, "partitions")
        equal([t[1] for t in (await a.delete_topics([topic])).topic_error_codes], [0], "delete")
        equal([t[1] for t in (await a.delete_topics([topic])).topic_error_codes], [3], "delete again")
    with_admin(go)


def configs():
    topic = new_topic(this, "configs", 1, {"segment.ms": "100000"})

    async def go(a):
        async def described():
            (answer,) = await a.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
            (resource,) = answer.resources
            return {entry[0]: entry[1] for entry in resource[4]}
        got = await described()
        equal((got["segment.ms"], got["retention.ms"], got["cleanup.policy"]), ("100000", "604800000", "delete"), "configs")
        (answer,) = await a.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {"retention.ms": "777"})])
        equal([r[0] for r in answer.resources], [0], "error codes of alter configs")
        for _ in range(50):
            got = await described()
            if got["retention.ms"] == "777":
                break
            await asyncio.sleep(0.1)
        equal((got["retention.ms"], got["segment.ms"]), ("777", "604800000"), "configs after the old AlterConfigs, which replaces all")
        (answer,) = await a.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {"retention.ms": "soon"})])
        equal([r[0] for r in answer.resources], [40], "error codes of a wrong type")
    with_admin(go)


def delete_records():
    topic = new_topic(this, "trim")
    produce_checked(this, topic, range(100), 1)
    tp = TopicPartition(topic, 0)
    equal(with_admin(lambda a: a.delete_records({tp: RecordsToDelete(40)})), {tp: 40}, "low watermark")
    equal(ends(topic, 0), (40, 100), "ends")
    equal([r.offset for r in read(topic, 0, "beginning", 60)], list(range(40, 100)), "offsets read")


def groups():
    topic, group, log = new_topic(this, "groups", 2), unique("g"), ReadLog()
    produce_checked(this, topic, range(100), 2)
    member = Member(group, topic, log, "range", client_id="compat-member")
    await_split([2], 2, member)
    log.await_records(100, 2)

    async def go(a):
        (answer,) = await a.describe_consumer_groups([group])
        (described,) = answer.groups
        error, group_id, state, protocol_type, protocol, members = described[:6]
        equal((error, group_id, state, protocol_type, protocol), (0, group, "Stable", "consumer", "range"), "group")
        equal([m[1] if isinstance(m[1], str) and m[1] == "compat-member" else m[2] for m in members], ["compat-member"], "client ids of the members")
        equal([g for g in await a.list_consumer_groups() if g[0] == group], [(group, "consumer")], "listed")
        offsets = await a.list_consumer_group_offsets(group)
        equal(sorted((tp.partition, o.offset) for tp, o in offsets.items()), [(0, 50), (1, 50)], "offsets")
    with_admin(go)
    member.leave()


def produce_errors():
    topic = new_topic(this, "errors")
    compacted = new_topic(this, "compacted", 1, {"cleanup.policy": "compact"})

    async def go():
        p = AIOKafkaProducer(bootstrap_servers=BOOTSTRAP, max_request_size=8_000_000)
        await p.start()
        got = []
        for to, value in ((topic, bytes(2_000_000)), (topic, b"x"), (compacted, b"x")):
            try:
                got.append((await p.send_and_wait(to, value)).offset)
            except Exception as e:
                got.append(getattr(e, "errno", None) or type(e).__name__)
        await p.stop()
        return got
    message_too_large, invalid_record = 10, -1      # aiokafka knows no INVALID_RECORD (87) and calls it unknown
    equal(run(go()), [message_too_large, 0, invalid_record], "offset or error of each record")


def out_of_range():
    topic = new_topic(this, "range")
    produce_checked(this, topic, range(10), 1)

    async def go(c):
        tp = TopicPartition(topic, 0)
        c.assign([tp])
        c.seek(tp, 1000)
        return await take(c, 1)
    raises("fetch at 1000", errors.OffsetOutOfRangeError, lambda: with_consumer(go))
