"""The checks that every client runs, on top of its adapter. An adapter (confluent.py, kafka_python.py, aio.py) has

    name, strategies, static_members      its name, the assignment strategies it offers, whether it has static members
    create_topic(topic, partitions, configs)
    produce(topic, numbers, partitions, codec, acks, idempotent) -> [offset]   (None where the client does not tell)
    read(topic, partition, start, n)      n records from "beginning" or an offset on
    seek(topic, at)                       one consumer of partition 0 that seeks to each of the offsets and reads one record there
    tail(topic, send)                     starts at the end, calls send() until something comes, returns the first record
    ends(topic, partition) -> (first, next), at_time(topic, partition, ms) -> offset or None
    committed(group, topic, partitions) -> [offset or None], commit(group, topic, partition, offset)
    Member(group, topic, log, strategy, instance)   polls in the background and commits what it read: assigned, rebalances,
                                                    error, leave()
    add_own()                             adds the checks that are its own: admin calls, errors
"""
import json, os, signal, subprocess, sys, threading, time
from harness import *


def add_common(c):
    for codec in CODECS:
        for acks in (0, 1, "all"):
            add(f"{c.name}/produce/{codec}/acks={acks}", round_trip, c, codec, acks, False)
        add(f"{c.name}/produce/{codec}/idempotent", round_trip, c, codec, "all", True)
    add(f"{c.name}/produce/auto-created topic", auto_created, c)
    add(f"{c.name}/produce/stream", stream, c)
    add(f"{c.name}/consume/offsets and seek", seek, c)
    add(f"{c.name}/consume/end", tail, c)
    add(f"{c.name}/offsets/ends and times", offsets, c)
    for strategy in c.strategies:
        add(f"{c.name}/group/join and leave/{strategy}", join_leave, c, strategy)
    add(f"{c.name}/group/crash", crash, c)
    add(f"{c.name}/group/resume from committed", resume, c)
    if c.static_members:
        add(f"{c.name}/group/static members", static_members, c)


def warm_up(c):
    """Makes the broker create and load its offsets topic, with one commit. Without it a group's first members find the
    coordinator loading, and kafka-python's then now and then never get an assignment, also from Apache Kafka 4.3.1. The other
    suites, and confluent-kafka by this commit, do meet a broker that has not yet had a group."""
    topic, group = new_topic(c, "warm"), unique("g")

    def wrong():
        try:
            c.commit(group, topic, 0, 0)
        except Exception as e:      # NOT_COORDINATOR and the like until all is loaded
            return f"no commit: {e}"
    eventually(30, wrong)
    equal(c.committed(group, topic, 1), [0], "first commit")


def new_topic(c, prefix, partitions=1, configs=None):
    topic = unique(prefix)
    c.create_topic(topic, partitions, configs or {})

    def wrong():    # the controller answers before the broker has heard of the topic
        try:
            for p in range(partitions):
                c.ends(topic, p)
        except Exception as e:
            return f"no offsets of {topic}: {e!r}"
    eventually(10, wrong)
    return topic


def produce(c, topic, numbers, partitions, codec="none", acks="all", idempotent=False):
    offsets = c.produce(topic, numbers, partitions, codec, acks, idempotent)
    if acks != 0:
        equal(offsets, [i // partitions for i in numbers], "offsets of produced records")


def round_trip(c, codec, acks, idempotent):
    n, partitions = 300, 3
    topic = new_topic(c, "rt", partitions)
    for numbers in (range(0, n // 2), range(n // 2, n)):
        produce(c, topic, numbers, partitions, codec, acks, idempotent)

        def wrong():    # acks=0 comes back before the broker has written
            total = sum(c.ends(topic, p)[1] for p in range(partitions))
            return total != numbers.stop and f"{total} records in the topic, want {numbers.stop}"
        eventually(10, wrong)
    for p in range(partitions):
        records = c.read(topic, p, "beginning", n // partitions)
        equal([r.offset for r in records], list(range(n // partitions)), "offsets read")
        for r in records:
            equal(r.partition, p, "partition read")
            check_record(r, partitions)
        stored = stored_batches(topic, p)
        for batch_codec, producer_id, size in stored:
            # A record or two that do not get smaller are sent as they are.
            wanted = batch_codec if batch_codec == "none" and size < 200 else codec
            equal((batch_codec, producer_id >= 0), (wanted, idempotent), "codec of a stored batch, and whether it has a producer id")
        equal(codec in [batch_codec for batch_codec, _, _ in stored], True, "a stored batch has the codec")


def auto_created(c):
    topic = unique("auto")
    equal(c.produce(topic, range(3), 1, "none", "all", False), [0, 1, 2], "offsets")
    for r in c.read(topic, 0, "beginning", 3):
        check_record(r, 1)


def stream(c):
    n, partitions = 12_000, 4
    topic = new_topic(c, "stream", partitions)
    produce(c, topic, range(n), partitions, "lz4", "all", True)
    for p in range(partitions):
        records = c.read(topic, p, "beginning", n // partitions)
        equal([r.offset for r in records], list(range(n // partitions)), "offsets read")
        for r in records:
            check_record(r, partitions)


def seek(c):
    topic = new_topic(c, "seek")
    produce(c, topic, range(100), 1)
    for start in (0, 1, 50, 99):
        records = c.read(topic, 0, start, 100 - start)
        equal([r.offset for r in records], list(range(start, 100)), f"offsets read from {start}")
        check_record(records[0], 1)
    places = [90, 10, 99, 0, 42]
    for at, r in zip(places, c.seek(topic, places), strict=True):
        equal(r.offset, at, "offset after seek")
        check_record(r, 1)


def tail(c):
    topic = new_topic(c, "tail")
    produce(c, topic, range(10), 1)
    sent = [10]

    def send():     # when the client looks the end up is not known to us, so write until it sees something
        produce(c, topic, range(sent[0], sent[0] + 1), 1)
        sent[0] += 1
    first = c.tail(topic, send)
    if not 10 <= first.offset < sent[0]:
        raise AssertionError(f"reading began at {first.offset}, want 10..{sent[0]}")
    check_record(first, 1)


def offsets(c):
    topic = new_topic(c, "offsets", 2)
    equal(c.ends(topic, 0), (0, 0), "ends of the empty topic")
    for i in range(0, 100, 20):
        produce(c, topic, range(i, i + 20), 2)
    equal(c.ends(topic, 0), (0, 50), "ends")
    for ms, want in ((0, 0), (time_of(30), 15), (time_of(30) + 1, 16), (time_of(98), 49), (time_of(98) + 1, None)):
        equal(c.at_time(topic, 0, ms), want, f"offset at {ms}")


def join_leave(c, strategy):
    partitions = 6
    topic, group, log, written = new_topic(c, "group", partitions), unique("g"), ReadLog(), 0

    def more():
        nonlocal written
        produce(c, topic, range(written, written + 120), partitions)
        written += 120
    more()
    one = c.Member(group, topic, log, strategy)
    await_split([6], partitions, one)
    log.await_records(written, partitions)
    two = c.Member(group, topic, log, strategy)
    more()
    await_split([3, 3], partitions, one, two)
    three = c.Member(group, topic, log, strategy)
    await_split([2, 2, 2], partitions, one, two, three)
    more()
    log.await_records(written, partitions)
    one.leave()     # the leader
    await_split([3, 3], partitions, two, three)
    more()
    log.await_records(written, partitions)
    two.leave()
    await_split([6], partitions, three)
    more()
    log.await_records(written, partitions)
    three.leave()
    equal(c.committed(group, topic, partitions), [written // partitions] * partitions, "committed offsets")


class Child:
    """A member in a process of its own (main.py --member), so that it can be killed."""

    def __init__(self, c, group, topic, log):
        self.assigned, self.log = set(), log
        self.process = subprocess.Popen([sys.executable, os.path.join(os.path.dirname(__file__), "main.py"), "--member", c.name, group, topic], stdout=subprocess.PIPE, text=True)
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        for line in self.process.stdout:
            said = json.loads(line)
            if "assigned" in said:
                self.assigned = set(said["assigned"])
            else:
                self.log.add(said["partition"], said["offset"], said["value"].encode())

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def child_main(c, group, topic):
    """What a Child runs: a member that says what it is assigned and what it has read and committed."""
    def say(what):
        print(json.dumps(what), flush=True)

    class Log:
        def add(self, partition, offset, value):
            say({"partition": partition, "offset": offset, "value": value.decode()})
    member, said, parent = c.Member(group, topic, Log(), c.strategies[0]), None, os.getppid()
    while os.getppid() == parent:       # not longer than the checks
        if member.assigned != said:
            said = set(member.assigned)
            say({"assigned": sorted(said)})
        time.sleep(0.02)
    os._exit(0)


def crash(c):
    topic, group, log = new_topic(c, "crash", 4), unique("g"), ReadLog()
    produce(c, topic, range(100), 4)
    member = c.Member(group, topic, log, c.strategies[0])
    child = Child(c, group, topic, log)
    try:
        await_split([2, 2], 4, member, child)
        log.await_records(100, 4)
        eventually(5, lambda: c.committed(group, topic, 4) != [25] * 4 and "not all is committed")
        child.kill()
        killed = time.monotonic()
        produce(c, topic, range(100, 200), 4)
        await_split([4], 4, member)
        took = time.monotonic() - killed
        if not 3 < took < 15:
            raise AssertionError(f"partitions moved {took:.1f}s after the kill, want about the session timeout of 6s")
        log.await_records(200, 4)
        member.leave()
        equal(c.committed(group, topic, 4), [50] * 4, "committed offsets")
    finally:
        child.kill()


def resume(c):
    topic, group = new_topic(c, "resume", 2), unique("g")
    produce(c, topic, range(100), 2)
    equal(c.committed(group, topic, 2), [None, None], "committed before")
    c.commit(group, topic, 0, 30)
    equal(c.committed(group, topic, 2), [30, None], "committed")
    log = ReadLog()
    member = c.Member(group, topic, log, c.strategies[0])
    eventually(15, lambda: len(log.values) < 70 and f"{len(log.values)} of 70 records")
    member.leave()
    equal(sorted(log.values), [(0, o) for o in range(30, 50)] + [(1, o) for o in range(50)], "records read")
    equal(c.committed(group, topic, 2), [50, 50], "committed at last")


def static_members(c):
    topic, group, log = new_topic(c, "static", 4), unique("g"), ReadLog()
    produce(c, topic, range(40), 4)
    a = c.Member(group, topic, log, c.strategies[0], "a")
    await_split([4], 4, a)
    b = c.Member(group, topic, log, c.strategies[0], "b")
    await_split([2, 2], 4, a, b)
    log.await_records(40, 4)
    seen, had = a.rebalances, set(b.assigned)
    b.leave()       # a static member sends no leave
    b = c.Member(group, topic, log, c.strategies[0], "b")
    await_split([2, 2], 4, a, b)
    equal(b.assigned, had, "partitions of b after its return")
    produce(c, topic, range(40, 80), 4)
    log.await_records(80, 4)
    equal(a.rebalances, seen, "rebalances that a saw")
    b.leave()
    await_split([4], 4, a)      # after the session timeout
    produce(c, topic, range(80, 120), 4)
    log.await_records(120, 4)
    a.leave()
