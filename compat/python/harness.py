"""The little that all checks need: registering and running them, assertions, the records of a test, one raw request."""
import concurrent.futures, itertools, os, re, socket, struct, sys, threading, time, traceback
from collections import Counter, namedtuple

BOOTSTRAP = os.environ.get("BOOTSTRAP", "")
LIMIT = 50       # seconds for one check
AT_ONCE = 8      # checks at a time; most of their time is spent waiting for the broker
CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]      # the index is the codec's number in a batch's attributes

checks = []
before = None   # runs ahead of all checks


def add(name, run, *args):
    checks.append((name, lambda: run(*args)))


def main():
    chosen = [c for c in checks if re.search(sys.argv[1] if len(sys.argv) > 1 else "", c[0])]
    if not BOOTSTRAP or not chosen:
        print("FAIL setup: BOOTSTRAP is not set, or no check has that name")
        sys.exit(1)
    wrong, _ = run_one(before)
    if wrong:
        print(f"FAIL setup: {wrong}")
        os._exit(1)
    failed = 0
    pool = concurrent.futures.ThreadPoolExecutor(AT_ONCE)
    waiting = {pool.submit(run_one, run): name for name, run in chosen}
    try:
        for done in concurrent.futures.as_completed(waiting, timeout=150):
            wrong, took = done.result()
            failed += wrong is not None
            name = waiting.pop(done)
            print(f"FAIL {name}: {wrong}" if wrong else f"ok {name} ({took:.1f}s)", flush=True)
    except concurrent.futures.TimeoutError:
        for name in waiting.values():
            failed += 1
            print(f"FAIL {name}: did not end in time", flush=True)
    print(f"# python: {len(chosen)} checks, {failed} failed", flush=True)
    os._exit(1 if failed else 0)        # past threads of clients that hang


def run_one(run):
    start = time.monotonic()
    try:
        run()
        took = time.monotonic() - start
        return (f"took {took:.0f}s" if took > LIMIT else None), took
    except Exception as e:
        at = [f for f in traceback.extract_tb(e.__traceback__) if "/compat/" in f.filename]
        where = " < ".join(f"{os.path.basename(f.filename)}:{f.lineno}" for f in reversed(at[-3:]))
        return f"{type(e).__name__}: {e} ({where})".replace("\n", " "), 0


def equal(got, want, what):
    if got != want:
        raise AssertionError(f"{what}: got {got!r}, want {want!r}")


def eventually(seconds, wrong):
    """Polls until wrong() returns nothing; it returns what is still not as it should be."""
    end = time.monotonic() + seconds
    while True:
        problem = wrong()
        if not problem:
            return
        if time.monotonic() > end:
            raise AssertionError(f"after {seconds}s still: {problem}")
        time.sleep(0.05)


def raises(what, kind, run):
    """Runs what must fail; kind is an exception type, or a test of the exception."""
    try:
        got = run()
    except Exception as e:
        if isinstance(e, kind) if isinstance(kind, type) else kind(e):
            return e
        raise AssertionError(f"{what}: raised {type(e).__name__}: {e}")
    raise AssertionError(f"{what}: succeeded with {got!r}")


_numbers = itertools.count(1)


def unique(prefix):
    return f"py-{prefix}-{os.getpid()}-{next(_numbers)}"


# The records of a test: number i goes to partition i % partitions, so its offset there is i // partitions.

Record = namedtuple("Record", "partition offset key value timestamp headers")
BASE_TIME = int(time.time() * 1000) - 3_600_000


def time_of(i): return BASE_TIME + i * 10
def key_of(i): return b"key-%d" % i
def value_of(i): return b"value-%d-" % i + b"abcd" * (i % 50)
def headers_of(i): return [("n", b"%d" % i), ("empty", b"")]


def check_record(r, partitions):
    i = r.offset * partitions + r.partition
    equal((r.key, r.value, r.timestamp, list(r.headers)), (key_of(i), value_of(i), time_of(i), headers_of(i)), f"record {r.partition}-{r.offset}")


class ReadLog:
    """What all members of a group have read together."""

    def __init__(self):
        self.lock, self.times, self.values = threading.Lock(), Counter(), {}

    def add(self, partition, offset, value):
        with self.lock:
            self.times[partition, offset] += 1
            self.values[partition, offset] = value

    def await_records(self, n, partitions, once=True):
        """Waits until the first n records have all been read; with once, none of them twice, and no others."""
        wanted = {(i % partitions, i // partitions): value_of(i) for i in range(n)}

        def wrong():
            with self.lock:
                return len(wanted.keys() - self.values.keys()) and f"{len(self.values)} of {n} records were read"
        eventually(25, wrong)
        with self.lock:
            equal(self.values, wanted, "records read")
            if once:
                equal([at for at, n in self.times.items() if n > 1], [], "records read twice")


def await_split(sizes, partitions, *members):
    """Waits until the members own all partitions, none two of them, in shares of these sizes."""
    def wrong():
        for m in members:
            if getattr(m, "error", None):
                raise m.error
        owned = [sorted(m.assigned) for m in members]
        together = sorted(p for part in owned for p in part)
        if sorted(map(len, owned)) != sizes or together != list(range(partitions)):
            return f"assignment is {owned}, want shares {sizes}"
    eventually(20, wrong)


def stored_batches(topic, partition):
    """The codec, producer id and bytes of each batch in a small partition, by a Fetch v4 made by hand: no client tells."""
    host, port = BOOTSTRAP.rsplit(":", 1)
    name = topic.encode()
    body = struct.pack(">hhih", 1, 4, 1, 3) + b"raw" + struct.pack(">iiiib", -1, 500, 1, 1 << 20, 0)
    body += struct.pack(">ih", 1, len(name)) + name + struct.pack(">iiqi", 1, partition, 0, 1 << 20)
    with socket.create_connection((host, int(port)), 10) as s:
        s.sendall(struct.pack(">i", len(body)) + body)
        f = s.makefile("rb")
        size, = struct.unpack(">i", f.read(4))
        answer = f.read(size)
    at = 4 + 4 + 4 + 2 + len(name) + 4
    _, error, _, _, aborted = struct.unpack_from(">ihqqi", answer, at)
    equal(error, 0, "error of the raw fetch")
    at += struct.calcsize(">ihqqi") + max(aborted, 0) * 16
    records = answer[at + 4:]
    batches, at = [], 0
    while at + 61 <= len(records):
        length, = struct.unpack_from(">i", records, at + 8)
        attributes, = struct.unpack_from(">h", records, at + 21)
        producer_id, = struct.unpack_from(">q", records, at + 43)
        batches.append((CODECS[attributes & 7], producer_id, 12 + length))
        at += 12 + length
    return batches
