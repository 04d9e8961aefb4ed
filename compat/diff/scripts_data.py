"""Produce, Fetch, offsets: what ProduceRequestTest, FetchRequestTest, ListOffsetsRequestTest and LogOffsetTest ask."""

import struct
import time
import zlib

from records import batch, record, zigzag
from scripts_groups import coordinator

UNKNOWN = "11111111-2222-3333-4444-555555555555"


def ask_produce_versions(s):
    topic_id = s.topic("pv", 2)
    for version in range(3, 14):
        name = {"name": "pv"} if version < 13 else {"topicId": topic_id}
        other = {"name": "nope"} if version < 13 else {"topicId": UNKNOWN}
        for acks in (1, -1, 2, -2):
            s.ask(f"acks {acks}", "Produce", version, {"acks": acks, "timeoutMs": 3000, "topicData": [
                {**name, "partitionData": [{"index": 0, "records": batch(b"v")}, {"index": 9, "records": batch(b"v")}]},
                {**other, "partitionData": [{"index": 0, "records": batch(b"v")}]}]})
        s.ask("nothing", "Produce", version, {"acks": 1, "timeoutMs": 3000, "topicData": []})
        s.ask("no partitions", "Produce", version, {"acks": 1, "timeoutMs": 3000, "topicData": [{**name, "partitionData": []}]})
    for codec in range(5):
        for version in (3, 6, 7, 9):
            s.produce(f"codec {codec}", "pv", batch(b"v" * 100, b"w", codec=codec), version)
    s.produce("codec 5", "pv", batch(b"v", attributes=5))
    s.produce("codec 7", "pv", batch(b"v", attributes=7))
    s.ask("nil id", "Produce", 13, {"acks": 1, "timeoutMs": 3000, "topicData": [
        {"topicId": "00000000-0000-0000-0000-000000000000", "partitionData": [{"index": 0, "records": batch(b"v")}]}]})
    s.ask("empty name", "Produce", 9, {"acks": 1, "timeoutMs": 3000, "topicData": [
        {"name": "", "partitionData": [{"index": 0, "records": batch(b"v")}]}]})
    s.ask("partition twice", "Produce", 9, {"acks": 1, "timeoutMs": 3000, "topicData": [
        {"name": "pv", "partitionData": [{"index": 1, "records": batch(b"v")}, {"index": 1, "records": batch(b"w")}]}]})
    s.ask("topic twice", "Produce", 9, {"acks": 1, "timeoutMs": 3000, "topicData": [
        {"name": "pv", "partitionData": [{"index": 1, "records": batch(b"v")}]},
        {"name": "pv", "partitionData": [{"index": 1, "records": batch(b"w")}]}]})
    s.ask("negative partition", "Produce", 9, {"acks": 1, "timeoutMs": 3000, "topicData": [
        {"name": "pv", "partitionData": [{"index": -1, "records": batch(b"v")}]}]})
    s.ask("after", "ListOffsets", 9, {"replicaId": -1, "topics": [{"name": "pv", "partitions": [
        {"partitionIndex": p, "timestamp": -1} for p in (0, 1)]}]})


def wrong_batches():
    good = batch(b"a", b"b")
    flip = lambda raw, at: raw[:at] + bytes([raw[at] ^ 0xFF]) + raw[at + 1:]
    yield "empty", b""
    yield "one byte", b"\0"
    yield "cut", good[:-1]
    yield "header only", good[:61]
    yield "half a header", good[:40]
    yield "trailing", good + b"xx"
    yield "trailing, long", good + b"x" * 20
    yield "two batches", good + good
    yield "bad crc", batch(b"a", crc=1)
    yield "bad crc in the second", good + batch(b"a", crc=1)
    for magic in (0, 1, 3, -1):
        yield f"magic {magic}", batch(b"a", magic=magic)
    for length in (0, 13, 48, 49, -1, 2**31 - 1):
        yield f"length {length}", batch(b"a", length=length)
    for count in (0, 1, 3, -1, 2**31 - 1):
        yield f"count {count}", batch(b"a", b"b", count=count)
        yield f"count {count}, delta kept", batch(b"a", b"b", count=count, last_delta=1)
    for delta in (0, 2, -1, 5):
        yield f"delta {delta}", batch(b"a", b"b", last_delta=delta)
    yield "no records", batch(count=0, last_delta=0)
    yield "no records, delta -1", batch(count=0)
    yield "base offset 7", batch(b"a", b"b", base=7)
    yield "offset gap", batch(records=record(0, b"k", b"v") + record(5, b"k", b"v"), count=2)
    yield "offset gap, delta 5", batch(records=record(0, b"k", b"v") + record(5, b"k", b"v"), count=2, last_delta=5)
    yield "offsets backwards", batch(records=record(1, b"k", b"v") + record(0, b"k", b"v"), count=2)
    yield "record cut", batch(records=record(0, b"k", b"v")[:-1], count=1)
    yield "record too long", batch(records=zigzag(100) + record(0, b"k", b"v")[1:], count=1)
    yield "record of -1", batch(records=zigzag(-1) + record(0, b"k", b"v")[1:], count=1)
    yield "bytes after the records", batch(records=record(0, b"k", b"v") + b"xxxx", count=1)
    yield "key too long", batch(records=zigzag(6) + b"\0\0\0" + zigzag(100) + b"abc", count=1)
    yield "headers -1", batch(records=zigzag(6) + b"\0\0\0" + zigzag(-1) + zigzag(-1) + zigzag(-1), count=1)
    yield "headers, many", batch(records=zigzag(6) + b"\0\0\0" + zigzag(-1) + zigzag(-1) + zigzag(50), count=1)
    yield "null header key", batch(records=record(0, b"k", b"v", headers=[(None, b"x")]), count=1)
    yield "null header value", batch(records=record(0, b"k", b"v", headers=[(b"h", None)]), count=1)
    yield "record attributes", batch(records=record(0, b"k", b"v", attributes=7), count=1)
    yield "null value", batch(None)
    yield "null key", batch(b"v", keys=False)
    yield "control batch", batch(records=record(0, b"\0\0\0\1", b"\0\0\0\0\0\0"), count=1, attributes=0x30, producer=(1, 0, -1))
    yield "control batch without producer", batch(records=record(0, b"\0\0\0\1", b"\0\0\0\0\0\0"), count=1, attributes=0x20)
    yield "transactional", batch(b"a", attributes=0x10, producer=(1, 0, 0))
    yield "delete horizon", batch(b"a", attributes=0x40)
    yield "unused attribute", batch(b"a", attributes=0x80)
    yield "log append time", batch(b"a", attributes=0x08)
    yield "timestamp -1", batch(b"a", timestamp=-1)
    yield "timestamp -2", batch(b"a", timestamp=-2)
    yield "timestamp far ahead", batch(b"a", timestamp=9_000_000_000_000)
    yield "max timestamp wrong", batch(b"a", max_timestamp=5)
    yield "max timestamp -1", batch(b"a", max_timestamp=-1)
    yield "leader epoch 9", batch(b"a", leader_epoch=9)
    for codec in range(1, 5):
        long = b"v" * 80
        yield f"codec {codec}: plain bytes", batch(long, codec=codec, spoil=lambda raw: b"this is not compressed at all, no")
        yield f"codec {codec}: cut", batch(long, codec=codec, spoil=lambda raw: raw[:len(raw) // 2])
        yield f"codec {codec}: flipped", batch(long, codec=codec, spoil=lambda raw: flip(raw, 6))
        yield f"codec {codec}: nothing", batch(long, codec=codec, spoil=lambda raw: b"")
        yield f"codec {codec}: trailing", batch(long, codec=codec, spoil=lambda raw: raw + b"trailing")
        yield f"codec {codec}: fewer", batch(long, codec=codec, count=2)
        yield f"codec {codec}: more", batch(long, long, codec=codec, count=1)
        yield f"codec {codec}: gap", batch(codec=codec, count=2, records=record(0, b"k", long) + record(5, b"k", long))
        yield f"codec {codec}: cut record", batch(codec=codec, count=1, records=record(0, b"k", long)[:-1])
        yield f"codec {codec}: null key", batch(long, codec=codec, keys=False)
        yield f"codec {codec}: null header key", batch(codec=codec, count=1, records=record(0, b"k", long, headers=[(None, b"")]))
        yield f"codec {codec}: base offset 7", batch(long, codec=codec, base=7)
        yield f"codec {codec}: max timestamp wrong", batch(long, codec=codec, max_timestamp=5)
    yield "lz4 checksum", batch(b"v" * 80, codec=3, spoil=lambda raw: raw[:6] + b"\0" + raw[7:])
    old = struct.pack(">bbq", 1, 0, 5) + struct.pack(">i", -1) + struct.pack(">i", 1) + b"v"
    yield "a magic 1 message", struct.pack(">qiI", 0, len(old) + 4, zlib.crc32(old)) + old


def ask_wrong_batches(s):
    for topic, configs in {"wb": {}, "wb-compact": {"cleanup.policy": "compact"}, "wb-append": {"message.timestamp.type": "LogAppendTime"},
                           "wb-gzip": {"compression.type": "gzip"}, "wb-plain": {"compression.type": "uncompressed"}}.items():
        s.topic(topic, configs=configs)
        for name, records in wrong_batches():
            said = s.produce("", topic, records, note=False)
            for answer in said.get("responses", []):
                # Where one more batch was taken, all that follow have other offsets.
                answer["partitionResponses"][0]["baseOffset"] = answer["partitionResponses"][0]["baseOffset"] >= 0
            s.note(f"{topic}: {name} v9", said)
        s.ask(f"{topic} after", "ListOffsets", 9, {"replicaId": -1, "topics": [{"name": topic, "partitions": [
            {"partitionIndex": 0, "timestamp": t} for t in (-2,)]}]})
    for version in (3, 5, 8, 13):
        for name, records in (("crc", batch(b"a", crc=1)), ("null key", batch(b"a", b"b", keys=False)), ("magic", batch(b"a", magic=1))):
            s.produce(name, "wb-compact", records, min(version, 12))


def ask_timestamps(s):
    s.topic("ts-before", configs={"message.timestamp.before.max.ms": "1000"})
    s.topic("ts-after", configs={"message.timestamp.after.max.ms": "1000"})
    for topic in ("ts-before", "ts-after"):
        for step, time in {"old": s.now - 18_000_000, "ahead": s.now + 18_000_000, "none": -1}.items():
            for codec in (0, 1):
                s.produce(f"{topic} {step} codec {codec}", topic, batch(b"hello", b"there", b"beautiful", codec=codec, timestamp=time))


def ask_sizes(s):
    s.topic("sz", configs={"max.message.bytes": "200"})
    for size in (10, 100, 130, 200, 300):
        s.produce(f"{size}", "sz", batch(b"x" * size))
    s.produce("compressible", "sz", batch(b"x" * 3000, codec=1))
    s.produce("two", "sz", batch(b"x" * 100) * 2)
    s.topic("sz-plain", configs={"max.message.bytes": "200", "compression.type": "uncompressed"})
    s.produce("grows", "sz-plain", batch(b"x" * 3000, codec=1))
    s.topic("sz-segment", configs={"segment.bytes": "1048576", "max.message.bytes": "2000000"})
    s.produce("more than a segment", "sz-segment", batch(b"x" * 1_100_000))


def ask_idempotence(s):
    s.topic("ip")
    for _ in range(100):
        made = s.ask("", "InitProducerId", 4, {"transactionalId": None, "transactionTimeoutMs": 60000}, note=False)
        if made["errorCode"] == 0:
            break
        time.sleep(0.1)
    s.note("producer", {k: v for k, v in made.items() if k != "producerId"})
    for version in range(6):
        said = s.ask("", "InitProducerId", version, {"transactionalId": None, "transactionTimeoutMs": 0}, note=False)
        s.note(f"v{version}", {k: v if k != "producerId" else v >= 0 for k, v in said.items()})
    for step, body in {"known": {"producerId": 5, "producerEpoch": 3}, "half": {"producerId": 5}, "half 2": {"producerEpoch": 5},
                       "empty id": {"transactionalId": ""}}.items():
        said = s.ask("", "InitProducerId", 4, {"transactionalId": None, "transactionTimeoutMs": 60000, **body}, note=False)
        s.note(step, {k: v if k != "producerId" else v >= 0 for k, v in said.items()})
    pid = 4000
    def send(step, epoch, sequence, *values, producer=pid, base=0):
        s.produce(step, "ip", batch(*(values or (b"v",)), producer=(producer, epoch, sequence), base=base))
    send("first not 0", 0, 5)
    send("first 0", 0, 0)
    for sequence in range(6, 12):
        send(f"next {sequence}", 0, sequence)
    send("again 11", 0, 11)
    send("again 7", 0, 7)
    send("again 6", 0, 6)
    send("again first", 0, 5)
    send("gap", 0, 20)
    send("part of a batch", 0, 11, b"a", b"b")
    send("epoch up, not 0", 1, 12)
    send("epoch up", 1, 0)
    send("epoch down", 0, 12)
    send("epoch down again", 0, 11)
    send("wrap", 1, 2**31 - 1)
    send("new wraps", 0, 2**31 - 1, b"a", b"b", producer=4001)
    send("new wrapped", 0, 1, producer=4001)
    send("sequence -1", 0, -1, producer=4002)
    send("epoch -1", -1, 0, producer=4003)
    send("sequence -2", 0, -2, producer=4004)
    send("producer -2", 0, 0, producer=-2)
    s.produce("two batches", "ip", batch(b"a", producer=(4005, 0, 0)) + batch(b"b", producer=(4005, 0, 1)))
    s.produce("mixed", "ip", batch(b"a") + batch(b"b", producer=(4005, 0, 2)))
    s.produce("transactional, no id", "ip", batch(b"a", producer=(4006, 0, 0), attributes=0x10))
    s.produce("transactional", "ip", batch(b"a", producer=(4006, 0, 0), attributes=0x10), transactionalId="t")
    s.produce("not transactional with id", "ip", batch(b"a", producer=(4007, 0, 0)), transactionalId="t")
    said = s.ask("", "DescribeProducers", 0, note=False, body={"topics": [
        {"name": "ip", "partitionIndexes": [0, 5]}, {"name": "nope", "partitionIndexes": [0]}, {"name": "a b", "partitionIndexes": [0]}]})
    for part in [p for t in said.get("topics", []) for p in t["partitions"]]:
        part["activeProducers"].sort(key=lambda p: p["producerId"])
    s.note("producers", said)


def fetch(s, step, version, topics, note=True, **more):
    return s.ask(step, "Fetch", version, note=note, body={"replicaId": -1, "maxWaitMs": 100, "minBytes": 1, "maxBytes": 1 << 20,
                 "topics": topics, **more})


def part(partition=0, offset=0, most=1 << 20, **more):
    return {"partition": partition, "fetchOffset": offset, "partitionMaxBytes": most, **more}


def ask_fetch_versions(s):
    topic_id = s.topic("fv", 3)
    for n in range(4):
        s.produce("", "fv", batch(b"value %d" % n), note=False)
    for version in range(4, 19):
        def one(name, *parts):
            given = {"fv": topic_id, "nope": UNKNOWN, "nil": "00000000-0000-0000-0000-000000000000"}[name]
            return [{"topic": name, "partitions": list(parts)} if version < 13 else {"topicId": given, "partitions": list(parts)}]
        fetch(s, "all", version, one("fv", part(), part(1), part(9), part(-1)))
        fetch(s, "unknown", version, one("nope", part()))
        fetch(s, "nil", version, one("nil", part()))
        fetch(s, "both", version, one("fv", part()) + one("nope", part()))
        fetch(s, "nothing", version, [])
        for offset in (2, 4, 5, -1, -2, 1 << 40):
            fetch(s, f"offset {offset}", version, one("fv", part(offset=offset)), minBytes=0)
        fetch(s, "committed", version, one("fv", part()), isolationLevel=1)
        fetch(s, "isolation 7", version, one("fv", part()), isolationLevel=7)
        for most in (0, 1, 70, 73, 100, 150, 160, -1):
            fetch(s, f"partition max {most}", version, one("fv", part(most=most)))
            fetch(s, f"max {most}", version, one("fv", part(), part(1)), maxBytes=most)
        for epoch in (0, 1, -1, -2, 7):
            fetch(s, f"leader epoch {epoch}", version, one("fv", part(currentLeaderEpoch=epoch)), minBytes=0)
            fetch(s, f"last epoch {epoch}", version, one("fv", part(lastFetchedEpoch=epoch)), minBytes=0)
        fetch(s, "same twice", version, one("fv", part()) + one("fv", part(offset=1)))
        fetch(s, "partition twice", version, one("fv", part(), part(offset=1)))
        fetch(s, "waits", version, one("fv", part(offset=4)), maxWaitMs=30)
        fetch(s, "replica 5", version, one("fv", part()), replicaId=5, replicaState={"replicaId": 5, "replicaEpoch": 3}, minBytes=0)
        fetch(s, "replica 1", version, one("fv", part()), replicaId=1, replicaState={"replicaId": 1, "replicaEpoch": 3}, minBytes=0)
        fetch(s, "replica -2", version, one("fv", part()), replicaId=-2, replicaState={"replicaId": -2, "replicaEpoch": -1}, minBytes=0)
        if version >= 7:
            fetch(s, "epoch 0", version, one("fv", part()), sessionEpoch=0)
            fetch(s, "no such session", version, [], sessionId=77, sessionEpoch=5)
            fetch(s, "close none", version, [], sessionId=77, sessionEpoch=-1)
            fetch(s, "session 0 epoch 1", version, [], sessionId=0, sessionEpoch=1)
        if version >= 12:
            fetch(s, "cluster", version, one("fv", part()), clusterId="other", minBytes=0)


def ask_fetch_bytes(s):
    names = [f"fb{n}" for n in range(3)]
    ids = {name: s.topic(name) for name in names}
    for name in names:
        for n in range(9):
            s.produce("", name, batch(b"value %d" % n), note=False)
    s.produce("", "fb0", batch(b"x" * 1000), note=False)
    for version in (4, 12, 13, 17):
        def several(order, most, **offsets):
            return [{"topic": n, "topicId": ids[n], "partitions": [part(most=most, offset=offsets.get(n, 0))]} for n in order]
        for most, whole in ((190, 800), (190, 400), (50, 800), (800, 190), (190, 190), (190, 191), (2000, 500)):
            fetch(s, f"{most} of {whole}", version, several(names, most), maxBytes=whole)
            fetch(s, f"{most} of {whole}, large first", version, several(names, most, fb0=9), maxBytes=whole)
            fetch(s, f"{most} of {whole}, large last", version, several(names[::-1], most, fb0=9), maxBytes=whole)


def ask_fetch_sessions(s):
    for version in (7, 12, 13, 17):
        ids = {name: s.topic(f"{name}{version}", 2) for name in ("fs", "ft")}
        def topic(name, *parts):
            return {"topic": f"{name}{version}", "topicId": ids.get(name, UNKNOWN), "partitions": list(parts)}
        opened = fetch(s, "open", version, [topic("fs", part(), part(1)), topic("nope", part())], sessionEpoch=0)
        session, epoch = opened["sessionId"], 0
        def go(step, topics=(), forget=(), **more):
            nonlocal epoch
            epoch += 1
            fetch(s, step, version, list(topics), sessionId=session, **{"sessionEpoch": epoch, "maxWaitMs": 30,
                  "forgottenTopicsData": list(forget), **more})
        go("nothing new")
        s.produce("", f"fs{version}", batch(b"one"), note=False)
        go("something new")
        go("still there")
        go("moved on", [topic("fs", part(offset=1))])
        go("nothing new again")
        go("added", [topic("ft", part(), part(1))])
        go("forget", forget=[{"topic": f"ft{version}", "topicId": ids["ft"], "partitions": [0, 1]}])
        go("forget unknown", forget=[{"topic": "zzz", "topicId": UNKNOWN, "partitions": [0]}])
        go("leader epoch", [topic("fs", part(offset=1, currentLeaderEpoch=9))])
        go("leader epoch stays wrong")
        go("wrong epoch", sessionEpoch=99)
        epoch -= 1
        go("out of range", [topic("fs", part(offset=55))])
        go("closed", sessionEpoch=-1)
        go("after it was closed")


def ask_list_offsets(s):
    s.topic("lo", 2)
    for at in (1000, 3000, 2000, 3000):
        s.produce("", "lo", batch(b"v", timestamp=at), note=False)
    s.produce("", "lo", batch(b"a", b"b", b"c", timestamp=4000, record_timestamps=10), note=False)
    s.topic("lo-empty")
    s.topic("lo-append", configs={"message.timestamp.type": "LogAppendTime"})
    s.produce("", "lo-append", batch(b"a", b"b"), note=False)
    for version in range(1, 12):
        for at in (-1, -2, -3, -4, -5, -6, -7, 0, 1000, 1500, 3000, 3001, 4000, 4005, 4010, 4011, 1 << 50):
            s.ask(f"time {at}", "ListOffsets", version, {"replicaId": -1, "topics": [
                {"name": "lo", "partitions": [{"partitionIndex": 0, "timestamp": at}]},
                {"name": "lo-empty", "partitions": [{"partitionIndex": 0, "timestamp": at}]}]})
        for at in (-3, 0):
            s.ask(f"append time {at}", "ListOffsets", version, {"replicaId": -1, "topics": [
                {"name": "lo-append", "partitions": [{"partitionIndex": 0, "timestamp": at}]}]})
        s.ask("unknown", "ListOffsets", version, {"replicaId": -1, "topics": [
            {"name": "nope", "partitions": [{"partitionIndex": 0, "timestamp": -1}]},
            {"name": "lo", "partitions": [{"partitionIndex": 9, "timestamp": -1}, {"partitionIndex": -1, "timestamp": -1}]}]})
        s.ask("twice", "ListOffsets", version, {"replicaId": -1, "topics": [
            {"name": "lo", "partitions": [{"partitionIndex": 0, "timestamp": -1}, {"partitionIndex": 0, "timestamp": -2}]}]})
        s.ask("topic twice", "ListOffsets", version, {"replicaId": -1, "topics": [
            {"name": "lo", "partitions": [{"partitionIndex": 0, "timestamp": -1}]}] * 2})
        s.ask("none", "ListOffsets", version, {"replicaId": -1, "topics": []})
        for epoch in (0, 1, -2):
            s.ask(f"epoch {epoch}", "ListOffsets", version, {"replicaId": -1, "topics": [
                {"name": "lo", "partitions": [{"partitionIndex": 0, "timestamp": -1, "currentLeaderEpoch": epoch}]}]})
        for replica in (-2, 1, 5):
            s.ask(f"replica {replica}", "ListOffsets", version, {"replicaId": replica, "topics": [
                {"name": t, "partitions": [{"partitionIndex": 0, "timestamp": -2}]} for t in ("lo", "nope")]})
        s.ask("committed", "ListOffsets", version, {"replicaId": -1, "isolationLevel": 1, "topics": [
            {"name": "lo", "partitions": [{"partitionIndex": 0, "timestamp": t}]} for t in (-1,)]})


def ask_offsets_for_leader_epoch(s):
    s.topic("ole")
    s.topic("ole-empty")
    s.produce("", "ole", batch(b"v"), note=False)
    for version in range(2, 5):
        for epoch in (0, 1, -1, 5):
            for current in (-1, 0, 1):
                s.ask(f"epoch {epoch} at {current}", "OffsetForLeaderEpoch", version, {"replicaId": -1, "topics": [
                    {"topic": t, "partitions": [{"partition": 0, "currentLeaderEpoch": current, "leaderEpoch": epoch}]}
                    for t in ("ole", "ole-empty")]})
        for replica in (-2, 1, 5):
            s.ask(f"replica {replica}", "OffsetForLeaderEpoch", version, {"replicaId": replica, "topics": [
                {"topic": t, "partitions": [{"partition": p, "leaderEpoch": 0} for p in (0, 7)]} for t in ("ole", "nope")]})


def ask_delete_records(s):
    s.topic("dr")
    s.topic("dr-compact", configs={"cleanup.policy": "compact"})
    for topic in ("dr", "dr-compact"):
        s.produce("", topic, batch(b"a", b"b", b"c", b"d"), note=False)
    for version in range(3):
        for offset in (version, 0, 9, -2, 1):
            s.ask(f"to {offset}", "DeleteRecords", version, {"timeoutMs": 3000, "topics": [
                {"name": "dr", "partitions": [{"partitionIndex": 0, "offset": offset}, {"partitionIndex": 9, "offset": 0}]},
                {"name": "nope", "partitions": [{"partitionIndex": 0, "offset": 0}]}]})
        s.ask("compacted", "DeleteRecords", version, {"timeoutMs": 3000, "topics": [
            {"name": "dr-compact", "partitions": [{"partitionIndex": 0, "offset": 1}]}]})
        s.ask("internal", "DeleteRecords", version, {"timeoutMs": 3000, "topics": [
            {"name": "__consumer_offsets", "partitions": [{"partitionIndex": 0, "offset": 0}]}]})
        s.ask("none", "DeleteRecords", version, {"timeoutMs": 3000, "topics": []})
    s.ask("all", "DeleteRecords", 2, {"timeoutMs": 3000, "topics": [{"name": "dr", "partitions": [{"partitionIndex": 0, "offset": -1}]}]})
    fetch(s, "below the start", 12, [{"topic": "dr", "partitions": [part(offset=1)]}], minBytes=0)
    s.ask("after", "ListOffsets", 9, {"replicaId": -1, "topics": [{"name": "dr", "partitions": [
        {"partitionIndex": 0, "timestamp": t} for t in (-2,)]}]})
    s.produce("after", "dr", batch(b"e"))
    s.ask("negative and twice", "DeleteRecords", 2, {"timeoutMs": 3000, "topics": [
        {"name": "dr", "partitions": [{"partitionIndex": 0, "offset": 4}, {"partitionIndex": 0, "offset": 5}]}]})


def ask_no_acks(s):
    s.topic("na")
    connection = s.connect(timeout=3)
    def send(records, topic="na"):
        connection.send("Produce", 9, {"acks": 0, "timeoutMs": 1000, "topicData": [
            {"name": topic, "partitionData": [{"index": 0, "records": records}]}]})
    send(batch(b"v"))
    s.note("the next is answered", connection.ask("Metadata", 9, {"topics": [], "allowAutoTopicCreation": False})["topics"])
    send(batch(b"v", crc=1))
    try:
        connection.ask("Metadata", 9, {"topics": []})
        s.note("after a bad one", "answered")
    except (ConnectionError, Exception) as error:
        s.note("after a bad one", type(error).__name__)
    fetch(s, "written", 12, [{"topic": "na", "partitions": [part()]}])


def ask_internal_topics(s):
    coordinator(s)
    for client in ("diff",):
        s.ask(client, "Produce", 9, {"acks": 1, "timeoutMs": 3000, "topicData": [
            {"name": "__consumer_offsets", "partitionData": [{"index": 49, "records": batch(b"v")}]}]}, client_id=client)
