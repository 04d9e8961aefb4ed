"""usage: replicas.py ENDS DIRECTORY...

Compares the replicas of each partition byte for byte: every batch below its high watermark, from the first offset that all
of them have. ENDS has a line "TOPIC PARTITION REPLICAS HIGH-WATERMARK" for each partition, DIRECTORY is log.dirs of a broker.
Where segments begin does not matter, because brokers may roll them at other offsets.
"""

import os
import struct
import sys


def batches(directory, end):
    """(base offset, bytes) of each batch that begins below the end."""
    for segment in sorted(name for name in os.listdir(directory) if name.endswith(".log")):
        with open(os.path.join(directory, segment), "rb") as file:
            while len(header := file.read(12)) == 12:
                base, length = struct.unpack(">qi", header)
                body = file.read(length)
                if base >= end or len(body) < length:
                    break
                yield base, header + body


def next_offset(batch):
    base, data = batch
    return base + struct.unpack_from(">i", data, 23)[0] + 1


def difference(logs, end):
    """What two replicas do not have in common, or nothing."""
    start = max(log[0][0] if log else end for log in logs.values())
    logs = {name: [batch for batch in log if batch[0] >= start] for name, log in logs.items()}
    first, *others = logs.items()
    for name, log in logs.items():
        if start < end and (not log or next_offset(log[-1]) < end):
            return f"{name} ends at {next_offset(log[-1]) if log else start}, the high watermark is {end}"
    for name, log in others:
        for one, other in zip(first[1], log):
            if one != other:
                return f"at {one[0]} in {first[0]} ({len(one[1])} bytes), at {other[0]} in {name} ({len(other[1])} bytes)"
        if len(log) != len(first[1]):
            return f"{len(first[1])} batches in {first[0]}, {len(log)} in {name}"
    return None


def main(ends, directories):
    partitions = count = 0
    failed = False
    with open(ends) as lines:
        for topic, partition, replicas, end in (line.split() for line in lines):
            name = f"{topic}-{partition}"
            places = [os.path.join(one, name) for one in directories if os.path.isdir(os.path.join(one, name))]
            logs = {place: list(batches(place, int(end))) for place in places}
            if len(places) != int(replicas):
                why = f"{len(places)} brokers have it, not {replicas}"
            else:
                why = difference(logs, int(end))
            if why:
                failed = True
                print(f"FAIL replicas of {name}: {why}")
            partitions += 1
            count += max(map(len, logs.values()), default=0)
    if not failed:
        print(f"ok replicas are equal: {partitions} partitions, {count} batches")
    return 1 if failed else 0


sys.exit(main(sys.argv[1], sys.argv[2:]))
