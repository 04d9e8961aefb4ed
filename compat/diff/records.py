"""Record batches made by hand, whole and broken."""

import gzip
import struct

TABLE = []
for byte in range(256):
    crc = byte
    for _ in range(8):
        crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    TABLE.append(crc)


def crc32c(raw):
    crc = 0xFFFFFFFF
    for byte in raw:
        crc = crc >> 8 ^ TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def zigzag(value):
    value = (value << 1) ^ (value >> 63)
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def part(raw):
    return zigzag(-1) if raw is None else zigzag(len(raw)) + raw


def record(offset, key, value, timestamp=0, headers=(), attributes=0):
    body = bytes([attributes]) + zigzag(timestamp) + zigzag(offset) + part(key) + part(value) + zigzag(len(headers))
    for name, content in headers:
        body += part(name) + part(content)
    return zigzag(len(body)) + body


def lz4(raw):
    """A frame of one block that is not compressed."""
    import_checksum = xxh32(b"\x60\x40") >> 8 & 0xFF
    return b"\x04\x22\x4d\x18\x60\x40" + bytes([import_checksum]) \
        + struct.pack("<I", len(raw) | 0x80000000) + raw + b"\0\0\0\0"


def snappy(raw):
    """One literal, in the raw block form."""
    assert 60 < len(raw) < 65536
    size = len(raw)
    head = bytes([size]) if size < 128 else bytes([size & 0x7F | 0x80, size >> 7])
    return head + bytes([61 << 2]) + struct.pack("<H", size - 1) + raw


def zstd(raw):
    """A frame of one raw block."""
    return struct.pack("<I", 0xFD2FB528) + bytes([0x20 | 0x00, len(raw)]) \
        + (len(raw) << 3 | 1).to_bytes(3, "little") + raw


def xxh32(raw, seed=0):
    """For inputs below 16 bytes."""
    p1, p2, p3, p5, mask = 2654435761, 2246822519, 3266489917, 374761393, 0xFFFFFFFF
    h = (seed + p5 + len(raw)) & mask
    for byte in raw:
        h = (h + byte * p5) & mask
        h = ((h << 11 | h >> 21) & mask) * p1 & mask
    h = (h ^ h >> 15) * p2 & mask
    h = (h ^ h >> 13) * p3 & mask
    return h ^ h >> 16


COMPRESS = {0: lambda raw: raw, 1: gzip.compress, 2: snappy, 3: lz4, 4: zstd}


def batch(*values, codec=0, base=0, timestamp=1700000000000, max_timestamp=None, producer=(-1, -1, -1), attributes=0,
          records=None, count=None, last_delta=None, magic=2, leader_epoch=-1, spoil=lambda raw: raw, keys=True,
          crc=None, length=None, record_timestamps=0):
    """A v2 batch of these values; every field can be made wrong."""
    if records is None:
        records = b"".join(record(i, b"k" if keys else None, v, record_timestamps) for i, v in enumerate(values))
    payload = spoil(COMPRESS[codec](records))
    count = len(values) if count is None else count
    last_delta = count - 1 if last_delta is None else last_delta
    tail = struct.pack(">hiqqqhii", codec | attributes, last_delta, timestamp,
                       timestamp + record_timestamps if max_timestamp is None else max_timestamp, *producer, count) \
        + payload
    crc = crc32c(tail) if crc is None else crc
    body = struct.pack(">ibI", leader_epoch, magic, crc) + tail
    return struct.pack(">qi", base, len(body) if length is None else length) + body
