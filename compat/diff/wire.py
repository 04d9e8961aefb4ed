"""Kafka's protocol by its own message schemas: requests as dictionaries in, responses as dictionaries out."""

import io
import json
import re
import socket
import struct
import uuid
import zipfile


class Schemas:
    """The message descriptions inside kafka-clients' jar."""

    def __init__(self, jar):
        self.requests, self.responses, self.loose = {}, {}, {}
        with zipfile.ZipFile(jar) as archive:
            for name in archive.namelist():
                if name.startswith("common/message/") and name.endswith(".json"):
                    text = re.sub(r"(?m)^\s*//.*$", "", archive.read(name).decode())
                    schema = json.loads(re.sub(r'//[^"\n]*$', "", text, flags=re.M))
                    kind = {"request": self.requests, "response": self.responses}
                    if "apiKey" in schema:
                        kind[schema["type"]][schema["apiKey"]] = Schema(schema)
                    else:
                        self.loose[schema["name"]] = Schema(schema)
        self.keys = {s.name.removesuffix("Request"): key for key, s in self.requests.items()}


class Schema:
    """One message at all its versions."""

    def __init__(self, json_schema):
        self.name = json_schema["name"]
        self.fields = json_schema.get("fields", [])
        self.structs = {s["name"]: s["fields"] for s in json_schema.get("commonStructs", [])}
        self.flexible = json_schema.get("flexibleVersions", "none")
        self.versions = span(json_schema.get("validVersions", "none"))

    def is_flexible(self, version):
        return within(self.flexible, version)


def span(text):
    """"2-5" as (2, 5)."""
    if text == "none":
        return None
    low, _, high = text.rstrip("+").partition("-")
    return int(low), 32767 if text.endswith("+") else int(high or low)


def within(text, version):
    bounds = span(text)
    return bounds is not None and bounds[0] <= version <= bounds[1]


FIXED = {"bool": "?", "int8": ">b", "int16": ">h", "int32": ">i", "int64": ">q", "uint16": ">H", "uint32": ">I",
         "float64": ">d"}
NIL = str(uuid.UUID(int=0))


def default(field):
    given, kind = field.get("default"), field["type"]
    if given == "null":
        return None
    if kind.startswith("[]"):
        return []
    if kind == "bool":
        return given in (True, "true")
    if kind in ("string",):
        return given or ""
    if kind == "float64":
        return float(given or 0)
    if kind in FIXED:
        return int(str(given or 0), 0)
    return {"bytes": b"", "records": None, "uuid": NIL}.get(kind, {})


def varint(value):
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


class Writer:
    def __init__(self, schema, version):
        self.schema, self.version = schema, version
        self.flexible = schema.is_flexible(version)
        self.out = bytearray()

    def message(self, value):
        self.fields(self.schema.fields, value)
        return bytes(self.out)

    def fields(self, fields, value):
        known = {f["name"] for f in fields}
        assert not set(value) - known, f"{self.schema.name}: no fields {set(value) - known}"
        tagged = []
        for field in fields:
            name = field["name"]
            if "tag" in field and within(field.get("taggedVersions", "none"), self.version):
                if name in value and within(field["versions"], self.version):
                    tagged.append((field, value[name]))
            elif within(field["versions"], self.version):
                self.field(field, value.get(name, default(field)))
        if self.flexible:
            self.out += varint(len(tagged))
            for field, given in sorted(tagged, key=lambda pair: pair[0]["tag"]):
                inner = Writer(self.schema, self.version)
                inner.field(field, given)
                self.out += varint(field["tag"]) + varint(len(inner.out)) + inner.out

    def field(self, field, value):
        self.value(field["type"], field, value)

    def value(self, kind, field, value):
        if kind.startswith("[]"):
            self.length(None if value is None else len(value), ">i")
            for item in value or []:
                self.value(kind[2:], field, item)
        elif kind in FIXED:
            self.out += struct.pack(FIXED[kind], value)
        elif kind == "uuid":
            self.out += uuid.UUID(value).bytes
        elif kind in ("string", "bytes", "records"):
            raw = value.encode() if isinstance(value, str) else value
            self.length(None if raw is None else len(raw), ">h" if kind == "string" else ">i")
            self.out += raw or b""
        else:
            if "nullableVersions" in field and within(field["nullableVersions"], self.version) \
                    and field["type"] == kind:
                self.out += b"\xff" if value is None else b"\x01"
                if value is None:
                    return
            self.fields(field.get("fields") or self.schema.structs[kind], value)

    def length(self, length, fixed):
        if self.flexible:
            self.out += varint(0 if length is None else length + 1)
        else:
            self.out += struct.pack(fixed, -1 if length is None else length)


class Reader:
    def __init__(self, schema, version, raw):
        self.schema, self.version = schema, version
        self.flexible = schema.is_flexible(version)
        self.raw = io.BytesIO(raw)

    def message(self):
        value = self.fields(self.schema.fields)
        rest = self.raw.read()
        if rest:
            value["<rest>"] = rest
        return value

    def take(self, count):
        raw = self.raw.read(count)
        if len(raw) != count:
            raise ValueError(f"{self.schema.name} v{self.version} ends early")
        return raw

    def varint(self):
        value, shift = 0, 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def fields(self, fields):
        value, tags = {}, {}
        for field in fields:
            if not within(field["versions"], self.version):
                continue
            if "tag" in field and within(field.get("taggedVersions", "none"), self.version):
                tags[field["tag"]] = field
                continue
            value[field["name"]] = self.value(field["type"], field)
        if self.flexible:
            for _ in range(self.varint()):
                tag, size = self.varint(), self.varint()
                if tag in tags:
                    value[tags[tag]["name"]] = self.value(tags[tag]["type"], tags[tag])
                else:
                    value[f"<tag {tag}>"] = self.take(size)
        return value

    def value(self, kind, field):
        if kind.startswith("[]"):
            count = self.length(">i")
            return None if count is None else [self.value(kind[2:], field) for _ in range(count)]
        if kind in FIXED:
            return struct.unpack(FIXED[kind], self.take(struct.calcsize(FIXED[kind])))[0]
        if kind == "uuid":
            return str(uuid.UUID(bytes=self.take(16)))
        if kind in ("string", "bytes", "records"):
            length = self.length(">h" if kind == "string" else ">i")
            raw = None if length is None else self.take(length)
            return raw.decode() if kind == "string" and raw is not None else raw
        if "nullableVersions" in field and within(field["nullableVersions"], self.version) and field["type"] == kind:
            if struct.unpack(">b", self.take(1))[0] < 0:
                return None
        return self.fields(field.get("fields") or self.schema.structs[kind])

    def length(self, fixed):
        if self.flexible:
            length = self.varint() - 1
        else:
            length = struct.unpack(fixed, self.take(struct.calcsize(fixed)))[0]
        return None if length < 0 else length


class Closed(Exception):
    """The broker closed the connection instead of answering."""


class Connection:
    """One connection, one request in flight unless `send` and `receive` are called apart."""

    def __init__(self, schemas, address, timeout=15):
        self.schemas = schemas
        self.socket = socket.create_connection(address, timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.correlation = 0

    def close(self):
        self.socket.close()

    def raw(self, frame):
        """Sends bytes as a frame."""
        self.socket.sendall(struct.pack(">i", len(frame)) + frame)

    def header(self, key, version, client_id="diff"):
        self.correlation += 1
        name = struct.pack(">h", -1) if client_id is None else struct.pack(">h", len(client_id)) + client_id.encode()
        schema = self.schemas.requests.get(key)
        flexible = schema is not None and schema.is_flexible(version)
        return struct.pack(">hhi", key, version, self.correlation) + name + (b"\0" if flexible else b"")

    def send(self, name, version, body, client_id="diff"):
        key = self.schemas.keys[name]
        self.raw(self.header(key, version, client_id) + Writer(self.schemas.requests[key], version).message(body))

    def frame(self):
        size = struct.unpack(">i", self.exactly(4))[0]
        return self.exactly(size)

    def exactly(self, count):
        raw = b""
        while len(raw) < count:
            try:
                part = self.socket.recv(count - len(raw))
            except ConnectionResetError:
                part = b""
            if not part:
                raise Closed(raw)
            raw += part
        return raw

    def receive(self, name, version):
        key = self.schemas.keys[name]
        schema, frame = self.schemas.responses[key], self.frame()
        correlation = struct.unpack(">i", frame[:4])[0]
        assert correlation == self.correlation, f"answer to {correlation}, asked {self.correlation}"
        body = frame[4:]
        if schema.is_flexible(version) and key != 18:
            assert body[0] == 0, "tags in the header"
            body = body[1:]
        return Reader(schema, version, body).message()

    def ask(self, name, version, body, client_id="diff"):
        self.send(name, version, body, client_id)
        return self.receive(name, version)
